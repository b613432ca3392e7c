"""Rules files: JSON Lines or YAML in, and out again."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from enum import StrEnum
from typing import Any, NamedTuple, NoReturn

import msgspec
import yaml

from schemas import plain_yaml
from schemas.errors import RuleRefused
from schemas.rule_fields import rule_from_mapping
from schemas.rules import Handling, Rule

DEFAULT_PROD = Handling.TICKET_ONLY
DEFAULT_DEV = Handling.LOG_ONLY
"""Handling of rules in files that leave it out: a ticket, and nothing but a row for development hosts."""

SHOWN_PROBLEMS = 20
_BOM = b"\xef\xbb\xbf"


class RulesFormat(StrEnum):
    """How a rules file is written."""

    JSONL = "jsonl"
    YAML = "yaml"


class FileRule(NamedTuple):
    """A rule and the line (from 1) it starts on."""

    line: int
    rule: Rule


_Member = tuple[int, Mapping[str, Any]]
_Problem = plain_yaml.Problem


def read_rules(
    content: bytes,
    format: RulesFormat | None = None,
    *,
    default_prod: Handling = DEFAULT_PROD,
    default_dev: Handling = DEFAULT_DEV,
) -> list[FileRule]:
    """Every rule of a file: one JSON object a line, or a YAML list of mappings (also under the one key `rules`).

    Without `format` a file that starts with `{` is JSON Lines, any other YAML. An `id` that is a whole number is the
    rule's id; without one (or with one that is text, as other tools have) it is the rule's place in the file, from 1.
    Raises RuleRefused with one problem for each fault, each naming its line: nothing of a faulty file is used.
    """
    problems: list[tuple[int, str]] = []

    def problem(line: int, why: str) -> None:
        problems.append((line, why))

    text = _text(content, problem)
    chosen = format or (RulesFormat.JSONL if text.lstrip().startswith("{") else RulesFormat.YAML)
    members = _json_lines(text, problem) if chosen is RulesFormat.JSONL else _yaml_members(text, problem)
    rules = list(_rules(members, problem, default_prod, default_dev))
    refuse_lines(problems)
    return rules


def refuse_lines(problems: Iterable[tuple[int, str]]) -> None:
    """Raises RuleRefused when there are problems: the first ones by line, and how many more."""
    found = sorted(problems, key=lambda problem: problem[0])
    if not found:
        return
    shown = [f"line {line}: {why}" for line, why in found[:SHOWN_PROBLEMS]]
    if len(found) > SHOWN_PROBLEMS:
        shown.append(f"and {len(found) - SHOWN_PROBLEMS} more")
    raise RuleRefused(shown)


def write_rules(rules: Iterable[Rule], format: RulesFormat) -> Iterator[str]:
    """The rules as text that `read_rules` reads back, in pieces; fields that hold their default are left out."""
    for rule in rules:
        body = {name: value for name, value in msgspec.to_builtins(rule).items() if _worth_writing(name, value)}
        if format is RulesFormat.JSONL:
            yield json.dumps(body, ensure_ascii=False) + "\n"
        else:
            yield yaml.safe_dump([body], sort_keys=False, allow_unicode=True, width=10**9)


_DEFAULTS = dict(zip(Rule.__struct_fields__[-len(Rule.__struct_defaults__) :], Rule.__struct_defaults__, strict=True))
_ALWAYS = frozenset({"match_type", "priority", "prod_handling", "dev_handling", "id"})


def _worth_writing(name: str, value: object) -> bool:
    return name in _ALWAYS or (name != "version" and value != _DEFAULTS.get(name))


def _rules(
    members: Iterable[_Member], problem: _Problem, default_prod: Handling, default_dev: Handling
) -> Iterator[FileRule]:
    lines: dict[int, int] = {}
    for place, (line, mapping) in enumerate(members, start=1):
        given = mapping.get("id")
        id = given if type(given) is int else place
        if not 0 < id < 2**31:
            problem(line, "id: is outside 1 to 2147483647")
        elif id in lines:
            problem(line, f"id: {id} is also the id of the rule on line {lines[id]}")
        lines.setdefault(id, line)
        try:
            yield FileRule(line, rule_from_mapping(mapping, id=id, default_prod=default_prod, default_dev=default_dev))
        except RuleRefused as refused:
            for why in refused.problems:
                problem(line, why)


def _text(content: bytes, problem: _Problem) -> str:
    if content.startswith(_BOM):
        problem(1, "starts with a byte order mark; save the file as UTF-8 without one")
        content = content[len(_BOM) :]
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        problem(1 + content.count(b"\n", 0, error.start), f"is not UTF-8 ({error.reason})")
        return content.decode(errors="replace")


def _json_lines(text: str, problem: _Problem) -> Iterator[_Member]:
    for line, row in enumerate(text.split("\n"), start=1):
        if not row.strip():
            continue
        try:
            value = json.loads(row, object_pairs_hook=_object_once, parse_constant=_no_constant)
        except json.JSONDecodeError as error:
            problem(line, f"is not JSON: {error.msg} at column {error.colno}")
        except (ValueError, RecursionError) as error:
            problem(line, f"is not a rule: {str(error)[:200]}")
        else:
            if isinstance(value, dict):
                yield line, value
            else:
                problem(line, "is JSON, but no object")


def _object_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"a key stands there twice: {next(name for name in names if names.count(name) > 1)!r}")
    return found


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _yaml_members(text: str, problem: _Problem) -> Iterator[_Member]:
    """The mappings of a YAML file that is one document."""
    documents = list(plain_yaml.roots(text, problem))
    for extra in documents[1:]:
        problem(plain_yaml.line_of(extra), "YAML: expected a single document in the stream")
    for node in _yaml_list(documents[0], problem) if len(documents) == 1 else ():
        value = plain_yaml.mapping(node, problem)
        if value is not None:
            yield plain_yaml.line_of(node), value


def _yaml_list(root: yaml.Node, problem: _Problem) -> list[yaml.Node]:
    if isinstance(root, yaml.MappingNode) and [key.value for key, _ in root.value] == ["rules"]:
        root = root.value[0][1]
    if isinstance(root, yaml.SequenceNode):
        return list(root.value)
    problem(plain_yaml.line_of(root), "YAML: a rules file is a list of mappings")
    return []
