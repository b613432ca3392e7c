"""Bad rules and bad bodies of configuration through the API: what is saved, what is refused, and in which words."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest
import pytest_asyncio

from tests.hostile_rules import hostile, refused
from tests.integration.configuring import RULE, Asker, asking
from tests.integration.conftest import Database

RULES = "/api/v2/rules"
IMPORT = f"{RULES}/import"
NDJSON = {"Content-Type": "application/x-ndjson"}
JSON = {"Content-Type": "application/json"}


@pytest_asyncio.fixture
async def api(database: Database) -> AsyncIterator[Asker]:
    async with asking(database) as asker:
        yield asker


def regexes(*patterns: str) -> str:
    return "".join(json.dumps(RULE | {"match_type": "regex", "match_string": one}) + "\n" for one in patterns)


async def faults(api: Asker, **changes: Any) -> dict[str, str]:
    """Pointers and words of what is wrong with a rule."""
    answer = await api.ask("POST", RULES, 422, json=RULE | changes)
    return {fault["pointer"]: fault["detail"] for fault in answer["errors"]}


GOOD = (
    "(a+)+$", "(.*a){30}", "(x+x+)+y", "(a|aa)+$", "^(a?){50}a{50}$", "a{1001}", r"\p{L}", r"\b", r"\Q..\E", "(?<n>a)",
)  # fmt: skip


async def test_R1_patterns_that_kill_other_engines_are_saved(api: Asker) -> None:
    assert (await api.ask("POST", IMPORT, content=regexes(*GOOD), headers=NDJSON))["added"] == len(GOOD)


BAD = (
    r"(a)\1", "a(?=b)", "(?<!a)b", "(?>a)", "a++", "(?(1)a)", "(?R)", r"\u0041", r"\K", r"\R", r"\p{Bogus}", "(",
    "[z-a]", "a{32768}", "a{32767}", "(?:.{1,30}x){300}", "(ab{1,500}){500}", "a*", ".*", "^", "$", "x?$", "a\0b",
    "(*UTF8)a", "a" * 4097,
)  # fmt: skip


async def test_R2_R3_R4_what_the_engine_refuses_is_named_by_its_line_and_nothing_is_saved(api: Asker) -> None:
    fields = [one for one in BAD if len(one) > 4096 or "\0" in one or one.startswith("(*")]
    engine = [one for one in BAD if one not in fields]
    for patterns in (fields, engine):
        answer = await api.ask("POST", IMPORT, 422, content=regexes("fine", *patterns), headers=NDJSON)
        lines = [fault["detail"].partition(":")[0] for fault in answer["errors"]]
        assert lines == [f"line {number}" for number in range(2, len(patterns) + 2)][: len(lines)]
        assert len(lines) == len(patterns) or "more" in answer["errors"][-1]["detail"]
    assert (await api.ask("GET", RULES))["items"] == []


async def test_R2_R3_hostile_patterns_without_words_in_the_dialect_are_refused_where_they_are_saved(api: Asker) -> None:
    for one in refused(40):
        (fault,) = (await faults(api, match_type="regex", match_string=one.pattern)).items()
        assert fault[0] == "/match_string"
        assert fault[1]
    made = await api.ask("POST", IMPORT, content=regexes(*(one.pattern for one in hostile(500))), headers=NDJSON)
    assert made["added"] == 500


async def test_R2_the_words_of_the_engine_and_its_position(api: Asker) -> None:
    found = await faults(api, match_type="regex", match_string="é[z-a]")
    assert found == {"/match_string": "Range out of order in character class at index 4."}
    found = await faults(api, match_type="regex", match_string=r"(a)\1")
    assert found == {"/match_string": "Back-references are unsupported."}
    assert "any" in (await faults(api, match_type="regex", match_string="x?$"))["/match_string"]
    await api.ask("POST", RULES, 201, json=RULE)
    patched = await api.write("PATCH", f"{RULES}/1", 422, json={"match_type": "regex", "match_string": "("})
    assert patched["errors"][0]["pointer"] == "/match_string"


async def test_R4b_a_pattern_that_says_something_else_is_saved_with_a_warning(api: Asker) -> None:
    made = await api.ask("POST", RULES, 201, json=RULE | {"match_type": "regex", "match_string": r"a\y"})
    assert "no meaning" in made["warnings"][0]


@pytest.mark.parametrize(
    ("changes", "pointers"),
    [
        *(({"match_type": "oid_prefix", "match_string": None, "trap_oid": oid}, {"/trap_oid"})
          for oid in ("1.3.6..1", "1.3.6.1.", "1.3.*", "1.03.6", "1.4294967296", ".".join("1" * 129), "")),
        *(({"priority": value}, {"/priority"}) for value in (-1, 2**31, "1", True, 1.5, None)),
        *(({"syslog_severity": value}, {"/syslog_severity"}) for value in (8, -1, "3", True)),
        *(({"prod_handling": value}, {"/prod_handling"}) for value in ("page", 3, None, "")),
        *(({"team_assignment": value}, {"/team_assignment"}) for value in ("x" * 101, "", " ", "a\0", 5)),
        ({"match_string": None}, {"/match_string"}),
        ({"match_string": ""}, {"/match_string"}),
        ({"match_string": "a\0"}, {"/match_string"}),
        ({"match_string": "x" * 4097}, {"/match_string"}),
        ({"match_string": "é" * 2049}, {"/match_string"}),
        ({"description": "x" * 4001}, {"/description"}),
        ({"is_active": 1, "mode": "on", "alert_severity": "5"}, {"/is_active", "/mode", "/alert_severity"}),
        ({"created_by": "me", "version": 3, "id": 1}, {"/created_by", "/version", "/id"}),
        ({"created_by": "me", "priority": "1", "match_string": ""}, {"/created_by", "/priority", "/match_string"}),
        ({"reason": "x" * 1001}, {"/reason"}),
    ],
)  # fmt: skip
async def test_R5_R6_A5_every_fault_has_its_pointer(
    unsaved: Asker, changes: dict[str, Any], pointers: set[str]
) -> None:
    assert set(await faults(unsaved, **changes)) == pointers


@pytest_asyncio.fixture
async def unsaved() -> AsyncIterator[Asker]:
    """An API of which nothing reaches a database: what is asked there is refused before."""

    class Nowhere:
        pool = asyncpg.create_pool("postgresql://nowhere")  # is never opened

    async with asking(Nowhere()) as asker:  # type: ignore[arg-type]
        yield asker


async def test_R3b_R5_R6_R7_what_is_kept_as_it_is_meant(api: Asker) -> None:
    texts = {
        "description": "{event.__class__} %n",
        "team_assignment": "{0:1000000000}",
        "match_string": "{x.__class__}%n",
    }
    made = await api.ask("POST", RULES, 201, json=RULE | texts | {"dev_handling": "suppress", "match_type": "CONTAINS"})
    assert made.items() >= (texts | {"dev_handling": "Ignore", "match_type": "contains"}).items()
    trap = {"match_type": "oid_prefix", "trap_oid": ".1.3", "match_string": None, "priority": 2**31 - 1}
    assert (await api.ask("POST", RULES, 201, json=RULE | trap))["trap_oid"] == "1.3"
    await api.ask("POST", RULES, 201, json=RULE | {"match_string": "x" * 4096})


BODIES = (
    b"", b"{", b'{"a":1} x', b"{'a':1}", b'{"a":NaN}', b'{"a":1,"a":2}', b'{"a":{"b":1,"b":2}}', b'{"a":"\\ud800"}',
    b'{"a":"caf\xe9"}', b"[" * 65 + b"]" * 65, b'{"a":"\n"}', "{}".encode("utf-16"),
)  # fmt: skip


async def test_A4_what_is_no_strict_JSON_is_400_with_its_place(unsaved: Asker) -> None:
    for path in (RULES, "/api/v2/dev-hosts", "/api/v2/teams", "/api/v2/config/changes", f"{RULES}/dry-run"):
        for body in BODIES:
            answer = await unsaved.ask("POST", path, 400, content=body, headers=JSON)
            assert "pointer" in answer["errors"][0], body
    for path in ("/api/v1/rules", "/api/v1/dev-hosts", "/api/v1/teams"):
        for body in BODIES:
            assert (await unsaved.ask("POST", path, 400, content=body, headers=JSON)).keys() == {
                "error",
                "correlation_id",
            }
    repeated = await unsaved.ask("POST", RULES, 400, content=b'{"priority":1,"priority":2}', headers=JSON)
    assert repeated["errors"][0]["pointer"] == "/priority"


@pytest.mark.checks("SCOPE_4")
async def test_A5_other_bodies_are_422_with_everything_wrong(unsaved: Asker) -> None:
    for path, body, pointers in (
        ("/api/v2/dev-hosts", {"hostname": 5, "team": "x"}, {"/hostname", "/team"}),
        ("/api/v2/teams", {"hostname": " ", "team_assignment": ""}, {"/hostname", "/team_assignment"}),
        ("/api/v2/config/changes", {"changes": {}, "who": 1}, {"/changes", "/who"}),
        ("/api/v2/config/changes", {"changes": {"a": [1]}}, {"/changes"}),
        (f"{RULES}/dry-run", {"rule": {"priority": "1"}, "last": 10001}, {
            "/rule/priority", "/rule/prod_handling", "/rule/dev_handling", "/rule/match_string", "/last"}),
        (f"{RULES}/dry-run", {"rules": [RULE, RULE | {"mode": "x"}], "rule": RULE}, {"/rules/1/mode", "/rules", ""}),
        (RULES, [RULE], {""}),
    ):  # fmt: skip
        answer = await unsaved.ask("POST", path, 422, json=body)
        assert {
            fault["pointer"].partition("/changes/")[0] or fault["pointer"] for fault in answer["errors"]
        } >= pointers


FILES = (
    ("application/x-ndjson", b"\xef\xbb\xbf" + regexes("a").encode(), "line 1"),
    ("application/x-ndjson", regexes(*"abcdef").encode() + b"{", "line 7"),
    ("application/yaml", b"- !!python/object:os.system {}\n", "line 1"),
    ("application/yaml", b"- &a [x]\n- *a\n", "line 2"),
    ("application/yaml", b"- match_string: a\n  match_string: b\n", "line 2"),
)


@pytest.mark.proves("configuration.cut")
async def test_R8_a_file_with_a_bad_line_names_it_and_nothing_is_saved(unsaved: Asker) -> None:
    for media, content, line in FILES:
        answer = await unsaved.ask("POST", IMPORT, 422, content=content, headers={"Content-Type": media})
        assert line in answer["errors"][0]["detail"]
    await unsaved.ask("POST", IMPORT, 415, content=b"{}", headers=JSON)
