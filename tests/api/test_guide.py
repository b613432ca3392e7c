"""docs/API.md says what the table of routes says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from api.bodies import BODY_S
from api.gate import MAX_HEADERS, MAX_TARGET
from api.problem_types import ProblemType
from api.problems import V1_STATUSES
from api.protocol import Protocol
from api.routes import MOST_BODY, PUBLIC, ApiRoute
from api.versions import V1
from schemas import scopes
from schemas.json_checks import DEPTH_LIMIT
from schemas.scopes import Scope
from tests.api.test_routes import every_route

GUIDE = (Path(__file__).parents[2] / "docs" / "API.md").read_text()


def rows(first: str) -> list[list[str]]:
    """The cells of each row of the table whose head begins so."""
    head = GUIDE.index(f"\n| {first} |") + 1
    lines = GUIDE[head:].partition("\n\n")[0].splitlines()[2:]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def test_every_problem_stands_in_the_table() -> None:
    assert rows("type") == [[f"`{one.uri}`", str(one.status), one.title, one.remedy] for one in ProblemType]


@pytest.mark.checks("SCOPE_1")
def test_every_scope_stands_in_the_table() -> None:
    said = re.findall(r'= "([a-z]+:[a-z]+)"\n    """(.*)\."""', Path(scopes.__file__).read_text())
    assert len(said) == len(Scope)
    assert rows("scope") == [[f"`{name}`", text[0].lower() + text[1:]] for name, text in said]


def templated(path: str) -> str:
    return re.sub(r":\w+}", "}", path)


@pytest.mark.parametrize("old", [one for one in every_route() if V1.owns(one.path)], ids=lambda one: one.path)
def test_every_old_route_has_its_successor_in_the_table(old: ApiRoute) -> None:
    successors = {before.strip("`"): after.strip("`").split()[1] for before, after, _ in rows("v1")}
    assert old.successor is not None
    assert successors[f"{old.method} {templated(old.path)}"] == templated(old.successor)


def test_the_table_names_no_route_that_is_not_there() -> None:
    named = {cell.strip("`") for before, after, _ in rows("v1") for cell in (before, after)}
    assert named <= {f"{one.method} {templated(one.path)}" for one in every_route()}


def test_public_paths_and_dates_and_statuses() -> None:
    assert all(f"`{path}`" in GUIDE for path in PUBLIC)
    assert V1.lifetime.deprecated is not None
    assert V1.lifetime.sunset is not None
    for day in (V1.lifetime.deprecated, V1.lifetime.sunset):
        assert day.date().isoformat() in GUIDE
    assert ", ".join(map(str, sorted(V1_STATUSES))) in GUIDE


def test_limits() -> None:
    values = {name: value for name, value, _ in rows("limit")}
    assert values == {
        "body": f"{MOST_BODY >> 20} MiB",
        "path and query": f"{MAX_TARGET >> 10} KiB",
        "all headers": f"{MAX_HEADERS >> 10} KiB",
        "nesting of JSON": f"{DEPTH_LIMIT} levels",
        "request line and headers come within": f"{Protocol.head_s:g} s",
        "the body comes within": f"{BODY_S:g} s",
    }
