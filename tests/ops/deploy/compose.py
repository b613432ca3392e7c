"""Reads compose.kafka.yml: its services as they are where no variable is set."""

from __future__ import annotations

import re
from functools import cache
from typing import Any

import yaml

from tests.ops.deploy.launches import Launch, text_of

FILE = "compose.kafka.yml"
VARIABLE = re.compile(r"\$\{([A-Z_]+)(?::-([^}]*))?\}")
"""Its name, and what holds where it is not set."""
OUR_IMAGES = re.compile(r"mutt(-snmptrapd)?:")

Service = dict[str, Any]


@cache
def whole() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(VARIABLE.sub(lambda match: match[2] or "", text_of(FILE)))
    return found


@cache
def services() -> dict[str, Service]:
    """As Compose would start them: a variable without a value is an empty one."""
    found: dict[str, Service] = whole()["services"]
    for service in found.values():
        variables = service.get("environment", {})
        service["environment"] = {name: "" if value is None else str(value) for name, value in variables.items()}
    return found


def ours() -> dict[str, Service]:
    """The services of images that have mutt in them."""
    return {name: service for name, service in services().items() if OUR_IMAGES.match(service["image"])}


def published(service: Service) -> list[tuple[str, int, int]]:
    """Address, port there and port in the container of each port that is published."""
    parts = [port.partition("/")[0].rsplit(":", 2) for port in service.get("ports", ())]
    return [(address, int(outside), int(inside)) for address, outside, inside in parts]


def launches() -> list[Launch]:
    """What the containers of mutt run, and what asks them for their health."""
    found = []
    for name, service in ours().items():
        argv = tuple(service["command"])
        if service["image"].startswith("mutt-snmptrapd:"):
            argv = ("mutt-snmptrapd", *argv)  # the image's entry point
        environment = service.get("environment", {})
        ports = frozenset(inside for _, outside, inside in published(service) if outside != 162)
        found.append(Launch(name, argv, environment, ports))
        if (check := service.get("healthcheck")) and check["test"][1] == "mutt":
            found.append(Launch(f"{name}'s health", tuple(check["test"][1:]), environment))
    return found
