"""Two versions at once: the schema first, then one process after the other, while events flow; the books balance."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import asyncpg
import pytest
from msgspec.structs import replace

from ops.devstack.layout import free_port
from ops.devstack.processes import Child, spawn
from schemas.versions import MUTT_VERSION
from tests.chaos.checker import anomalies
from tests.integration.api_process import get, process
from tests.integration.commands import mutt
from tests.integration.conftest import System
from tests.integration.forwarding import listening
from tests.integration.load import Load, rules_for_load
from tests.integration.pipeline import ask, configure, settled, until
from tests.integration.topics import produce_one
from tests.integration.two_apis import Api, each_goes_on_with_what_the_other_wrote
from tests.run import ROOT

NEXT = "99.0.0"
GROWN = ("alerts", "audit", "dead_letters", "ledger", "partition_progress", "replays", "sli", "unhandled_signatures")
AUDITED = ("alert_rules", "dynamic_config")
EXPAND = "".join(
    [f"ALTER TABLE {table} ADD COLUMN squad text NOT NULL DEFAULT 'nobody';" for table in GROWN]
    + [f"ALTER TABLE {table} ADD COLUMN squad text;" for table in AUDITED]
)
"""What the next release adds: columns where the older program reads and writes."""
WORKERS = ("match-1", "match-2", "forward-1", "dead-letters-1")
"""In the order in which they are replaced."""
PATIENCE_S = 60.0
"""What a worker that is replaced gets to finish what it has in hand, on however busy a machine."""


@dataclass(frozen=True)
class NextRelease:
    """This program under another version, with one migration more, in a folder of its own."""

    folder: Path

    @classmethod
    def made(cls, folder: Path) -> NextRelease:
        for package in ("schemas", "streams", "api", "ops"):
            shutil.copytree(ROOT / package, folder / package, ignore=shutil.ignore_patterns("__pycache__"))
        (folder / "schemas" / "sql" / "9001_squads.sql").write_text(EXPAND)
        facts = folder / f"mutt-{NEXT}.dist-info"
        facts.mkdir()
        (facts / "METADATA").write_text(f"Metadata-Version: 2.1\nName: mutt\nVersion: {NEXT}\n")
        return cls(folder)

    def argv(self, *arguments: str) -> list[str]:
        return [sys.executable, "-P", "-m", "ops.cli.mutt", *arguments]

    def run(self, system: System, *arguments: str) -> str:
        environment = system.environment() | {"PYTHONPATH": str(self.folder)}
        command = self.argv(*arguments)
        done = subprocess.run(command, env=environment, check=False, capture_output=True, text=True, timeout=180)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def start(self, system: System, name: str, **settings: object) -> Child:
        """A worker of the next release in the place of one of this."""
        stack = system.stack
        environment = stack.environment(database_url=system.settings.database_url, **settings)
        environment |= {"PYTHONPATH": str(self.folder)}
        log = stack.layout.logs / f"{name}-next.log"
        argv = self.argv("worker", name.rpartition("-")[0])
        stack.children[name] = spawn(f"{name}-next", argv, log=log, environment=environment)
        return stack.children[name]

    def start_api(self, system: System, port: int) -> Child:
        """Its API; it ends with the workers."""
        stack = system.stack
        environment = stack.environment(database_url=system.settings.database_url, api_port=port)
        environment |= {"PYTHONPATH": str(self.folder)}
        argv = [sys.executable, "-P", "-m", "api"]
        stack.children["api"] = spawn("api-next", argv, log=stack.layout.logs / "api-next.log", environment=environment)
        return stack.children["api"]


@pytest.mark.timeout(600)
async def test_a_fleet_is_upgraded_while_events_flow(system: System, tmp_path: Path) -> None:
    release, pool, bootstrap = NextRelease.made(tmp_path / "next"), system.database.pool, system.stack.kafka.bootstrap
    await rules_for_load(pool)
    await configure(pool, "moog_rate_limit", "1000")
    async with listening() as receiver:
        ports = {name: free_port() for name in WORKERS}
        settings = {name: settings_of(name, port, receiver.url) for name, port in ports.items()}
        for name in WORKERS:
            system.start(name, **settings[name])
        load = Load(bootstrap, 1500, 150.0, held=True)
        load.start()
        try:
            await goes_on(system)
            assert await asyncio.to_thread(release.run, system, "migrate") == "applied: 9001_squads\n"
            await the_older_program_goes_on(system, release, settings["match-2"])
            for name in WORKERS:
                old = system.stack.children[name]
                assert await asyncio.to_thread(old.stop, PATIENCE_S + 30) == 0, old.tail()
                release.start(system, name, **settings[name])
                await until(partial(runs, ports[name], NEXT), f"{name} runs as the next version", within=120)
                await goes_on(system)
        finally:
            await asyncio.to_thread(load.join)
        await settled(pool, bootstrap, within=120)
        await until(partial(all_delivered, pool), "every alert is delivered", within=120)
    for name in WORKERS:
        last = system.stack.children[name]
        assert await asyncio.to_thread(last.stop, PATIENCE_S + 30) == 0, f"{name}: {last.tail()}"
    assert await anomalies(system.database.dsn, bootstrap, load.acked) == []
    assert "lag 0" in release.run(system, "ledger", "verify")
    posts = Counter(post.identity for post in receiver.posts)
    assert len(posts) == await pool.fetchval("SELECT count(*) FROM alerts") > 100
    assert set(posts.values()) == {1}


async def the_older_program_goes_on(system: System, release: NextRelease, settings: dict[str, object]) -> None:
    """On the newer schema, also where it is started again: its check, its API beside the newer one, a killed worker."""
    checked = await asyncio.to_thread(mutt, system.database, system.stack, "migrate", "--check")
    assert (checked.returncode, checked.stdout) == (0, "the schema is current\n")
    key = (Path(system.settings.secrets_dir or "") / "API_KEY").read_text().strip()
    newer = Api(free_port(), key)
    child = release.start_api(system, newer.port)
    with process(replace(system.settings, api_port=free_port())) as (port, _):
        older = Api(port, key)
        await until(partial(answers_ready, older.port), "the older API is ready", within=120)
        await until(partial(answers_ready, newer.port), "the newer API is ready", within=120)
        assert (await older.version(), await newer.version()) == (MUTT_VERSION, NEXT)
        await each_goes_on_with_what_the_other_wrote(older, newer)
        await each_goes_on_with_what_the_other_wrote(newer, older)
    assert await asyncio.to_thread(child.stop, PATIENCE_S) == 0, child.tail()
    killed = system.stack.children["match-2"]
    killed.process.kill()
    killed.process.wait()
    system.start("match-2", **settings)
    await until(partial(runs, int(str(settings["match_port"])), MUTT_VERSION), "the older worker is back", within=120)


async def answers_ready(port: int) -> bool:
    try:
        return (await asyncio.to_thread(get, port, "/ready"))[0] == 200
    except OSError:
        return False


def settings_of(name: str, port: int, receiver: str) -> dict[str, object]:
    role = name.rpartition("-")[0].replace("-", "_")
    return {f"{role}_port": port, "webhook_url": receiver, "drain_timeout": PATIENCE_S}


async def runs(port: int, version: str) -> bool:
    """Whether a worker of that version is there and ready."""
    try:
        _, alive = await asyncio.to_thread(ask, port, "/health")
        ready, _ = await asyncio.to_thread(ask, port, "/ready")
    except OSError:
        return False
    return alive["version"] == version and ready == 200


async def goes_on(system: System) -> None:
    """Waits until some hundred events more are decided, some alerts more delivered, and a letter of others indexed."""
    pool = system.database.pool
    before = await progress(pool)
    await asyncio.to_thread(produce_one, system.stack.kafka.bootstrap, "mutt.dlq", b"of another tool")
    now = before

    async def further() -> bool:
        nonlocal now
        now = await progress(pool)
        return now[0] >= before[0] + 100 and now[1] >= before[1] + 5 and now[2] > before[2]

    try:
        await until(further, "events are decided, alerts delivered, letters indexed", within=120)
    except AssertionError as late:
        raise AssertionError(f"{late}: {before} became {now}") from None


async def progress(pool: asyncpg.Pool) -> Sequence[int]:
    row = await pool.fetchrow(
        "SELECT (SELECT coalesce(sum(next_offset), 0) FROM partition_progress),"
        " (SELECT count(*) FROM alerts WHERE state = 'delivered'),"
        " (SELECT count(*) FROM dead_letters WHERE reason = 'foreign')"
    )
    assert row is not None
    return [int(number) for number in row]


async def all_delivered(pool: asyncpg.Pool) -> bool:
    return bool(await pool.fetchval("SELECT count(*) FROM alerts WHERE state <> 'delivered'") == 0)
