"""`mutt retention`: What is past its time is archived, verified, and only then deleted."""

from __future__ import annotations

import asyncio
import dataclasses
import datetime as dt
import json
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ops.cli import legal_holds
from ops.cli.config import Actor, Json
from ops.cli.exits import Exit, fail
from ops.cli.retention_views import actions_json, facts_json, facts_lines, judge, say, tell_plan
from schemas.secret_names import Service

if TYPE_CHECKING:
    from schemas.settings import Settings
    from streams.adapters.archive_reading import Verdict
    from streams.adapters.archives import ArchiveFolder
    from streams.adapters.locks import Lock
    from streams.adapters.retention_plan import Plan
    from streams.adapters.retention_run import Outcome
    from streams.adapters.retention_store import RetentionStore
    from streams.core.retention import Policies
    from streams.core.retention_health import Facts

app = typer.Typer()
app.add_typer(legal_holds.app, name="hold")

CONNECTIONS = 4
"""The lock, the rows, what is noted meanwhile, and one to spare."""
POLL_S = 0.5
LOCK = "retention"

Textfile = Annotated[
    Path | None, typer.Option("--textfile", help="Also write metrics here, for a node exporter's textfile collector.")
]


@app.command()
def plan(as_json: Json = False) -> None:
    """Show what a run would do now, and whether Kafka's topics keep to the policies too. Changes nothing.

    Exits 1 when something cannot be done, or a topic keeps records longer than its policy.
    """
    planned, topics = asyncio.run(_plan(kafka=True))
    tell_plan(planned, topics, as_json=as_json)


@app.command()
def run(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only print what it would do.")] = False,
    wait: Annotated[
        int, typer.Option("--wait", min=0, max=86400, help="Seconds to wait for another run to end.")
    ] = 600,
    rows_per_second: Annotated[
        int | None, typer.Option("--rows-per-second", min=1, help="At most so many, to spare the disk.")
    ] = None,
    textfile: Textfile = None,
    actor: Actor = None,
    as_json: Json = False,
) -> None:
    """Make partitions ahead, archive what is past its time, verify the archive, and delete it from the tables.

    Can be stopped anywhere, also by kill -9, and run again. Exits 1 when something was left undone (the rest was done),
    75 when another run did not end in time.
    """
    if dry_run:
        planned, topics = asyncio.run(_plan(kafka=False))
        tell_plan(planned, topics, as_json=as_json)
        return
    done, warnings = asyncio.run(_run(wait, rows_per_second, actor, textfile))
    if as_json:
        body = {
            "actions": actions_json(done.actions),
            "rows": done.rows,
            "problems": done.problems,
            "warnings": warnings,
        }
        typer.echo(json.dumps(body | {"ok": not done.problems}))
    else:
        say([*done.actions, *(f"look at  {line}" for line in warnings)])
        typer.echo(f"{done.rows} rows are in archives now and no table" if done.rows else "no rows were taken out")
    judge(done.problems)


@app.command()
def status(
    stale: Annotated[
        int, typer.Option("--stale-hours", min=1, help="Exit 1 when no run has succeeded for so long.")
    ] = 48,
    textfile: Textfile = None,
    as_json: Json = False,
) -> None:
    """Show where retention stands: runs, archives, partitions, holds. Exits 1 when somebody should look."""
    facts, problems = asyncio.run(_status(dt.timedelta(hours=stale), textfile))
    if as_json:
        typer.echo(json.dumps({"ok": not problems, "problems": problems} | facts_json(facts)))
    else:
        say(facts_lines(facts))
    judge(problems)


@app.command()
def verify(
    names: Annotated[list[str] | None, typer.Argument(metavar="[ARCHIVE...]", help="Only these.")] = None,
    as_json: Json = False,
) -> None:
    """Read archives back, all of every file, and compare them with what was written. Exits 1 naming the damaged."""
    verdicts, strangers = asyncio.run(_verify(names or []))
    bad = [verdict for verdict in verdicts if verdict.problem]
    if as_json:
        rows = [dataclasses.asdict(verdict) for verdict in verdicts]
        typer.echo(json.dumps({"ok": not bad, "archives": rows, "not_ours": strangers}))
    else:
        say(f"{'DAMAGED' if each.problem else 'whole':<8} {each.name} ({each.rows} rows)" for each in verdicts)
        say(f"not ours {name}: the database knows no such archive" for name in strangers)
        typer.echo(f"{len(verdicts) - len(bad)} of {len(verdicts)} archives are whole")
    judge([verdict.problem for verdict in bad if verdict.problem])


@app.command()
def restore(
    name: Annotated[str, typer.Argument(metavar="ARCHIVE", help="As `mutt retention verify` shows it.")],
    drop: Annotated[bool, typer.Option("--drop", help="Take the table away again.")] = False,
    as_json: Json = False,
) -> None:
    """Put the rows of an archive into a table of their own beside the others, restored_ARCHIVE; all of them or none."""
    table = asyncio.run(_restore(name, drop=drop))
    if as_json:
        typer.echo(json.dumps({"table": table, "dropped": drop}))
    else:
        typer.echo(f"{table} is dropped" if drop else f"the rows of {name} are in {table}")


