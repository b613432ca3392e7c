"""Edits of a dead letter's value: which letters may be edited, what an edit makes of the value, and the difference."""

from __future__ import annotations

import difflib
import json
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from msgspec import Struct

from schemas.dead_letters import FACTS, LetterState, Replayable, Stage
from schemas.errors import Refused
from streams.core.letters import is_cut
from streams.core.replay import StoredLetter

DIFF_LIMIT = 64 * 1024
"""Characters of a difference that are kept; the values themselves are kept whole."""
VALUE_LIMIT = 2 * 1024 * 1024
"""Bytes of an edited value: beyond it no topic of ours takes it as an event anyway."""


class Change(Struct, frozen=True):
    """Fields of a JSON object to set and to leave out."""

    fields: Mapping[str, Any] = {}
    removed: Sequence[str] = ()


def refuse_edit(stored: StoredLetter) -> str | None:
    """Why this letter cannot be edited; None when it can."""
    if stored.state not in (LetterState.OPEN, LetterState.PARKED):
        return f"it is {stored.state}; only open and parked letters can be edited"
    if stored.letter.stage is Stage.DELIVER:
        return "it stands for an alert, which is what the rules made of an event; change the rule or the receiver"
    if FACTS[stored.letter.reason].replayable is Replayable.NO:
        return f"{stored.letter.reason} is never sent again: its producer must send something else"
    if is_cut(stored.letter):
        return "only a cut copy of its value is left"
    return None


def changed(value: bytes | None, change: Change) -> bytes:
    """The value with fields set, other fields as they were and in their order. Raises Refused for no JSON object.

    A name that stands there twice stands there once afterwards, with its last value.
    """
    try:
        body = json.loads((value or b"").decode())
    except (ValueError, RecursionError):
        raise Refused("the value is no JSON in UTF-8: edit it as a whole (--value-file, or an editor)") from None
    if not isinstance(body, dict):
        raise Refused("the value is JSON, but no object: edit it as a whole (--value-file, or an editor)")
    if unknown := [name for name in change.removed if name not in body]:
        raise Refused([f"there is no field {name!r} to leave out" for name in unknown])
    body = {name: kept for name, kept in body.items() if name not in change.removed} | dict(change.fields)
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass")


def field_value(text: str) -> tuple[str, Any]:
    """Name and value of `name=value`: the value as JSON where it is some, else as text. Raises Refused."""
    name, equals, given = text.partition("=")
    if not name or not equals:
        raise Refused(f"--set {text!r} is not field=value")
    try:
        return name, json.loads(given, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        return name, given


def difference(before: bytes | None, after: bytes | None) -> str:
    """What an edit changed, as a unified diff; JSON a field a line, so that a field is a line of it."""
    old, new = _lines(before), _lines(after)
    text = "\n".join(difflib.unified_diff(old, new, "before", "after", lineterm="", n=1))
    return text if len(text) <= DIFF_LIMIT else text[: DIFF_LIMIT - 1] + "…"


def _lines(value: bytes | None) -> list[str]:
    if value is None:
        return []
    try:
        return msgspec.json.format(value, indent=2).decode().splitlines()
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return value.decode("utf-8", "backslashreplace").splitlines()


def _no_constant(name: str) -> Any:
    raise ValueError(name)
