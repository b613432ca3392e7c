"""What the API says of itself: OpenAPI, its committed copy, and the page."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import msgspec
import pytest

from api.app import described
from api.bodies import typed
from api.documentation import Documentation
from api.problem_types import ProblemType
from api.routes import ApiRoute, flatten
from schemas.scopes import Scope
from tests.api.test_routes import every_route, nothing
from tests.api.toys import TOYS, Toys
from tests.api.window import window, window_of

ROOT = Path(__file__).parents[2]
COPY = ROOT / "docs" / "openapi.json"

TABLE = Documentation((*every_route(), *Toys().routes())).table
SHOWN: dict[str, Any] = msgspec.json.decode(Documentation(flatten([Toys()])).document)

each_route = pytest.mark.parametrize("route", TABLE.routes, ids=lambda route: f"{route.method} {route.path}")


def test_the_committed_copy_is_current() -> None:
    assert COPY.read_bytes() == described(), "run: mutt api openapi > docs/openapi.json"


def test_the_api_serves_what_is_committed() -> None:
    answer = window(key="k").get("/api/openapi.json")
    assert answer.headers["content-type"] == "application/json"
    assert answer.json() == msgspec.json.decode(COPY.read_bytes())


def references(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        for name, child in node.items():
            if name == "$ref":
                yield child
            else:
                yield from references(child)
    elif isinstance(node, list):
        for child in node:
            yield from references(child)


@pytest.mark.parametrize("shown", [SHOWN, msgspec.json.decode(described())], ids=["toys", "all"])
def test_references_lead_somewhere_and_names_are_unique(shown: dict[str, Any]) -> None:
    for reference in references(shown):
        node: Any = shown
        for step in reference.removeprefix("#/").split("/"):
            node = node[step]
    operations = [one for path in shown["paths"].values() for one in path.values()]
    assert len({one["operationId"] for one in operations}) == len(operations)
    for path, methods in shown["paths"].items():
        for one in methods.values():
            named = {each["name"] for each in one.get("parameters", ()) if each["in"] == "path"}
            assert named == set(re.findall(r"{(\w+)}", path))


@each_route
def test_examples_are_good_ones(route: ApiRoute) -> None:
    for one in (*route.query, *route.headers):
        if one.example is not None:
            msgspec.convert(one.example, one.type, strict=False)
    if route.body is not None:
        assert route.example is not None, "a body needs an example"
        typed(route.example, route.body)


def test_a_route_as_programs_see_it() -> None:
    put = SHOWN["paths"]["/api/v2/toys/{id}"]["put"]
    assert [(one["name"], one["in"], one["required"]) for one in put["parameters"]] == [
        ("id", "path", True),
        ("If-Match", "header", True),
    ]
    assert put["requestBody"]["content"]["application/json"] == {
        "schema": {"$ref": "#/components/schemas/NewToy"},
        "example": {"name": "car", "wheels": 4},
    }
    assert SHOWN["components"]["schemas"]["NewToy"]["additionalProperties"] is False
    assert set(put["responses"]) == {
        *("200", "400", "401", "403", "404", "406", "408", "412", "413", "414", "415", "422", "428", "429"),
        *("431", "500", "503"),
    }
    assert put["responses"]["412"] == {"$ref": "#/components/responses/Problem412"}
    assert (put["security"], put["x-scope"]) == ([{"key": []}, {"bearer": []}], "rules:write")
    assert "deprecated" not in put


def test_an_old_route_as_programs_see_it() -> None:
    shown = msgspec.json.decode(described())["paths"]["/api/v1/slo"]["get"]
    assert (shown["deprecated"], shown["x-successor"]) == (True, "/api/v2/slo")
    assert {"Deprecation", "Sunset", "Link"} <= set(shown["responses"]["200"]["headers"])
    assert shown["responses"]["422"] == {"$ref": "#/components/responses/V1422"}
    assert shown["responses"]["410"] == {"$ref": "#/components/responses/Problem410"}


class Tags(HTMLParser):
    """Counts tags, and collects what they load."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs


def test_the_page_names_everything_and_loads_nothing() -> None:
    answer = window(key="k").get("/api/docs")
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    for route in every_route():
        assert re.sub(r":\w+}", "}", route.path) in answer.text
        assert route.summary in answer.text
    assert all(type_.uri in answer.text for type_ in ProblemType)
    seen = Tags(answer.text)
    assert not {"script", "img", "link", "iframe", "form"} & set(seen.tags)
    assert {name for name, _ in seen.attributes} <= {"lang", "charset", "href", "class"}
    assert [value for name, value in seen.attributes if name == "href"] == ["/api/openapi.json"]


@pytest.mark.parametrize("type_", ProblemType)
def test_the_type_of_a_problem_leads_somewhere(type_: ProblemType) -> None:
    answer = window(key="k").get(type_.uri)
    assert answer.json() == {"type": type_.uri, "status": type_.status, "title": type_.title, "remedy": type_.remedy}
    assert window(key="k").get(type_.uri + "x").status_code == 404


@pytest.mark.checks("UI_1")
def test_the_pages_policy_allows_its_style_alone() -> None:
    answer = window(key="k").get("/api/docs")
    (style,) = re.findall("<style>(.*?)</style>", answer.text, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert f"style-src 'sha256-{digest}'" in policy
    assert "unsafe" not in policy


def test_K20_texts_of_the_table_are_text() -> None:
    hostile = "<script>alert(1)</script>"

    class Hostile:
        def routes(self) -> tuple[ApiRoute, ...]:
            one = ApiRoute(
                method="GET",
                path="/api/v2/x",
                endpoint=nothing,
                scope=Scope.RULES_READ,
                summary=hostile,
                description=hostile,
                example={"a": hostile},
            )
            return (one,)

    text = window_of([Hostile()]).get("/api/docs").text
    assert "<script" not in text
    assert text.count("&lt;script&gt;") == 3


def test_toys_are_documented_with_their_errors() -> None:
    assert set(SHOWN["paths"]) == {TOYS, TOYS + "/{id}", "/api/docs", "/api/openapi.json", "/problems/{slug}"}
