"""`make bench ARGS="--only hostile"`: what a match costs where every rule and every event is made to kill an engine."""

from __future__ import annotations

import random
import time
from typing import Any

from schemas.events import Event
from schemas.rules import MatchType, Rule
from streams.adapters.patterns import check_patterns
from streams.core.matching import Matcher, compile_rules
from tests.bench.report import p99
from tests.builders import rule, rule_set
from tests.hostile_rules import Hostile, hostile

TARGETS: dict[str, float] = {"hostile_match_p99_ms": -5}
TEXTS = 1_000
BEST_OF = 3
"""The machine is shared: of each text the quickest look counts."""


def measure(rules: int) -> dict[str, Any]:
    """CPU of one match of all rules on an event of 64 KiB, over events drawn from what the rules themselves die on."""
    patterns = hostile(rules)
    wanted = [regex(one, number) for number, one in enumerate(patterns, 1)]
    refused = {problem.rule for problem in check_patterns(wanted)}
    kept = [one for number, one in enumerate(wanted) if number not in refused]
    began = time.process_time()
    matcher = compile_rules(rule_set(*kept))
    compiled = time.process_time() - began
    drawn = random.Random(7).sample(patterns, min(TEXTS, rules))
    found = sorted(_milliseconds(matcher, one.text) for one in drawn)
    return {
        "hostile_rules": len(kept),
        "hostile_refused": len(refused),
        "hostile_compile_s": round(compiled, 1),
        "hostile_match_p50_ms": round(found[len(found) // 2], 2),
        "hostile_match_p99_ms": p99(found, 2),
        "hostile_match_worst_ms": round(found[-1], 2),
    }


def regex(one: Hostile, number: int) -> Rule:
    return rule(id=number, priority=number, match_type=MatchType.REGEX, match_string=one.pattern)


def _milliseconds(matcher: Matcher, text: str) -> float:
    events = [Event(timestamp=None, hostname="h", message=text)]
    took = []
    for _ in range(BEST_OF):
        began = time.process_time()
        matcher.match_all(events)
        took.append(time.process_time() - began)
    return 1000 * min(took)
