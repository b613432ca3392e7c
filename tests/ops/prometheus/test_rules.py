"""The files of ops/prometheus and ops/alertmanager are current, valid, and speak of what there is."""

from __future__ import annotations

import re
import shutil
import subprocess
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client.exposition import generate_latest
from typer.testing import CliRunner

from api.metrics import ApiMetrics
from ops.cli.mutt import app
from ops.prometheus.burning import groups, span
from ops.prometheus.rules import RUNBOOK, all_alerts, rules_file
from ops.retention_metrics import RetentionMetrics
from schemas.settings import Settings
from schemas.slo import objectives
from streams.core.slo import BURN_RULES, duration
from streams.metrics import REGISTRY
from tests.architecture.documents import ROOT, tracked

PROMETHEUS = ROOT / "ops" / "prometheus"
ALERTMANAGER = ROOT / "ops" / "alertmanager" / "alertmanager.yml"
GIVEN_BY_PROMETHEUS = {"job", "instance", "window", "objective", "component"}
EXPORTED = {
    sample
    for registry in (REGISTRY, ApiMetrics().registry, RetentionMetrics().registry)
    for sample in registry._names_to_collectors
}


def run(program: str, *arguments: str | Path, given: bytes = b"") -> str:
    path = shutil.which(program) or shutil.which(program, path="/usr/bin:/usr/local/bin")
    if path is None:
        pytest.skip(f"{program} is not installed (packages prometheus and prometheus-alertmanager)")
    done = subprocess.run([path, *arguments], input=given, capture_output=True, check=False, timeout=60)
    said = (done.stdout + done.stderr).decode()
    assert done.returncode == 0, said
    return said


def rules() -> list[dict[str, Any]]:
    whole = yaml.safe_load((PROMETHEUS / "mutt.rules.yml").read_text())
    return list(chain.from_iterable(group["rules"] for group in whole["groups"]))


def test_the_rules_are_those_of_the_objectives() -> None:
    kept = (PROMETHEUS / "mutt.rules.yml").read_text()
    assert kept == rules_file(objectives()), "run: mutt slo rules > ops/prometheus/mutt.rules.yml"


def test_the_command_prints_them_for_another_runbook_and_pace() -> None:
    done = CliRunner().invoke(app, ["slo", "rules", "--runbook", "https://wiki.example.org/mutt", "--pace", "60"])
    assert done.exit_code == 0
    assert done.stdout == rules_file(objectives(), runbook="https://wiki.example.org/mutt", pace=60)
    assert "https://wiki.example.org/mutt#an-error-budget-burns" in done.stdout
    assert RUNBOOK not in done.stdout


@pytest.mark.parametrize(
    ("length", "pace", "written"),
    [("1h", 1, "1h"), ("30d", 1, "30d"), ("5m", 60, "5s"), ("3d", 60, "72m"), ("5m", 1000, "300ms")],
)
def test_durations_are_written_as_prometheus_does(length: str, pace: float, written: str) -> None:
    assert span(duration(length) / pace) == written


def test_every_window_of_every_burn_rule_is_recorded() -> None:
    recorded = {
        (rule["labels"]["objective"], rule["labels"]["window"])
        for group in groups(objectives(), pace=1)
        for rule in group["rules"]
        if "window" in rule.get("labels", {})
    }
    lengths = {span(length) for rule in BURN_RULES for length in (rule.long, rule.short)} | {"30d"}
    assert recorded == {(each.name, length) for each in objectives().values() for length in lengths}


def test_promtool_takes_the_configuration() -> None:
    said = run("promtool", "check", "config", PROMETHEUS / "prometheus.yml")
    assert "SUCCESS" in said
    run("promtool", "check", "rules", "--lint-fatal", PROMETHEUS / "mutt.rules.yml")


def test_promtool_takes_tls_of_both_sides(tmp_path: Path) -> None:
    text = (PROMETHEUS / "prometheus.yml").read_text()
    (shown,) = re.findall(r"^#     (scheme: https)\n#     (tls_config: .*)$", text, re.MULTILINE)
    wanted = yaml.safe_load("\n".join(shown))
    config = yaml.safe_load(text)
    for job in config["scrape_configs"]:
        job.update(wanted)
    (tmp_path / "prometheus.yml").write_text(yaml.safe_dump(config))
    shutil.copy(PROMETHEUS / "mutt.rules.yml", tmp_path)
    for name in ("ca.pem", "prometheus.pem", "prometheus.key"):
        (tmp_path / "tls").mkdir(exist_ok=True)
        (tmp_path / "tls" / name).touch()
    run("promtool", "check", "config", tmp_path / "prometheus.yml")


def test_amtool_takes_the_configuration() -> None:
    run("amtool", "check-config", ALERTMANAGER)
    run("amtool", "check-config", ROOT / "docs" / "examples" / "alertmanager-teams.yml")


