"""Who changed what: entries of the audit of configuration, which of them are asked for, and the change as a patch."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

Values = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ConfigChange:
    """One entry. A change holds only the members that it changed, a deletion the whole object as it was."""

    id: int
    changed_at: dt.datetime
    changed_by: str
    client_id: str | None
    operation: str
    table: str
    object: str
    """A rule's id, a host's name, a key."""
    record_id: int
    """The number by which v1 knows the object."""
    before: Values | None
    after: Values | None
    reason: str | None
    correlation_id: str | None
    request_id: str | None


@dataclass(frozen=True, slots=True)
class ConfigAuditQuery:
    """Which entries. None means: not asked for."""

    actor: str | None = None
    """Part of `changed_by`, in any case."""
    client_id: str | None = None
    operations: tuple[str, ...] | None = None
    tables: tuple[str, ...] | None = None
    object: str | None = None
    record_id: int | None = None
    start: dt.datetime | None = None
    end: dt.datetime | None = None
    """Inclusive, as `start` is."""
    until: dt.datetime | None = None
    """Exclusive."""
    text: str | None = None
    """Part of the object, the reason or a value, in any case."""


def patch(before: Values | None, after: Values | None) -> list[dict[str, Any]]:
    """The change as a JSON Patch (RFC 6902): applied to what was there it gives what is there now.

    An object that was not there is `null`, and so is one that is gone.
    """
    if before is None or after is None:
        return [{"op": "replace", "path": "", "value": after}]
    steps = []
    for name in sorted(before.keys() | after.keys()):
        path = "/" + name.replace("~", "~0").replace("/", "~1")
        if name not in after:
            steps.append({"op": "remove", "path": path})
        elif name not in before:
            steps.append({"op": "add", "path": path, "value": after[name]})
        elif before[name] != after[name] or type(before[name]) is not type(after[name]):
            steps.append({"op": "replace", "path": path, "value": after[name]})
    return steps
