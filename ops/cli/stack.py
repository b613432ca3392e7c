"""`muttdev up|down|status|send`."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ops.cli.exits import Exit, fail, printable
from ops.devstack.inputs import Target
from schemas.settings import Settings

if TYPE_CHECKING:
    from ops.devstack.inputs import OutRecord
    from ops.devstack.publishing import Sent

READY_WITHIN_S = 180.0

Json = Annotated[bool, typer.Option("--json", help="One JSON object.")]


def up(as_json: Json = False) -> None:
    """Start Kafka, PostgreSQL, a webhook receiver, two match workers, a forwarder, dead letters and the API."""
    from ops.devstack.layout import Layout
    from ops.devstack.processes import spawn, started_at

    layout = Layout(_home())
    layout.create()
    if not _supervisor_lives(layout.load()):
        layout.save({key: value for key, value in layout.load().items() if key in ("ports", "outside")})
        child = spawn(
            "supervisor",
            [sys.executable, "-m", "ops.devstack.supervisor", str(layout.home)],
            log=layout.logs / "supervisor.log",
        )
        if not as_json:
            typer.echo(f"starting below {layout.home} (the first time fetches Kafka: about a minute)")
        end = time.monotonic() + READY_WITHIN_S
        while not layout.load().get("ready"):
            if not child.running or time.monotonic() > end:
                reason = layout.load().get("failed") or child.tail(400)
                fail(Exit.UNAVAILABLE, f"the stack did not start; see {child.log}: {reason}")
            time.sleep(0.1)
        assert started_at(child.pid)
    status(as_json=as_json)


def down(
    purge: Annotated[bool, typer.Option("--purge", help="Remove all its data too.")] = False, as_json: Json = False
) -> None:
    """Stop what `up` started, and nothing else."""
    from ops.devstack.layout import Layout
    from ops.devstack.processes import end_pid

    layout = Layout(_home())
    state = layout.load()
    stopped = False
    if supervisor := state.get("supervisor"):
        stopped = end_pid(supervisor[0], supervisor[1], grace_s=60.0)
    for pid, start in state.get("processes", {}).values():  # what a killed supervisor left behind
        end_pid(pid, start)
    if purge:
        layout.purge()
    if as_json:
        _print_json({"stopped": stopped, "purged": purge, "ok": True})
    else:
        typer.echo(("stopped" if stopped else "nothing was running") + (", data removed" if purge else ""))


def status(as_json: Json = False) -> None:
    """What runs, and where to reach it. Exit 1 when the stack is not up."""
    from ops.devstack.layout import Layout
    from ops.devstack.processes import started_at

    state = Layout(_home()).load()
    ports = state.get("ports", {})
    alive = _supervisor_lives(state)
    parts = {name: started_at(pid) == start for name, (pid, start) in state.get("processes", {}).items()}
    addresses = {
        "kafka": f"127.0.0.1:{ports.get('kafka')}",
        "postgres": f"postgresql://mutt@127.0.0.1:{ports.get('postgres')}/mutt",
        "receiver": f"http://127.0.0.1:{ports.get('sink')}/stats",
        "api": f"http://127.0.0.1:{ports.get('api')}/ready",
    }
    environment = _write_environment() if alive else None
    if as_json:
        _print_json({"up": alive, "parts": parts, "addresses": addresses if alive else {}, "ok": alive})
    elif not alive:
        typer.echo("the stack is not running; start it with: muttdev up")
    else:
        for name, running in parts.items():
            typer.echo(f"{'up' if running else 'DOWN':5} {name}")
        for name, address in addresses.items():
            typer.echo(f"{name:9} {address}")
        typer.echo(f"settings  set -a; . '{environment}'; set +a")
    if not alive:
        raise typer.Exit(Exit.CHECK_FAILED)


def send(
    text: Annotated[list[str] | None, typer.Argument(help="Syslog lines to send.")] = None,
    file: Annotated[Path | None, typer.Option(help="Lines, or JSON Lines of events; - is stdin.")] = None,
    topic: Annotated[Target | None, typer.Option(help="Publish every line as it stands to this topic.")] = None,
    rate: Annotated[float, typer.Option(min=0, help="Records a second; 0 is as fast as Kafka takes them.")] = 0,
    as_json: Json = False,
) -> None:
    """Publish syslog lines, traps or files to the running stack, and wait until Kafka has them.

    Ends with the commands that trace the first of them.
    """
    from ops.devstack.inputs import records_from, records_of

    records: Iterator[OutRecord]
    if file is not None and str(file) != "-":
        records = records_from(file, topic)
    elif file is not None:
        records = records_of(sys.stdin.buffer, topic)
    elif text:
        records = records_of((line.encode() for line in text), topic)
    else:
        fail(Exit.USAGE, "nothing to send; give a line, or --file FILE")
    sent = asyncio.run(_publish(records, rate, show=not as_json and sys.stderr.isatty()))
    if as_json:
        _print_json({"sent": sent.topics.total(), "topics": sent.topics, "first": sent.ids, "ok": True})
        return
    counts = ", ".join(f"{number} to {topic}" for topic, number in sent.topics.items())
    typer.echo(f"sent {sent.topics.total()}: {counts or 'nothing'}")
    for event in sent.ids:
        typer.echo(f"mutt trace {event}")


async def _publish(records: Iterator[OutRecord], rate: float, *, show: bool) -> Sent:
    from ops.devstack.publishing import publish

    return await publish(_settings().kafka_bootstrap, records, rate=rate, show=show)


def _settings() -> Settings:
    """The environment's settings; the address of the running stack where none is set."""
    from ops.devstack.layout import Layout

    settings = Settings.from_env(os.environ)
    port = Layout(_home()).load().get("ports", {}).get("kafka")
    if port and "MUTT_KAFKA_BOOTSTRAP" not in os.environ:
        from msgspec.structs import replace

        return replace(settings, kafka_bootstrap=f"127.0.0.1:{port}")
    return settings


def _write_environment() -> Path:
    """A file to source in a shell, so that `mutt` commands reach the stack. It holds no secret."""
    from shlex import quote

    from ops.devstack.stack import Stack

    stack = Stack(_home())
    path = stack.layout.home / "env"
    path.write_text("".join(f"{name}={quote(value)}\n" for name, value in stack.settings.to_env().items()))
    return path


def _home() -> Path:
    return Settings.from_env(os.environ).home_path


def _supervisor_lives(state: dict[str, Any]) -> bool:
    from ops.devstack.processes import started_at

    supervisor = state.get("supervisor")
    return supervisor is not None and started_at(supervisor[0]) == supervisor[1]


def _print_json(value: dict[str, Any]) -> None:
    import orjson

    typer.echo(printable(orjson.dumps(value).decode()))
