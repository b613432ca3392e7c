"""Reads ops/systemd: units with their drop-ins, in the order in which systemd does."""

from __future__ import annotations

import shlex
from functools import cache
from pathlib import Path

from tests.architecture.documents import ROOT
from tests.ops.deploy.launches import Launch, text_of

FOLDER = "ops/systemd"
COMMON = "mutt-.service.d"
INSTANCES = (
    "mutt-worker@match",
    "mutt-worker@forward",
    "mutt-worker@dead-letters",
    "mutt-match@8181",
    "mutt-api",
    "mutt-snmp-bridge",
    "mutt-migrate",
    "mutt-retention",
)
TIMERS = ("mutt-retention.timer",)
"""Each starts the service of its name."""
PREFIX = "/opt/mutt/bin/"
"""Where the units expect the programs."""


@cache
def settings_of(unit: str) -> list[tuple[str, str]]:
    """Every `Name=value` of a unit, with %i put in."""
    template, _, instance = unit.partition("@")
    own = f"{template}@" if instance else template
    found = []
    for name in (f"{own}.service", *_drop_ins(own, unit)):
        lines = [line for line in text_of(f"{FOLDER}/{name}").splitlines() if "=" in line and not line.startswith("#")]
        found += [line.split("=", 1) for line in lines]
    return [(name, value.replace("%i", instance)) for name, value in found]


def _drop_ins(*names: str) -> list[str]:
    folders = (COMMON, *dict.fromkeys(f"{name}.service.d" for name in names))
    root = Path(FOLDER)
    found = [path for folder in folders for path in (ROOT / root / folder).glob("*.conf")]
    return [f"{path.parent.name}/{path.name}" for path in sorted(found, key=lambda path: path.name)]


def values(unit: str, name: str) -> list[str]:
    return [value for key, value in settings_of(unit) if key == name]


def environment_file() -> dict[str, str]:
    lines = [line for line in text_of(f"{FOLDER}/mutt.env").splitlines() if line and not line.startswith("#")]
    return dict(line.split("=", 1) for line in lines)


def launches() -> list[Launch]:
    found = []
    for unit in INSTANCES:
        environment = dict(value.split("=", 1) for value in values(unit, "Environment"))
        environment = {**environment_file(), **environment, "MUTT_SECRETS_DIR": "/run/credentials"}
        commands = [*values(unit, "ExecStartPre"), *values(unit, "ExecStart")]
        for number, command in enumerate(commands):
            argv = shlex.split(command)
            where = f"{unit}: {argv[0] if number else command}"
            found.append(Launch(where, (argv[0].removeprefix(PREFIX), *argv[1:]), environment))
    return found
