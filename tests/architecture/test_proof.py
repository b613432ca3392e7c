"""docs/PROOF.md is what the generator makes; each cell of the matrix has its tests or its reason, never both.

Each item of the security checklist has tests.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.chaos.checker import evidence
from tests.proof import marked
from tests.proof.bounds import bounds
from tests.proof.cells import CELLS
from tests.proof.checklist import CHECKLIST
from tests.proof.document import PROOF, document
from tests.proof.figures import Run, kept
from tests.proof.marked import ROOT, Proof, proofs
from tests.proof.promises import DETECTORS, promises

LEAST_CHECKED, LEAST = 20, 40
"""Cells shown in `make check` or `make proof`, and in all."""


def test_the_page_is_what_the_generator_makes() -> None:
    assert PROOF.read_text() == document(), "run: python -m tests.proof"


def test_a_cell_has_tests_or_a_reason_and_not_both() -> None:
    shown = {cell for proof in proofs(marked.CELLS) for cell in proof.shows}
    assert shown - CELLS.keys() == set()
    assert {name for name, cell in CELLS.items() if (name in shown) == (cell.why_not is not None)} == set()


def test_enough_cells_are_shown() -> None:
    found = proofs(marked.CELLS)
    assert len({cell for proof in found for cell in proof.shows}) >= LEAST
    assert len({cell for proof in found if not proof.campaign for cell in proof.shows}) >= LEAST_CHECKED


def test_each_item_of_the_checklist_is_shown_by_tests_that_always_run() -> None:
    shown = {item for proof in proofs(marked.CHECKS) if not proof.campaign for item in proof.shows}
    assert shown == CHECKLIST.keys()


def test_the_tests_that_promises_name_are_there() -> None:
    named = [test.partition("::") for promise in promises() for test in promise.tests]
    assert named
    assert [(file, test) for file, _, test in named if f"def {test}(" not in (ROOT / file).read_text()] == []


def test_every_detector_of_the_checker_is_told() -> None:
    assert DETECTORS.keys() == set(evidence.DETECTORS)


def test_figures_say_how_they_were_come_by() -> None:
    for run in kept():
        assert run.command
        assert run.commit
        assert {"kafka", "postgresql", "python"} <= run.versions.keys()
        assert run.figures


def test_markers_are_found_in_functions_classes_and_modules(tmp_path: Path) -> None:
    file = tmp_path / "test_sample.py"
    file.write_text(
        "pytestmark = [pytest.mark.campaign]\n"
        "@pytest.mark.proves('a.b', 'a.c')\nasync def test_one(): ...\n"
        "class TestMany:\n    @pytest.mark.proves('a.d')\n    def test_two(self): ...\n"
        "@pytest.mark.checks('E_1')\ndef test_three(): ...\n"
        "def test_four(): ...\n"
    )
    found = [(proof.test, proof.shows, proof.campaign) for proof in proofs(marked.CELLS, [file])]
    assert found == [
        ("test_sample.py::test_one", ("a.b", "a.c"), True),
        ("test_sample.py::TestMany::test_two", ("a.d",), True),
    ]
    assert proofs(marked.CHECKS, [file]) == [Proof("test_sample.py::test_three", ("E_1",), campaign=True)]
    file.write_text("@pytest.mark.proves(CELL)\ndef test_one(): ...\n")
    with pytest.raises(ValueError, match="CELL"):
        proofs(marked.CELLS, [file])


def test_what_never_happened_is_bounded_by_three_over_n(monkeypatch: pytest.MonkeyPatch) -> None:
    zeros = {"chaos": (("lost", "found.lost", "n"), ("twice", "found.twice", "n"), ("ghost", "found.ghost", "m"))}
    monkeypatch.setattr("tests.proof.bounds.ZEROS", zeros)
    run = Run("chaos", "c", "2026-01-01", "0", {}, {"found": {"lost": [], "twice": 1, "ghost": 0}, "n": 30_000, "m": 0})
    assert [each.row for each in bounds(run)] == [("lost", "0 of 30,000", "1 in 10,000")]
