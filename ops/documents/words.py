"""What our own source says of a declaration: the string below a field, the comment above a statement."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType


def below_fields(kind: type) -> Mapping[str, str]:
    """The strings that stand below the fields of a class, as one line each."""
    tree = ast.parse(inspect.getsource(kind))
    body = tree.body[0]
    assert isinstance(body, ast.ClassDef)
    found = {}
    for field, after in zip(body.body, body.body[1:], strict=False):
        text = after.value.value if isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant) else None
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name) and isinstance(text, str):
            found[field.target.id] = " ".join(text.split())
    return found


def above_calls(module: ModuleType, prefix: str) -> Mapping[str, str]:
    """The comment above each call whose first argument is a string that begins so, by that string.

    Declarations that stand together below one comment share it.
    """
    path = Path(inspect.getfile(module))
    lines = path.read_text(encoding="utf-8").splitlines()
    begins: dict[int, str] = {}
    for statement in ast.walk(ast.parse("\n".join(lines))):
        if isinstance(statement, (ast.Assign, ast.AnnAssign)) and isinstance(statement.value, ast.Call):
            first = next(iter(statement.value.args), None)
            if isinstance(first, ast.Constant) and str(first.value).startswith(prefix):
                begins[statement.lineno] = str(first.value)
    found: dict[str, str] = {}
    shared = ""
    for number, name in sorted(begins.items()):
        above = _comment_above(lines, number - 1)
        shared = above or (shared if lines[number - 2].strip() else "")
        found[name] = shared
    return found


def _comment_above(lines: list[str], end: int) -> str:
    """The comment that ends right above the line of this index."""
    begin = end
    while begin and lines[begin - 1].strip().startswith("#"):
        begin -= 1
    return " ".join(line.strip().removeprefix("#").strip() for line in lines[begin:end])
