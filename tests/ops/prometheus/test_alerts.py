"""Every alert fires when it must and is silent when it must not: promtool plays what happens to a fleet."""

from __future__ import annotations

import shutil
import subprocess
from functools import cache
from pathlib import Path

import pytest
import yaml

from ops.prometheus.rules import all_alerts, rules_file
from schemas.slo import objectives
from tests.ops.prometheus.fleet import Story
from tests.ops.prometheus.stories import STORIES

PROMTOOL = shutil.which("promtool") or shutil.which("promtool", path="/usr/bin:/usr/local/bin")

LAST_FIRST = ("mutt-objectives-slow", "mutt-objectives", "mutt-alerts")
"""Each needs what the one before it came to, which is five minutes old at most where Prometheus runs."""

needs_promtool = pytest.mark.skipif(PROMTOOL is None, reason="promtool is not installed (package prometheus)")


@cache
def rules_of(*, with_objectives: bool) -> tuple[str, list[str]]:
    """The file, and its groups in the order they are played."""
    rules = rules_file(objectives() if with_objectives else {})
    groups = [group["name"] for group in yaml.safe_load(rules)["groups"]]
    return rules, sorted(groups, key=LAST_FIRST.index)


@needs_promtool
@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.name)
def test_the_pager_says(story: Story, tmp_path: Path) -> None:
    assert PROMTOOL is not None
    rules, groups = rules_of(with_objectives=bool(story.objectives))
    (tmp_path / "mutt.rules.yml").write_text(rules)
    file = tmp_path / "story.yml"
    played = {
        "rule_files": ["mutt.rules.yml"],
        "evaluation_interval": f"{story.every}m",
        "group_eval_order": groups,
        "tests": [story.as_test()],
    }
    file.write_text(yaml.safe_dump(played))
    done = subprocess.run([PROMTOOL, "test", "rules", file], capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_alert_fires_in_a_story() -> None:
    known = {(alert.name, alert.severity.value) for alert in all_alerts()}
    assert {fired for story in STORIES for fired in story.fires} == known
