"""What `make proof ARGS="--json"` tells of the gates is what a report of pytest says of their tests."""

from __future__ import annotations

from pathlib import Path

from tests.run import DAYS, FAULTS, GATES, HISTORIES, PROOF, ROOT, TESTS, Outcome, gates

REPORT = """<testsuites><testsuite>
<testcase classname="tests.planted.test_planted" name="a" time="4.0"/>
<testcase classname="tests.planted.test_planted_around" name="b" time="2.0"/>
<testcase classname="tests.planted_elsewhere" name="c" time="9.0"/>
<testcase classname="tests.integration.test_kills" name="d" time="3.0"/>
</testsuite></testsuites>"""


def test_seconds_of_a_gate_are_shared_by_the_processes(tmp_path: Path) -> None:
    report = tmp_path / "report.xml"
    report.write_text(REPORT)
    assert gates(report, 2) == {"planted": 3.0, "kills": 1.5}
    assert gates(tmp_path / "none.xml", 2) == {}


def test_the_modules_of_gates_are_there() -> None:
    for module in (module for modules in GATES.values() for module in modules):
        path = ROOT / module.replace(".", "/")
        assert path.is_dir() or path.with_suffix(".py").is_file(), module


def test_the_gates_took_what_the_longest_run_of_their_step_took() -> None:
    outcome = Outcome(seconds={"units": 900.0, "proof": 240.0, "histories": 250.0, "whole": 320.0})
    assert outcome.as_json()["gates_together"] == 250.0


def test_what_is_left_to_the_proof_is_there_and_in_no_other_step() -> None:
    for path in (*PROOF, *DAYS, *FAULTS, *HISTORIES):
        assert (ROOT / path).exists(), path
        assert all(f"--ignore={path}" in step for step in TESTS.values())
