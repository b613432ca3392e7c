"""`mutt trace`: what happened to one event."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ops.cli.awaited import awaited
from ops.cli.exits import Exit, fail, printable

if TYPE_CHECKING:
    from streams.adapters.trace_documents import EventPlace, SourceRecord
    from streams.adapters.traces import Trace


def trace(
    event: Annotated[str, typer.Argument(metavar="EVENT_ID", help="topic:partition:offset, or the id of an alert.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Shows what happened to one event: record, rule, disposition, alert, dead letters, replays."""
    from schemas.events import event_id
    from streams.adapters.trace_documents import is_known, trace_json, verdict_on, wanted_event

    wanted = wanted_event(event)
    place, found, record = awaited(_find(wanted))
    if place is None or found is None:
        fail(Exit.CHECK_FAILED, f"there is no alert {event}")
    verdict = verdict_on(place, found)
    if not is_known(found) and isinstance(record, str):
        fail(Exit.CHECK_FAILED, f"{event_id(*place)} was not found: {verdict}; its record: {record}")
    if as_json:
        typer.echo(json.dumps(trace_json(place, found, record, verdict)))
    else:
        typer.echo("\n".join(_lines(place, found, record, verdict)))


async def _find(wanted: EventPlace | uuid.UUID) -> tuple[EventPlace | None, Trace | None, SourceRecord]:
    from ops.cli.connections import brokers_of, database, settings_from_environment
    from streams.adapters.traces import Traces, read_record

    settings = settings_from_environment()
    async with database(settings) as pool:
        traces = Traces(pool)
        place = await traces.event_of_alert(wanted) if isinstance(wanted, uuid.UUID) else wanted
        if place is None:
            return None, None, ""
        found = await traces.trace(*place)
    return place, found, await read_record(brokers_of(settings), *place)


def _lines(place: EventPlace, found: Trace, record: SourceRecord, verdict: str) -> list[str]:
    from ops.cli.letter_views import bytes_text
    from schemas.events import event_id
    from streams.core.letter_documents import time_text

    lines = [f"event     {event_id(*place)}", f"verdict   {verdict}"]
    if isinstance(record, str):
        raw = next((row["raw"] for row in reversed(found.audit)), None)
        lines.append(f"record    {record}" + (f"; from the audit: {bytes_text(raw)}" if raw is not None else ""))
    else:
        timestamp, (key, value, headers) = record
        lines.append(f"record    at {timestamp} ms, key {bytes_text(key)}: {bytes_text(value)}")
        lines += [f"header    {bytes_text(name, 256)}: {bytes_text(data, 1024)}" for name, data in headers]
    for row in found.audit:
        lines += _audit_lines(row, found.rules)
    lines += [line for row in found.alerts for line in _alert_lines(row)]
    for stored in found.letters:
        letter = stored.letter
        lines.append(
            f"letter    {letter.id} {letter.reason} ({letter.stage}), {stored.state}, {letter.replays} replays:"
            f" {letter.detail}"
        )
    lines += [
        f"replay    {row['id']} by {row['actor']} at {time_text(row['created_at'])}: {row['sent']} sent"
        for row in found.replays
    ]
    lines += [
        f"replayed  as {event_id(row['topic'], row['partition'], row['offset'])}: {row['disposition']}"
        for row in found.replayed_as
    ]
    return [printable(line) for line in lines]


def _audit_lines(row: Mapping[str, Any], rules: tuple[Mapping[str, Any], ...]) -> Iterator[str]:
    yield f"decided   {row['disposition']} for host {row['hostname']}, rule set {row['ruleset_version']}"
    if row["rule_id"] is not None:
        body = next(
            (r["body"] for r in rules if (r["rule_id"], r["version"]) == (row["rule_id"], row["rule_version"])), None
        )
        pattern = json.loads(body) if body else {}
        text = pattern.get("match_string") or pattern.get("trap_oid") or ""
        yield f"rule      {row['rule_id']} version {row['rule_version']} {pattern.get('match_type', '')} {text}"
    yield f"handling  {row['handling']}, team {row['team']}"
    if row["replay_of"] is not None:
        yield f"replayed  from dead letter {row['replay_of']}"


def _alert_lines(row: Mapping[str, Any]) -> Iterator[str]:
    from streams.core.letter_documents import time_text

    yield f"alert     {row['id']} {row['state']}, {row['attempts']} attempts, last status {row['last_status'] or '-'}"
    if row["last_error"]:
        yield f"          {row['last_error']}"
    times = ("created_at", "published_at", "first_attempt_at", "last_attempt_at", "settled_at")
    yield "          " + ", ".join(f"{name[:-3]} {time_text(row[name])}" for name in times if row[name] is not None)
