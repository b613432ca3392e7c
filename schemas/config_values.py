"""Values of the dynamic configuration: from text and back, within bounds, and not in contradiction to each other."""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Mapping

from schemas.config import BY_NAME, DEFAULTS, DynamicConfig, Key, Value
from schemas.errors import ConfigRefused

HARD_LIMIT_FACTOR = 10
"""`alerter_queue_hard_limit` is this many times the shed threshold where nobody set it."""

_SUCCESSORS = {
    "alerter_cache_reload_interval": "it is cache_reload_interval now",
    "moog_circuit_breaker_timeout": "it is circuit_breaker_timeout now",
    "moog_circuit_breaker_threshold": "it is circuit_breaker_threshold now",
    "ingest_queue_depth_limit": "it is max_ingest_queue_size now",
    "max_queue_depth": "it is max_ingest_queue_size now",
    "moog_batch_size": "alerts are posted one by one, moog_max_in_flight at once",
    "log_level": "it is the setting MUTT_LOG_LEVEL now",
    "retention_check_interval_hours": "a timer runs `mutt retention run`",
}
_OBJECTIVE = re.compile(r"slo_(\w+_target|burn_rate_\w+|(ingestor|forwarder|alerter)_\w+)")

_WHOLE_TEXT = re.compile(r"[+-]?[0-9]{1,18}")
_FLOAT_TEXT = re.compile(r"[+-]?([0-9]{1,18}(\.[0-9]{0,18})?|\.[0-9]{1,18})([eE][+-]?[0-9]{1,3})?")


def parse_value(name: str, text: str) -> Value:
    """The typed value of a key from its text. Raises ConfigRefused naming the key, its bounds or its successor."""
    key = BY_NAME.get(name)
    if key is None:
        raise ConfigRefused(_unknown(name))
    value = _typed(key, text)
    if value is None or not _allowed(key, value):
        raise ConfigRefused(f"{name}={text[:100]!r}: must be {_KIND_NAMES[key.kind]}: {key.bounds}")
    return value


def typed_text(name: str, value: Value) -> str:
    """The text of a value that has the type of its key. Raises ConfigRefused like `parse_value`."""
    key = BY_NAME.get(name)
    fits = key is None or type(value) is key.kind or (key.kind is float and type(value) is int)
    if key is not None and not fits:
        raise ConfigRefused(f"{name} must be {_KIND_NAMES[key.kind]}: {key.bounds}")
    return to_text(parse_value(name, to_text(value)))


_KIND_NAMES: dict[type, str] = {bool: "a switch", int: "a whole number", float: "a number", str: "text"}


def _typed(key: Key, text: str) -> Value | None:
    """The text as the key's type, None where it is none of that type."""
    bare = text.strip()
    if key.kind is bool:
        return {"true": True, "false": False}.get(bare.lower())
    if key.kind is int:
        return int(bare) if _WHOLE_TEXT.fullmatch(bare) else None
    if key.kind is float:
        return float(bare) if _FLOAT_TEXT.fullmatch(bare) else None
    return bare if bare.isprintable() else None


def _allowed(key: Key, value: Value) -> bool:
    if key.kind is bool:
        return True
    if key.choices:
        return value in key.choices
    if key.low is None or key.high is None:
        return True
    size = len(value) if isinstance(value, str) else value
    return (key.zero and size == 0) or (math.isfinite(size) and key.low <= size <= key.high)


def _unknown(name: str) -> str:
    shown = f"{name[:100]!r} is no configuration key"
    if name in _SUCCESSORS:
        return f"{shown}: {_SUCCESSORS[name]}"
    if _OBJECTIVE.fullmatch(name):
        return f"{shown}: objectives stand in the objectives file now"
    near = difflib.get_close_matches(name[:100], BY_NAME, n=1)
    return shown + (f"; did you mean {near[0]}?" if near else "")


def check(config: DynamicConfig) -> list[str]:
    """What is wrong between keys that are each within their bounds: one line a fault."""
    warn, shed = config.alerter_queue_warn_threshold, config.alerter_queue_shed_threshold
    hard = config.alerter_queue_hard_limit
    problems = []
    if warn >= shed:
        problems.append(f"alerter_queue_warn_threshold={warn} must be below alerter_queue_shed_threshold={shed}")
    if shed >= hard:
        problems.append(f"alerter_queue_shed_threshold={shed} must be below alerter_queue_hard_limit={hard}")
    return problems


def snapshot(stored: Mapping[str, str]) -> DynamicConfig:
    """The configuration from stored texts; keys that are not stored keep their default.

    Raises ConfigRefused with every problem at once.
    """
    values, problems = _parse_all(stored)
    config = _build(values)
    if problems := [*problems, *check(config)]:
        raise ConfigRefused(problems)
    return config


def tolerant_snapshot(stored: Mapping[str, str]) -> tuple[DynamicConfig, tuple[str, ...]]:
    """Like `snapshot`, for what is already stored: a bad value never stops a worker.

    What is refused keeps its default (thresholds that contradict each other all do) and is told in the second part.
    """
    values, problems = _parse_all(stored)
    config = _build(values)
    if contradictions := check(config):
        config = _build({name: value for name, value in values.items() if name not in _THRESHOLDS})
    return config, (*problems, *contradictions)


def checked_change(stored: Mapping[str, str], changes: Mapping[str, str | None]) -> dict[str, str | None]:
    """The texts to store for these changes; None takes a key back to its default.

    Raises ConfigRefused with every problem at once: a value out of bounds, or thresholds that would contradict each
    other. What else is stored, however bad, refuses no change.
    """
    problems: list[str] = []
    texts: dict[str, str | None] = {}
    for name, text in changes.items():
        try:
            texts[name] = None if text is None else to_text(parse_value(name, text))
            if name not in BY_NAME:
                problems.append(_unknown(name))
        except ConfigRefused as refused:
            problems += refused.problems
    if not problems and not changes.keys().isdisjoint(_THRESHOLDS):
        after = {name: text for name, text in {**stored, **texts}.items() if text is not None}
        problems = check(_build(_parse_all(after)[0]))
    if problems:
        raise ConfigRefused(problems)
    return texts


_THRESHOLDS = ("alerter_queue_warn_threshold", "alerter_queue_shed_threshold", "alerter_queue_hard_limit")


def _parse_all(stored: Mapping[str, str]) -> tuple[dict[str, Value], list[str]]:
    values: dict[str, Value] = {}
    problems: list[str] = []
    for name, text in stored.items():
        try:
            values[name] = parse_value(name, text)
        except ConfigRefused as refused:
            problems += refused.problems
    return values, problems


def _build(values: Mapping[str, Value]) -> DynamicConfig:
    shed = values.get("alerter_queue_shed_threshold", DEFAULTS.alerter_queue_shed_threshold)
    assert isinstance(shed, int)
    return DynamicConfig(**{"alerter_queue_hard_limit": HARD_LIMIT_FACTOR * shed, **values})  # type: ignore[arg-type]


def to_text(value: Value) -> str:
    """A value as it is stored and as v1 shows it."""
    return str(value).lower() if isinstance(value, bool) else str(value)
