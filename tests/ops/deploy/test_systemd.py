"""ops/systemd: systemd takes the units and finds them closed, and mutt has all that they start."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ops.cli.ready import Served
from schemas.secret_names import DatabaseRole
from schemas.settings import Settings
from streams.core.login_rotation import other_login
from tests.architecture.documents import ROOT, tracked
from tests.ops.deploy.launches import WORKERS, settings_by_variable
from tests.ops.deploy.test_compose import known_secrets
from tests.ops.deploy.units import FOLDER, INSTANCES, PREFIX, TIMERS, environment_file, launches, values

MOST_EXPOSED = 2.5
ANALYZE = shutil.which("systemd-analyze")

each_unit = pytest.mark.parametrize("unit", INSTANCES)
with_systemd = pytest.mark.skipif(ANALYZE is None, reason="systemd-analyze is not installed (package systemd)")


@pytest.fixture
def units(tmp_path: Path) -> Path:
    """The units with the programs of this checkout in them, which systemd looks for."""
    folder = tmp_path / "units"
    shutil.copytree(ROOT / FOLDER, folder)
    script = str(ROOT / "ops" / "snmptrapd" / "mutt-snmptrapd")
    for unit in folder.glob("*.service"):
        text = unit.read_text().replace(f"{PREFIX}mutt-snmptrapd", script)
        unit.write_text(text.replace(PREFIX, f"{Path(sys.executable).parent}/"))
    return folder


def analyzed(units: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "SYSTEMD_UNIT_PATH": f"{units}:", "SYSTEMD_COLORS": "0"}
    return subprocess.run(
        [str(ANALYZE), *arguments], env=environment, capture_output=True, text=True, check=False, timeout=120
    )


@with_systemd
@each_unit
def test_systemd_takes_the_unit(unit: str, units: Path) -> None:
    done = analyzed(units, "verify", "--man=no", f"{unit}.service")
    assert (done.returncode, [line for line in done.stderr.splitlines() if "mutt" in line]) == (0, [])


@with_systemd
@pytest.mark.parametrize("timer", TIMERS)
def test_systemd_takes_the_timer(timer: str, units: Path) -> None:
    done = analyzed(units, "verify", "--man=no", timer)
    assert (done.returncode, [line for line in done.stderr.splitlines() if "mutt" in line]) == (0, [])
    assert timer.removesuffix(".timer") in INSTANCES


@with_systemd
def test_systemd_refuses_what_is_wrong(units: Path) -> None:
    unit = units / "mutt-api.service"
    unit.write_text(unit.read_text().replace("KillMode=mixed", "KillMode=sometimes\nTpye=exec"))
    assert "mutt-api.service" in analyzed(units, "verify", "--man=no", "mutt-api.service").stderr


@with_systemd
@each_unit
@pytest.mark.checks("HOST_2")
def test_the_unit_is_closed(unit: str, units: Path) -> None:
    done = analyzed(units, "security", "--offline=true", "--no-pager", f"{unit}.service")
    level = re.search(r"Overall exposure level for \S+: ([\d.]+)", done.stdout)
    assert level, done.stderr
    assert float(level[1]) <= MOST_EXPOSED, done.stdout


CLOSED = {"DynamicUser": "yes", "ProtectSystem": "strict", "NoNewPrivileges": "yes", "PrivateDevices": "yes"}
POWERS = {"mutt-snmp-bridge": "CAP_NET_BIND_SERVICE"}
"""Which capability a service has, where it has one: port 162."""


@each_unit
@pytest.mark.checks("HOST_1")
def test_a_service_has_a_user_of_its_own_no_powers_and_bounds(unit: str) -> None:
    """What a unit says last is what counts."""
    assert {name: values(unit, name)[-1] for name in CLOSED} == CLOSED
    for name in ("CapabilityBoundingSet", "AmbientCapabilities"):
        assert ["", *values(unit, name)][-1] == POWERS.get(unit, "")
    assert re.fullmatch(r"\d+M", values(unit, "MemoryMax")[-1])
    assert int(values(unit, "TasksMax")[-1]) <= 400
    assert values(unit, "User") == []


@pytest.mark.parametrize("launch", launches(), ids=lambda launch: launch.where)
def test_mutt_has_what_is_started(launch: Any) -> None:
    assert launch.problems() == []


def test_every_role_has_a_unit() -> None:
    started = {launch.service for launch in launches()} - {None}
    assert started == set(Served)
    template = (ROOT / FOLDER / "mutt-worker@.service").read_text().splitlines()[0]
    assert set(re.findall(r"mutt-worker@([\w-]+)", template)) == set(WORKERS)


def test_a_further_match_worker_has_a_port_of_its_own() -> None:
    (worker,) = [launch for launch in launches() if launch.where.startswith("mutt-match@") and launch.service]
    assert Settings.from_env(worker.environment).match_port == 8181


ROLES = {
    "mutt-worker": DatabaseRole.WORKER,
    "mutt-match": DatabaseRole.WORKER,
    "mutt-api": DatabaseRole.API,
    "mutt-migrate": DatabaseRole.MIGRATE,
    "mutt-retention": DatabaseRole.RETENTION,
}
"""Who logs in at PostgreSQL as what."""


@each_unit
def test_secrets_are_handed_over_by_name(unit: str) -> None:
    given = dict(value.split(":", 1) for value in values(unit, "LoadCredential"))
    assert given
    places = {"snmptrapd.conf": "/etc/mutt/snmptrapd.conf"}
    if (role := ROLES.get(unit.partition("@")[0])) is not None:
        places["DB_PASS_CURRENT"] = f"/etc/mutt/logins/{role}"
        assert values(unit, "SetCredential") == [f"DB_USER_CURRENT:{other_login(role, '')}"]
    assert {name: places.get(name, f"/etc/mutt/secrets/{name}") for name in given} == given
    assert set(given) - known_secrets() <= {"snmptrapd.conf"}
    assert "MUTT_SECRETS_DIR=%d" in values(unit, "Environment")


def test_the_forwarder_alone_gets_the_receivers_secrets() -> None:
    holders = [unit for unit in INSTANCES if any("MOOG" in value for value in values(unit, "LoadCredential"))]
    assert holders == ["mutt-worker@forward"]


def test_the_settings_that_are_shown_are_settings() -> None:
    assert set(environment_file()) <= settings_by_variable()
    assert Settings.from_env(environment_file()).log_level == "info"


@each_unit
def test_a_service_gets_longer_to_stop_than_it_takes(unit: str) -> None:
    (seconds,) = values(unit, "TimeoutStopSec")
    assert float(seconds) > Settings().drain_timeout + 10


def test_every_file_is_part_of_a_unit_that_is_looked_at() -> None:
    names = {f"{unit}.service" for unit in INSTANCES} | {re.sub(r"@.*", "@", unit) + ".service" for unit in INSTANCES}
    for file in tracked():
        if file.startswith(f"{FOLDER}/") and not file.endswith("mutt.env"):
            part = Path(file).relative_to(FOLDER).parts[0]
            assert part.removesuffix(".d") in {*names, *TIMERS, "mutt-.service"}, file
