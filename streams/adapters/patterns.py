"""The pattern guard: every new pattern is compiled alone in a child process with limits, before anything else sees it.

A thread that compiles cannot be stopped, and some patterns compile for a minute (BAD-INPUTS R2c). One child takes many
patterns in turn; when its limits end it, the pattern it was busy with is refused and another child goes on.
"""

from __future__ import annotations

import base64
import json
import os
import re
import resource
import signal
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import hyperscan

from schemas.rules import MatchType, Rule
from streams.core.expressions import ON_MESSAGE, Expression, compile_expressions, expression, tested

CPU_LIMIT_S = 1.0
MEMORY_LIMIT = 512 * 1024 * 1024
DEADLY_LIMIT = 20
"""After so many patterns that ended their child the rest is refused unseen: each costs a second."""
CHILDREN_LIMIT = 4
PATTERNS_A_CHILD = 200
"""More than these are shared among as many children as there are cores, up to CHILDREN_LIMIT."""
MATCHES_EMPTY = "matches the empty text, and so every line: to match every event, match_type is any"


class PatternProblem(NamedTuple):
    """Why the pattern of `rules[rule]` is refused; `position` counts its characters from 0, where it is known."""

    rule: int
    reason: str
    position: int | None = None


def check_patterns(rules: Sequence[Rule]) -> list[PatternProblem]:
    """The rules whose pattern must not be saved, in order. Blocks (about 1 ms a regex): call it in a thread.

    Raises OSError when no child process can be started.
    """
    todo = [(index, expression(tested(rule))) for index, rule in enumerate(rules) if rule.match_type in ON_MESSAGE]
    parts = min(os.cpu_count() or 1, CHILDREN_LIMIT, 1 + len(todo) // PATTERNS_A_CHILD)
    with ThreadPoolExecutor(parts) as pool:
        found = list(pool.map(_refused, [todo[part::parts] for part in range(parts)]))
    refused = sorted((number, words) for part in found for number, words in part)
    return [_problem(number, rules[number], words) for number, words in refused]


def _refused(todo: Sequence[tuple[int, Expression]]) -> list[tuple[int, str]]:
    """Has numbered expressions compiled by one child after the other; gives those refused, and why."""
    refused: list[tuple[int, str]] = []
    deadly = 0
    while todo:
        if deadly == DEADLY_LIMIT:
            why = f"not checked: {DEADLY_LIMIT} patterns before it were too expensive to compile"
            return refused + [(number, why) for number, _ in todo]
        answers, ended_by = _ask_child([one for _, one in todo])
        refused += [(number, words) for (number, _), words in zip(todo, answers, strict=False) if words is not None]
        todo = todo[len(answers) :]
        if ended_by is not None:
            refused.append((todo[0][0], ended_by))
            todo = todo[1:]
            deadly += 1
    return refused


def _ask_child(expressions: Sequence[Expression]) -> tuple[list[str | None], str | None]:
    """The child's answers in order (None: accepted), and what ended it when it did not answer all."""
    lines = "".join(json.dumps([base64.b64encode(one.pattern).decode(), one.flags]) + "\n" for one in expressions)
    child = subprocess.run(
        [sys.executable, "-P", "-m", "streams.adapters.patterns"],
        input=lines.encode(),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        check=False,
    )
    started, *answers = [json.loads(line) for line in child.stdout.split(b"\n")[:-1]] or [None]
    if started != _READY:
        raise OSError(f"the child process that checks patterns did not start (exit status {child.returncode})")
    return answers, None if len(answers) == len(expressions) else _ended_by(child.returncode)


def _ended_by(returncode: int) -> str:
    if returncode == -signal.SIGPROF:
        return f"takes more than {CPU_LIMIT_S:g} s of CPU to compile"
    return f"cannot be compiled within {MEMORY_LIMIT >> 20} MiB"


_AT_INDEX = re.compile(r"at index (\d+)")


def _problem(number: int, rule: Rule, words: str) -> PatternProblem:
    """The engine's words, its position told in characters of the text that people wrote.

    The engine counts a character beyond ASCII as the escape it makes of it; in an escaped text it counts our escapes.
    """
    found = _AT_INDEX.search(words)
    if found is None or rule.match_type is not MatchType.REGEX:
        return PatternProblem(number, words)
    position = _characters(rule.match_string or "", int(found.group(1)))
    return PatternProblem(number, words.replace(found.group(), f"at index {position}"), position)


def _characters(text: str, index: int) -> int:
    """How many characters of `text` the engine counts as `index` of its own."""
    counted = 0
    for position, char in enumerate(text):
        if counted >= index:
            return position
        counted += 1 if char.isascii() else len(f"\\x{{{ord(char):x}}}")
    return len(text)


_UNKNOWN_ESCAPE = re.compile(r"\\(?:\\|([ijklmoqyFIJLMOTUY<>89]))")


def pattern_warnings(rule: Rule) -> list[str]:
    """What is probably not meant in a pattern that compiles: escapes that stand only for their own letter."""
    if rule.match_type is not MatchType.REGEX:
        return []
    found = [match.group(1) for match in _UNKNOWN_ESCAPE.finditer(rule.match_string or "") if match.group(1)]
    return [f"\\{char} has no meaning in this dialect: it matches {char!r}" for char in dict.fromkeys(found)]


_READY = "ready"


def main() -> None:
    """The child: one `[pattern, flags]` a line in, one answer a line out, each within the limits."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_LIMIT, MEMORY_LIMIT))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    signal.signal(signal.SIGPROF, signal.SIG_DFL)  # the timer ends the process, also inside the engine
    _answer(_READY)
    for line in sys.stdin.buffer:
        text, flags = json.loads(line)
        signal.setitimer(signal.ITIMER_PROF, CPU_LIMIT_S)
        answer = refusal(Expression(base64.b64decode(text), flags))
        signal.setitimer(signal.ITIMER_PROF, 0)
        _answer(answer)


def _answer(answer: str | None) -> None:
    sys.stdout.buffer.write(json.dumps(answer).encode() + b"\n")
    sys.stdout.buffer.flush()


def refusal(one: Expression) -> str | None:
    """Why the engine (in its own words) or mutt refuses an expression, or None."""
    if b"\0" in one.pattern:
        return "holds a NUL character, where the engine would end it"
    try:
        database = compile_expressions([one])
    except hyperscan.error as error:
        words = str(error).strip()
        return f"{words} ({MATCHES_EMPTY})" if "empty buffer" in words else words
    hits: list[int] = []
    database.scan(b"", lambda *hit: hits.append(0))
    return MATCHES_EMPTY if hits else None


if __name__ == "__main__":
    main()
