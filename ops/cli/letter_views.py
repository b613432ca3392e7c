"""How dead letters look on a terminal and as JSON. Event text is never printed as it came."""

from __future__ import annotations

import datetime as dt
from typing import Any

import msgspec

from ops.cli.exits import printable
from schemas.dead_letters import FACTS
from streams.adapters.letter_log import LogEntry
from streams.adapters.replay_claims import Replay
from streams.core.letter_documents import text_or_none, time_text
from streams.core.letter_groups import Group, GroupBy
from streams.core.replay import StoredLetter

SHOWN_BYTES = 4096
"""Bytes of a value that the terminal view shows; the JSON view shows all."""


def bytes_text(data: bytes | None, limit: int = SHOWN_BYTES) -> str:
    """Bytes for a terminal: text with escapes, or hex, cut with the length said."""
    if data is None:
        return "null"
    shown = data[:limit]
    more = f" … ({len(data)} bytes)" if len(data) > limit else ""
    try:
        text = shown.decode()
    except UnicodeDecodeError as error:
        if not more or error.start < len(shown) - 3:
            return f"hex {shown.hex()}{more}"
        text = shown[: error.start].decode()
    return printable(text) + more


def replay_json(replay: Replay) -> dict[str, Any]:
    return {
        "id": str(replay.id),
        "actor": replay.actor,
        "reason": replay.reason,
        "filter": msgspec.to_builtins(replay.chosen),
        "created_at": time_text(replay.created_at),
        "finished_at": time_text(replay.finished_at),
        "selected": replay.selected,
        "sent": replay.sent,
        "refused": replay.refused,
        "came_back": replay.came_back,
    }


def history_json(entries: list[LogEntry]) -> list[dict[str, Any]]:
    return [
        {
            "at": time_text(entry.at),
            "actor": entry.actor,
            "action": entry.action,
            "note": entry.note,
            "replay_id": text_or_none(entry.replay_id),
            "diff": entry.diff,
        }
        for entry in entries
    ]


def history_lines(entries: list[LogEntry]) -> list[str]:
    """Who did what, oldest first; an edit with its difference, indented."""
    lines: list[str] = []
    for entry in entries:
        extra = " ".join(printable(str(fact)) for fact in (entry.replay_id, entry.note) if fact)
        lines.append(f"history   {short(entry.at)} {entry.action} by {printable(entry.actor)} {extra}".rstrip())
        lines += [f"          {printable(line)}" for line in (entry.diff or "").splitlines()]
    return lines


def verdict_text(verdict: dict[str, Any] | None) -> str:
    if verdict is None:
        return "no topic of mutt takes it"
    facts = [f"{name} {verdict[key]}" for name, key in _VERDICT_FACTS.items() if verdict[key] is not None]
    return ", ".join([f"would be {verdict['summary']}", *facts])


_VERDICT_FACTS = {
    "rule": "rule_id",
    "handling": "handling",
    "team": "team",
    "severity": "alert_severity",
    "detail": "detail",
    "alert": "delivers",
}


def group_json(group: Group) -> dict[str, Any]:
    return {
        "value": group.value,
        "letters": group.letters,
        "states": group.states,
        "first_seen": time_text(group.first_seen),
        "last_seen": time_text(group.last_seen),
        "example": str(group.example),
    }


def group_lines(groups: list[Group], by: GroupBy, limit: int) -> list[str]:
    """A table of the largest groups; details stand last in their line, for they are long."""
    values = ["-" if group.value is None else printable(group.value[:200]) for group in groups[:limit]]
    width = max([len(by.value), *(len(value) for value in values)]) if by is not GroupBy.DETAIL else 0
    layout = f"{{0:<{width}}}  {{1}}" if width else "{1}  {0}"
    facts = "{:>9} {:>9} {:>9}  {:<20}  {:<20}  {:<36}".format
    lines = [layout.format(by.value, facts("letters", "open", "parked", "first seen", "last seen", "example"))]
    for value, group in zip(values, groups, strict=False):
        counts = (group.letters, group.states.get("open", 0), group.states.get("parked", 0))
        lines.append(
            layout.format(value, facts(*counts, short(group.first_seen), short(group.last_seen), str(group.example)))
        )
    if len(groups) > limit:
        lines.append(f"… and {len(groups) - limit} more groups")
    return [line.rstrip() for line in lines]


def short(instant: dt.datetime) -> str:
    """A time to the second."""
    return instant.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def letter_lines(stored: StoredLetter) -> list[str]:
    """One letter in full, a fact a line."""
    letter, facts = stored.letter, FACTS[stored.letter.reason]
    lines = [
        f"letter    {letter.id}",
        f"state     {stored.state}, replayed {letter.replays} times"
        + (f", last by replay {stored.replay_id}" if stored.replay_id else ""),
        f"reason    {letter.reason} ({letter.stage}): {facts.means}",
        f"detail    {printable(letter.detail)}",
        f"fix       {facts.who_fixes}; replayable: {facts.replayable}",
        f"origin    {printable(letter.topic)}:{letter.partition}:{letter.offset} at {letter.timestamp} ms",
        f"failed    {time_text(letter.first_failed_at)} to {time_text(letter.last_failed_at)},"
        f" {letter.attempts} attempts",
    ]
    optional = {
        "host": letter.hostname,
        "rule": letter.rule_id,
        "alert": letter.alert_id,
        "on topic": time_text(stored.published_at),
        "replayed": time_text(stored.replayed_at),
        "parked": time_text(stored.parked_at),
        "came from": text_or_none(stored.replay_of),
    }
    lines += [f"{name:<9} {printable(str(value))}" for name, value in optional.items() if value is not None]
    lines.append(f"key       {bytes_text(letter.key)}")
    lines += [f"header    {bytes_text(name, 256)}: {bytes_text(value, 1024)}" for name, value in letter.headers]
    lines.append(f"value     {bytes_text(letter.value)}")
    if stored.edits:
        lines.append(f"edited    {bytes_text(stored.edited_value)}")
    return lines
