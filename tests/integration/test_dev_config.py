"""`muttdev config` over a database: keys with where they come from, their history, and what is refused."""

from __future__ import annotations

import json
from typing import Any

from tests.integration.conftest import Database
from tests.programs import bare_environment, run_text


def muttdev(database: Database, *arguments: str, status: int = 0) -> Any:
    environment = bare_environment(**database.settings.to_env())
    done = run_text("muttdev", "config", *arguments, environment=environment)
    assert done.returncode == status, done.stderr
    return done.stderr if status else json.loads(done.stdout) if "--json" in arguments else done.stdout


async def test_a_key_from_its_default_to_its_history(database: Database) -> None:
    assert muttdev(database, "get", "moog_rate_limit") == "50\n"
    muttdev(database, "set", "moog_rate_limit=100", "--reason", "agreed", "--actor", "cli:ada")
    assert muttdev(database, "explain", "moog_rate_limit", "--json") == {
        "key": "moog_rate_limit", "kind": "key", "value": "100", "source": "database", "default": "50",
        "bounds": "1 to 100000 posts", "read_by": "forward", "means": "posts per period, for the whole fleet",
    }  # fmt: skip
    assert "moog_rate_limit: 50 -> 100 (database)" in muttdev(database, "diff")
    refused = muttdev(database, "set", "moog_rate_limit=0", status=65)
    assert refused == "muttdev: moog_rate_limit='0': must be a whole number: 1 to 100000 posts\n"
    muttdev(database, "unset", "moog_rate_limit", "--actor", "cli:ben")
    changes = muttdev(database, "history", "moog_rate_limit", "--json")["changes"]
    assert [(one["by"], one["before"], one["after"], one["reason"]) for one in changes] == [
        ("cli:ben", "100", "default", None),
        ("cli:ada", "default", "100", "agreed"),
    ]
    assert "cli:ada          moog_rate_limit: default -> 100  agreed" in muttdev(database, "history", "--limit", "5")
