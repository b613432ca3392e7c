"""The few forms of PromQL that the panels use, and how the variables of a dashboard narrow them."""

from __future__ import annotations

import re
from collections.abc import Iterable

from ops.grafana.panels import Query

ENVIRONMENT = 'environment=~"$environment"'
COMPONENT = 'job=~"$component"'
"""ops/prometheus/prometheus.yml has a job for each component."""
INTERVAL = "$__rate_interval"

_METRIC = re.compile(r"\b(mutt_\w+|up)\b(?:\{([^}]*)\})?")


def rate(metric: str, *by: str, legend: str = "") -> Query:
    """A counter by second, summed over processes."""
    return Query(f"sum{_by(by)}(rate({metric}[{INTERVAL}]))", legend or _legend(by))


def level(metric: str, *by: str, how: str = "sum", legend: str = "") -> Query:
    """A gauge as it stands; `max` where each process shows the same of the fleet."""
    return Query(f"{how}{_by(by)}({metric})", legend or _legend(by))


def age(metric: str) -> Query:
    """Seconds since the moment that a gauge holds, as seconds since the epoch."""
    return Query(f"time() - max({metric})", "age")


def share(part: str, whole: str, legend: str = "") -> Query:
    """The part of a counter in another; no data where nothing happened."""
    return Query(f"sum(rate({part}[{INTERVAL}])) / sum(rate({whole}[{INTERVAL}]))", legend)


def percentiles(histogram: str, *by: str) -> tuple[Query, ...]:
    """What half, and what all but one in a hundred, stay below."""
    return tuple(percentile(part, histogram, *by) for part in (0.5, 0.99))


def percentile(part: float, histogram: str, *by: str) -> Query:
    name = f"p{part * 100:.0f} {_legend(by)}".rstrip()
    buckets = f"sum{_by((*by, 'le'))}(rate({histogram}_bucket[{INTERVAL}]))"
    return Query(f"histogram_quantile({part:g}, {buckets})", name)


def narrowed(expression: str, matchers: Iterable[str]) -> str:
    """The expression with these label matchers on each of its metrics."""
    wanted = tuple(matchers)

    def with_matchers(found: re.Match[str]) -> str:
        there = (found[2],) if found[2] else ()
        return f"{found[1]}{{{','.join((*there, *wanted))}}}"

    return _METRIC.sub(with_matchers, expression)


def _by(labels: Iterable[str]) -> str:
    names = ", ".join(labels)
    return f" by ({names}) " if names else ""


def _legend(labels: Iterable[str]) -> str:
    return " ".join(f"{{{{{label}}}}}" for label in labels)
