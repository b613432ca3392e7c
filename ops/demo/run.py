"""Runs the whole demonstration: starts the stack, plays the script, draws up the books, ends everything."""

from __future__ import annotations

import asyncio
import datetime as dt
import os
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from shlex import quote
from typing import Any

from rich.console import Console, RenderableType
from rich.live import Live

from ops.cli.exits import printable
from ops.demo import books, screen
from ops.demo.alarms import PACE, Alarms
from ops.demo.board import Board
from ops.demo.fleet import NOISY_HOST
from ops.demo.generate import Generated, Traffic, generate, planned
from ops.demo.prepare import prepare
from ops.demo.script import Happened, Script
from ops.demo.watch import Watcher, log_ends, log_reader
from ops.demo.workers import Workers
from ops.devstack.inputs import records_from
from ops.devstack.layout import Layout
from ops.devstack.processes import end_pid, started_at
from ops.devstack.secured import SecuredStack
from ops.devstack.stack import Stack
from ops.prometheus.local import require_programs
from schemas.errors import Refused
from schemas.secret_names import API_KEY

DRAWN_PER_SECOND = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What the person at the keyboard asked for."""

    home: Path
    """A folder of the demonstration's own; emptied before and, when all went well, afterwards."""
    seed: int
    seconds: float
    rate: float
    input: Path | None = None
    rules: Path | None = None
    openbao: bool = False
    """Each worker has an AppRole of its own; otherwise secrets are files."""
    secure: bool = False
    """That too, TLS on every way, and a login with its own rights for each service."""
    live: bool = True
    """Draw the screen; otherwise a line for each step."""
    pager: bool = False
    """Prometheus and Alertmanager watch, and a burn-rate alert fires and resolves."""
    stay: bool = True
    """Stay up after the balance sheet until Ctrl-C."""
    afterwards: Callable[[Stack], None] | None = None
    """What is done with the stack, while it stands, after the balance sheet."""


def run(options: Options, console: Console) -> dict[str, Any]:
    """The result as one dict: figures, checks, `balanced`, `ok`. Raises StackFailed and Refused; KeyboardInterrupt.

    Whatever happens, every process it started has ended when it returns.
    """
    traffic = _traffic(options)
    if options.pager:
        require_programs()
    _clear(options.home)
    began = time.monotonic()
    stack = SecuredStack(options.home) if options.secure else Stack(options.home, openbao=options.openbao)
    board = Board(announce=_announcer(options, console))
    with _interruptible():
        try:
            with _screen(options, console, board):
                result = asyncio.run(_play(stack, board, options, traffic))
            result["seconds"] = round(time.monotonic() - began, 1)
            if options.afterwards is not None:
                options.afterwards(stack)
            if options.stay:
                _stay(stack, console, result)
        finally:
            _end(stack)
    if result["ok"]:
        stack.layout.purge()
    else:
        result["logs"] = str(stack.layout.logs)
    return result


def _traffic(options: Options) -> Generated:
    if options.input is None:
        start = dt.datetime.now(dt.UTC).replace(microsecond=0)
        return generate(Traffic(options.seed, start, options.seconds, options.rate))
    rows = [(record.topic, record.key, record.value) for record in records_from(options.input)]
    if not rows:
        raise Refused(f"{options.input} holds no records")
    return Generated(planned(rows, options.rate), 0)


async def _play(stack: Stack, board: Board, options: Options, traffic: Generated) -> dict[str, Any]:
    board.say("starting Kafka, PostgreSQL and the receiver (the first time fetches Kafka: about a minute)")
    await asyncio.to_thread(stack.start_servers)
    if options.secure:
        board.say("each of them speaks TLS alone; OpenBao holds the authority, and the secrets of each service")
    workers = Workers(stack, board)
    await prepare(stack, board, workers, options.rules)
    script = Script(stack, board, workers, pager=options.pager)
    watching = [asyncio.create_task(Watcher(stack, board, workers).run())]
    if options.pager:
        alarms = Alarms(stack, board, workers)
        await alarms.start()
        watching.append(asyncio.create_task(alarms.run()))
    playing = asyncio.create_task(script.perform(traffic.records, NOISY_HOST if options.input is None else None))
    try:
        await asyncio.wait({*watching, playing}, return_when=asyncio.FIRST_COMPLETED)
        for task in watching:
            if task.done():
                task.result()
        await playing
        board.say("drawing up the balance sheet")
        figures = await _books(stack, board, options, traffic)
    finally:
        for task in (*watching, playing):
            task.cancel()
        await asyncio.gather(*watching, playing, return_exceptions=True)
    return _result(options, board, script.happened, figures)


async def _books(stack: Stack, board: Board, options: Options, traffic: Generated) -> dict[str, Any]:
    async with log_reader(stack) as consumer:
        ends = await log_ends(consumer)
    known = options.input is None and options.rules is None
    sides = books.Sides(
        acknowledged=Counter(board.acknowledged),
        ends=ends,
        received=books.read_receiver(stack.sink_log),
        rejected={reason.value: count for reason, count in traffic.rejected.items()} if options.input is None else None,
        storms=traffic.storms if known else None,
    )
    connection = await stack.connect()
    try:
        return await books.balance(connection, sides)
    finally:
        await connection.close()


