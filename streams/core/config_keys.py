"""A configuration key as it stands: its value in force, where that comes from, and its version."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass

from schemas.config import BY_NAME, KEYS, Key, Value
from schemas.config_values import tolerant_snapshot


@dataclass(frozen=True, slots=True)
class StoredKey:
    """What is stored of a key."""

    text: str
    version: int
    updated_at: dt.datetime


@dataclass(frozen=True, slots=True)
class KeyStanding:
    """One key of the registry."""

    key: Key
    value: Value
    """In force."""
    stored: StoredKey | None
    """None: it has its default."""

    @property
    def version(self) -> int:
        """0 where nothing is stored."""
        return self.stored.version if self.stored else 0


def standings(stored: Mapping[str, StoredKey]) -> list[KeyStanding]:
    """Every key, in the order of the registry."""
    config, _ = tolerant_snapshot({name: one.text for name, one in stored.items()})
    return [KeyStanding(key, getattr(config, key.name), stored.get(key.name)) for key in KEYS]


def standing(name: str, stored: Mapping[str, StoredKey]) -> KeyStanding | None:
    """One key, None where there is none of that name."""
    return next((one for one in standings(stored) if one.key is BY_NAME.get(name)), None)
