"""Writes docs/PROOF.md from the marked tests, the fault matrix and the figures that commands left."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from operator import itemgetter

from tests.crashes.points import POINTS
from tests.proof import marked
from tests.proof.bounds import bounds
from tests.proof.cells import CELLS, MATRIX
from tests.proof.checklist import CHECKLIST
from tests.proof.figures import Run, flat, kept, tables
from tests.proof.limits import NOT_SHOWN
from tests.proof.marked import ROOT, Proof, proofs
from tests.proof.promises import DETECTORS, promises

PROOF = ROOT / "docs" / "PROOF.md"

_HEAD = """# The proof

Written by `python -m tests.proof`; a test holds it to what that makes. Do not edit it by hand.

"Nothing is lost" is a claim until somebody who does not trust us can see it. This page says what is promised, who
looks for the promise broken, what was done to the system meanwhile, and with which figures. Every number here is the
last line of a command, kept in `docs/proof/` with its seed, commit and versions; run the command to have your own.
An event that never happened in n trials is written as "0 of n" with the bound 3/n: with 95 % confidence it is rarer.
"""


def document() -> str:
    """The whole page."""
    parts = [*_promises(), *_detectors(), *_matrix(), *_checklist(), *_crash_points(), *_figures(kept()), *_limits()]
    return "\n".join([_HEAD, *parts]).rstrip() + "\n"


def _promises() -> Iterator[str]:
    yield "## What is promised\n"
    yield from _table(
        ("", "Promise", "Detectors", "Named tests"),
        ((each.number, each.words, _code(each.detectors), _tests(each.tests)) for each in promises()),
    )


def _detectors() -> Iterator[str]:
    yield "## Who looks\n"
    yield (
        "The checker reads tables, topics, the receiver's log and the producer's journal itself and imports nothing\n"
        "of the product. Each detector looks for one way to be wrong.\n"
    )
    yield from _table(
        ("Detector", "Of", "What it finds"), ((f"`{name}`", of, what) for name, (of, what) in DETECTORS.items())
    )


def _matrix() -> Iterator[str]:
    shown = _shown(proofs(marked.CELLS))
    yield "## The fault matrix\n"
    yield _summary(shown) + "\n"
    for part, faults in MATRIX.items():
        yield f"### {part}\n"
        yield from _table(
            ("Fault", "What must happen", "Shown by"),
            ((f"`{fault}`", cell.must, _by(f"{part}.{fault}", shown)) for fault, cell in faults.items()),
        )


def _shown(found: Iterable[Proof]) -> dict[str, list[Proof]]:
    found_by: dict[str, list[Proof]] = {}
    for proof in found:
        for each in proof.shows:
            found_by.setdefault(each, []).append(proof)
    return found_by


def _summary(shown: dict[str, list[Proof]]) -> str:
    checked = sum(any(not proof.campaign for proof in found) for found in shown.values())
    return (
        f"{len(CELLS)} cells, a part and a fault each. {len(shown)} have tests: {checked} in `make check` or"
        f" `make proof`, {len(shown) - checked} in the campaign alone (`python -m tests.matrix -m campaign`)."
        f" {len(CELLS) - len(shown)} have none, and say why."
    )


def _by(cell: str, shown: dict[str, list[Proof]]) -> str:
    found = shown.get(cell, [])
    return _named(found) if found else f"*not shown*: {CELLS[cell].why_not}"


def _named(found: Iterable[Proof]) -> str:
    return _tests(proof.test + (" (campaign)" if proof.campaign else "") for proof in found)


def _checklist() -> Iterator[str]:
    shown = _shown(proofs(marked.CHECKS))
    yield "## The security checklist\n"
    yield (
        "What is demanded of every part that guards something, and the tests that show it. A demand is not there\n"
        "without a test: one checks that. What is protected, and from whom, says [SECURITY.md](SECURITY.md).\n"
    )
    yield from _table(
        ("", "What is demanded", "Shown by"),
        ((f"`{item}`", demand, _named(shown.get(item, ()))) for item, demand in CHECKLIST.items()),
    )


def _crash_points() -> Iterator[str]:
    yield "## Crash points\n"
    yield (
        "Every gap between two effects, by number: a program dies there by SIGKILL, another begins, and the books\n"
        "must balance. In `make proof`: 4 to 13 with each kind of record; all of them: `python -m tests.crashes`.\n"
    )
    told = [(point.number, f"`{name}`", point.role, point.then) for name, point in POINTS.items()]
    yield from _table(
        ("", "Point", "Program", "What must be so afterwards"),
        ((str(number), *rest) for number, *rest in sorted(told, key=itemgetter(0))),
    )


def _figures(runs: Sequence[Run]) -> Iterator[str]:
    yield "## Figures\n"
    for run in runs:
        yield f"### {run.name}\n"
        yield f"`{run.command}`, {run.date}, commit {run.commit}, seed {run.seed}.\n"
        yield ", ".join(f"{name} {value}" for name, value in run.versions.items()) + ".\n"
        found = bounds(run)
        if found:
            yield from _table(("Never happened", "Of", "Rarer than"), (each.row for each in found))
        yield from _table(("Figure", "Value"), ((f"`{name}`", value) for name, value in flat(run.figures)))
        for _, columns, rows in tables(run.figures):
            yield from _table(columns, rows)


def _limits() -> Iterator[str]:
    yield "## What is not shown\n"
    yield from (f"- {line}" for line in NOT_SHOWN)
    yield ""


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    yield "| " + " | ".join(heads) + " |"
    yield "|" + "---|" * len(heads)
    yield from ("| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows)
    yield ""


def _code(words: Iterable[str]) -> str:
    return ", ".join(f"`{word}`" for word in words)


def _tests(names: Iterable[str]) -> str:
    """Tests as code; what stands behind one in brackets stays plain."""
    parts = (name.partition(" ") for name in names)
    return "<br>".join(f"`{test}`{space}{rest}" for test, space, rest in parts)
