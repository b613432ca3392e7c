"""Dockerfile: locked, without root, without a compiler; nothing is copied that is not there."""

from __future__ import annotations

import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.architecture.documents import ROOT, tracked
from tests.ops.deploy.launches import USER, is_ours, text_of

ENDS = ("snmptrapd", "rsyslog", "mutt")
"""Stages that become images."""
COMPILERS = re.compile(r"\b(gcc|g\+\+|clang|make|build-essential|cargo|\w+-dev)\b")
TEXT = text_of("Dockerfile").replace("\\\n", " ")


def stages() -> dict[str, list[str]]:
    """The instructions of each stage, with those of the stages of ours that it stands on."""
    found: dict[str, list[str]] = {}
    for part in re.split(r"^FROM ", TEXT, flags=re.MULTILINE)[1:]:
        first, *lines = [line for line in part.splitlines() if line and not line.startswith("#")]
        base, _, name = first.partition(" AS ")
        found[name] = [*found.get(base, ()), f"FROM {base}", *lines]
    return found


def test_the_images_are_those_that_are_documented() -> None:
    assert set(ENDS) < set(stages())
    assert list(stages())[-1] == "mutt"


@pytest.mark.parametrize("name", ENDS)
@pytest.mark.checks("HOST_1")
def test_an_image_runs_without_root(name: str) -> None:
    users = [line for line in stages()[name] if line.startswith("USER ")]
    assert users == [f"USER {USER}:{USER}"]


@pytest.mark.parametrize("name", ENDS)
def test_an_image_has_no_compiler_and_installs_no_python(name: str) -> None:
    ran = [line for line in stages()[name] if line.startswith("RUN ")]
    assert [line for line in ran if COMPILERS.search(line) or "pip" in line] == []
    for line in ran:
        assert ("apt-get install" in line) is ("--no-install-recommends" in line and "/var/lib/apt/lists" in line)


@pytest.mark.checks("SUPPLY_1")
def test_packages_come_locked_and_ready_made() -> None:
    installs = re.findall(r"bin/pip (?:install|wheel) ([^&]*)", " ".join(stages()["build"]))
    assert len(installs) == 3
    for install in installs:
        locked = "--require-hashes" in install and "--only-binary :all:" in install
        assert locked or "--no-deps" in install
    assert "pip uninstall --yes setuptools pip" in TEXT


def test_what_is_copied_is_there_and_may_be_sent() -> None:
    allowed = {line.removeprefix("!") for line in text_of(".dockerignore").splitlines() if line.startswith("!")}
    copied = [
        source
        for line in TEXT.splitlines()
        if line.startswith("COPY ") and "--from" not in line
        for source in line.split()[1:-1]
    ]
    assert {source.partition("/")[0] for source in copied} == allowed - {"Dockerfile"}
    assert [source for source in copied if not is_ours(source)] == []


def test_the_wheel_that_the_image_gets_is_whole(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation", "-w", tmp_path, ROOT]
    subprocess.run(command, check=True, timeout=120)
    (wheel,) = tmp_path.glob("*.whl")
    held = set(zipfile.ZipFile(wheel).namelist())
    wanted = [file for file in tracked() if file.startswith(("schemas/", "streams/", "api/", "ops/"))]
    assert [file for file in wanted if file not in held] == []
