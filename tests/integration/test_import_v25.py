"""`mutt import-v25` against a real database: all or none, audited, repeatable, and hostile files change nothing."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

from tests.integration.conftest import Database
from tests.programs import bare_environment, run_text

COLUMNS = "id, match_string, match_type, priority, prod_handling, dev_handling, team_assignment"
GOOD = f"""COPY public.alert_rules ({COLUMNS}) FROM stdin;
12\tlink down\tcontains\t10\tPage_and_ticket\tLog_only\tnet
3\t(fan|power) fail\tregex\t10\tTicket_only\tSuppress\tnet
\\.
INSERT INTO development_hosts (hostname) VALUES ('lab-1'), ('Robert''); DROP TABLE alert_rules;--');
"""
BAD = f"""COPY public.alert_rules ({COLUMNS}) FROM stdin;
1\t(a+)\\\\1\tregex\t10\tTicket_only\tLog_only\tnet
2\tfine\tcontains\t10\tTicket_only\tLog_only\tnet
\\.
"""


async def test_a_dump_and_a_list_are_imported_once_and_reported(database: Database, tmp_path: Path) -> None:
    dump, teams = tmp_path / "mutt25.sql", tmp_path / "teams.csv"
    dump.write_text(GOOD)
    teams.write_text("hostname,team_assignment\ncore-1,net\n")
    trial = await imported(database, dump, teams, "--dry-run")
    assert (trial["dry_run"], trial["imported"], trial["added"]) == (True, False, {"rules": 2, "hosts": 2, "teams": 1})
    assert await counts(database) == (0, 0, 0)
    done = await imported(database, dump, teams, "--yes", "--reason", "we move", "--actor", "ann")
    assert done["counts"]["alert_rules"] == {"taken": 1, "changed": 1, "refused": 0}
    assert [row["name"] for row in done["rows"] if row["fate"] == "changed"] == ["3"]
    stored = await database.pool.fetch("SELECT match_string FROM alert_rules ORDER BY id")
    assert [row["match_string"] for row in stored] == ["(fan|power) fail", "link down"]
    signed = await database.pool.fetch("SELECT DISTINCT changed_by, reason FROM config_audit")
    assert [tuple(row) for row in signed] == [("ann", "we move")]
    assert (await imported(database, dump, teams, "--yes"))["added"] == {"rules": 0, "hosts": 0, "teams": 0}
    assert await counts(database) == (2, 2, 1)


async def test_one_row_that_is_refused_keeps_all_out_until_it_is_left_out(database: Database, tmp_path: Path) -> None:
    bad, teams = tmp_path / "bad.sql", tmp_path / "teams.csv"
    bad.write_text(BAD)
    teams.write_text("hostname,team_assignment\ncore-1,net\ncore-2,net\n")
    await database.pool.execute("INSERT INTO device_teams (hostname, team_assignment) VALUES ('core-1', 'mine')")
    refused = await imported(database, bad, teams, "--yes", status=65)
    assert (refused["ok"], refused["imported"]) == (False, False)
    why = {row["name"]: " ".join(row["notes"]) for row in refused["rows"] if row["fate"] == "refused"}
    assert "match_string" in why["1"]
    assert why["core-1"] == "team_assignment: mutt has 'mine' for this host, which stays"
    assert await counts(database) == (0, 0, 1)
    done = await imported(database, bad, teams, "--yes", "--skip-refused")
    assert done["added"] == {"rules": 1, "hosts": 0, "teams": 1}
    assert await database.pool.fetchval("SELECT team_assignment FROM device_teams WHERE hostname = 'core-1'") == "mine"


async def imported(database: Database, *arguments: str | Path, status: int = 0) -> Any:
    words = [str(word) for word in arguments]
    environment = bare_environment(**database.settings.to_env())
    done = await asyncio.to_thread(run_text, "mutt", "import-v25", *words, "--json", environment=environment)
    assert done.returncode == status, done.stderr
    return json.loads(done.stdout)


async def counts(database: Database) -> tuple[int, ...]:
    tables = ("alert_rules", "development_hosts", "device_teams")
    return tuple([await database.pool.fetchval(f"SELECT count(*) FROM {table}") for table in tables])
