"""`make test`, `make check` and `make proof`: runs the steps, says how each went, and with --json ends with one JSON
object.

`seconds` are those of each step. `gates` are those of each gate of the proof, which its tests took, setup and all, in
several processes at once; `gates_together` is what their step of the proof took.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from xml.etree import ElementTree

from tests.programs import bare_environment

ROOT = Path(__file__).parent.parent
CORPUS = ROOT.parent / "shared" / "data"
PROGRAMS = Path(sys.executable).parent

CHECKS = {
    "format": [str(PROGRAMS / "ruff"), "format", "--check", "."],
    "lint": [str(PROGRAMS / "ruff"), "check", "."],
    "types": [str(PROGRAMS / "mypy")],
    "layers": [str(PROGRAMS / "lint-imports")],
    "collected": [sys.executable, "-m", "pytest", "-qqq", "--collect-only", "tests"],
}
"""At once. The last finds what cannot be imported, beside mypy which is as long, and leaves every module compiled."""
NO_HYPOTHESIS = ["-p", "no:hypothesispytest"]
"""Its plugin takes a second to import; these tests make nothing up."""


def _on(processes: int, *folders: str) -> list[str]:
    return [*folders, "-n", str(processes), "--dist", "loadfile", "--no-loadscope-reorder"]


def _integration(*names: str) -> list[str]:
    return [f"tests/integration/test_{name}.py" for name in names]


LONG = _integration("console_browser", "match", "retention", "snmp_bridge", "remediation")
"""They begin first, so that none of them is left alone in the end."""
DAYS = [*_integration("stack", "corpus", "rsyslog", "demo"), "tests/ops/test_install.py"]
"""Whole days: a stack from its first start to its last, all real samples, rsyslogd and what befalls it, an installation
that is brought up to date and removed."""
FAULTS = [
    *_integration(
        "watchdog", "backpressure", "secured", "rolling_upgrade", "checker_whole", "bombs", "rate_share",
        "checker", "receiver_outage", "two_installations", "forwarder_kill", "restore", "point_in_time", "api_outage",
    ),
    "tests/matrix",
]  # fmt: skip
"""What somebody breaks, ends, floods or moves while it is at work."""
PROOF = [*_integration("kills"), "tests/crashes", "tests/planted"]
HISTORIES = ["tests/histories/test_first_half.py", "tests/histories/test_second_half.py"]
ELSEWHERE = [f"--ignore={path}" for path in (*PROOF, *DAYS, *FAULTS, *HISTORIES)]

TESTS = {
    "integration": [*_on(3, *LONG, "tests/integration"), *ELSEWHERE, *NO_HYPOTHESIS],
    "units": [*_on(2, "tests"), "--ignore=tests/integration", *ELSEWHERE],
}
GATED = {"proof": [*_on(3, *PROOF), *NO_HYPOTHESIS], "histories": _on(2, *HISTORIES)}
WHOLE = {"whole": [*_on(3, *DAYS, *FAULTS), *NO_HYPOTHESIS]}
"""Steps that run at once. Each process has servers of its own. Integration tests and the proof wait for servers, ends
and outages as much as they work: beside them runs what only computes. Beside whole days and faults runs nothing: many
of them look at the time."""
COMMANDS = {"test": (TESTS,), "check": (TESTS,), "proof": (GATED, WHOLE)}
GENTLE = {name: ["nice", "-n", "19"] for name in ("units", "histories")}
"""What only computes has what the others leave of the processors."""

GATES = {
    "kills": ("tests.integration.test_kills",),
    "planted": ("tests.planted",),
    "crashes": ("tests.crashes",),
    "histories": ("tests.histories.test_first_half", "tests.histories.test_second_half"),
}
"""The modules of each gate of the proof."""


@dataclass
class Outcome:
    """What came of the steps so far."""

    seconds: dict[str, float] = field(default_factory=dict)
    gates: dict[str, float] = field(default_factory=dict)
    failed: list[str] = field(default_factory=list)

    def as_json(self) -> dict[str, object]:
        whole = {"ok": not self.failed, "failed": self.failed, "seconds": self.seconds, "gates": self.gates}
        return whole | {"gates_together": max(self.seconds.get(name, 0.0) for name in GATED)}


def main(command: str, arguments: list[str]) -> int:
    as_json = "--json" in arguments
    arguments = [argument for argument in arguments if argument != "--json"]
    outcome = Outcome()
    if command == "check":
        _at_once(CHECKS, outcome)
    with tempfile.TemporaryDirectory() as folder:
        for steps in ({"tests": arguments},) if arguments else COMMANDS[command]:
            reports = {name: Path(folder) / f"{name}.xml" for name in steps}
            commands = {name: [*_pytest(given), f"--junitxml={reports[name]}"] for name, given in steps.items()}
            _at_once({name: [*GENTLE.get(name, ()), *given] for name, given in commands.items()}, outcome, live=True)
            for name, given in steps.items():
                outcome.gates |= gates(reports[name], _processes(given))
    if as_json:
        print(json.dumps(outcome.as_json()))
    return 1 if outcome.failed else 0


def _at_once(commands: dict[str, list[str]], outcome: Outcome, *, live: bool = False) -> None:
    """What they say is shown one after the other; that of the first, if it is `live`, as it comes."""
    first = next(iter(commands))
    if live:
        print(f"== {first}", flush=True)
    with ThreadPoolExecutor(len(commands)) as pool:
        runs = {
            name: pool.submit(_run, command, None if live and name == first else subprocess.PIPE)
            for name, command in commands.items()
        }
    for name, run in runs.items():
        done, seconds = run.result()
        if done.stdout is not None:
            print(f"== {name}\n{done.stdout}", end="", flush=True)
        _note(name, done.returncode, seconds, outcome)


def _run(command: list[str], output: int | None) -> tuple[subprocess.CompletedProcess[str], float]:
    """What came of it, and its seconds."""
    began = time.monotonic()
    done = subprocess.run(
        command, cwd=ROOT, env=_environment(), check=False, stdout=output, stderr=output and subprocess.STDOUT,
        text=True,
    )  # fmt: skip
    return done, time.monotonic() - began


def _environment() -> dict[str, str]:
    """What is compiled is kept, for there are some twenty processes that would each compile it again."""
    return {name: value for name, value in bare_environment().items() if name != "PYTHONDONTWRITEBYTECODE"}


def _note(name: str, status: int, seconds: float, outcome: Outcome) -> None:
    outcome.seconds[name] = round(seconds, 1)
    if status:
        outcome.failed.append(name)
        print(f"== {name} failed with status {status}", flush=True)


def _pytest(arguments: list[str]) -> list[str]:
    command = [sys.executable, "-m", "pytest", "-q", "--durations=10", *arguments]
    if CORPUS.is_dir():
        return command
    print(f"the real samples are not at {CORPUS}: tests marked `corpus` are left out", flush=True)
    return [*command, "-m", "not corpus"] if "-m" not in arguments else command


def _processes(arguments: list[str]) -> int:
    return int(arguments[arguments.index("-n") + 1]) if "-n" in arguments else 1


def gates(report: Path, processes: int) -> dict[str, float]:
    """Seconds of the gates that a report of pytest (JUnit's XML) tells of."""
    took: dict[str, float] = {}
    for case in ElementTree.parse(report).iter("testcase") if report.exists() else ():
        for name, modules in GATES.items():
            if f"{case.get('classname')}.".startswith(tuple(f"{module}." for module in modules)):
                took[name] = took.get(name, 0.0) + float(case.get("time") or 0.0)
    return {name: round(seconds / processes, 1) for name, seconds in took.items()}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
