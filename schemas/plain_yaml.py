"""YAML that people write for mutt: no alias can unfold without end, no tag makes an object, no key stands twice."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import yaml

DEPTH_LIMIT = 16

_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

Problem = Callable[[int, str], None]
"""Told a line (from 1) and what is wrong there."""


def roots(text: str, problem: Problem) -> Iterator[yaml.Node]:
    """The root of each document that is not empty; nothing of a text that is not plain."""
    try:
        if _is_plain(text, problem):
            yield from (node for node in yaml.compose_all(text, Loader=_Loader) if node is not None)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        problem(_line(mark) if mark else 1, f"YAML: {error.problem or error.context}")
    except yaml.reader.ReaderError as error:
        problem(1 + text.count("\n", 0, error.position), f"YAML: {error.reason}")


def mapping(node: yaml.Node, problem: Problem) -> dict[str, Any] | None:
    """What a mapping holds, where every key is text and stands there once."""
    if not isinstance(node, yaml.MappingNode):
        problem(line_of(node), "is no mapping")
        return None
    if not _keys_once(node, problem):
        return None
    try:
        value: dict[str, Any] = yaml.constructor.SafeConstructor().construct_document(node)
    except ValueError as error:  # 2020-99-99 looks like a date, 0b_ like a number
        problem(line_of(node), f"YAML: {error}; put text between quotes")
        return None
    return value


def line_of(node: yaml.Node) -> int:
    return _line(node.start_mark)


def _is_plain(text: str, problem: Problem) -> bool:
    """Looks through the file once without building anything of it."""
    depth = 0
    for event in yaml.parse(text, Loader=_Loader):
        if isinstance(event, yaml.AliasEvent):
            problem(_line(event.start_mark), "YAML aliases (*name) are not read; write the value out")
            return False
        if tag := getattr(event, "tag", None):
            problem(_line(event.start_mark), f"YAML tags ({str(tag)[:60]}) are not read")
            return False
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if depth > DEPTH_LIMIT:
            problem(_line(event.start_mark), f"YAML is nested deeper than {DEPTH_LIMIT}")
            return False
    return True


def _keys_once(node: yaml.Node, problem: Problem) -> bool:
    if isinstance(node, yaml.SequenceNode):
        verdicts = [_keys_once(item, problem) for item in node.value]
        return all(verdicts)
    if not isinstance(node, yaml.MappingNode):
        return True
    seen: set[str] = set()
    good = True
    for key, value in node.value:
        name = key.value if isinstance(key, yaml.ScalarNode) else ""
        if not isinstance(key, yaml.ScalarNode) or key.tag != "tag:yaml.org,2002:str":
            problem(line_of(key), f"key {name!r} is not text")
            good = False
        elif name in seen:
            problem(line_of(key), f"a key stands there twice: {name!r}")
            good = False
        seen.add(name)
        good = _keys_once(value, problem) and good
    return good


def _line(mark: Any) -> int:
    return int(mark.line) + 1
