"""`mutt secrets`: what is stored, without ever showing it; the rotation of database logins; a Vault made ready."""

from __future__ import annotations

import asyncio
import datetime as dt
import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ops.cli.durations import METAVAR, duration
from ops.cli.exits import Exit, fail, printable
from schemas.errors import SecretRefused, SecretsUnavailable, SettingsRefused
from schemas.secret_names import READS, DatabaseRole, SecretGroup, Service, all_groups, kafka_group

if TYPE_CHECKING:
    from schemas.settings import Settings
    from streams.adapters.login_rotation import Retired

app = typer.Typer()

ROTATED = tuple(
    service for service in Service if service is not Service.ROTATE and kafka_group(service) in READS[service]
)
"""Who has a login at Kafka."""

Json = Annotated[bool, typer.Option("--json", help="One JSON object.")]


@app.command()
def status(as_json: Json = False) -> None:
    """Show which secrets are stored, in which version and how old: names, never values. Exit 1: something is wrong."""
    from ops.cli.connections import settings_from_environment

    rows = [_row(group, held) for group, held in _held(settings_from_environment()).items()]
    wrong = any(row["problem"] for row in rows)
    if as_json:
        typer.echo(json.dumps({"secrets": rows, "ok": not wrong}))
    else:
        for row in rows:
            typer.echo(printable(_line(row)))
    if wrong:
        raise typer.Exit(Exit.CHECK_FAILED)


@app.command("rotate-db")
def rotate_db(
    role: Annotated[DatabaseRole, typer.Argument(help="Whose login: the services that share it follow by themselves.")],
    retire: Annotated[bool, typer.Option("--retire", help="The second step: end the login that was replaced.")] = False,
    member_of: Annotated[
        list[str] | None,
        typer.Option("--member-of", metavar="ROLE", help="What the new login may do; else what the old one may."),
    ] = None,
    wait: Annotated[
        str, typer.Option("--wait", metavar=METAVAR, help="How long the old login's sessions get to come to rest.")
    ] = "60s",
    as_json: Json = False,
) -> None:
    """Replace a database login while everything runs: once to switch to a new one, then with --retire."""
    if role is DatabaseRole.ADMIN:
        fail(Exit.USAGE, "the login that replaces the others is replaced by hand: docs/SECRETS.md says how")
    if retire:
        _show_retired(asyncio.run(_retire(role, duration(wait).total_seconds())), role, as_json)
        return
    current, leaving = asyncio.run(_switch(role, member_of or []))
    if as_json:
        typer.echo(json.dumps({"role": role, "current": current, "leaving": leaving, "ok": True}))
    else:
        typer.echo(f"{current} is in use; {leaving} still opens until: mutt secrets rotate-db {role} --retire")


@app.command("rotate-kafka")
def rotate_kafka(
    service: Annotated[Service, typer.Argument(help="Whose password at the brokers (SCRAM).")], as_json: Json = False
) -> None:
    """Replace a service's password at Kafka while it runs: in the store and at the brokers. Safe to repeat.

    Logs in at the brokers as whoever may alter the cluster, with a certificate or the secrets of the service `rotate`.
    """
    if service not in ROTATED:
        fail(Exit.USAGE, f"{service} has no login at Kafka that others replace; there are {', '.join(ROTATED)}")
    user = asyncio.run(_replace_broker_password(service))
    if as_json:
        typer.echo(json.dumps({"service": service, "user": user, "ok": True}))
    else:
        typer.echo(f"{user} has another password; what it has open stays open")


async def _replace_broker_password(service: Service) -> str:
    from ops.cli.connections import brokers_of, settings_from_environment
    from streams.adapters.broker_users import replace_password
    from streams.adapters.secret_sources import vault_store

    settings = settings_from_environment()
    return await replace_password(vault_store(settings), brokers_of(settings, Service.ROTATE), service)


