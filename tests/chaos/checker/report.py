"""What a check found, for people and for programs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.chaos.checker.evidence import DETECTORS, Anomaly, Findings

SHOWN = 20


@dataclass(frozen=True, slots=True)
class Report:
    """Empty `anomalies` and what was looked at to say so."""

    anomalies: list[Anomaly]
    counts: Mapping[str, int]
    """What was looked at: rows, records, and by detector how many things it judged."""
    found: Mapping[str, int] = field(default_factory=dict)
    """Anomalies by detector, those beyond the kept ones included."""
    seed: str | None = None

    @property
    def ok(self) -> bool:
        return not self.found

    @property
    def detectors(self) -> set[str]:
        """Those that found something."""
        return set(self.found)

    def as_json(self) -> dict[str, Any]:
        return {
            "ok": self.ok,
            "seed": self.seed,
            "anomalies": dict(self.found),
            "looked_at": {name: self.counts.get(name, 0) for name in DETECTORS},
            "counts": {name: count for name, count in sorted(self.counts.items()) if name not in DETECTORS},
            "examples": [anomaly._asdict() for anomaly in self.anomalies[:SHOWN]],
        }

    def __str__(self) -> str:
        lines = [f"{name:>12}: {self.counts.get(name, 0):>9,} looked at, {self.found.get(name, 0):,} wrong"
                 for name in DETECTORS]  # fmt: skip
        lines += [f"{count:>12,}  {name}" for name, count in sorted(self.counts.items()) if name not in DETECTORS]
        for anomaly in self.anomalies[:SHOWN]:
            lines.append(f"{anomaly.detector}: {anomaly.where}: {anomaly.detail}")
            if anomaly.reproduce:
                lines.append(f"    see: {anomaly.reproduce}")
        hidden = sum(self.found.values()) - len(self.anomalies[:SHOWN])
        lines += [f"… and {hidden:,} more"] if hidden else []
        lines += [f"seed: {self.seed}"] if self.seed is not None else []
        return "\n".join(lines)


def report_of(findings: Findings, seed: str | None = None) -> Report:
    return Report(findings.anomalies, dict(findings.looked), dict(findings.found), seed)


def last_line(report: Report) -> str:
    return json.dumps(report.as_json())
