"""Tiles: the figures of the overview as texts, the same for the page and for what it is told while it is open."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from api.console.charts import Chart, trend
from api.console.rendering import count

WIDTH = 1000


@dataclass(frozen=True, slots=True)
class Tiles:
    values: Mapping[str, str]
    bar: Mapping[str, tuple[float, float]]
    """Where each part of the bar begins, and how wide it is, of WIDTH."""
    lag: Chart
    shape: str
    """Another one where the page would have other rows."""

    def told(self) -> bytes:
        lines = {"lag": self.lag.lines[-1]} if self.lag.lines else {}
        return msgspec.json.encode({"values": self.values, "bar": self.bar, "lines": lines, "shape": self.shape})


def tiles(overview: Mapping[str, Any], rates: Mapping[str, Any], objectives: list[Mapping[str, Any]]) -> Tiles:
    """Of the answers of the API: /overview, /metrics/summary and the items of /slo."""
    lag = overview["lag"]
    ended, alerts, letters = overview["ended"], overview["alerts"], overview["dead_letters"]
    values = {
        "rate": f"{rates['last_minute'] / 60:,.1f}",
        "lag": count(lag[-1]["records"]) if lag else "\u2013",
        "lag-top": count(max((one["records"] for one in lag), default=0)),
        "waiting": count(overview["waiting"]),
        "delivered": count(alerts["delivered"]),
        "dead": count(alerts["dead"]),
        "paused": count(len(overview["paused"])),
        "letters": count(sum(letters.values())),
        "bar": ", ".join(f"{name} {number}" for name, number in ended.items() if number) or "no events",
        **{name: count(number) for name, number in overview["funnel"].items()},
        **{f"ended-{name}": count(number) for name, number in ended.items()},
        **{f"letter-{reason}": count(number) for reason, number in letters.items()},
    }
    values["delivered"] = count(overview["funnel"]["delivered"])
    return Tiles(values, parts(ended), trend(lag), _shape(overview, objectives))


def parts(ended: Mapping[str, int]) -> dict[str, tuple[float, float]]:
    """One bar of all of them, in their order."""
    total, at = sum(ended.values()), 0.0
    placed = {}
    for name, number in ended.items():
        width = round(WIDTH * number / total, 2) if total else 0.0
        placed[name] = (round(at, 2), width)
        at += width
    return placed


def _shape(overview: Mapping[str, Any], objectives: list[Mapping[str, Any]]) -> str:
    """What is drawn as rows and words, not as a figure."""
    paused = [[one["topic"], one["partition"], one["reason"]] for one in overview["paused"]]
    states = [[one["name"], one["state"]] for one in objectives]
    rest = [
        sorted(overview["dead_letters"]),
        paused,
        states,
        overview["operator"]["paused"],
        overview["complete"],
        len(overview["lag"]) > 1,
    ]
    return hashlib.sha256(msgspec.json.encode(rest)).hexdigest()[:16]
