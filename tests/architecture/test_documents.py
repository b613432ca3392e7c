"""The documents say what is there: paths, links, make targets, commands, options, snippets and tests that they name."""

from __future__ import annotations

import ast
import itertools
import json
import re
from pathlib import Path
from typing import Any

import pytest
import typer.main

from api.metrics import ApiMetrics
from ops.cli import mutt, muttdev
from schemas.config import BY_NAME
from schemas.dead_letters import Reason
from streams import metrics
from streams.core.replay import Refusal
from tests.architecture.documents import (
    DOCUMENTS,
    GUIDES,
    README,
    RECORDS,
    ROOT,
    RUNBOOK,
    blocks,
    commands,
    links,
    name,
    paths,
    sessions,
    spans,
    tracked,
)

SECTIONS = ["## Context", "## Options", "## Decision", "## Consequences", "## When to revisit"]
NEEDED = {"## Context", "## Decision", "## Consequences"}
PROGRAMS = {"mutt": mutt.app, "muttdev": muttdev.app}
INVARIANTS = tuple(f"I{number}" for number in range(1, 10))

each_document = pytest.mark.parametrize("document", DOCUMENTS, ids=name)


def problem_with(arguments: list[str], command: Any) -> str | None:
    """Why a command line cannot be one of this program, or None. Only names are checked, not values.

    What stands behind -- is another program's, and … stands for anything.
    """
    options: set[str] = {"--help"}
    for word in itertools.takewhile(lambda word: word not in ("--", "…"), arguments):
        options |= {
            text
            for parameter in command.params
            for kind in ("opts", "secondary_opts")
            for text in getattr(parameter, kind, ())
        }
        if word.startswith("--"):
            if word.partition("=")[0] not in options:
                return f"no option {word}"
        elif hasattr(command, "commands"):
            if word not in command.commands:
                return f"no command {word}"
            command = command.commands[word]
    return None


def test_a_wrong_command_is_noticed() -> None:
    command = typer.main.get_command(mutt.app)
    assert problem_with(["dlq", "list", "--reason", "shed"], command) is None
    assert problem_with(["dlq", "…"], command) is None
    assert problem_with(["topics", "acl", "--check"], command) is None
    assert problem_with(["dlq", "lost"], command) == "no command lost"
    assert problem_with(["dlq", "list", "--raeson"], command) == "no option --raeson"


@each_document
@pytest.mark.parametrize("program", PROGRAMS)
def test_commands_and_their_options_exist(document: Path, program: str) -> None:
    command = typer.main.get_command(PROGRAMS[program])
    found = {" ".join(line): problem_with(line, command) for line in commands(document, program)}
    assert {line: problem for line, problem in found.items() if problem} == {}


@each_document
def test_make_targets_exist(document: Path) -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    used = {line[0] for line in commands(document, "make") if line}
    assert used <= targets


@each_document
def test_paths_exist(document: Path) -> None:
    files = tracked()
    known = {*files, *(file.rsplit("/", 1)[-1] for file in files)}
    folders = {f"{parent}/" for file in files for parent in Path(file).parents}
    named = {path.partition("::")[0] for path in paths(document)}
    assert {path for path in named if path not in known and path.rstrip("/") + "/" not in folders} == set()


@each_document
def test_tests_that_are_named_exist(document: Path) -> None:
    named = [path.split("::") for path in paths(document) if "::" in path]
    assert [(file, test) for file, test in named if f"def {test}(" not in (ROOT / file).read_text()] == []


@each_document
def test_links_lead_somewhere(document: Path) -> None:
    assert [target for target in links(document) if not (document.parent / target).exists()] == []


def test_code_names_documents_that_are_there() -> None:
    documents = {file for file in tracked() if file.endswith(".md")}
    known = {part for file in documents for part in (file, file.removeprefix("docs/"), file.rsplit("/", 1)[-1])}
    numbers = {record.name[:4] for record in RECORDS}
    wrong = []
    for file in tracked():
        if file.endswith((".py", ".sql", ".toml")) and not file.startswith("tests/"):
            text = (ROOT / file).read_text()
            wrong += [
                (file, found) for found in re.findall(r"[\w./-]+\.md\b", text) if found.removeprefix("../") not in known
            ]
            wrong += [(file, found) for found in re.findall(r"docs/adr/(\d{4})", text) if found not in numbers]
    assert wrong == []


def test_every_invariant_has_a_test_that_shows_it() -> None:
    text = (ROOT / "docs" / "ARCHITECTURE.md").read_text()
    rows = dict(re.findall(r"^\| (I\d) \|(.*)\|$", text, re.MULTILINE))
    assert tuple(rows) == INVARIANTS
    assert [row for row, cells in rows.items() if "::test_" not in cells] == []


def test_the_runbook_shows_a_session() -> None:
    typed, printed = sessions(RUNBOOK)
    assert len(typed) > 20
    assert len(printed) > 100
    assert {line[0] for line in commands(RUNBOOK, "mutt")} >= {"dlq", "ledger", "config", "pause", "resume", "pauses"}


def test_keys_metrics_and_reasons_of_the_runbook_exist() -> None:
    families = [*metrics.REGISTRY.collect(), *ApiMetrics().registry.collect()]
    exported = {sample for family in families for sample in (family.name, f"{family.name}_total")}
    known = {*BY_NAME, *exported, *Reason, *Refusal}
    named = {re.sub(r"[={].*", "", span) for span in spans(RUNBOOK)}
    assert {word for word in named if re.fullmatch(r"[a-z]+(_[a-z]+)+", word)} - known == set()


def test_log_lines_of_the_runbook_are_those_of_the_workers() -> None:
    source = "".join((ROOT / file).read_text() for file in tracked() if re.fullmatch(r"streams/.*\.py", file))
    logged = [json.loads(line)["event"] for line in sessions(RUNBOOK)[1] if line.startswith("{") and '"event"' in line]
    assert logged
    assert [event for event in logged if f'"{event}"' not in source] == []


def test_the_readme_is_short() -> None:
    assert len(README.read_text().splitlines()) <= 120


def test_records_have_numbers_of_their_own() -> None:
    numbers = [record.name[:4] for record in RECORDS]
    assert numbers == [f"{number:04}" for number in range(len(RECORDS))]


@pytest.mark.parametrize("record", RECORDS, ids=name)
def test_a_record_has_the_sections_of_the_template(record: Path) -> None:
    lines = record.read_text().splitlines()
    number = "NNNN" if record is RECORDS[0] else record.name[:4]
    assert lines[0].startswith(f"# {number}. ")
    assert lines[2].startswith("- Status: ")
    assert lines[3].startswith("- Date: ")
    sections = [line for line in lines if line.startswith("## ")]
    assert sections == [section for section in SECTIONS if section in sections]
    assert set(sections) >= NEEDED
    assert len(lines) <= 60


@pytest.mark.parametrize("guide", GUIDES, ids=name)
def test_python_snippets_compile(guide: Path) -> None:
    for snippet in blocks(guide, "python"):
        assert ast.parse(snippet).body


def test_the_readme_has_a_producer() -> None:
    assert blocks(README, "python")
