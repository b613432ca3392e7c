"""A system in which every page of the console has something to show, and strangers wrote all of it."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Sequence
from itertools import zip_longest

import msgspec

from api.app import utc_now
from schemas.rules import Handling
from schemas.slo import Component
from streams.adapters.dead_letters import DeadLetters
from streams.adapters.host_lists import development_hosts, device_teams
from streams.adapters.maintenance import PostgresMaintenance
from streams.adapters.rule_store import RuleStore
from streams.adapters.transactions import Transactions
from streams.core.authors import Author
from streams.core.slo_reads import Draft
from tests.builders import dead_letter, rule
from tests.integration.conftest import Database
from tests.integration.consoles import store_event

LETTER = uuid.UUID(int=7)
SOME = ("core-1", 'link down <b onclick="alert(1)">on</b> \u202e\x1b[31m ge-0/0/1')

PAGES = (
    "/ui", "/ui/events", "/ui/events/mutt.ingest.syslog:0:0", "/ui/alerts", "/ui/unhandled", "/ui/rules", "/ui/rules/1",
    "/ui/rules/1/edit", "/ui/rules/new?match_type=regex&match_string=a%5Bz-a%5D&do=try", "/ui/rules/files", "/ui/hosts",
    "/ui/teams", "/ui/dead-letters", f"/ui/dead-letters/{LETTER}", f"/ui/dead-letters/{LETTER}/edit",
    "/ui/dead-letters/replay", "/ui/dead-letters/park?reasons=shed", "/ui/jobs", "/ui/ledger", "/ui/slo",
    "/ui/maintenance", "/ui/config", "/ui/config/moog_rate_limit", "/ui/changes", "/ui/changes/1", "/ui/keys",
    "/ui/system", "/ui/components", "/ui/nothing",
)  # fmt: skip
"""Every page of the console, with something on it."""
STRANGERS = (
    "/ui", "/ui/events/mutt.ingest.syslog:0:0", "/ui/unhandled", "/ui/rules/2", "/ui/rules/2/edit",
    f"/ui/dead-letters/{LETTER}", f"/ui/dead-letters/{LETTER}/edit", "/ui/slo", "/ui/maintenance", "/ui/changes/1",
)  # fmt: skip
"""Pages that are no list of events, letters or rules, and show what strangers wrote."""


async def furnish(database: Database, texts: Sequence[str] = SOME) -> None:
    """One event for each text, and rules and letters that hold several."""
    now = utc_now()
    for offset, text in enumerate(texts):
        at = now - dt.timedelta(minutes=5, seconds=offset)
        await store_event(
            database, offset, message=text, hostname=text[:255], rule_id=1, team=text[:90], broker_time=at
        )
    await _write_rules(database, texts)
    letters = [
        dead_letter(
            id=LETTER if not at else uuid.uuid4(), detail=one, hostname=other[:255], value=_record(one), offset=at
        )
        for at, (one, other) in enumerate(zip_longest(texts[::2], texts[1::2], fillvalue="x"))
    ]
    await DeadLetters(database.pool).insert_absent(letters, now)
    await _count(database, now, texts)
    author, transactions = Author("tests", texts[-1][:400]), Transactions(database.pool)
    await development_hosts(transactions).add(author, "lab-1")
    await device_teams(transactions).add(author, "core-1", "<b>netops</b>")
    window = Draft(Component.FORWARDER, now - dt.timedelta(hours=5), now - dt.timedelta(hours=4), texts[0][:400])
    await PostgresMaintenance(transactions).declare(window, author)


def _record(text: str) -> bytes:
    return msgspec.json.encode({"hostname": "core-1", "message": text, "timestamp": "2026-03-01T12:00:00Z"})


async def _write_rules(database: Database, texts: Sequence[str]) -> None:
    store = RuleStore(Transactions(database.pool))
    shown = [text.replace("\0", "")[:4000] for text in texts]
    rules = [
        rule(match_string=one, description=other, team_assignment=third[:90], prod_handling=Handling.LOG_ONLY, id=0)
        for one, other, third in zip_longest(shown[::3], shown[1::3], shown[2::3], fillvalue="x")
    ]
    await store.add_missing([rule(match_string="link down", id=0, priority=1), *rules], Author("tests", shown[0][:900]))


async def _count(database: Database, now: dt.datetime, texts: Sequence[str]) -> None:
    """What a worker would have counted: the ledger's last hour, indicators of a day, and what no rule matches."""
    pool, minute = database.pool, now.replace(second=0, microsecond=0)
    await pool.execute(
        "INSERT INTO partition_progress (topic, partition, next_offset, halted_at, halted_reason)"
        " VALUES ('mutt.ingest.syslog', 0, 6000, NULL, NULL), ('mutt.ingest.raw', 1, 5, now(), $1)",
        texts[0],
    )
    await pool.executemany(
        "INSERT INTO ledger (topic, partition, epoch, first_offset, next_offset, minute, ruleset_version,"
        " ruleset_digest, alerted, logged, ignored, unhandled, shed)"
        " VALUES ('mutt.ingest.syslog', 0, 0, $1::bigint, $1::bigint + 100, $2, 1, 'x', 20, 50, 10, 18, 2)",
        [(at * 100, minute - dt.timedelta(minutes=59 - at)) for at in range(60)],
    )
    await pool.executemany(
        "INSERT INTO sli VALUES ($1, 'mutt.ingest.syslog', 0, $2, $3, 100)",
        [
            (component, minute - dt.timedelta(minutes=5 * at), 60 if 20 < at < 60 else 100)
            for component in ("ingestor", "forwarder")
            for at in range(288)
        ],
    )
    for signature, text in enumerate(texts[:50]):
        await pool.execute(
            "INSERT INTO unhandled_signatures VALUES ('mutt.ingest.raw', 0, $1, $2, $3, $3, $4, now(), now(), false)",
            signature, text[:255].replace("\0", ""), text[:200].replace("\0", ""), 60 - signature,
        )  # fmt: skip
