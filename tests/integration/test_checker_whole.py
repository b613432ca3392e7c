"""The checker over a whole pipeline: journal, match, forwarder, receiver, replay, and what it saw meanwhile."""

from __future__ import annotations

import asyncio
import dataclasses
import functools
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import asyncpg

from ops.devstack.provision import create_database
from tests.architecture.documents import ROOT
from tests.chaos import traffic
from tests.chaos.checker import Sources, checked
from tests.chaos.checker.check import TOPICS
from tests.chaos.checker.kafka import Broker, Kept
from tests.chaos.checker.moves import install
from tests.chaos.checker.watch import Sample, Watch
from tests.chaos.journal import Sender
from tests.integration.commands import mutt
from tests.integration.conftest import System
from tests.integration.load import rules_for_load
from tests.integration.pipeline import add_rule, configure, settled, until

EVENTS, SEED = 400, 4
CANARY = "c4nary-9f1b77e2"
ALERT = "(SELECT id FROM alerts WHERE state = 'delivered' ORDER BY id LIMIT 1)"

PLANTED: dict[str, tuple[str, str]] = {
    "an alert waits": (f"UPDATE alerts SET state = 'pending' WHERE id = {ALERT}", "alert_lost"),
    "an alert is dead without a letter": (f"UPDATE alerts SET state = 'dead' WHERE id = {ALERT}", "alert_lost"),
    "an alert was posted before its audit row": (
        f"UPDATE audit SET source = 'x' WHERE alert_id = {ALERT}",
        "ghost order zombie",
    ),
    "a refusal that was none": (
        "INSERT INTO dead_letters (id, stage, reason, detail, topic, partition, \"offset\", broker_time, alert_id)"
        f" SELECT gen_random_uuid(), 'deliver', 'delivery', '401', 'mutt.alerts', 0, 0, now(), {ALERT}",
        "blame",
    ),
    "a letter with a reason nobody poisoned": (
        "UPDATE dead_letters SET reason = 'internal_error' WHERE id = (SELECT min(id::text)::uuid FROM dead_letters)",
        "blame counters",
    ),
    "a letter judged twice": (
        "UPDATE dead_letters SET replay_of = (SELECT replay_of FROM audit WHERE replay_of IS NOT NULL LIMIT 1)"
        " WHERE id = (SELECT min(id::text)::uuid FROM dead_letters)",
        "replay",
    ),
    "a move of nobody": (
        "UPDATE checker.moves SET new_offset = new_offset - 1 WHERE id = (SELECT min(id) FROM checker.moves)",
        "progress zombie",
    ),
    "a row of another transaction": (
        f"UPDATE audit SET source = 'x' WHERE alert_id = {ALERT}",
        "zombie ghost order",
    ),
    "a secret in a text": (f"UPDATE alert_rules SET description = '{CANARY}' WHERE id = 1", "secret config"),
    "a secret in bytes": (
        f"UPDATE dead_letters SET edited_value = 'x{CANARY}'"
        " WHERE id = (SELECT min(id::text)::uuid FROM dead_letters)",
        "secret",
    ),
    "a secret in a list": (
        f"UPDATE audit SET flags = '{{{CANARY}}}' WHERE alert_id = {ALERT}",
        "secret ghost order zombie",
    ),
    "a secret in JSON, as hexadecimal": (
        f"UPDATE replays SET filter = '{{\"a\": \"{CANARY.encode().hex()}\"}}'",
        "secret",
    ),
    "the audit can be changed": ("DROP TRIGGER append_only ON config_audit", "config"),
}  # fmt: skip
"""Each statement, the detector it must turn on, and those it may."""


async def test_a_whole_pipeline_is_well_and_each_planted_fault_is_noticed(system: System, tmp_path: Path) -> None:
    sources, topics = await run(system, tmp_path)
    clean = await checked(sources, topics)
    assert clean.ok, str(clean)
    unseen = {"cap", "shed", "stuck"} if not sources.samples else {"cap", "shed"}
    assert {name for name in clean.as_json()["looked_at"] if not clean.counts.get(name)} <= unseen
    assert clean.counts["journal_records"] >= EVENTS
    await system.database.pool.close()
    missed = []
    for number, (what, (statement, detectors)) in enumerate(PLANTED.items()):
        first, *others = detectors.split()
        report = await checked(dataclasses.replace(sources, dsn=await spoiled(system, number, statement)), topics)
        if first not in report.found or not report.detectors <= {first, *others}:
            missed.append((what, report.found, report.anomalies[:3]))
    assert missed == []
    await files_are_judged(sources, topics, tmp_path)
    the_command_says_the_same(system, sources)


async def run(system: System, folder: Path) -> tuple[Sources, Kept]:
    """Sends records to a pipeline with a forwarder, replays a letter, and waits until all is quiet."""
    pool, bootstrap = system.database.pool, system.stack.kafka.bootstrap
    await install(system.database.dsn)
    await rules_for_load(pool)
    await add_rule(pool, "fan", match_type="regex", match_string="fan [0-9]+ failed$")
    await configure(pool, "moog_rate_limit", "1000")
    await asyncio.to_thread(system.stack.start_sink)
    came_before = system.stack.sink_log.stat().st_size
    watch = Watch(system.database.dsn, bootstrap, every_s=0.2).start()
    sender = Sender(bootstrap, folder / "journal.jsonl", functools.partial(traffic.record, SEED), trickle=50.0)
    sender.allow(EVENTS)
    workers = [system.start("match-1"), system.start("forward-1")]
    sender.start()
    await until(lambda: _true(sender.sent >= EVENTS), "everything is sent")
    await configure(pool, "unhandled_default_team", "night")
    await asyncio.to_thread(sender.finish)
    await settled(pool, bootstrap)
    await replay_edited(system)
    await until(lambda: pool.fetchval("SELECT NOT EXISTS (SELECT FROM alerts WHERE state = 'pending')"), "deliveries")
    for worker in workers:
        assert await asyncio.to_thread(worker.stop) == 0
    received = folder / "received.jsonl"
    received.write_bytes(system.stack.sink_log.read_bytes()[came_before:])
    sources = Sources(
        dsn=system.database.dsn, journals=[folder / "journal.jsonl"], receiver_logs=[received],
        samples=watch.stop().samples, canaries=[CANARY], seed=str(SEED),
        logs=[system.stack.layout.logs / f"{name}-1.log" for name in ("match", "forward")],
    )  # fmt: skip
    broker = Broker(bootstrap)
    try:
        return sources, Kept(broker, TOPICS)
    finally:
        broker.close()


