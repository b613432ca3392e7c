"""The names of topics and consumer groups: one prefix for all, and nobody keeps a name from before it is set."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator

import pytest

from schemas import topics
from schemas.errors import SettingsRefused
from schemas.settings import settings_of_process
from schemas.topics import DEFAULT_PREFIX, TOPICS, consumer_group, is_ours, topics_by_name, use_prefix

NAMES = {
    "mutt.ingest.syslog", "mutt.ingest.snmp", "mutt.ingest.raw", "mutt.alerts", "mutt.dlq", "mutt.dlq.parked",
    "mutt-match", "mutt-forward", "mutt-dead-letters",
}  # fmt: skip


@pytest.fixture(autouse=True)
def default() -> Iterator[None]:
    yield
    use_prefix(DEFAULT_PREFIX)


def test_without_a_prefix_the_names_are_those_that_are_documented() -> None:
    groups = {consumer_group(role) for role in ("match", "forward", "dead-letters")}
    assert set(topics_by_name()) | groups == NAMES


def test_a_prefix_begins_every_name() -> None:
    settings = settings_of_process({"MUTT_TOPIC_PREFIX": "north.site-1"})
    assert settings.topic_prefix == "north.site-1"
    assert [topic.name for topic in TOPICS][3:] == [
        "north.site-1.alerts",
        "north.site-1.dlq",
        "north.site-1.dlq.parked",
    ]
    assert consumer_group("match") == "north.site-1-match"
    assert is_ours("north.site-1.alerts")
    assert not is_ours("mutt.alerts")


def test_what_only_begins_like_the_prefix_is_another_installations() -> None:
    assert not is_ours("mutton.alerts")
    assert is_ours("mutt.dlq.parked")
    assert is_ours("mutt-match")


@pytest.mark.parametrize("prefix", [".", "-a", "a b", "a/b", "é", "a" * 101])
def test_a_prefix_that_kafka_would_refuse_is_refused(prefix: str) -> None:
    with pytest.raises(SettingsRefused, match="MUTT_TOPIC_PREFIX"):
        settings_of_process({"MUTT_TOPIC_PREFIX": prefix})
    assert topics.ALERTS.name == "mutt.alerts"


_LOOK = """
import importlib, json, pkgutil, sys
import schemas, streams, api, ops.cli
for package in (schemas, streams, api, ops.cli):
    for found in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
        if not found.name.endswith("__main__"):
            importlib.import_module(found.name)
NAMES = set(json.loads(sys.argv[1]))
def kept(value, depth=0):
    if isinstance(value, str):
        return value in NAMES
    if depth > 4:
        return False
    if isinstance(value, dict):
        return any(kept(one, depth + 1) for pair in value.items() for one in pair)
    return type(value) in (tuple, list, set, frozenset) and any(kept(one, depth + 1) for one in value)
packages = ("schemas", "streams", "api", "ops")
ours = [(name, vars(module)) for name, module in sys.modules.items() if name.split(".")[0] in packages]
print(json.dumps(sorted(f"{name}.{key}" for name, held in ours for key, value in held.items() if kept(value))))
"""


def test_no_module_keeps_a_name_from_the_time_when_it_was_imported() -> None:
    """But the development stack, which is an installation of its own."""
    done = subprocess.run(
        [sys.executable, "-c", _LOOK, json.dumps(sorted(NAMES))],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    assert [name for name in json.loads(done.stdout) if not name.startswith("ops.devstack.")] == []
