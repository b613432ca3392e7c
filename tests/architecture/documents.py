"""Reads our documents: links, code spans, shell blocks, and the commands, make targets and paths in them."""

from __future__ import annotations

import re
import shlex
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from ops.documents.pages import PAGES

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"
RUNBOOK = ROOT / "docs" / "RUNBOOK.md"
CAPACITY = ROOT / "docs" / "CAPACITY.md"
API = ROOT / "docs" / "API.md"
ALERTING = ROOT / "docs" / "ALERTING.md"
DASHBOARDS = ROOT / "docs" / "DASHBOARDS.md"
PRODUCERS = ROOT / "docs" / "PRODUCERS.md"
OPERATIONS = ROOT / "docs" / "OPERATIONS.md"
RETENTION = ROOT / "docs" / "RETENTION.md"
PROOF = ROOT / "docs" / "PROOF.md"
DEPLOYMENT = ROOT / "docs" / "DEPLOYMENT.md"
INSTALL = ROOT / "docs" / "INSTALL.md"
MUTTDEV = ROOT / "docs" / "MUTTDEV.md"
CONTRIBUTING = ROOT / "CONTRIBUTING.md"
GENERATED = tuple(sorted(ROOT / "docs" / page for page in PAGES))
"""By `python -m ops.documents write`."""
MEASURED = (ROOT / "docs" / "PERFORMANCE.md", ROOT / "docs" / "SCALING.md")
"""By `python -m tests.bench.pages`, from figures that a campaign keeps."""
GUIDES = (
    README,
    CONTRIBUTING,
    ROOT / "SECURITY.md",
    *sorted({*(ROOT / "docs").glob("*.md")} - {PROOF, *GENERATED, *MEASURED}),
)
RECORDS = tuple(sorted((ROOT / "docs" / "adr").glob("[0-9]*.md")))
DOCUMENTS = (*GUIDES, ROOT / "CHANGELOG.md", PROOF, *GENERATED, *RECORDS)

_BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_SPAN = re.compile(r"`([^`\n]+)`")
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_FOLDERS = ("schemas/", "streams/", "api/", "ops/", "tests/", "docs/", ".ci/")
_PROMPT = "$ "
_ASSIGNMENT = re.compile(r"[A-Z_]+=.*")
_FILE = re.compile(r"[\w./-]+\.(py|md|toml|yaml|sql|sha256|lock)")
_PLACEHOLDER = "NNNN"


@cache
def tracked() -> tuple[str, ...]:
    """Paths of all files under version control."""
    listing = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True)
    return tuple(name for name in listing.stdout.split("\0") if (ROOT / name).is_file())


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def blocks(path: Path, language: str) -> list[str]:
    """The fenced blocks of one language."""
    return [text for kind, text in _BLOCK.findall(path.read_text()) if kind == language]


def links(path: Path) -> list[str]:
    """Targets of links that stay in the repository, without the part after #."""
    targets = (target.partition("#")[0] for target in _LINK.findall(path.read_text()))
    return [target for target in targets if target and "://" not in target and _PLACEHOLDER not in target]


def spans(path: Path) -> list[str]:
    """Inline code, outside of fenced blocks."""
    return _SPAN.findall(_BLOCK.sub("", path.read_text()))


def sessions(path: Path) -> tuple[list[str], list[str]]:
    """What is typed at the prompts of the console blocks, and what is printed there."""
    lines = [line for block in blocks(path, "console") for line in block.replace("\\\n", " ").splitlines()]
    typed = [line.removeprefix(_PROMPT) for line in lines if line.startswith(_PROMPT)]
    return typed, [line for line in lines if not line.startswith(_PROMPT)]


def shell_words(path: Path) -> Iterator[list[str]]:
    """Every simple command of the shell and console blocks and of code spans, as words.

    Comments and pipes cut it off; variables set for it are left out.
    """
    lines = [line for block in blocks(path, "sh") for line in block.replace("\\\n", " ").splitlines()]
    lines += sessions(path)[0]
    for line in [*lines, *(span for span in spans(path) if span.startswith(("make ", "mutt ", "muttdev ")))]:
        lexer = shlex.shlex(line, posix=True, punctuation_chars="|;&")
        lexer.whitespace_split = True
        words: list[str] = []
        for word in lexer:
            if set(word) <= set("|;&"):
                yield words
                words = []
            elif words or not _ASSIGNMENT.fullmatch(word):
                words.append(word)
        yield words


def commands(path: Path, program: str) -> list[list[str]]:
    """The arguments of every use of a program."""
    return [words[1:] for words in shell_words(path) if words and words[0] == program]


def paths(path: Path) -> list[str]:
    """Files and folders of ours that a document names; `file.py::test` is kept whole."""
    words = [word for line in spans(path) for word in line.split()]
    words += [part for command in shell_words(path) for word in command for part in word.replace("=", " ").split()]
    named = (word for word in words if _PLACEHOLDER not in word)
    return [word for word in named if word.startswith(_FOLDERS) or _FILE.fullmatch(word)]
