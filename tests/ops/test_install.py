"""What people install: the wheel in an environment of its own, and `install.sh` with all it says it does."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.installed import ROOT, WITHIN_S, build_wheel, lend_libraries
from tests.programs import bare_environment

SCRIPT = ROOT / "install.sh"

pytestmark = pytest.mark.timeout(1200)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_wheel(tmp_path_factory.mktemp("a wheel"))


def run(folder: Path, *command: str | Path, status: int = 0, **environment: str) -> str:
    """Runs outside of the checkout; what it printed, on both ends."""
    known = bare_environment(HOME=str(folder), **environment)
    done = subprocess.run(command, cwd=folder, env=known, capture_output=True, text=True, timeout=WITHIN_S)
    assert done.returncode == status, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_a_wheel_is_installed_used_brought_up_to_date_and_removed(wheel: Path, tmp_path: Path) -> None:
    programs, environment = tmp_path / ".local" / "bin", tmp_path / ".local" / "share" / "mutt"
    install = (SCRIPT, "--wheel", wheel, "--no-stack", "--python", sys.executable)
    offline = {"PIP_NO_DEPS": "1", "PIP_NO_INDEX": "1"}
    assert "mutt was installed and does not start" in run(tmp_path, *install, status=1, **offline)
    lend_libraries(environment)
    assert "next: muttdev setup" in run(tmp_path, *install, **offline)
    where = run(tmp_path, environment / "bin" / "python", "-c", "import ops; print(ops.__file__)")
    assert where.startswith(str(environment))
    (tmp_path / "line").write_text("<34>Oct 11 22:14:15 h su: x\n")
    assert '"hostname":"h"' in run(tmp_path, programs / "mutt", "parse", "line")
    assert "MUTT_API_PORT" in run(tmp_path, programs / "muttdev", "config", "explain", "MUTT_API_PORT")
    assert "make bench" in run(tmp_path, programs / "muttdev", "bench", status=2)
    assert "mutt is removed" in run(tmp_path, SCRIPT, "--uninstall")
    assert list(programs.iterdir()) == []
    assert not environment.exists()
    assert "nothing to remove" in run(tmp_path, SCRIPT, "--uninstall")


def test_a_dry_run_changes_nothing(wheel: Path, tmp_path: Path) -> None:
    said = run(tmp_path, SCRIPT, "--dry-run", "--prefix", "here") + run(tmp_path, SCRIPT, "--dry-run", "--wheel", wheel)
    assert "--require-hashes" in said
    assert f"+ ln -sf {tmp_path}/here/share/mutt/bin/mutt {tmp_path}/here/bin/mutt" in said
    assert list(tmp_path.iterdir()) == []


def test_what_belongs_to_others_stays(tmp_path: Path) -> None:
    other = tmp_path / ".local" / "bin" / "mutt"
    other.parent.mkdir(parents=True)
    other.write_text("the mail reader\n")
    assert "belongs to something else" in run(tmp_path, SCRIPT, status=1)
    run(tmp_path, SCRIPT, "--uninstall")
    assert other.read_text() == "the mail reader\n"


@pytest.mark.parametrize(
    ("arguments", "status", "says"),
    [
        (["--wheel", "none.whl"], 1, "there is no wheel none.whl"),
        (["--python", "python0"], 1, "install Python 3.11 or newer"),
        (["--nonsense"], 2, "no such option: --nonsense"),
        (["--prefix"], 2, "--prefix wants a value"),
    ],
)
def test_what_is_wrong_is_said(tmp_path: Path, arguments: list[str], status: int, says: str) -> None:
    assert says in run(tmp_path, SCRIPT, *arguments, status=status)


def test_outside_of_a_checkout_it_wants_a_wheel(tmp_path: Path) -> None:
    shutil.copy(SCRIPT, tmp_path)
    assert "--wheel FILE" in run(tmp_path, tmp_path / "install.sh", status=1)
    assert os.access(tmp_path / "install.sh", os.X_OK)


@pytest.mark.skipif(shutil.which("shellcheck") is None, reason="needs shellcheck")
def test_shellcheck_has_nothing_to_say() -> None:
    done = subprocess.run(["shellcheck", "--shell=sh", SCRIPT], capture_output=True, text=True)
    assert done.stdout + done.stderr == ""
