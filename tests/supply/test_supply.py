"""The supply chain: licences are listed, builds are the same twice, and what bandit finds has its reason."""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.run import ROOT
from tests.supply import licences
from tests.supply.__main__ import Failed, judged_vulnerabilities
from tests.supply.findings import Explanation, Finding, findings_in, judged, unexplained


@pytest.mark.checks("SUPPLY_3")
def test_the_table_of_licences_is_that_of_the_lock() -> None:
    assert licences.DOCUMENT.read_text() == licences.document(), "run: python -m tests.supply licences"


@pytest.mark.checks("SUPPLY_1")
def test_every_package_that_is_locked_has_hashes() -> None:
    for lock in ("requirements.lock", "requirements-dev.lock", "requirements-build.lock", "requirements-audit.lock"):
        entries = re.split(r"^(?=[A-Za-z0-9])", (ROOT / lock).read_text(), flags=re.MULTILINE)[1:]
        assert entries
        assert [entry.split()[0] for entry in entries if "--hash=sha256:" not in entry] == []


@pytest.mark.checks("SUPPLY_4")
def test_two_builds_are_the_same_byte_for_byte(tmp_path: Path) -> None:
    digests = {built(tmp_path / name, umask) for name, umask in (("first", 0o022), ("second", 0o077))}
    assert len(digests) == 1


def built(folder: Path, umask: int) -> str:
    """SHA-256 of the wheel."""
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder]
    environment = os.environ | {"SOURCE_DATE_EPOCH": "1764000000"}
    subprocess.run(command, cwd=ROOT, env=environment, umask=umask, check=True, capture_output=True, timeout=170)
    (wheel,) = folder.glob("*.whl")
    return hashlib.sha256(wheel.read_bytes()).hexdigest()


@pytest.mark.checks("SUPPLY_5")
@pytest.mark.parametrize("name", ["starlette", "aiohttp", "h11"])
def test_what_speaks_HTTP_is_never_older_than_what_mended_it(name: str) -> None:
    """The comment above it says which vulnerability, and which version is the first without it."""
    text = (ROOT / "pyproject.toml").read_text()
    [(first_good, floor)] = re.findall(rf'    # CVE-\d{{4}}-\d+ is mended in (\S+)\.\n    "{name}>=([\d.]+),', text)
    (locked,) = re.findall(rf"^{name}==(\S+)", (ROOT / "requirements.lock").read_text(), re.MULTILINE)
    assert numbers(first_good) <= numbers(floor) <= numbers(locked)


def numbers(version: str) -> list[int]:
    parts = [int(part) for part in version.split(".")]
    return parts + [0] * (3 - len(parts))


CODE = """import x
text = f"SELECT {x}"  # noqa: S608 - constants
bare = f"SELECT {x}"  # noqa: S608
long = f\"\"\"
SELECT {x}\"\"\"  # noqa: S608 (fixed terms)
none = f"SELECT {x}"
"""


@pytest.mark.parametrize(("first", "last", "is_explained"), [(2, 2, True), (3, 3, False), (4, 5, True), (6, 6, False)])
@pytest.mark.checks("STATIC_1")
def test_a_finding_is_explained_by_the_same_rule_with_a_reason(
    tmp_path: Path, first: int, last: int, is_explained: bool
) -> None:
    (tmp_path / "a.py").write_text(CODE)
    finding = Finding("B608", "a.py", first, last, "sql")
    assert (unexplained([finding], tmp_path, frozenset()) == []) is is_explained
    assert unexplained([finding], tmp_path, frozenset({"608"})) == []


def test_the_report_of_bandit_is_read() -> None:
    result = {"test_id": "B608", "filename": "a.py", "line_number": 4, "line_range": [4, 5], "issue_text": "sql"}
    assert findings_in(json.dumps({"results": [result]})) == [Finding("B608", "a.py", 4, 5, "sql")]


@pytest.mark.checks("STATIC_1")
def test_an_explanation_covers_its_rule_below_its_path_and_is_missed_when_it_covers_nothing() -> None:
    finding = Finding("B311", "ops/demo/generate.py", 1, 1, "random")
    assert judged([finding], [Explanation("311", "ops/demo/", "for show")]) == []
    assert len(judged([finding], [Explanation("311", "streams/", "x")])) == 2
    assert len(judged([finding], [])) == 1


@pytest.mark.parametrize(
    ("package", "accepted", "says"),
    [
        ({"vulns": []}, {}, None),
        ({"vulns": [{"id": "CVE-1"}]}, {"CVE-1": "not reached by us"}, None),
        ({"vulns": [{"id": "CVE-1"}]}, {}, "a 1: CVE-1"),
        ({"vulns": []}, {"CVE-1": "not reached by us"}, "known no more"),
        ({"skip_reason": "Dependency not found on PyPI: a"}, {}, "nothing is known"),
    ],
    ids=["fine", "accepted", "open", "stale", "not asked"],
)
@pytest.mark.checks("SUPPLY_2")
def test_what_nobody_could_ask_about_is_not_called_fine(
    package: dict[str, object], accepted: dict[str, str], says: str | None
) -> None:
    packages = [{"name": "a", "version": "1", **package}]
    if says is None:
        assert judged_vulnerabilities(packages, accepted)
    else:
        with pytest.raises(Failed, match=says):
            judged_vulnerabilities(packages, accepted)