def _result(options: Options, board: Board, happened: Happened, figures: dict[str, Any]) -> dict[str, Any]:
    told, by_itself = board.figures.told, board.figures.by_itself
    script = {
        "waited_in_outage": happened.waited, "paused": board.most_paused, "breaker_opened": told.opened,
        "killed": int(happened.killed_pid is not None), "rejected": happened.rejected, "replayed": happened.replayed,
        "restarts": board.restarts,
    }  # fmt: skip
    seen = {
        "paused_seconds": {reason: round(seconds, 1) for reason, seconds in sorted(told.paused_s.items())},
        "remediation": {"rounds": by_itself.rounds, "replayed": by_itself.sent, "came_back": by_itself.came_back},
        "script": script,
    }
    if options.pager:
        seen["prometheus"] = _paged(board)
    problems = _problems(options, board, happened)
    ok = figures["balanced"] and not problems
    if options.secure:
        seen["secure"] = options.secure
    return {"seed": options.seed, **figures, **seen, "problems": problems, "ok": ok}


def _paged(board: Board) -> dict[str, Any]:
    """What the pager was told, with seconds since the start; windows are `pace` times as short as they are called."""
    at, page = board.rang or (None, None)
    fired = page and {
        "seconds": at and round(at, 1), "objective": page.objective, "window": page.window, "severity": page.severity,
        "summary": page.summary,
    }  # fmt: skip
    resolved = None if board.resolved_at is None else {"seconds": round(board.resolved_at, 1)}
    return {"pace": PACE, "fired": fired, "resolved": resolved}


def _problems(options: Options, board: Board, happened: Happened) -> list[str]:
    """What the demonstration promises to show and did not. Nobody knows what somebody's own events bring."""
    generated = options.input is None
    missed = {
        "no worker was killed": happened.killed_pid is None,
        "no alert waited during the outage": generated and not happened.waited,
        "nothing was shed during the outage": generated and not happened.shed,
        "intake did not pause during the outage": generated and not board.most_paused,
        "remediation replayed nothing": generated and not board.figures.by_itself.sent,
        "the pager did not ring": options.pager and generated and not board.rang,
        "the pager was not told that it is over": bool(board.rang) and board.resolved_at is None,
        "no alert was rejected": generated and not happened.rejected,
        f"{happened.rejected} alerts were dead, {happened.replayed} were replayed": (
            happened.replayed != happened.rejected
        ),
    }
    return [*happened.problems, *(what for what, so in missed.items() if so)]


# -- around it ------------------------------------------------------------------------------------------------------


def _announcer(options: Options, console: Console) -> Any:
    if options.live:
        return lambda line: None
    return lambda line: console.print(printable(line), markup=False, highlight=False, soft_wrap=True)


@contextmanager
def _screen(options: Options, console: Console, board: Board) -> Iterator[None]:
    if not options.live:
        yield
        return

    def now() -> RenderableType:
        size = console.size
        return screen.draw(board, size.width, size.height - 1)  # a full screen would scroll

    with Live(get_renderable=now, console=console, refresh_per_second=DRAWN_PER_SECOND):
        yield


def _stay(stack: Stack, console: Console, result: dict[str, Any]) -> None:
    """Shows the books and the addresses; returns at Ctrl-C."""
    show_books(console, result)
    settings = stack.settings
    key = quote(str(stack.layout.secrets / API_KEY))
    for name, address in (
        ("console", f"{stack.url(stack.api_port, '/ui')}   (sign in with the key: cat {key})"),
        ("API", f"{stack.url(stack.api_port, '/api/v1/audit-logs')} and /api/v1/slo, /health, /ready, /metrics"),
        ("receiver", stack.url(stack.sink_port, "/stats")),
        *((("authority", settings.database_cacert),) if settings.database_cacert else ()),
        ("Kafka", settings.kafka_bootstrap),
        ("PostgreSQL", settings.database_url),
        ("logs", str(stack.layout.logs)),
        (
            "settings",
            f"set -a; . {quote(str(_environment_file(stack)))}; set +a   (then: mutt dlq list, mutt trace ...)",
        ),
    ):
        console.print(f"{name:10} {address}", markup=False, highlight=False, soft_wrap=True)
    console.print("Ctrl-C ends everything.")
    with suppress(KeyboardInterrupt):
        while True:
            time.sleep(3600)


def show_books(console: Console, result: dict[str, Any]) -> None:
    """The balance sheet, what went wrong, and the verdict."""
    console.print(screen.sheet(result["checks"]))
    shed, paused = result["shed"], result["paused_seconds"].get("backlog", 0.0)
    console.print(
        f"{shed['total']} shed, {result['remediation']['replayed']} of them replayed by remediation;"
        f" the backlog paused intake for {paused:.0f} partition-seconds",
        highlight=False,
    )
    for problem in result["problems"]:
        console.print(printable(problem), markup=False, style="red")
    verdict = "the books balance" if result["balanced"] else "THE BOOKS DO NOT BALANCE"
    console.print(verdict, style="bold green" if result["ok"] else "bold red")


def _environment_file(stack: Stack) -> Path:
    """The settings as a file to source, for `mutt` commands in another shell. It holds no secret."""
    path = stack.layout.home / "env"
    path.write_text("".join(f"{name}={quote(value)}\n" for name, value in stack.settings.to_env().items()))
    return path


@contextmanager
def _interruptible() -> Iterator[None]:
    """SIGTERM ends the demonstration the way Ctrl-C does, also where a shell started it with SIGINT ignored."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _end(stack: Stack) -> None:
    """Ends every child; a second Ctrl-C does not leave some of them behind."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        stack.stop_all()
    finally:
        signal.signal(signal.SIGINT, before)


def _clear(home: Path) -> None:
    """Removes what an earlier demonstration left, its processes first. Raises Refused while one still runs."""
    layout = Layout(home)
    state = layout.load()
    owner = state.get("owner")
    if owner and started_at(owner[0]) == owner[1]:
        raise Refused(f"a demonstration already runs below {home} (pid {owner[0]})")
    for pid, start in state.get("processes", {}).values():
        end_pid(pid, start)
    layout.purge()
    layout.create()
    layout.save({"owner": (os.getpid(), started_at(os.getpid()))})
