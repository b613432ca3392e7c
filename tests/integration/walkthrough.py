"""Runs the console blocks of a document as one person would: line after line in one shell; compares what it prints."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.architecture.documents import blocks

PROMPT = "$ "
ANYTHING = "…"
"""In what is printed: stands for anything; at the end of a line for the rest of it."""

_MARK = "\x1e"


@dataclass(frozen=True, slots=True)
class Step:
    """What is typed at one prompt, and what the document says is printed then."""

    command: str
    printed: str


@dataclass(frozen=True, slots=True)
class Outcome:
    step: Step
    status: int
    printed: str

    @property
    def as_written(self) -> bool:
        """It worked, and printed what the document says. Where that says nothing, anything may be printed."""
        return self.status == 0 and (not self.step.printed or bool(_pattern(self.step.printed).fullmatch(self.printed)))


def steps(document: Path) -> list[Step]:
    return [step for block in blocks(document, "console") for step in steps_of(block)]


def steps_of(block: str) -> list[Step]:
    first, *parts = re.split(rf"^{re.escape(PROMPT)}", block.replace("\\\n", " "), flags=re.MULTILINE)
    assert first == "", "a block begins with a prompt"
    found = [part.partition("\n") for part in parts]
    return [Step(command, printed.rstrip("\n")) for command, _, printed in found]


def walk(steps: Sequence[Step], environment: Mapping[str, str], folder: Path, *, within: float = 120) -> list[Outcome]:
    """Each in the same shell, whatever became of those before. Raises subprocess.TimeoutExpired."""
    script = folder / "walk.sh"
    script.write_text("\n".join(f"{step.command}\nprintf '{_MARK}%s{_MARK}' $?" for step in steps))
    done = subprocess.run(
        ["bash", "--noprofile", "--norc", script],
        env=environment,
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=within,
        check=False,
    )
    pieces = done.stdout.replace("\r", "").split(_MARK)[:-1]
    return [
        Outcome(step, int(status), printed.rstrip("\n"))
        for step, printed, status in zip(steps, pieces[::2], pieces[1::2], strict=True)
    ]


def _pattern(printed: str) -> re.Pattern[str]:
    return re.compile(".*?".join(map(re.escape, printed.split(ANYTHING))), re.DOTALL)
