"""Writes docs/PERFORMANCE.md, docs/SCALING.md and docs/images/scale.svg from the figures that are kept.

`python -m tests.bench.pages` writes them; `python -m tests.bench.pages keep bench OUTPUT` (or `keep scale OUTPUT`)
keeps the figures of a run with --json first.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.bench import scaling
from tests.bench.drawing import chart_sheet, short
from tests.bench.goals import GOALS
from tests.bench.kept import ROOT, Kept, keep, kept

PERFORMANCE = ROOT / "docs" / "PERFORMANCE.md"
SCALING = ROOT / "docs" / "SCALING.md"
PICTURE = ROOT / "docs" / "images" / "scale.svg"
BOUNDS = ROOT / "docs" / "performance" / "bounds.md"
"""What bounds each goal that is missed, written by hand."""
COMMANDS = {"bench": 'make bench ARGS="--json"', "scale": 'make bench ARGS="--only scale --json"'}

HEAD = """# How fast

Written by `python -m tests.bench.pages` from the figures in `docs/performance/`; a test holds it to what that makes.

```sh
make bench                           # everything, up to 15 minutes
make bench ARGS="--quick --json"     # the first rows with fewer events, up to 3 minutes
make bench ARGS="--only latency"     # one part, by its name or a figure's
make bench ARGS="--only scale"       # what an event costs as everything grows
```

Everything runs on servers of its own: Apache Kafka and PostgreSQL as shipped, fsync and synchronous commit on,
producers waiting for all replicas, for mutt and for every rival alike. The workload is made from a seed: events of
about 350 bytes, 1,000 rules, three in ten events made to match. Rivals have our matcher, the same table and indexes,
and, but for stock Faust, a COPY that is safe when a record comes again; `tests/bench/rivals/` has them. Contestants
take turns within each round, so that a slow moment of the machine hits all of them; figures are medians of the rounds,
with the least and the largest. After every run rows, alerts and ledger are counted; a run that is wrong by one ends
the bench.
"""

Lines = Iterator[str]


def performance() -> str:
    """The page of goals."""
    bench, grown = kept("bench"), kept("scale")
    return "\n".join([HEAD, *_goals(bench), *_absolute(bench), *_bounds(), *_growth(grown)]).rstrip() + "\n"


def _goals(run: Kept | None) -> Lines:
    yield "## Goals\n"
    yield _told(run)
    found = run.figures.get("goals", {}) if run else {}
    rows = []
    for goal in GOALS:
        judged = found.get(goal.key, {})
        reached = {True: "yes", False: "**no**", None: "not measured"}[judged.get("reached")]
        rows.append((f"`{goal.key}`", goal.meaning, goal.shown, _value(judged.get("value")), _spread(judged), reached))
    yield from table(("figure", "what it is", "goal", "measured", "rounds", "reached"), rows)


def _told(run: Kept | None) -> str:
    if run is None:
        return "No run is kept yet.\n"
    machine = run.figures.get("machine", {})
    libraries = ", ".join(f"{name} {version}" for name, version in run.versions.items() if name != "machine")
    return (
        f"`{run.command}`, {run.date}, commit {run.commit}, {run.figures.get('seconds')} s,\n"
        f"{machine.get('cores')} shared cores ({machine.get('cpu')}), {libraries}.\n"
    )


def _absolute(run: Kept | None) -> Lines:
    """Who did how many events a second, and at what CPU: the machine moves these, the ratios less."""
    if run is None:
        return
    names = [name.removesuffix("_events_per_s") for name in run.figures if name.endswith("_events_per_s")]
    named = [name for name in names if f"{name}_cpu_us" in run.figures]
    yield "## Beside each other\n"
    yield "Absolute figures move with the machine; compare the rows.\n"
    yield from table(
        ("who", "events/s", "rounds", "CPU µs an event"),
        (
            (
                name.replace("_", " "),
                _value(run.figures[f"{name}_events_per_s"]),
                _spread({"spread": run.figures.get("spread", {}).get(f"{name}_events_per_s")}),
                _value(run.figures[f"{name}_cpu_us"]),
            )
            for name in named
        ),
    )
    for peer, why in run.figures.get("peers_absent", {}).items():
        yield f"{peer} did not run: {why}.\n"


def _bounds() -> Lines:
    if BOUNDS.exists():
        yield BOUNDS.read_text()


def _growth(run: Kept | None) -> Lines:
    yield "## As everything grows\n"
    yield _told(run)
    if run is None:
        return
    yield "CPU of the worker an event, microseconds; the other settings stay as above, with every event audited.\n"
    yield f"![CPU an event by dimension](images/{PICTURE.name})\n"
    for name, points in run.figures["scale"].items():
        yield from table(
            (name.replace("_", " "), *(short(point["value"]) for point in points)),
            (
                ("CPU µs an event", *(_value(point["cpu_us"]) for point in points)),
                ("events/s", *(_value(point["events_per_s"]) for point in points)),
            ),
        )


def table(head: Sequence[str], rows: Any) -> Lines:
    yield "| " + " | ".join(head) + " |"
    yield "|" + " --- |" * len(head)
    for row in rows:
        yield "| " + " | ".join(row) + " |"
    yield ""


def _value(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:g}"


def _spread(judged: Mapping[str, Any]) -> str:
    return " to ".join(map(_value, judged["spread"])) if judged.get("spread") else ""


def write() -> None:
    """All three files."""
    PERFORMANCE.write_text(performance())
    SCALING.write_text(scaling.page(kept("bench")))
    if grown := kept("scale"):
        PICTURE.parent.mkdir(exist_ok=True)
        PICTURE.write_text(chart_sheet(grown.figures["scale"]))


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.pages", description=__doc__)
    actions = parser.add_subparsers(dest="action")
    keeping = actions.add_parser("keep", help="keep the last line of a run's output first")
    keeping.add_argument("name", choices=list(COMMANDS))
    keeping.add_argument("output", type=Path)
    asked = parser.parse_args()
    if asked.action == "keep":
        keep(asked.name, COMMANDS[asked.name], asked.output)
    write()


if __name__ == "__main__":
    main()
