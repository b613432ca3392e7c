"""What `muttdev setup` thinks of a machine, and what it does where no server runs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ops import settings_file
from ops.devstack.layout import free_port
from ops.setup.machine import GIB, Machine, judged, read
from tests.programs import bare_environment, run_text

GOOD = {"python": (3, 11, 7), "cores": 2, "memory": 8 * GIB, "disk": 20 * GIB, "taken": ()}


@pytest.mark.parametrize(
    ("changes", "wrong", "warned"),
    [
        ({}, [], []),
        ({"python": (3, 10, 1)}, ["python"], []),
        ({"cores": 1}, [], ["cores"]),
        ({"memory": GIB}, [], ["memory"]),
        ({"memory": None}, [], []),
        ({"disk": GIB}, ["disk"], []),
        ({"taken": (8090,)}, [], ["ports"]),
    ],
)
def test_what_is_enough(changes: dict[str, Any], wrong: list[str], warned: list[str]) -> None:
    facts = list(judged(Machine(**GOOD | changes)))
    assert [fact.name for fact in facts if not fact.ok and fact.needed] == wrong
    assert [fact.name for fact in facts if not fact.ok and not fact.needed] == warned


def test_this_machine_runs_mutt(tmp_path: Path) -> None:
    machine = read(tmp_path / "not" / "there")
    assert machine.cores >= 1
    assert next(fact for fact in judged(machine) if fact.name == "python").ok


def test_production_gets_its_settings_first(tmp_path: Path) -> None:
    file = tmp_path / "mutt.env"
    given = {"MUTT_KAFKA_BOOTSTRAP": f"127.0.0.1:{free_port()}", "MUTT_WEBHOOK_URL": "https://alerts.example.org/x"}
    environment = bare_environment(MUTT_HOME=str(tmp_path / "home"), **given)
    arguments = ["setup", "--env", "prod", "--file", str(file), "--json"]
    looked = run_text("muttdev", *arguments, "--check", environment=environment)
    assert looked.returncode == 1
    assert json.loads(looked.stdout)["todo"][0] == "settings"
    done = run_text("muttdev", *arguments, "--yes", environment=environment)
    assert done.returncode == 69  # no Kafka is there
    assert done.stderr.count("\n") == 1
    assert settings_file.read(file) == given
    asked = run_text("muttdev", *arguments, environment=environment)
    assert "--yes" in asked.stderr
