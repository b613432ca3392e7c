"""Real syslog lines and traps through Kafka and a worker with real rules: all accounted for, each decision checked."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from msgspec.structs import replace

from schemas.rule_files import read_rules
from schemas.rules import Rule
from tests import oracle
from tests.builders import event_json
from tests.chaos.checker import anomalies
from tests.integration.commands import mutt
from tests.integration.conftest import System
from tests.integration.pipeline import configure, settled
from tests.integration.topics import produce

pytestmark = pytest.mark.corpus

DATA = Path(__file__).parents[3] / "shared" / "data"
RULES = DATA / "rules_recog.jsonl"


def rows(name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (DATA / name).read_text(encoding="utf-8").splitlines()]


async def test_every_real_line_and_trap_is_accounted_for_and_decided_as_the_oracle_says(system: System) -> None:
    pool, bootstrap = system.database.pool, system.stack.kafka.bootstrap
    imported = await asyncio.to_thread(mutt, system.database, system.stack, "rules", "import", str(RULES), "--yes")
    assert imported.returncode == 0, imported.stderr
    await configure(pool, "audit_unhandled_events", "true")
    lines = [(row.get("host", "").encode() or None, row["raw"].encode()) for row in rows("syslog_lines.jsonl")]
    traps = [(row["event"]["hostname"].encode(), json.dumps(row["event"]).encode()) for row in rows("traps.jsonl")]
    texts = [
        (b"h1", event_json(message=text)) for row in rows("rules_recog.jsonl")[::2] for text in row["examples"][:1]
    ]
    worker = system.start("match-1")
    await asyncio.to_thread(produce, bootstrap, "mutt.ingest.syslog", texts)
    await asyncio.to_thread(produce, bootstrap, "mutt.ingest.raw", lines)
    await asyncio.to_thread(produce, bootstrap, "mutt.ingest.snmp", traps)
    await settled(pool, bootstrap)
    assert await asyncio.to_thread(worker.stop) == 0
    assert await anomalies(system.database.dsn, bootstrap) == []
    counted = await pool.fetchrow(
        "SELECT sum(alerted + unhandled)::int AS judged, sum(next_offset - first_offset)::int AS all FROM ledger"
    )
    assert counted is not None
    sent = [value for _, value in lines + traps + texts]
    assert (counted["judged"], counted["all"]) == (len(sent), len(sent))
    audit = await pool.fetch("SELECT message, syslog_severity, trap_oid, rule_id, rule_version, raw FROM audit")
    assert sorted(row["raw"] for row in audit) == sorted(sent)
    decisions = Decisions(await _rules(pool))
    wrong = await asyncio.to_thread(lambda: [dict(row) for row in audit if not decisions.explained(row)])
    assert wrong == []
    assert sum(row["rule_id"] is not None for row in audit) > len(texts)


async def _rules(pool: asyncpg.Pool) -> list[Rule]:
    """The rules of the file under the numbers the database gave them."""
    ids = [row["id"] for row in await pool.fetch("SELECT id FROM alert_rules ORDER BY id")]
    read = [read.rule for read in read_rules(RULES.read_bytes())]
    return [replace(rule, id=id) for id, rule in zip(ids, read, strict=True)]


class Decisions:
    """Recomputes what was decided, rule by rule."""

    def __init__(self, rules: list[Rule]) -> None:
        self._rules = {rule.id: rule for rule in rules}
        self._readable = [rule for rule in rules if oracle.readable(rule)]

    def explained(self, row: Any) -> bool:
        """Whether the linear matcher decides the same; where Python cannot read the deciding rule, none before it."""
        found = oracle.first_match(self._readable, row["message"], row["syslog_severity"], row["trap_oid"])
        if found is not None and found.id == row["rule_id"]:
            return True
        decided = self._rules.get(row["rule_id"])
        if decided is None:
            return found is None
        later = found is None or (decided.priority, decided.id) < (found.priority, found.id)
        return not oracle.readable(decided) and later
