"""What bandit finds, and which of it the code itself explains: beside ruff's rule of the same number, with a reason."""

from __future__ import annotations

import json
import re
import tomllib
from dataclasses import dataclass
from pathlib import Path

EXPLAINED = re.compile(r"# noqa: [A-Z0-9, ]*\bS(\d+)\b[A-Z0-9, ]* ?(?:- |\()\w")


@dataclass(frozen=True)
class Finding:
    test: str
    file: str
    line: int
    last: int
    says: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.test} {self.says}"

    @property
    def rule(self) -> str:
        return self.test.removeprefix("B")


@dataclass(frozen=True)
class Explanation:
    """Why the findings of a rule below a path are no danger."""

    rule: str
    below: str
    why: str

    def covers(self, finding: Finding) -> bool:
        return finding.rule == self.rule and finding.file.startswith(self.below)


def explanations_in(text: str) -> list[Explanation]:
    """From TOML."""
    return [Explanation(**each) for each in tomllib.loads(text)["finding"]]


def judged(left: list[Finding], explanations: list[Explanation]) -> list[str]:
    """What is wrong: findings without an explanation, explanations without a finding."""
    open_ones = [str(each) for each in left if not any(one.covers(each) for one in explanations)]
    stale = [one for one in explanations if not any(one.covers(each) for each in left)]
    return open_ones + [f"explained, but found no more: {one.rule} below {one.below!r}" for one in stale]


def findings_in(report: str) -> list[Finding]:
    """From bandit's JSON."""
    return [
        Finding(each["test_id"], each["filename"], each["line_number"], each["line_range"][-1], each["issue_text"])
        for each in json.loads(report)["results"]
    ]


def unexplained(findings: list[Finding], root: Path, ignored: frozenset[str]) -> list[Finding]:
    """Those that no comment in their lines explains; `ignored` are rules that pyproject.toml switches off."""
    return [each for each in findings if each.rule not in ignored and each.rule not in _explained(each, root)]


def _explained(finding: Finding, root: Path) -> set[str]:
    lines = (root / finding.file).read_text(encoding="utf-8").splitlines()
    end = next(
        (n for n in range(finding.last - 1, len(lines)) if "noqa" in lines[n] or not lines[n].strip()), finding.last
    )
    return {rule for line in lines[finding.line - 1 : end + 1] for rule in EXPLAINED.findall(line)}
