"""Finds the tests that say what they show, by a marker; reads their source and runs nothing."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
CELLS, CHECKS = "proves", "checks"
"""The markers: of cells of the fault matrix, of items of the security checklist."""


@dataclass(frozen=True, slots=True)
class Proof:
    """A test and what it is marked with."""

    test: str
    """`tests/…/test_….py::test_…`, in a class with its name between."""
    shows: tuple[str, ...]
    campaign: bool
    """Not part of `make check` or `make proof`: it takes minutes."""


def proofs(marker: str, files: Iterable[Path] | None = None) -> list[Proof]:
    """Every test with this marker, in the order of files. Raises ValueError for names in it that are no literals."""
    found = sorted((ROOT / "tests").rglob("test_*.py")) if files is None else files
    return [proof for file in found for proof in _in(file, marker)]


def _in(file: Path, marker: str) -> Iterator[Proof]:
    tree = ast.parse(file.read_text())
    module = file.relative_to(ROOT).as_posix() if file.is_relative_to(ROOT) else file.name
    everywhere = list(_marks(_pytestmark(tree)))
    for node, name in _tests(tree, module):
        marks = [*everywhere, *_marks(node.decorator_list)]
        shows = tuple(each for mark, arguments in marks if mark == marker for each in arguments)
        if shows:
            yield Proof(name, shows, any(mark == "campaign" for mark, _ in marks))


def _tests(tree: ast.Module, module: str) -> Iterator[tuple[ast.FunctionDef | ast.AsyncFunctionDef, str]]:
    for node in tree.body:
        inner = node.body if isinstance(node, ast.ClassDef) else [node]
        prefix = f"{module}::{node.name}" if isinstance(node, ast.ClassDef) else module
        for each in inner:
            if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef) and each.name.startswith("test_"):
                yield each, f"{prefix}::{each.name}"


def _pytestmark(tree: ast.Module) -> list[ast.expr]:
    """The markers of a whole module."""
    for node in tree.body:
        if isinstance(node, ast.Assign) and any(ast.unparse(target) == "pytestmark" for target in node.targets):
            return node.value.elts if isinstance(node.value, ast.List | ast.Tuple) else [node.value]
    return []


def _marks(decorators: Iterable[ast.expr]) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Names of markers with their positional arguments."""
    for decorator in decorators:
        call = decorator if isinstance(decorator, ast.Call) else None
        name = ast.unparse(call.func if call else decorator)
        if name.startswith("pytest.mark."):
            mark = name.removeprefix("pytest.mark.")
            yield mark, tuple(map(_text, call.args)) if call and mark in (CELLS, CHECKS) else ()


def _text(argument: ast.expr) -> str:
    if isinstance(argument, ast.Constant) and isinstance(argument.value, str):
        return argument.value
    raise ValueError(f"what a test shows is named by a literal, not by {ast.unparse(argument)}")