def _true(value: bool) -> Any:
    return asyncio.sleep(0, value)


async def replay_edited(system: System) -> None:
    """Mends one letter whose severity was a text, and sends it again; it is judged."""
    pool = system.database.pool
    letter = await pool.fetchval("SELECT id FROM dead_letters WHERE reason = 'field' ORDER BY id LIMIT 1")
    for command in (
        ["edit", str(letter), "--set", "syslog_severity=3", "--set", "message=link down"],
        ["replay", "--id", str(letter)],
    ):
        done = await asyncio.to_thread(mutt, system.database, system.stack, "dlq", *command, "--yes")
        assert done.returncode == 0, done.stderr
    judged = "SELECT state = 'replayed' FROM dead_letters WHERE id = $1"
    await until(lambda: pool.fetchval(judged, letter), "the letter is judged")
    await settled(pool, system.stack.kafka.bootstrap)


async def spoiled(system: System, number: int, statement: str) -> str:
    """The DSN of a copy of the test's database, commit times and all, with a fault planted in it."""
    source = system.settings.database_url.rpartition("/")[2]
    copy = f"{source}_spoiled_{number}"
    await create_database(system.settings, copy, template=source)
    dsn = f"{system.database.dsn.rpartition('/')[0]}/{copy}"
    connection = await asyncpg.connect(dsn)
    await connection.execute("SET session_replication_role = replica")
    await connection.execute(statement)
    await connection.close()
    return dsn


async def files_are_judged(sources: Sources, topics: Kept, folder: Path) -> None:
    """Faults in the journal, the receiver's log, the samples and a log of a program."""
    (journal,), (received,) = sources.journals, sources.receiver_logs
    lines = [json.loads(line) for line in journal.read_text().splitlines()]
    posts = [json.loads(line) for line in received.read_text().splitlines()]
    lost = next(line for line in lines if line["do"] == "ok") | {"n": -1, "offset": 10**6}
    (folder / "worker.log").write_text(f"connecting with {CANARY}")
    changes: dict[str, tuple[str, Callable[[], Sources]]] = {
        "acknowledged, and lost": (
            "lost",
            lambda: _with(sources, journals=[_write(folder, [*lines, _intent(lines), lost])]),
        ),
        "posted before anything was decided": (
            "ghost", lambda: _with(sources, receiver_logs=[_write(folder, [posts[0] | {"came": 1.0}, *posts])])
        ),
        "posted under a second id": (
            "two_ids", lambda: _with(sources, receiver_logs=[_write(folder, [*posts, posts[0] | {"id": "x"}])])
        ),
        "never taken": (
            "alert_lost", lambda: _with(sources, receiver_logs=[_write(folder, posts[1:])])
        ),
        "a place that fell": (
            "progress", lambda: _with(sources, samples=[*sources.samples, _earlier(sources.samples[-1])])
        ),
        "a secret in a log": ("secret", lambda: _with(sources, logs=[folder / "worker.log"])),
    }  # fmt: skip
    missed = []
    for what, (detector, change) in changes.items():
        report = await checked(change(), topics)
        if detector not in report.found:
            missed.append((what, report.found))
    assert missed == []


def _with(sources: Sources, **fields: Any) -> Sources:
    return dataclasses.replace(sources, **fields)


def _earlier(sample: Sample) -> Sample:
    return sample._replace(stands={place: (epoch, at - 1) for place, (epoch, at) in (sample.stands or {}).items()})


def _intent(lines: list[dict[str, Any]]) -> dict[str, Any]:
    return next(line for line in lines if line["do"] == "intent") | {"n": -1}


def _write(folder: Path, lines: list[dict[str, Any]]) -> Path:
    path = folder / "doctored.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def the_command_says_the_same(system: System, sources: Sources) -> None:
    """With the password from the environment; with one in the DSN it refuses."""
    address, _, database = system.settings.database_url.rpartition("/")
    dsn, password = f"{address}/{database}", sources.dsn.partition("://mutt:")[2].partition("@")[0]
    (journal,), (received,) = sources.journals, sources.receiver_logs
    command = [
        sys.executable, "-m", "tests.chaos.checker", "--bootstrap", system.stack.kafka.bootstrap, "--json",
        "--journal", str(journal), "--receiver-log", str(received),
    ]  # fmt: skip
    environment = os.environ | {"PGPASSWORD": password}
    run_it = functools.partial(subprocess.run, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    done = run_it([*command, "--dsn", dsn])
    assert done.returncode == 0, done.stdout + done.stderr
    last = json.loads(done.stdout.splitlines()[-1])
    assert last["ok"]
    assert last["counts"]["journal_records"] >= EVENTS
    refused = subprocess.run(
        [*command, "--dsn", sources.dsn], cwd=ROOT, env=environment, capture_output=True, text=True
    )
    assert (refused.returncode, password in refused.stdout + refused.stderr) == (2, False)
