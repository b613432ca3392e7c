"""Service level objectives: read from objectives.yaml, which is OpenSLO v1, and checked as a whole."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from importlib import resources
from math import inf
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct

from schemas import plain_yaml
from schemas.errors import ObjectivesRefused

WINDOW = "{{.window}}"
"""Where a query takes its duration."""
COMPONENT = "mutt/component"
WITHIN = "mutt/within-seconds"

LONGEST_WINDOW = dt.timedelta(days=30)

_FILE = "objectives.yaml"
_UNITS = {"h": dt.timedelta(hours=1), "d": dt.timedelta(days=1), "w": dt.timedelta(weeks=1)}


class Component(StrEnum):
    """Whose rows of the `sli` table: each has one objective."""

    INGESTOR = "ingestor"
    FORWARDER = "forwarder"
    ALERT_LATENCY = "alert_latency"
    AUDIT = "audit"
    API = "api"


@dataclass(frozen=True, slots=True)
class Objective:
    """What share of a component's occurrences has to be good over a rolling window."""

    name: str
    title: str
    description: str
    component: Component
    target: float
    """Between 0 and 1, both excluded."""
    window: dt.timedelta
    good_query: str
    total_query: str
    """In Prometheus; good ones are part of the total."""
    within_s: float = inf
    """What still counts as in time; only alert latency has a bound."""

    def queries(self, window: dt.timedelta) -> tuple[str, str]:
        """Good and total over this window, for Prometheus."""
        duration = f"{round(window.total_seconds())}s"
        return self.good_query.replace(WINDOW, duration), self.total_query.replace(WINDOW, duration)


Objectives = Mapping[Component, Objective]
"""In the order of the file."""


@cache
def objectives() -> Objectives:
    """Those of this program. Raises ObjectivesRefused."""
    return read_objectives(resources.files("schemas").joinpath(_FILE).read_text(encoding="utf-8"))


def read_objectives(text: str) -> Objectives:
    """Every objective of a file. Raises ObjectivesRefused with one problem for each fault, each naming its line."""
    problems: list[tuple[int, str]] = []

    def problem(line: int, why: str) -> None:
        problems.append((line, why))

    found: dict[Component, Objective] = {}
    names: set[str] = set()
    for node in plain_yaml.roots(text, problem):
        line = plain_yaml.line_of(node)
        for objective in _objectives(node, problem):
            if objective.component in found:
                problem(line, f"{objective.component} has an objective already")
            if objective.name in names:
                problem(line, f"the name {objective.name} stands there twice")
            found.setdefault(objective.component, objective)
            names.add(objective.name)
    if not problems and (missing := [name for name in Component if name not in found]):
        problem(1, f"no objective for {', '.join(missing)}")
    if problems:
        raise ObjectivesRefused([f"line {line}: {why}" for line, why in sorted(problems)])
    return found


def _objectives(node: Any, problem: plain_yaml.Problem) -> Iterator[Objective]:
    line = plain_yaml.line_of(node)
    members = plain_yaml.mapping(node, problem)
    if members is None:
        return
    try:
        document = msgspec.convert(members, _Document)
    except msgspec.ValidationError as error:
        problem(line, str(error))
        return
    faults = list(_faults(document))
    for fault in faults:
        problem(line, f"{document.metadata.name}: {fault}")
    if not faults:
        yield _objective(document)


# -- OpenSLO v1, as far as it is used: members that are not here are refused, so that nothing is silently not obeyed --

_Name = Annotated[str, Meta(pattern=r"^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$")]
_Text = Annotated[str, Meta(min_length=1, max_length=1024)]


class _Strict(Struct, frozen=True, forbid_unknown_fields=True):
    pass


class _Metadata(_Strict, frozen=True):
    name: _Name
    displayName: _Text = ""  # noqa: N815 (as OpenSLO writes it)
    annotations: dict[str, str] = {}


class _Query(_Strict, frozen=True):
    query: _Text


class _Source(_Strict, frozen=True):
    type: Literal["Prometheus"]
    spec: _Query


class _Metric(_Strict, frozen=True):
    metricSource: _Source  # noqa: N815


class _Ratio(_Strict, frozen=True):
    counter: Literal[True]
    good: _Metric
    total: _Metric


class _IndicatorSpec(_Strict, frozen=True):
    ratioMetric: _Ratio  # noqa: N815


class _Indicator(_Strict, frozen=True):
    metadata: _Metadata
    spec: _IndicatorSpec


class _TimeWindow(_Strict, frozen=True):
    duration: Annotated[str, Meta(pattern=r"^[1-9][0-9]{0,3}[hdw]$")]
    isRolling: Literal[True]  # noqa: N815


class _Target(_Strict, frozen=True):
    target: Annotated[float, Meta(gt=0, lt=1)]
    displayName: _Text = ""  # noqa: N815


class _Spec(_Strict, frozen=True):
    description: _Text
    service: Literal["mutt"]
    indicator: _Indicator
    timeWindow: Annotated[list[_TimeWindow], Meta(min_length=1, max_length=1)]  # noqa: N815
    budgetingMethod: Literal["Occurrences"]  # noqa: N815
    objectives: Annotated[list[_Target], Meta(min_length=1, max_length=1)]


class _Document(_Strict, frozen=True):
    apiVersion: Literal["openslo/v1"]  # noqa: N815
    kind: Literal["SLO"]
    metadata: _Metadata
    spec: _Spec


def _faults(document: _Document) -> Iterator[str]:
    """What the types cannot say."""
    notes, ratio = document.metadata.annotations, document.spec.indicator.spec.ratioMetric
    if strangers := sorted(notes.keys() - {COMPONENT, WITHIN}):
        yield f"annotation {strangers[0]!r} is not read"
    component = notes.get(COMPONENT)
    if component not in set(Component):
        yield f"{COMPONENT} must be one of {', '.join(Component)}"
    if (WITHIN in notes) != (component == Component.ALERT_LATENCY):
        yield f"{WITHIN} belongs to the component {Component.ALERT_LATENCY} and to no other"
    elif WITHIN in notes and not re.fullmatch(r"[1-9][0-9]{0,4}", notes[WITHIN]):
        yield f"{WITHIN} must be a whole number of seconds, 1 to 99999"
    for name, metric in (("good", ratio.good), ("total", ratio.total)):
        query = metric.metricSource.spec.query
        if f"[{WINDOW}]" not in query or "{{" in query.replace(WINDOW, ""):
            yield f"the query of {name} must hold [{WINDOW}], and no other template"
    if _duration(document) > LONGEST_WINDOW:
        yield f"the window must be at most {LONGEST_WINDOW.days}d"


def _duration(document: _Document) -> dt.timedelta:
    text = document.spec.timeWindow[0].duration
    return int(text[:-1]) * _UNITS[text[-1]]


def _objective(document: _Document) -> Objective:
    metadata, spec = document.metadata, document.spec
    ratio, within = spec.indicator.spec.ratioMetric, metadata.annotations.get(WITHIN)
    return Objective(
        name=metadata.name,
        title=metadata.displayName or metadata.name,
        description=spec.description,
        component=Component(metadata.annotations[COMPONENT]),
        target=spec.objectives[0].target,
        window=_duration(document),
        good_query=ratio.good.metricSource.spec.query,
        total_query=ratio.total.metricSource.spec.query,
        within_s=float(within) if within else inf,
    )
