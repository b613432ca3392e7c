"""The seam `crash.here` and the list of crash points fit each other, and every number of the list is accounted for."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator
from pathlib import Path

from streams import crash
from streams.adapters import batches
from tests.architecture.documents import ROOT
from tests.crashes.points import POINTS

PACKAGES = ("schemas", "streams", "api", "ops")


def calls(tree: ast.AST) -> Iterator[ast.Call]:
    """Every call of `crash.here`."""
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Attribute(value=ast.Name(id="crash"), attr="here")):
                yield node


def sources() -> Iterator[tuple[Path, ast.Module]]:
    for package in PACKAGES:
        for file in (ROOT / package).rglob("*.py"):
            if "crash.here(" in (text := file.read_text()):
                yield file, ast.parse(text)


def names(call: ast.Call) -> set[str]:
    match call.args:
        case [ast.Constant(value=str(name))]:
            return {name}
        case [ast.Subscript(value=ast.Name(id="_COPIED"))]:
            return set(batches._COPIED.values())
    raise AssertionError(f"no name that can be read here: {ast.unparse(call)}")


def test_every_seam_is_a_point_and_every_point_has_its_seam() -> None:
    called = {name for _, tree in sources() for call in calls(tree) for name in names(call)}
    assert called == {point.called for point in POINTS.values()}


def test_every_number_has_a_point() -> None:
    assert sorted({point.number for point in POINTS.values()}) == list(range(1, 59))


def test_the_seam_does_nothing() -> None:
    body = ast.parse(inspect.getsource(crash.here)).body[0]
    assert isinstance(body, ast.FunctionDef)
    [only] = body.body
    assert isinstance(only, ast.Expr)
    assert isinstance(only.value, ast.Constant)


def test_no_decision_knows_the_seam() -> None:
    assert not [file for file, _ in sources() if (ROOT / "streams" / "core") in file.parents]