async def _plan(*, kafka: bool) -> tuple[Plan, list[str]]:
    from ops.cli.connections import brokers_of
    from streams.adapters.retention_plan import make_plan
    from streams.adapters.topics import describe_topics
    from streams.core.retention import topic_problems

    async with _store() as (store, rules, settings):
        planned = await make_plan(store, rules, await store.now())
    topics = {name: config for name, _, config in await describe_topics(brokers_of(settings))} if kafka else {}
    return planned, topic_problems(rules, topics) if kafka else []


async def _run(
    wait: int, rows_per_second: int | None, actor: str | None, textfile: Path | None
) -> tuple[Outcome, list[str]]:
    from ops.cli.connections import user_name
    from ops.cli.progress import progress
    from streams.adapters.retention_plan import make_plan
    from streams.adapters.retention_run import Retention

    async with _store(Service.RETENTION) as (store, rules, settings):
        folder = _folder(settings)
        _check_clock(await store.now())
        try:
            async with _alone(store, wait) as lock:
                now = await store.now()
                planned = await make_plan(store, rules, now)
                with progress("archiving rows", planned.rows) as tell:
                    work = Retention(store, folder, rules, now, holds=lock.holds)
                    done = await work.run(planned, actor or f"cli:{user_name()}", tell, per_second=rows_per_second)
        finally:
            if textfile is not None:
                _write(await _read_facts(store, rules), textfile, settings)
    return done, planned.warnings


async def _status(stale: dt.timedelta, textfile: Path | None) -> tuple[Facts, list[str]]:
    from streams.adapters.migrations import MONTHS_AHEAD
    from streams.core.retention_health import problems

    async with _store() as (store, rules, settings):
        facts, now = await _read_facts(store, rules), await store.now()
    if textfile is not None:
        _write(facts, textfile, settings)
    return facts, list(problems(facts, now, stale=stale, ahead=MONTHS_AHEAD))


async def _read_facts(store: RetentionStore, rules: Policies) -> Facts:
    from streams.adapters.retention_status import read_facts

    return await read_facts(store, rules, await store.now())


async def _verify(names: list[str]) -> tuple[list[Verdict], list[str]]:
    from streams.adapters.archive_reading import verify as verified

    async with _store() as (store, _, settings):
        return await verified(store, _folder(settings), names)


async def _restore(name: str, *, drop: bool) -> str:
    from ops.cli.progress import progress
    from streams.adapters.archive_reading import restore as restored
    from streams.adapters.archive_reading import unrestore

    async with _store(Service.MIGRATE) as (store, _, settings):
        if drop:
            return await unrestore(store, name)
        rows = sum(archive.rows or 0 for archive in await store.archives() if archive.name == name)
        with progress("restoring rows", rows) as tell:
            return await restored(store, _folder(settings), name, tell)


@asynccontextmanager
async def _store(service: Service = Service.OPERATOR) -> AsyncIterator[tuple[RetentionStore, Policies, Settings]]:
    """With the login of this service: the store, the policies in force, and the settings.

    Raises ConfigRefused where a policy is none.
    """
    from ops.cli.connections import database, settings_from_environment
    from streams.adapters.config_store import ConfigStore
    from streams.adapters.retention_store import RetentionStore
    from streams.adapters.transactions import Transactions
    from streams.core.retention import policies

    settings = settings_from_environment()
    async with database(settings, size=CONNECTIONS, service=service) as pool:
        stored = await ConfigStore(Transactions(pool)).read()
        yield RetentionStore(pool), policies(stored), settings


@asynccontextmanager
async def _alone(store: RetentionStore, wait_s: int) -> AsyncIterator[Lock]:
    """Holds off every other run. Ends the command when another does not end in time."""
    from streams.adapters.locks import lock, lock_key

    end = asyncio.get_running_loop().time() + wait_s
    while True:
        async with lock(store.pool, lock_key(LOCK)) as held:
            if held is not None:
                yield held
                return
        if asyncio.get_running_loop().time() >= end:
            fail(Exit.TRY_AGAIN, f"another run did not end within {wait_s} s")
        await asyncio.sleep(POLL_S)


def _folder(settings: Settings) -> ArchiveFolder:
    from streams.adapters.archives import ArchiveFolder

    if settings.archive_dir is None:
        fail(Exit.CONFIGURATION, "MUTT_ARCHIVE_DIR is not set: the folder that archives go to")
    return ArchiveFolder(Path(settings.archive_dir))


def _check_clock(theirs: dt.datetime) -> None:
    from streams.core.retention import clock_problem

    if problem := clock_problem(dt.datetime.now(dt.UTC), theirs):
        fail(Exit.CHECK_FAILED, problem)


def _write(facts: Facts, path: Path, settings: Settings) -> None:
    from ops.retention_metrics import write_textfile

    write_textfile(facts, path, free=_free(settings.archive_dir))


def _free(folder: str | None) -> int | None:
    """Bytes that archives may still take; None where there is no such folder."""
    try:
        return shutil.disk_usage(folder).free if folder else None
    except OSError:
        return None
