"""`muttdev config` where no database answers: settings, and what it says of keys."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import typer.main

from ops.cli import muttdev
from ops.cli.dev_config import known_names
from ops.devstack.layout import free_port
from ops.devstack.stack import Stack
from schemas.config import KEYS
from schemas.settings import Settings, variable_of
from tests.programs import bare_environment, run_text


class Desk:
    def __init__(self, home: Path) -> None:
        away = f"postgresql://mutt@127.0.0.1:{free_port()}/mutt"
        (home / "secrets").mkdir()
        (home / "secrets" / "DB_PASS_CURRENT").write_text("x")
        (home / "secrets" / "DB_PASS_CURRENT").chmod(0o600)
        self.environment = bare_environment(
            MUTT_HOME=str(home), MUTT_DATABASE_URL=away, MUTT_SECRETS_DIR=str(home / "secrets")
        )

    def run(self, *arguments: str, status: int = 0) -> Any:
        done = run_text("muttdev", "config", *arguments, environment=self.environment)
        assert done.returncode == status, done.stderr
        return done.stderr if status else json.loads(done.stdout) if "--json" in arguments else done.stdout


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def test_a_setting_goes_into_the_file_and_a_stack_obeys_it(desk: Desk, tmp_path: Path) -> None:
    assert "MUTT_LOG_LEVEL: default -> debug" in desk.run("set", "MUTT_LOG_LEVEL=debug", "MUTT_MATCH_PORT=9000")
    assert desk.run("get", "MUTT_LOG_LEVEL", "MUTT_SECRETS_DIR", "VAULT_ADDR").splitlines() == [
        "debug", str(tmp_path / "secrets"), "",
    ]  # fmt: skip
    assert desk.run("explain", "MUTT_LOG_LEVEL", "--json")["source"] == "file"
    settings = Stack(tmp_path).settings
    assert (settings.log_level, settings.match_port, settings.forward_port) == ("debug", 9000, 0)
    assert "MUTT_LOG_LEVEL: info -> debug (file)" in desk.run("diff")
    assert desk.run("unset", "MUTT_LOG_LEVEL", "--json")["changed"] == {
        "MUTT_LOG_LEVEL": {"before": "debug", "after": None}
    }
    assert Stack(tmp_path).settings.log_level == "info"


@pytest.mark.parametrize(
    ("arguments", "status", "says"),
    [
        (["set", "MUTT_API_PORT=70000"], 78, "MUTT_API_PORT='70000': Expected `int` <= 65535"),
        (["set", "MUTT_LOG_LEVLE=debug"], 78, "did you mean MUTT_LOG_LEVEL?"),
        (["set", "MUTT_LOG_LEVEL"], 2, "'MUTT_LOG_LEVEL' is not KEY=VALUE"),
        (["set", "MUTT_LOG_LEVEL=debug", "moog_rate_limit=1"], 2, "by two commands"),
        (["explain", "moog_rate_limti"], 65, "did you mean moog_rate_limit?"),
        (["history", "MUTT_HOST"], 2, "keys have a history"),
        (["get", "moog_rate_limit"], 69, "is it up? (muttdev status)"),
    ],
)
def test_what_is_wrong_is_one_line(desk: Desk, arguments: list[str], status: int, says: str) -> None:
    refused = desk.run(*arguments, status=status)
    assert says in refused
    assert refused.count("\n") == 1


def test_without_a_database_settings_are_shown_and_keys_explained(desk: Desk) -> None:
    rows = {row["key"]: row for row in desk.run("list", "--json")["keys"]}
    assert list(rows) == [variable_of(name) for name in Settings.__struct_fields__] + [key.name for key in KEYS]
    assert rows["MUTT_DATABASE_URL"]["source"] == "environment"
    assert rows["MUTT_WATCHDOG_TIMEOUT"]["bounds"] == "a number from 1 to 3600"
    assert (rows["moog_rate_limit"]["value"], rows["moog_rate_limit"]["source"]) == (None, "unknown")
    shown = desk.run("explain", "moog_rate_limit")
    assert "1 to 100000 posts" in shown
    assert "unknown: the database was not reached" in shown


def test_names_are_completed() -> None:
    assert known_names("circuit") == ["circuit_breaker_threshold", "circuit_breaker_timeout"]
    group: Any = typer.main.get_command(muttdev.app)
    for command in ("get", "set", "unset", "history", "explain"):
        parameter = group.commands["config"].commands[command].params[0]
        found = parameter.shell_complete(None, "moog_rate_l")
        assert [item.value.rstrip("=") for item in found] == ["moog_rate_limit"]
