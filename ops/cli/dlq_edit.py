"""`mutt dlq edit`: a dead letter's value corrected, by field or in an editor; the original stays."""

from __future__ import annotations

import asyncio
import json
import os
import shlex
import subprocess
import tempfile
import uuid
from pathlib import Path
from typing import Annotated

import typer

from ops.cli.connections import database, settings_from_environment, user_name
from ops.cli.consent import NoteOption, YesOption, agree, on_terminal
from ops.cli.exits import Exit, fail, printable
from ops.cli.letter_options import JsonOption, letter_id
from ops.cli.letter_views import verdict_text
from schemas.errors import Outdated, Refused
from streams.adapters.dead_letters import DeadLetters
from streams.adapters.knowledge import current_knowledge
from streams.adapters.letter_desk import LetterDesk
from streams.core.letter_documents import verdict_json
from streams.core.letter_edit import VALUE_LIMIT, Change, changed, difference, field_value, refuse_edit
from streams.core.letter_verdict import verdict
from streams.core.matching import Knowledge
from streams.core.replay import StoredLetter, current_value, with_value

EDITOR = "vi"


def edit(
    letter: Annotated[str, typer.Argument(help="Id of the dead letter.")],
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="FIELD=VALUE", help="Set a field, as JSON or else as text (repeatable)."),
    ] = None,
    unset: Annotated[
        list[str] | None, typer.Option("--unset", metavar="FIELD", help="Leave a field out (repeatable).")
    ] = None,
    value_file: Annotated[
        Path | None, typer.Option("--value-file", help="Take the new value from this file, byte for byte.")
    ] = None,
    note: NoteOption = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show the difference.")] = False,
    yes: YesOption = False,
    as_json: JsonOption = False,
) -> None:
    """Corrects the value of one letter, so that a replay can succeed. The original stays; the difference is recorded.

    Without --set, --unset or --value-file the editor of VISUAL or EDITOR opens. Afterwards `mutt dlq replay --id` sends
    the new value, under the old key and headers.
    """
    stored, knowledge = asyncio.run(_load(letter_id(letter)))
    if why := refuse_edit(stored):
        raise Refused(f"letter {letter} cannot be edited: {why}")
    value = _new_value(stored, Change(dict(map(field_value, set_ or ())), tuple(unset or ())), value_file)
    if len(value) > VALUE_LIMIT:
        raise Refused(f"the new value has {len(value)} bytes; at most {VALUE_LIMIT}")
    diff = difference(current_value(stored), value)
    would = verdict(with_value(stored, value), knowledge)
    if not as_json:
        typer.echo(_shown(diff) or "nothing is changed but white space")
        typer.echo(printable(verdict_text(verdict_json(would))))
    done = value != current_value(stored) and not dry_run
    if done:
        agree("Keep this?", yes=yes)
        asyncio.run(_write(stored, value, note))
    if as_json:
        typer.echo(
            json.dumps({"edited": done, "id": str(stored.letter.id), "diff": diff, "verdict": verdict_json(would)})
        )
    elif done:
        typer.echo(f"edited; send it with: mutt dlq replay --id {stored.letter.id}")


def _new_value(stored: StoredLetter, change: Change, value_file: Path | None) -> bytes:
    by_field = bool(change.fields or change.removed)
    if by_field and value_file is not None:
        raise Refused("--value-file takes neither --set nor --unset")
    if value_file is not None:
        return value_file.read_bytes()
    if by_field:
        return changed(current_value(stored), change)
    if not on_terminal():
        raise Refused("without a terminal, an edit needs --set, --unset or --value-file")
    return _by_editor(current_value(stored) or b"")


def _by_editor(value: bytes) -> bytes:
    """What the editor leaves of a private copy of the value; a line end that the editor added is taken off again."""
    editor = os.environ.get("VISUAL") or os.environ.get("EDITOR") or EDITOR
    with tempfile.TemporaryDirectory(prefix="mutt-edit-") as folder:
        file = Path(folder) / "value"
        file.write_bytes(value)
        file.chmod(0o600)
        try:
            code = subprocess.run([*shlex.split(editor), str(file)], check=False).returncode  # noqa: S603 - their editor
        except OSError as error:
            raise Refused(f"the editor {editor!r} does not start: {error.strerror}; set EDITOR") from None
        if code:
            fail(Exit.INTERRUPTED, f"the editor ended with status {code}; nothing was changed")
        edited = file.read_bytes()
    return edited[:-1] if edited.endswith(b"\n") and not value.endswith(b"\n") else edited


async def _load(letter: uuid.UUID) -> tuple[StoredLetter, Knowledge]:
    async with database(settings_from_environment()) as pool:
        stored = await DeadLetters(pool).get(letter)
        if stored is None:
            fail(Exit.CHECK_FAILED, f"there is no dead letter {letter}")
        return stored, await current_knowledge(pool)


async def _write(stored: StoredLetter, value: bytes, note: str | None) -> None:
    async with database(settings_from_environment()) as pool:
        try:
            await LetterDesk(pool, actor=f"cli:{user_name()}", note=note).edit(stored, value)
        except Outdated as outdated:
            fail(Exit.TRY_AGAIN, str(outdated))


def _shown(diff: str) -> str:
    return "\n".join(printable(line) for line in diff.splitlines())