@app.command()
def bootstrap(
    token_file: Annotated[Path, typer.Option(help="File with a token that may do all this; revoke it afterwards.")],
    identities: Annotated[Path, typer.Option(help="Folder for the role ids and secret ids, one folder a service.")],
    secrets: Annotated[
        Path | None, typer.Option(help="Folder with first secrets, one file a name, as MUTT_SECRETS_DIR has them.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Make a Vault or OpenBao ready: KV v2, policies, an AppRole for each service. Shows no secret. Safe to repeat."""
    from ops.cli.connections import settings_from_environment

    did = _bootstrap(settings_from_environment(), token_file, identities, secrets)
    typer.echo(json.dumps({"did": did, "ok": True}) if as_json else "\n".join(map(printable, did)))


def _bootstrap(settings: Settings, token_file: Path, identities: Path, secrets: Path | None) -> list[str]:
    from ops.vault import bootstrap as vault
    from streams.adapters.secrets import read_all
    from streams.adapters.vault_login import secret_in

    if settings.vault_addr is None:
        raise SettingsRefused("VAULT_ADDR is not set")
    token = secret_in(str(token_file))
    client = vault.administrator(settings.vault_addr, token, ca_file=settings.vault_cacert)
    place = vault.Place(settings.vault_mount, settings.vault_secrets_path)
    did = vault.bootstrap(client, place)
    for service in Service:
        vault.hand_out(client, service, identities / service)
        did.append(f"role id and a new secret id of {service} are in {identities / service}")
    stored = vault.store(client, place, read_all(secrets)) if secrets else []
    return did + [f"first secrets at {path}" for path in stored]


Held = dict[SecretGroup, Any]
"""A version of each group, or the error that came instead."""


def _held(settings: Settings) -> Held:
    from streams.adapters.secret_sources import store_of
    from streams.adapters.vault_store import VaultStore

    store = store_of(settings)
    if store is None:
        raise SettingsRefused("neither VAULT_ADDR nor MUTT_SECRETS_DIR is set")
    look = store.names if isinstance(store, VaultStore) else store.load
    found: Held = {}
    for group in all_groups():
        try:
            found[group] = look(group)
        except (SecretsUnavailable, SecretRefused) as fault:
            found[group] = fault
    return found


def _row(group: SecretGroup, held: Any) -> dict[str, Any]:
    from streams.adapters.secrets import Loaded
    from streams.core.vault import Trouble

    missing = isinstance(held, SecretsUnavailable) and held.trouble == Trouble.MISSING
    if isinstance(held, Exception):
        problem = None if missing and not group.required else "nothing is stored" if missing else str(held)
        return {"path": group.path, "names": [], "version": 0, "created": None, "age_s": None, "problem": problem}
    names, version = (held.values, held.version) if isinstance(held, Loaded) else (held.held, held.number)
    ours = [name for name in group.names if name in names]
    lacking = [name for name in group.required if version and name not in ours]
    return {
        "path": group.path,
        "names": ours,
        "version": version,
        "created": held.created if version else None,
        "age_s": round(_age_s(held.created)) if version else None,
        "problem": f"{', '.join(lacking)} is missing" if lacking else None,
    }


def _age_s(created: str) -> float:
    return (dt.datetime.now(dt.UTC) - dt.datetime.fromisoformat(created)).total_seconds()


def _line(row: dict[str, Any]) -> str:
    if row["problem"]:
        return f"{row['path']:<20} {row['problem']}"
    if not row["version"]:
        return f"{row['path']:<20} nothing, and nothing is needed"
    age = str(dt.timedelta(seconds=row["age_s"]))
    return f"{row['path']:<20} version {row['version']}, {age} old: {', '.join(row['names'])}"


async def _switch(role: DatabaseRole, member_of: list[str]) -> tuple[str, str]:
    from ops.cli.login_rotation import rotation

    async with rotation(role) as step:
        return await step.switch(member_of)


async def _retire(role: DatabaseRole, within_s: float) -> Retired | None:
    from ops.cli.login_rotation import rotation

    async with rotation(role) as step:
        return await step.retire(within_s=within_s)


def _show_retired(done: Retired | None, role: DatabaseRole, as_json: bool) -> None:
    if done is None:
        fail(Exit.CHECK_FAILED, f"no login of {role} is leaving; begin with: mutt secrets rotate-db {role}")
    if done.sessions:
        fail(Exit.TRY_AGAIN, f"{done.login} opens no more, but has {done.sessions} sessions that work; run this again")
    if as_json:
        typer.echo(json.dumps({"role": role, "retired": done.login, "may_log_in": done.kept, "ok": True}))
    elif done.kept:
        typer.echo(f"{done.login} is not used any more; it may log in as before, for no rotation made it")
    else:
        typer.echo(f"{done.login} opens no more, and has no session")
