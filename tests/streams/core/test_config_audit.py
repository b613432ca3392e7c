"""A change of configuration as a JSON Patch (RFC 6902)."""

from __future__ import annotations

from typing import Any

import pytest

from streams.core.config_audit import patch


@pytest.mark.parametrize(
    ("before", "after", "steps"),
    [
        (None, {"key": "a"}, [{"op": "replace", "path": "", "value": {"key": "a"}}]),
        ({"key": "a"}, None, [{"op": "replace", "path": "", "value": None}]),
        ({"value": "1"}, {"value": "2"}, [{"op": "replace", "path": "/value", "value": "2"}]),
        ({"a": 1, "b": None}, {"a": True, "b": None}, [{"op": "replace", "path": "/a", "value": True}]),
        ({"a/b": 1}, {"c~d": 2}, [{"op": "remove", "path": "/a~1b"}, {"op": "add", "path": "/c~0d", "value": 2}]),
        ({}, {}, []),
    ],
)
def test_a_patch_makes_of_what_was_there_what_is_there(before: Any, after: Any, steps: list[Any]) -> None:
    assert patch(before, after) == steps
