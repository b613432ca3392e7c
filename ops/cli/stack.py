"""`muttdev up|down|status|send`."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ops.cli.awaited import awaited
from ops.cli.consent import YesOption, agree
from ops.cli.exits import Exit, fail, printable, printable_json
from ops.devstack.inputs import Target
from schemas.settings import Settings

if TYPE_CHECKING:
    from ops.devstack.layout import Layout

READY_WITHIN_S = 180.0

Json = Annotated[bool, typer.Option("--json", help="One JSON object.")]


def up(as_json: Json = False) -> None:
    """Start Kafka, PostgreSQL, OpenBao, a webhook receiver, four workers and the API."""
    start(quiet=as_json)
    status(as_json=as_json)


def start(*, quiet: bool = True) -> None:
    """Starts the stack unless it runs, and waits until all is up."""
    from ops.devstack.layout import Layout
    from ops.devstack.processes import lives

    layout = Layout(home())
    layout.create()
    if not lives(layout.load().get("supervisor")):
        if not quiet:
            typer.echo(f"starting below {layout.home} (the first time fetches Kafka: about a minute)")
        _start(layout)
    _write_environment(layout)


def _start(layout: Layout) -> None:
    """Starts the supervisor and waits until it says that all is up."""
    from ops.devstack.processes import lives, spawn

    layout.save({key: value for key, value in layout.load().items() if key not in ("failed", "ready")})
    log = layout.logs / "supervisor.log"
    child = spawn("supervisor", [sys.executable, "-m", "ops.devstack.supervisor", str(layout.home)], log=log)
    end = time.monotonic() + READY_WITHIN_S
    while not (state := layout.load()).get("ready"):
        if not child.running and not lives(state.get("supervisor")):
            reason = layout.load().get("failed") or child.tail(400)
            fail(Exit.UNAVAILABLE, f"the stack did not start; see {log}: {reason}")
        if time.monotonic() > end:
            child.stop(grace_s=60.0)
            fail(Exit.UNAVAILABLE, f"the stack is not up after {READY_WITHIN_S:.0f} s and was ended; see {log}")
        time.sleep(0.1)


def down(
    purge: Annotated[bool, typer.Option("--purge", help="Remove all its data too.")] = False, as_json: Json = False
) -> None:
    """Stop what `up` started, and nothing else."""
    from ops.devstack.layout import Layout

    stopped, removed = _end(Layout(home()), purge=purge)
    if as_json:
        _print_json({"stopped": stopped, "purged": removed, "ok": True})
    else:
        typer.echo(("stopped" if stopped else "nothing was running") + (", data removed" if removed else ""))


def _end(layout: Layout, *, purge: bool) -> tuple[bool, bool]:
    """Whether something was stopped, and whether something was removed."""
    from ops.devstack.processes import end_left_behind, end_pid

    pid, start = layout.load().get("supervisor", (0, None))
    stopped = end_pid(pid, start, grace_s=60.0)
    left = end_left_behind(layout.load().get("processes", {}))  # by a supervisor that was killed
    return stopped or bool(left), layout.purge() if purge else False


def restart(
    service: Annotated[str, typer.Argument(help="A part that runs, as `muttdev status` names it.")],
    as_json: Json = False,
) -> None:
    """Stop one part (SIGTERM) and wait until it runs again. Servers: muttdev down, muttdev up."""
    from ops.devstack.layout import Layout
    from ops.devstack.processes import SERVERS, end_pid, lives

    layout = Layout(home())
    state = layout.load()
    if not lives(state.get("supervisor")):
        fail(Exit.UNAVAILABLE, NOT_RUNNING)
    processes = state.get("processes", {})
    if service not in processes:
        fail(Exit.USAGE, f"no part is called {service!r}; there are {', '.join(sorted(processes))}")
    if service in SERVERS:
        fail(Exit.USAGE, f"{service} keeps the whole stack up; start all of it anew: muttdev down && muttdev up")
    before = processes[service]
    end_pid(*before)
    end = time.monotonic() + READY_WITHIN_S
    while (now := layout.load().get("processes", {}).get(service)) == before or not lives(now):
        if time.monotonic() > end or not lives(layout.load().get("supervisor")):
            fail(Exit.UNAVAILABLE, f"{service} did not come back; see {layout.logs / service}.log")
        time.sleep(0.1)
    if as_json:
        _print_json({"part": service, "pid": now[0], "ok": True})
    else:
        typer.echo(f"{service} runs again, as process {now[0]}")


def reset(yes: YesOption = False, as_json: Json = False) -> None:
    """Remove all data of the stack and start it empty. Its settings file stays."""
    from ops.devstack.layout import Layout
    from ops.settings_file import NAME

    layout = Layout(home())
    agree(f"Remove all data below {layout.home} and start empty?", yes=yes)
    kept = layout.home / NAME
    settings = kept.read_bytes() if kept.exists() else None
    _end(layout, purge=True)
    if settings is not None:
        layout.home.mkdir(parents=True, exist_ok=True)
        kept.write_bytes(settings)
    up(as_json=as_json)


NOT_RUNNING = "the stack is not running; start it with: muttdev up"


def doctor(as_json: Json = False) -> None:
    """Say what is wrong with the stack, its settings and its servers, and the command that mends it."""
    from ops.cli import doctor as servers
    from ops.devstack.layout import Layout
    from ops.devstack.processes import lives

    layout = Layout(home())
    state = layout.load()
    if not lives(state.get("supervisor")):
        why = f" (it failed: {state['failed']})" if state.get("failed") else ""
        fail(Exit.UNAVAILABLE, f"{NOT_RUNNING}{why}")
    down = [name for name, known in state.get("processes", {}).items() if not lives(known)]
    for name in down:
        typer.echo(
            printable(f"wrong    {name} is down: see {layout.logs / name}.log, or muttdev logs {name}"), err=True
        )
    enter_stack()
    servers.doctor(as_json=as_json)
    if down:
        raise typer.Exit(Exit.CHECK_FAILED)


def status(as_json: Json = False) -> None:
    """What runs, and where to reach it. Exit 1 when the stack or a part of it is not up."""
    from ops.devstack.layout import Layout
    from ops.devstack.processes import lives

    layout = Layout(home())
    state = layout.load()
    alive = lives(state.get("supervisor"))
    parts = {name: lives(known) for name, known in state.get("processes", {}).items()}
    addresses = _addresses(state.get("ports", {})) if alive else {}
    environment = _write_environment(layout) if alive else None
    ok = alive and all(parts.values())
    if as_json:
        _print_json({"up": alive, "parts": parts, "addresses": addresses, "ok": ok})
    elif environment is None:
        left = ", ".join(name for name, running in parts.items() if running)
        typer.echo("the stack is not running; start it with: muttdev up" + (left and f" (left behind: {left})"))
    else:
        for name, running in parts.items():
            typer.echo(f"up    {name}" if running else f"DOWN  {name}  see {layout.logs / name}.log")
        for name, address in addresses.items():
            typer.echo(f"{name:9} {address}")
        typer.echo(f"settings  set -a; . {quote(str(environment))}; set +a")
    if not ok:
        raise typer.Exit(Exit.CHECK_FAILED)


def _write_environment(layout: Layout) -> Path:
    from ops.devstack.stack import Stack

    return Stack(layout.home).write_environment()


def _addresses(ports: dict[str, int]) -> dict[str, str]:
    openbao = {"openbao": f"http://127.0.0.1:{ports['openbao']}"} if "openbao" in ports else {}
    return openbao | {
        "kafka": f"127.0.0.1:{ports.get('kafka')}",
        "postgres": f"postgresql://mutt@127.0.0.1:{ports.get('postgres')}/mutt",
        "receiver": f"http://127.0.0.1:{ports.get('sink')}/stats",
        "api": f"http://127.0.0.1:{ports.get('api')}/ready",
        "console": f"http://127.0.0.1:{ports.get('api')}/ui",
    }


def send(
    text: Annotated[list[str] | None, typer.Argument(help="Syslog lines to send.")] = None,
    file: Annotated[Path | None, typer.Option(help="Lines, or JSON Lines of events; - is stdin.")] = None,
    topic: Annotated[Target | None, typer.Option(help="Publish every line as it stands to this topic.")] = None,
    template: Annotated[
        str | None, typer.Option(metavar="PART", help="Make lines from the demonstration's templates that hold this.")
    ] = None,
    count: Annotated[int, typer.Option(min=1, max=10_000_000, help="Lines to make from templates.")] = 1,
    rate: Annotated[float, typer.Option(min=0, help="Records a second; 0 is as fast as Kafka takes them.")] = 0,
    as_json: Json = False,
) -> None:
    """Publish syslog lines, traps or files to the running stack, and wait until Kafka has them.

    Ends with the commands that trace the first of them.
    """
    from ops.devstack.inputs import records_of
    from ops.devstack.publishing import publish
    from ops.devstack.templates import lines as made

    if not text and file is None and template is None:
        fail(Exit.USAGE, "nothing to send; give a line, --file FILE, or --template PART")
    given = made(template, count) if template is not None else (os.fsencode(line) for line in text or ())
    with _opened(file) if file is not None else nullcontext(given) as lines:
        show = not as_json and sys.stderr.isatty()
        sent = awaited(publish(_bootstrap(), records_of(lines, topic), rate=rate, show=show))
    if as_json:
        _print_json({"sent": sent.topics.total(), "topics": sent.topics, "first": sent.ids, "ok": True})
        return
    counts = ", ".join(f"{number} to {topic}" for topic, number in sent.topics.items())
    typer.echo(f"sent {sent.topics.total()}: {counts or 'nothing'}")
    for event in sent.ids:
        typer.echo(f"mutt trace {event}")


def _opened(file: Path) -> AbstractContextManager[Iterable[bytes]]:
    return nullcontext(sys.stdin.buffer) if str(file) == "-" else file.open("rb")


def _bootstrap() -> str:
    """The environment's broker; that of the running stack where none is set."""
    from ops.cli.connections import settings_from_environment
    from ops.devstack.layout import Layout
    from ops.devstack.processes import lives

    settings = settings_from_environment()
    if os.environ.get("MUTT_KAFKA_BOOTSTRAP"):
        return settings.kafka_bootstrap
    state = Layout(settings.home_path).load()
    if not lives(state.get("supervisor")):
        fail(Exit.UNAVAILABLE, NOT_RUNNING)
    return f"127.0.0.1:{state['ports']['kafka']}"


def stack_environment() -> dict[str, str]:
    """The variables with which the running stack is reached; none where it does not run."""
    from ops.devstack.layout import Layout
    from ops.devstack.processes import lives
    from ops.settings_file import read

    return read(home() / "env") if lives(Layout(home()).load().get("supervisor")) else {}


def enter_stack() -> None:
    """Makes the running stack the one that this process reaches, except where the environment names another."""
    for name, value in stack_environment().items():
        os.environ.setdefault(name, value)


def home() -> Path:
    """The folder of the stack that this environment means."""
    return Settings.from_env(os.environ).home_path


def _print_json(value: dict[str, Any]) -> None:
    typer.echo(printable_json(value))
