"""`mutt topics create|check|acl`."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from ops.cli.exits import Exit, fail, printable
from schemas.secret_names import Service
from streams.core.broker_rights import Client, told

if TYPE_CHECKING:
    from streams.adapters.broker_access import Brokers
    from streams.adapters.topics import TopicState

app = typer.Typer()

Json = Annotated[bool, typer.Option("--json", help="One JSON object.")]


@app.command()
def create(
    replication: Annotated[int, typer.Option(min=1, max=9, help="Replicas of each new topic.")] = 1,
    as_json: Json = False,
) -> None:
    """Create the topics that are missing; existing ones are left as they are, differences are shown."""
    from streams.adapters.topics import create_topics

    states = asyncio.run(create_topics(_brokers(Service.MIGRATE), replication=replication))
    _show(states, as_json=as_json)


@app.command()
def check(as_json: Json = False) -> None:
    """Compare the topics with what mutt expects; exit 1 when one is missing or differs."""
    from streams.adapters.topics import check_topics

    states = asyncio.run(check_topics(_brokers(Service.OPERATOR)))
    _show(states, as_json=as_json)
    if any(not state.exists or state.differences for state in states):
        raise typer.Exit(Exit.CHECK_FAILED)


@app.command()
def acl(
    apply: Annotated[bool, typer.Option("--apply/--check", help="Add what is missing, or only compare.")] = False,
    principal: Annotated[
        list[str] | None,
        typer.Option(metavar="CLIENT=PRINCIPAL", help="Another principal than User:mutt-CLIENT."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Compare who may do what at Kafka with mutt's table, or make it so; exit 1 where something is missing or too much.

    Nothing is taken away: what is too much is shown.
    """
    from streams.adapters.broker_rights import apply_rights, check_rights

    brokers, names = _brokers(Service.ROTATE), _principals(principal or [])
    added = asyncio.run(apply_rights(brokers, names)) if apply else ()
    found = asyncio.run(check_rights(brokers, names))
    _show_rights([told(each) for each in added], [told(each) for each in found.missing], found.extra, as_json=as_json)
    if found.missing or found.extra:
        raise typer.Exit(Exit.CHECK_FAILED)


def _principals(given: Sequence[str]) -> dict[str, str]:
    names = dict(each.partition("=")[::2] for each in given)
    if wrong := [each for each in names if each not in list(Client)]:
        fail(Exit.USAGE, f"--principal {wrong[0]}: no client; there are {', '.join(Client)}")
    if wrong := [name for name in names.values() if not name.partition(":")[2]]:
        fail(Exit.USAGE, f"--principal {wrong[0]!r} is no principal; write User:NAME")
    return names


def _show_rights(added: Sequence[str], missing: Sequence[str], extra: Sequence[str], *, as_json: bool) -> None:
    if as_json:
        import orjson

        body = {"added": added, "missing": missing, "extra": extra, "ok": not (missing or extra)}
        typer.echo(orjson.dumps(body))
        return
    for word, lines in (("added", added), ("missing", missing), ("too much", extra)):
        for line in sorted(lines):
            typer.echo(printable(f"{word:9}{line}"))
    if not (missing or extra):
        typer.echo("the rights are as they should be")


def _brokers(service: Service) -> Brokers:
    """With the login of whoever deploys, of whoever looks, or of an administrator of the brokers."""
    from ops.cli.connections import brokers_of, settings_from_environment

    return brokers_of(settings_from_environment(), service)


def _show(states: Sequence[TopicState], *, as_json: bool) -> None:
    if as_json:
        import msgspec

        ok = all(state.exists and not state.differences for state in states)
        typer.echo(msgspec.json.encode({"topics": states, "ok": ok}))
        return
    for state in states:
        word = "created" if state.created else "exists" if state.exists else "missing"
        notes = f" ({'; '.join(state.differences)})" if state.differences else ""
        typer.echo(f"{word:8} {state.name}  {state.partitions} partitions{notes}")
