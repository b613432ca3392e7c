"""`mutt trace`: what happened to one event."""

from __future__ import annotations

import asyncio
import datetime as dt
import json
import uuid
from collections.abc import Iterator, Mapping
from typing import Annotated, Any

import typer

from ops.cli.connections import database, settings_from_environment
from ops.cli.exits import Exit, fail, printable
from ops.cli.letter_views import bytes_json, bytes_text, letter_json, text_or_none, time_text
from schemas.errors import Refused
from schemas.events import event_id, parse_event_id
from streams.adapters.traces import Trace, Traces, read_record
from streams.core.letters import LetterRecord

EventPlace = tuple[str, int, int]
SourceRecord = tuple[int, LetterRecord] | str

_EMBEDDED = ("payload", "body", "filter")


def trace(
    event: Annotated[str, typer.Argument(metavar="EVENT_ID", help="topic:partition:offset, or the id of an alert.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Shows what happened to one event: record, rule, disposition, alert, dead letters, replays."""
    wanted = _parse(event)
    place, found, record = asyncio.run(_find(wanted))
    if place is None or found is None:
        fail(Exit.CHECK_FAILED, f"there is no alert {event}")
    verdict = _verdict(place, found)
    known = bool(found.audit or found.alerts or found.letters or found.ledger)
    if not known and isinstance(record, str):
        fail(Exit.CHECK_FAILED, f"{event_id(*place)} was not found: {verdict}; its record: {record}")
    if as_json:
        typer.echo(json.dumps(_trace_json(place, found, record, verdict)))
    else:
        typer.echo("\n".join(_lines(place, found, record, verdict)))


def _parse(text: str) -> EventPlace | uuid.UUID:
    try:
        return uuid.UUID(text)
    except ValueError:
        pass
    try:
        topic, partition, offset = parse_event_id(text)
    except ValueError as error:
        raise Refused(f"{error}; or give the id of an alert") from None
    if partition >= 2**31 or offset >= 2**63:
        raise Refused(f"{text!r} is no event id: partition or offset is out of bounds")
    return topic, partition, offset


async def _find(wanted: EventPlace | uuid.UUID) -> tuple[EventPlace | None, Trace | None, SourceRecord]:
    settings = settings_from_environment()
    async with database(settings) as pool:
        traces = Traces(pool)
        place = await traces.event_of_alert(wanted) if isinstance(wanted, uuid.UUID) else wanted
        if place is None:
            return None, None, ""
        found = await traces.trace(*place)
    return place, found, await read_record(settings.kafka_bootstrap, *place)


def _verdict(place: EventPlace, found: Trace) -> str:
    """One sentence: what became of the event, as far as the tables say."""
    if found.audit:
        return str(found.audit[-1]["disposition"])
    if any(stored.letter.stage != "deliver" for stored in found.letters):
        return "dead letter"
    if found.ledger:
        row = found.ledger[-1]
        return (
            f"processed, but only counted: ledger row [{row['first_offset']}, {row['next_offset']})"
            f" of epoch {row['epoch']}, minute {time_text(row['minute'])}"
        )
    if found.progress is None:
        return "its partition was never read"
    stands = found.progress["next_offset"]
    if place[2] >= stands:
        halted = f"; the partition is halted: {found.progress['halted_reason']}" if found.progress["halted_at"] else ""
        return f"not processed yet: the partition stands at {stands}{halted}"
    return "below the first offset that mutt read"


def _trace_json(place: EventPlace, found: Trace, record: SourceRecord, verdict: str) -> dict[str, Any]:
    return {
        "event_id": event_id(*place),
        "verdict": verdict,
        "record": _record_json(record),
        "progress": _row_json(found.progress) if found.progress else None,
        "ledger": [_row_json(row) for row in found.ledger],
        "audit": [_row_json(row) for row in found.audit],
        "rules": [_row_json(row) for row in found.rules],
        "alerts": [_row_json(row) for row in found.alerts],
        "dead_letters": [letter_json(stored) for stored in found.letters],
        "replays": [_row_json(row) for row in found.replays],
        "replayed_as": [_row_json(row) for row in found.replayed_as],
    }


def _record_json(record: SourceRecord) -> dict[str, Any]:
    if isinstance(record, str):
        return {"in_kafka": False, "why": record}
    timestamp, (key, value, headers) = record
    return {
        "in_kafka": True,
        "timestamp": timestamp,
        "key": bytes_json(key),
        "value": bytes_json(value),
        "headers": [[bytes_json(name), bytes_json(data)] for name, data in headers],
    }


def _row_json(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _value_json(name, value) for name, value in row.items()}


def _value_json(name: str, value: Any) -> Any:
    if isinstance(value, dt.datetime):
        return time_text(value)
    if isinstance(value, bytes):
        return bytes_json(value) if name == "raw" else value.hex()
    if name in _EMBEDDED and isinstance(value, str):
        return json.loads(value)
    return value if value is None or isinstance(value, (str, int, float, bool, list)) else text_or_none(value)


def _lines(place: EventPlace, found: Trace, record: SourceRecord, verdict: str) -> list[str]:
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
    yield f"alert     {row['id']} {row['state']}, {row['attempts']} attempts, last status {row['last_status'] or '-'}"
    if row["last_error"]:
        yield f"          {row['last_error']}"
    times = ("created_at", "published_at", "first_attempt_at", "last_attempt_at", "settled_at")
    yield "          " + ", ".join(f"{name[:-3]} {time_text(row[name])}" for name in times if row[name] is not None)
