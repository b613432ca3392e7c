"""A fleet as Prometheus sees it, written as series for `promtool test rules`: one sample a minute."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

MINUTES = 150
"""How long each story lasts, unless it says otherwise."""
GONE = "_"
"""In the place of a rate: nothing is scraped."""

Series = Mapping[str, str]
Rate = float | str


@dataclass(frozen=True, kw_only=True)
class Story:
    """What happens to a healthy fleet, and which alerts have fired at a time: how often, by name and severity."""

    name: str
    series: Series = field(default_factory=dict)
    """In the place of the healthy ones of the same name, and beside them."""
    at: int = MINUTES
    fires: Mapping[tuple[str, str], int] = field(default_factory=dict)
    step: int = 1
    """Minutes between samples."""
    steps: int = MINUTES
    alone: bool = False
    """There is nothing but `series`."""
    objectives: bool = False
    """Looks at the objectives too."""

    @property
    def every(self) -> int:
        """Minutes between evaluations, which is what takes long."""
        return self.step * (5 if self.objectives else 2)

    def as_test(self) -> dict[str, object]:
        """For promtool's file."""
        series = {**({} if self.alone else healthy(self.steps, self.step)), **self.series}
        samples = [
            {"labels": f'{{alertname="{name}", severity="{severity}"}}', "value": count}
            for (name, severity), count in self.fires.items()
        ]
        return {
            "name": self.name,
            "interval": f"{self.step}m",
            "input_series": [{"series": name, "values": values} for name, values in series.items()],
            "promql_expr_test": [
                {
                    "expr": 'count by (alertname, severity) (ALERTS{alertstate="firing"})',
                    "eval_time": f"{self.at}m",
                    "exp_samples": samples,
                }
            ],
        }


def flat(value: float, steps: int = MINUTES) -> str:
    return f"{value:g}+0x{steps}"


def gauge(*parts: tuple[Rate, int]) -> str:
    """Values, each for so many samples."""
    return " ".join(f"_x{count}" if value == GONE else f"{value:g}+0x{count - 1}" for value, count in parts)


def counter(*parts: tuple[Rate, int], start: float = 0) -> str:
    """What is added a sample, each for so many samples; GONE ends the process, whose successor begins at 0."""
    at, written = start, []
    for rate, count in parts:
        if isinstance(rate, str):
            written.append(f"_x{count}")
            at = 0
        else:
            written.append(f"{at:g}+{rate:g}x{count - 1}")
            at += rate * count
    return " ".join(written)


def processed(reason: str = "logged", worker: str = "m1") -> str:
    status = "fail" if reason in ("shed", "rejected") else "success"
    name = "mutt_alerter_events_processed_total"
    return f'{name}{{job="mutt-match",instance="{worker}",status="{status}",reason="{reason}"}}'


def ingest(reason: str = "", worker: str = "m1") -> str:
    status = "fail" if reason else "success"
    name = "mutt_ingest_requests_total"
    return f'{name}{{job="mutt-match",instance="{worker}",status="{status}",reason="{reason}"}}'


def posts(reason: str = "") -> str:
    status = "fail" if reason else "success"
    return f'mutt_moog_requests_total{{job="mutt-forward",instance="f1",status="{status}",reason="{reason}"}}'


def settled(reason: str = "") -> str:
    status = "fail" if reason else "success"
    return f'mutt_moog_alerts_processed_total{{job="mutt-forward",instance="f1",status="{status}",reason="{reason}"}}'


def answers(reason: str = "") -> str:
    status, name = "fail" if reason else "success", "mutt_webui_api_requests_total"
    return f'{name}{{job="mutt-api",instance="a1",endpoint="/api/v2/slo",status="{status}",reason="{reason}"}}'


def up(role: str, instance: str) -> str:
    return f'up{{job="mutt-{role}",instance="{instance}"}}'


def paused(reason: str) -> str:
    return f'mutt_partitions_paused{{job="mutt-match",instance="m1",reason="{reason}"}}'


def of(role: str, metric: str, instance: str = "", **labels: str) -> str:
    """A metric of a worker of this role."""
    named = "".join(f',{name}="{value}"' for name, value in labels.items())
    return f'{metric}{{job="mutt-{role}",instance="{instance or role[0] + "1"}"{named}}}'


def healthy(steps: int = MINUTES, step: int = 1) -> Series:
    """600 events and 60 posts and requests a minute; ten of the events match no rule."""
    many = 600 * step
    return {
        up("match", "m1"): flat(1, steps),
        up("match", "m2"): flat(1, steps),
        up("forward", "f1"): flat(1, steps),
        up("dead-letters", "d1"): flat(1, steps),
        up("api", "a1"): flat(1, steps),
        ingest(): counter((many, steps)),
        ingest("json"): flat(0, steps),
        ingest("internal_error"): flat(0, steps),
        ingest("shed"): flat(0, steps),
        ingest("missing"): flat(0, steps),
        processed("logged"): counter((590 * step, steps)),
        processed("unhandled"): counter((10 * step, steps)),
        processed("rejected"): flat(0, steps),
        processed("shed"): flat(0, steps),
        posts(): counter((60 * step, steps)),
        posts("http"): flat(0, steps),
        settled(): counter((60 * step, steps)),
        settled("http"): flat(0, steps),
        of("forward", "mutt_alerts_on_time_total", status="success", reason=""): counter((60 * step, steps)),
        of("forward", "mutt_alerts_on_time_total", status="fail", reason="late"): flat(0, steps),
        answers(): counter((60 * step, steps)),
        answers("unavailable"): flat(0, steps),
        of("match", "mutt_ledger_offsets_missing_total"): flat(0, steps),
        of("match", "mutt_alerter_shed_events_total", mode="dlq"): flat(0, steps),
        of("match", "mutt_backlog_level"): flat(0, steps),
        of("match", "mutt_ruleset_version"): flat(7, steps),
        of("match", "mutt_ruleset_version", "m2"): flat(7, steps),
        of("match", "process_start_time_seconds"): flat(1, steps),
        of("match", "mutt_clock_timestamp_seconds"): f"0+{60 * step}x{steps}",
        of("forward", "mutt_circuit_breaker_state", name="moogsoft"): flat(0, steps),
        of("dead-letters", "mutt_remediation_state"): flat(2, steps),
        of("dead-letters", "mutt_ingest_lag_records"): flat(3, steps),
        of("match", "mutt_ingest_lag_records"): flat(0, steps),
        of("dead-letters", "mutt_ledger_faults"): flat(0, steps),
        of("dead-letters", "mutt_api_keys_first_expiry_timestamp_seconds"): flat(90 * 86400, steps),
        of("api", "mutt_api_auth_failures_total", reason="unknown"): flat(0, steps),
        **{paused(why): flat(0, steps) for why in ("locating", "sink", "backlog", "operator", "breaker", "halted")},
    }
