"""`mutt pause|resume|pauses`: The operator's stop of intake, and who paused what, why and since when."""

from __future__ import annotations

import json
from itertools import groupby
from typing import TYPE_CHECKING

import typer

from ops.cli.awaited import awaited
from ops.cli.config import Actor, Json, Reason
from ops.cli.exits import printable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from streams.adapters.pause_board import OperatorPause, PauseState, ShownPause

KEY = "ingest_paused"


def pause(reason: Reason = None, actor: Actor = None, as_json: Json = False) -> None:
    """Stop intake: workers take nothing more from the ingest topics, within a second. Recorded like any change."""
    _set(True, reason, actor, as_json=as_json)


def resume(reason: Reason = None, actor: Actor = None, as_json: Json = False) -> None:
    """Let intake go on after `mutt pause`. Other reasons to pause stay."""
    _set(False, reason, actor, as_json=as_json)


def pauses(as_json: Json = False) -> None:
    """Show what is paused: by whom or what, why, and since when."""
    state = awaited(_read())
    if as_json:
        _echo_json(_body(state))
        return
    for line in _lines(state):
        typer.echo(printable(line))


def _set(paused: bool, reason: str | None, actor: str | None, *, as_json: bool) -> None:
    from ops.cli.connections import user_name

    changed, operator = awaited(_change("true" if paused else "false", reason, actor or f"cli:{user_name()}"))
    if as_json:
        _echo_json({"changed": changed, "operator": operator})
        return
    if paused:
        told = f"intake {'is paused' if changed else 'was paused already'}{_by(operator)}"
    else:
        told = f"intake goes on; resumed{_by(operator)}" if changed else "intake was not paused"
    typer.echo(printable(told))


def _echo_json(body: object) -> None:
    """One line, with everything that could drive a terminal escaped: who and why are free text."""
    import msgspec

    typer.echo(json.dumps(msgspec.to_builtins(body)))


async def _change(value: str, reason: str | None, actor: str) -> tuple[bool, OperatorPause]:
    from ops.cli.connections import database, settings_from_environment
    from schemas.config import BY_NAME
    from schemas.config_values import to_text
    from streams.adapters.config_store import ConfigStore
    from streams.adapters.pause_board import read_pauses
    from streams.adapters.transactions import Transactions
    from streams.core.authors import Author

    async with database(settings_from_environment()) as pool:
        store = ConfigStore(Transactions(pool))
        changed = False
        if (await store.read()).get(KEY, to_text(BY_NAME[KEY].default)) != value:
            changed = bool(await store.change({KEY: value}, Author(actor, reason)))
        return changed, (await read_pauses(pool)).operator


async def _read() -> PauseState:
    from ops.cli.connections import database, settings_from_environment
    from streams.adapters.pause_board import read_pauses

    async with database(settings_from_environment()) as pool:
        return await read_pauses(pool)


def _by(operator: OperatorPause) -> str:
    from streams.core.letter_documents import time_text

    if operator.by is None:
        return ""
    return f" by {operator.by} since {time_text(operator.since)}" + (f": {operator.why}" if operator.why else "")


def _lines(state: PauseState) -> Iterator[str]:
    from streams.core.letter_documents import time_text

    config = state.config
    yield f"intake is {'paused' if state.operator.paused else 'not paused'} by the operator" + (
        f"; last word{_by(state.operator)}" if state.operator.by else ""
    )
    yield (
        f"backlog {state.backlog} alerts: warn {config.alerter_queue_warn_threshold},"
        f" shed {config.alerter_queue_shed_threshold}, hard {config.alerter_queue_hard_limit},"
        f" mode {config.alerter_shed_mode}"
    )
    for (reason, topic, worker), rows in groupby(sorted(state.pauses, key=_group), key=_group):
        members = list(rows)
        partitions = ",".join(str(row.partition) for row in members)
        since = time_text(min(row.since for row in members))
        yield f"{reason}  {topic}:{partitions}  since {since}" + (f"  {worker}" if worker else "")
        for row in members:
            if row.detail:
                yield f"  {row.topic}:{row.partition} {row.detail}; see: mutt ledger show"
    if not state.pauses:
        yield "no partition is paused"


def _group(row: ShownPause) -> tuple[str, str, str]:
    return row.reason, row.topic, row.worker or ""


def _body(state: PauseState) -> dict[str, object]:
    config = state.config
    thresholds = {
        "warn": config.alerter_queue_warn_threshold,
        "shed": config.alerter_queue_shed_threshold,
        "hard": config.alerter_queue_hard_limit,
        "mode": config.alerter_shed_mode,
    }
    return {
        "operator": state.operator,
        "backlog": {"alerts": state.backlog, **thresholds},
        "pauses": state.pauses,
    }
