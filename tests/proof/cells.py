"""The fault matrix: every part, what can happen to it, and what must happen then; or why no test shows it yet."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Cell:
    """One fault of one part. Every invariant holds in every cell; `must` is what is particular to this one."""

    must: str
    why_not: str | None = None
    """Why no test shows it; None where tests do, marked `@pytest.mark.proves("part.fault")`."""


MATRIX: Mapping[str, Mapping[str, Cell]] = {
    "broker": {
        "kill": Cell("batches in hand are committed, publishing waits visibly, the API goes on reading"),
        "freeze": Cell("workers that were put out of their group come back and write nothing of their own"),
        "restart": Cell("every partition goes on at its place in our tables, not at Kafka's"),
        "slow": Cell("lag grows, memory does not"),
        "reset": Cell("a record may be on a topic twice, under one id"),
        "full": Cell("partitions wait until there is room again"),
        "wrong": Cell("a replaced log or damaged batch halts its partition; a gap is recorded as missing"),
        "cut": Cell("a log that ends below our place halts its partition, never a silent jump"),
    },
    "postgres": {
        "kill": Cell("intake pauses, nothing becomes a dead letter, progress is read again"),
        "freeze": Cell("no wait without a deadline; a late commit of an old session is harmless"),
        "restart": Cell("pools heal by themselves"),
        "slow": Cell("batches grow, then the partition pauses; the worker stays in its group"),
        "reset": Cell("sessions cut anywhere: the compare-and-set decides"),
        "full": Cell("writes wait until there is room again, nothing becomes a dead letter"),
        "wrong": Cell("conflicts are tried again; a refused row is its own record's fault; no rights means wait"),
        "cut": Cell("COMMIT sent and no answer: progress tells whether it took place"),
    },
    "vault": {
        "kill": Cell("the last known secrets stay; a fresh start fails closed within 10 s"),
        "freeze": Cell("calls run in a thread and end within 5 s"),
        "slow": Cell("calls run in a thread and end within 5 s"),
        "full": Cell("a server that answers with errors: the last known secrets stay"),
        "restart": Cell("a sealed Vault counts as down"),
        "reset": Cell("nothing is sent twice; the next look reads again"),
        "wrong": Cell("a refused token is a new login, then an alarm; an empty secret changes nothing"),
    },
    "receiver": {
        "kill": Cell("alerts wait, none dies; they are delivered when it is back"),
        "freeze": Cell("no answer in time is unknown; the same id goes out again"),
        "restart": Cell("one probe, then the most severe first, each host in order"),
        "slow": Cell("an answer that trickles ends at the timeout"),
        "reset": Cell("a cut connection is unknown; the same id goes out again"),
        "full": Cell("5xx is tried again with jitter, the breaker opens, then intake is held back"),
        "wrong": Cell("redirects are not followed, answers are read to a limit, Retry-After has bounds"),
        "cut": Cell("half an answer is unknown; the same id goes out again"),
    },
    "worker": {
        "kill": Cell("another takes over; nothing lost, nothing twice"),
        "freeze": Cell("frozen beyond its session and woken, it writes nothing of its own"),
        "term": Cell("it drains in time, ends with 0, and nothing is repeated"),
        "slow": Cell("with a twentieth of a processor it stays in its group"),
        "reset": Cell("all its connections cut at once: it heals"),
        "full": Cell("with no room for its log it goes on"),
        "wrong": Cell("a defect of ours is a letter, twenty in a row halt; a standstill ends with status 70"),
    },
    "api": {
        "kill": Cell("no half change; asked again with the same Idempotency-Key, nothing happens twice"),
        "freeze": Cell("its probe fails and others serve"),
        "term": Cell("it ends with 0 in time"),
        "slow": Cell("without a database 503, soon"),
        "reset": Cell("clients that hang up leave nothing behind"),
        "full": Cell("writes are refused with 503, reads go on"),
        "wrong": Cell("a defect is a 500 with an id and nothing else"),
        "cut": Cell("whoever reads an export can tell that it is not whole"),
    },
    "clock": {
        "hour": Cell("an hour off: timeouts and order do not care"),
        "day": Cell("a day off: timeouts and order do not care"),
        "backwards": Cell("set back while working: no timeout comes early or never"),
        "jump": Cell("a jump after a freeze: order is by offset"),
    },
    "configuration": {
        "kill": Cell("a change is whole with its audit row, or is not there"),
        "slow": Cell("ten thousand rules are compiled beside the lanes"),
        "wrong": Cell("what cannot be used leaves the last good one in force and says why"),
        "cut": Cell("half a file is refused as a whole"),
    },
    "files": {
        "kill": Cell("an export that was killed leaves no file of that name"),
        "full": Cell("no room is an error and no file"),
        "cut": Cell("a purge without its whole archive deletes nothing"),
        "wrong": Cell("a changed bit is found"),
    },
}

CELLS: Mapping[str, Cell] = {f"{part}.{fault}": cell for part, row in MATRIX.items() for fault, cell in row.items()}
"""By name: `broker.kill`, …"""