def test_who_hears_of_what() -> None:
    def routed(**labels: str) -> str:
        words = [f"{name}={value}" for name, value in labels.items()]
        return run("amtool", "config", "routes", "test", f"--config.file={ALERTMANAGER}", *words).split()[0]

    assert routed(alertname="MuttBreakerOpen", severity="page") == "pager"
    assert routed(alertname="MuttKeyExpires", severity="ticket") == "tickets"
    assert routed(alertname="Unknown") == "tickets"


def test_the_targets_are_the_ports_that_the_processes_take_unless_told() -> None:
    settings = Settings()
    ports = {
        "match": settings.match_port, "forward": settings.forward_port, "dead-letters": settings.dead_letters_port,
        "api": settings.api_port, "alertmanager": 9093,
    }  # fmt: skip
    there = {file.stem: yaml.safe_load(file.read_text()) for file in (PROMETHEUS / "targets").iterdir()}
    assert there == {name: [{"targets": [f"{settings.host}:{port}"]}] for name, port in ports.items()}


def test_alertmanager_knows_the_alerts_it_names() -> None:
    text = ALERTMANAGER.read_text()
    known = {alert.name for alert in all_alerts()}
    assert set(re.findall(r"\bMutt\w+", text)) <= known
    assert not re.search(r"password|token:|secret|credentials:", text)


# -- alerts ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("alert", all_alerts(), ids=lambda alert: f"{alert.name}-{alert.labels.get('window', '')}")
def test_an_alert_says_what_it_is_and_what_to_do(alert: Any) -> None:
    headings = re.findall(r"^## (.+)$", (ROOT / RUNBOOK).read_text(), re.MULTILINE)
    assert alert.anchor in {re.sub(r"[^a-z0-9 -]", "", heading.lower()).replace(" ", "-") for heading in headings}
    assert alert.summary
    assert alert.action.endswith(".")


def test_every_alert_stands_in_the_runbook_by_its_name() -> None:
    text = (ROOT / RUNBOOK).read_text()
    assert [alert.name for alert in all_alerts() if f"`{alert.name}`" not in text] == []


# -- metrics --------------------------------------------------------------------------------------------------------


def test_nobody_asks_for_a_metric_that_nobody_exports() -> None:
    files = [
        file
        for file in tracked()
        if re.fullmatch(r"(ops/(prometheus|alertmanager)|docs/examples)/.*\.(yml|json)", file)
    ]
    assert "ops/prometheus/mutt.rules.yml" in files
    asked = {(file, name) for file in files for name in re.findall(r"\bmutt_[a-z_]+\b", (ROOT / file).read_text())}
    assert {(file, name) for file, name in asked if name not in EXPORTED} == set()


def test_rules_ask_only_for_labels_that_their_metric_has() -> None:
    names = {
        sample: set(collector._labelnames)
        for registry in (REGISTRY, ApiMetrics().registry)
        for sample, collector in registry._names_to_collectors.items()
        if hasattr(collector, "_labelnames")
    }
    wrong = [
        (metric, label)
        for rule in rules()
        for metric, matchers in re.findall(r"\b(mutt_\w+)\{([^}]*)\}", rule["expr"])
        for label in re.findall(r"(\w+)(?:=~|!=|!~|=)", matchers)
        if label not in names[metric] | GIVEN_BY_PROMETHEUS
    ]
    assert wrong == []


@pytest.mark.parametrize("registry", [REGISTRY, ApiMetrics().registry], ids=["workers", "api"])
def test_promtool_finds_nothing_wrong_with_the_metrics(registry: Any) -> None:
    """Help, units and suffixes; three keep the name that dashboards know since MUTT 2.5."""
    path = shutil.which("promtool") or shutil.which("promtool", path="/usr/bin:/usr/local/bin")
    if path is None:
        pytest.skip("promtool is not installed (package prometheus)")
    done = subprocess.run(
        [path, "check", "metrics"], input=generate_latest(registry), capture_output=True, check=False, timeout=60
    )
    said = (done.stdout + done.stderr).decode().splitlines()
    assert [line for line in said if not re.match(r"mutt_alerter_cache_\w+_count non-histogram", line)] == []


def test_every_metric_has_help_and_a_unit() -> None:
    families = [*REGISTRY.collect(), *ApiMetrics().registry.collect()]
    assert [family.name for family in families if not family.documentation] == []
    timed = [family.name for family in families if re.search(r"latency|age|timestamp|seconds", family.name)]
    assert [name for name in timed if not name.endswith("_seconds")] == []
    assert {family.name for family in families if not family.name.startswith(("mutt_", "process_"))} == set()


LABELS = {
    "status", "reason", "name", "mode", "service", "threshold", "direction", "outcome", "from_state", "to_state",
    "endpoint", "operation",
}  # fmt: skip
"""Each is one of few words that stand in the code, or a route; none is a host, an OID, a rule, a topic or a client."""


def test_labels_are_closed_sets() -> None:
    collectors = {*REGISTRY._collector_to_names, *ApiMetrics().registry._collector_to_names}
    used = chain.from_iterable(getattr(collector, "_labelnames", ()) for collector in collectors)
    assert set(used) == LABELS
