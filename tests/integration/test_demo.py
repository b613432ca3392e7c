"""The demonstration, short: real servers, an outage, a killed worker, a replay, and books that balance."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from ops.prometheus.local import installed
from tests.installed import build_wheel, install
from tests.programs import MEASURED, bare_environment
from tests.run import PROGRAMS

pytestmark = [pytest.mark.integration, pytest.mark.timeout(320)]

WATCHED = ["--with", "prometheus"] if installed() else []


def test_the_books_of_a_short_demonstration_balance(tmp_path: Path) -> None:
    """From the wheel, in an environment of its own, outside of the checkout; from that where branches are measured."""
    programs = PROGRAMS if MEASURED else install(build_wheel(tmp_path), tmp_path / "environment")
    environment = bare_environment()
    done = subprocess.run(
        [programs / "muttdev", "demo", "--once", "--json", "--duration", "8", "--rate", "100", "--seed", "5", *WATCHED],
        env=environment | {"MUTT_HOME": str(tmp_path / "a home")},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.stdout, done.stderr
    result = json.loads(done.stdout.splitlines()[-1])
    assert result.get("problems") == [], done.stderr
    assert [line for line in result["checks"] if not line["ok"]] == []
    assert (done.returncode, result["balanced"], result["ok"]) == (0, True, True)
    assert sum(result["dispositions"].values()) == result["offsets"]["log_end"] > 800
    assert result["alerts"]["committed"] == result["alerts"]["received"] > 0
    assert result["script"]["replayed"] == result["script"]["rejected"] > 0
    assert result["script"]["killed"] == 1
    assert result["script"]["paused"] > 0 < result["paused_seconds"]["backlog"]
    assert result["remediation"]["replayed"] == result["shed"]["replayed"]
    assert result["remediation"]["came_back"] == 0
    assert result["shed"]["total"] == result["shed"]["replayed"] == sum(result["shed"]["by_severity"].values()) > 0
    if WATCHED:
        assert result["prometheus"]["fired"]["objective"] == "alert-delivery"
        assert result["prometheus"]["resolved"]["seconds"] > result["prometheus"]["fired"]["seconds"]
    assert not (tmp_path / "a home" / "demo").exists()
