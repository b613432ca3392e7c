"""The requests of a fuzz run: what the schema allows and what it forbids, made from a seed; some go to known things."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator
from typing import Any

import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from schemathesis import Case, GenerationMode, SerializationContext
from schemathesis.core.transport import Response
from schemathesis.generation.drivers import CoverageGenerator
from schemathesis.generation.feedback import FeedbackSources
from schemathesis.generation.overrides import Override

from api.openapi import subject
from api.routes import NDJSON
from tests.fuzz.world import Known

MODES = (GenerationMode.POSITIVE, GenerationMode.NEGATIVE)
LEAST_FUZZED = 4
"""The first random cases of a strategy are its plainest; where there are fewer calls, edges of the schema say more."""
TAKEN_SHARE = 0.25
KNOWN_SHARE = 0.7
MATCHES = ("*", "*", '"1"', None)
"""If-Match of a request that is meant well: mostly one that holds. None leaves what was made."""


@schemathesis.serializer(NDJSON, "application/jsonl")
def _lines(_: SerializationContext, value: Any) -> bytes:
    """One document a line; of an array its items. Bytes are sent as they are."""
    if isinstance(value, bytes):
        return value
    return b"".join(json.dumps(each).encode() + b"\n" for each in (value if isinstance(value, list) else [value]))


class Cases:
    """Of one operation. The same seed gives the same cases in the same order."""

    def __init__(self, operation: Any, known: Known, seed_: str) -> None:
        self._operation = operation
        self._known = known
        self._random = random.Random(seed_)
        self._edges = self._all_edges()
        self._left: list[Case] = []

    def send(self, count: int, ask: Callable[[Case], None]) -> None:
        """Asks `count` times: half random cases, half edges of the schema."""
        left = count
        if count >= LEAST_FUZZED:
            left -= self._fuzz(count // 2, ask)
        for _ in range(left):
            ask(self._well_aimed(self._edge()))

    def plain(self) -> Case:
        """The first case that the schema allows: mostly its own example."""
        case = next(self._edges)
        while not _allowed(case):
            self._left.append(case)
            case = next(self._edges)
        return self._well_aimed(case)

    def _fuzz(self, count: int, ask: Callable[[Case], None]) -> int:
        """How many there were: a strategy may have no more."""
        asked = 0

        @seed(self._random.getrandbits(64))
        @settings(
            max_examples=count,
            database=None,
            deadline=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(case=st.one_of([self._operation.as_strategy(generation_mode=mode) for mode in MODES]))
        def each(case: Case) -> None:
            nonlocal asked
            asked += 1
            ask(self._well_aimed(case))

        each()
        return asked

    def _edge(self) -> Case:
        """One after the other, some left for later: they cost more to make than to ask, so few calls need few."""
        for case in self._edges:
            if self._random.random() < TAKEN_SHARE:
                return case
            self._left.append(case)
        if not self._left:
            self._edges = self._all_edges()
            return next(self._edges)
        return self._left.pop(self._random.randrange(len(self._left)))

    def _all_edges(self) -> Iterator[Case]:
        generation = self._operation.schema.config.generation_for(operation=self._operation, phase="coverage")
        yield from CoverageGenerator(
            operation=self._operation,
            generation_modes=list(MODES),
            generation_config=generation,
            auth_storage=None,
            override=Override(),
            feedback=FeedbackSources(),
        )

    def _well_aimed(self, case: Case) -> Case:
        """What is meant well goes to something that is there, mostly, and may change it."""
        if not _allowed(case):
            return case
        about = subject(self._operation.path)
        for name in case.path_parameters or {}:
            there = self._known.get((about, name))
            if there and self._random.random() < KNOWN_SHARE:
                case.path_parameters[name] = self._random.choice(there)
        if "If-Match" in (case.headers or {}):
            case.headers["If-Match"] = self._random.choice(MATCHES) or case.headers["If-Match"]
        if "Idempotency-Key" in (case.headers or {}) and self._random.random() < KNOWN_SHARE:
            case.headers["Idempotency-Key"] = f"{self._random.getrandbits(64):x}"
        if "cursor" in (case.query or {}):
            del case.query["cursor"]  # nobody can make one up
        return case


def _allowed(case: Case) -> bool:
    return case.meta is not None and case.meta.generation.mode.is_positive


def next_page(case: Case, response: Response) -> Case | None:
    """The same request for the page that a list says is next; not of every page, so that lists end."""
    if response.status_code != 200 or "cursor" in (case.query or {}) or not isinstance(case.query, dict):
        return None
    if all(parameter.name != "cursor" for parameter in case.operation.query):
        return None
    cursor = response.json().get("next")
    return case.derive(query={**case.query, "cursor": cursor}) if cursor else None
