"""Rules files: JSON Lines and YAML, in and out."""

from __future__ import annotations

from pathlib import Path

import pytest

from schemas.errors import RuleRefused
from schemas.rule_files import RulesFormat, read_rules, write_rules
from schemas.rules import Handling, MatchType, Mode
from tests.builders import rule

DATA = Path(__file__).parents[3] / "shared" / "data"


def problems(content: bytes) -> tuple[str, ...]:
    with pytest.raises(RuleRefused) as caught:
        read_rules(content)
    return caught.value.problems


def test_json_lines_with_blank_lines_keep_their_line_numbers() -> None:
    found = read_rules(b'{"match_string": "a"}\n\n  {"match_string": "b"}\r\n')
    assert [(read.line, read.rule.id, read.rule.match_string) for read in found] == [(1, 1, "a"), (3, 2, "b")]


def test_yaml_as_a_list_or_under_rules() -> None:
    plain = b'# ours\n- match_string: a\n  trap_oid: 1.3.6.1\n-\n  match_string: "b"\n  is_active: false\n'
    nested = b"rules:\n" + plain.replace(b"\n", b"\n  ")
    for content in (plain, nested):
        found = [read.rule for read in read_rules(content)]
        assert [one.match_string for one in found] == ["a", "b"]
        assert [one.is_active for one in found] == [True, False]


def test_a_file_may_leave_handling_out() -> None:
    (read,) = read_rules(b'{"match_string": "a"}')
    assert (read.rule.prod_handling, read.rule.dev_handling) == (Handling.TICKET_ONLY, Handling.LOG_ONLY)
    (read,) = read_rules(b'{"match_string": "a"}', default_prod=Handling.IGNORE, default_dev=Handling.PAGE_ONLY)
    assert (read.rule.prod_handling, read.rule.dev_handling) == (Handling.IGNORE, Handling.PAGE_ONLY)


def test_ids_are_the_files_whole_numbers_else_the_place() -> None:
    content = b'{"id": 70, "match_string": "a"}\n{"id": "43b5adf3", "match_string": "b"}\n{"match_string": "c"}\n'
    assert [read.rule.id for read in read_rules(content)] == [70, 2, 3]


@pytest.mark.parametrize("bad", [b'{"id": 2, "match_string": "a"}', b'{"id": 0, "match_string": "a"}'])
def test_ids_are_unique_and_positive(bad: bytes) -> None:
    assert problems(bad + b'\n{"match_string": "b"}')[0].startswith(("line 2: id", "line 1: id"))


@pytest.mark.parametrize("format", RulesFormat)
def test_what_is_written_is_read_again(format: RulesFormat) -> None:
    rules = [
        rule(id=3, match_string="a: [b] # é \u2028 \x1b \U0001f600", description="yes", priority=0),
        rule(id=1, match_type=MatchType.OID_PREFIX, match_string=None, trap_oid="1.3", mode=Mode.MONITOR),
        rule(id=9, match_string="1.3", syslog_severity=0, is_active=False, team_assignment=None),
    ]
    text = "".join(write_rules(rules, format))
    assert [read.rule for read in read_rules(text.encode(), format)] == rules


def test_an_empty_file_has_no_rules() -> None:
    assert read_rules(b"") == read_rules(b"\n \n", RulesFormat.JSONL) == []


GOOD = b'{"match_string": "a"}\n'


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (GOOD * 6 + b'{"match_string": ""}\n', 7),
        (GOOD * 6 + b"nonsense\n", 7),
        (GOOD * 6 + b"[1]\n", 7),
        (GOOD * 6 + b'{"match_string": "a", "match_string": "b"}\n', 7),
        (GOOD * 6 + b'{"match_string": NaN}\n', 7),
        (GOOD * 6 + b'{"match_string": ' + b"[" * 100000, 7),
        (GOOD * 6 + b'{"priority": ' + b"9" * 5000 + b', "match_string": "a"}', 7),
        (GOOD * 6 + b'{"match_string": "caf\xe9"}', 7),
        (b"\xef\xbb\xbf" + GOOD, 1),
        (b"- match_string: a\n- match_string: !!python/object/apply:os.system [x]\n", 2),
        (b"- match_string: !!timestamp nonsense\n", 1),
        (b"- match_string: a\n  priority: 1\n  match_string: b\n", 3),
        (b"- match_string: a\n- &x [1, 1]\n- [*x, *x]\n", 3),
        (b"- match_string: a\n- [[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]\n", 2),
        (b"[" * 100000, 1),
        (b"- match_string: a\n- b\n", 2),
        (b"- match_string: a\n- trap_oid: 1.3\n  match_type: oid_prefix\n", 2),
        (b"- match_string: a\n- match_string: 2020-99-99\n", 2),
        (b"- match_string: a\n- {1: 2}\n", 2),
        (b"- match_string: a\n  x: [\n", 3),
        (b"just text", 1),
        (b"- match_string: a\n---\n- match_string: b\n", 3),
        (b"- match_string: a\n- match_string: \x07\n", 2),
    ],
)
def test_R8_a_bad_file_is_refused_with_the_line(content: bytes, line: int) -> None:
    assert problems(content)[0].startswith(f"line {line}: ")


def test_R8_a_byte_order_mark_hides_no_other_line() -> None:
    told = problems(b"\xef\xbb\xbf" + GOOD * 6 + b'{"match_string": 1}\n')
    assert [one.partition(":")[0] for one in told] == ["line 1", "line 7"]


def test_thousands_of_problems_stay_readable() -> None:
    told = problems(b'{"match_string": ""}\n' * 5000)
    assert len(told) == 21
    assert told[-1] == "and 4980 more"


@pytest.mark.corpus
def test_the_real_rules_load_as_they_are() -> None:
    found = read_rules((DATA / "rules_recog.jsonl").read_bytes())
    assert [read.rule.id for read in found] == list(range(1, 1501))
    assert {read.rule.match_type for read in found} == {MatchType.REGEX}
