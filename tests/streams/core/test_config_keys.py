"""Configuration keys as they stand."""

from __future__ import annotations

import datetime as dt

from schemas.config import KEYS, DynamicConfig
from streams.core.config_keys import StoredKey, standing, standings

NOON = dt.datetime(2026, 3, 1, 12, tzinfo=dt.UTC)


def stored(text: str, version: int = 3) -> StoredKey:
    return StoredKey(text, version, NOON)


def test_every_key_stands_in_the_order_of_the_registry_with_its_default() -> None:
    found = standings({})
    assert [one.key for one in found] == list(KEYS)
    assert [one.value for one in found] == [getattr(DynamicConfig(), key.name) for key in KEYS]
    assert {(one.stored, one.version) for one in found} == {(None, 0)}


def test_what_is_stored_is_in_force_with_its_version() -> None:
    found = standing("moog_rate_limit", {"moog_rate_limit": stored("75")})
    assert found is not None
    assert (found.value, found.version, found.stored) == (75, 3, stored("75"))


def test_a_stored_value_that_cannot_stand_leaves_the_default_in_force() -> None:
    found = standing("moog_rate_limit", {"moog_rate_limit": stored("many")})
    assert found is not None
    assert (found.value, found.version) == (DynamicConfig().moog_rate_limit, 3)


def test_there_is_no_other_key() -> None:
    assert standing("moog_rate", {"moog_rate": stored("75")}) is None
