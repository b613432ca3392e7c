"""docs/CLI.md: every command of `mutt` and `muttdev`, with its arguments, options and exit statuses."""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum
from pathlib import Path
from typing import Any, get_args

import typer.main

from ops.cli import mutt, muttdev
from ops.cli.exits import MEANINGS
from ops.documents.markdown import code, page, table

PROGRAMS = (mutt.app, muttdev.app)


def commands(app: typer.Typer) -> Iterator[tuple[str, Any]]:
    """Every command of a program that does something, as it is typed, in the order of its help."""
    root = typer.main.get_command(app)
    yield from _below(str(app.info.name), root)


def _below(name: str, command: Any) -> Iterator[tuple[str, Any]]:
    if not hasattr(command, "commands"):
        yield name, command
    for word, inner in getattr(command, "commands", {}).items():
        if not inner.hidden:
            yield from _below(f"{name} {word}", inner)


def document() -> str:
    about = (
        "Every command says the same with `--help`. `mutt --install-completion` completes them in your shell,"
        " `mutt --version`\nsays which version this is. Settings come from the environment ([CONFIG.md](CONFIG.md))."
        " With `--json` a command prints one\nJSON document."
    )
    return page(
        "Commands", about, _contents(), *(_command(*one) for app in PROGRAMS for one in commands(app)), _exits()
    )


def summary(command: Any) -> str:
    """The first sentence of a command's help."""
    return " ".join((command.help or "").strip().split("\n\n")[0].split())


def usage(name: str, command: Any) -> str:
    """How it is typed: the command, its arguments, what must be given."""
    shown = [name]
    for one in command.params:
        if one.param_type_name == "option":
            if one.required:
                shown.append(f"{one.opts[0]} {_takes(one)}")
        else:
            word = one.metavar or one.name.upper() + ("..." if one.nargs == -1 else "")
            shown.append(word if one.required or word.startswith("[") else f"[{word}]")
    return " ".join(shown)


def _contents() -> Iterator[str]:
    yield from table(
        ("Command", "What it does"),
        ((f"[`{name}`](#{_anchor(name)})", summary(one)) for app in PROGRAMS for name, one in commands(app)),
    )


def _anchor(name: str) -> str:
    return name.replace(" ", "-")


def _command(name: str, command: Any) -> Iterator[str]:
    yield f"## {name}"
    yield ""
    yield code(usage(name, command))
    yield ""
    for paragraph in (command.help or "").strip().split("\n\n"):
        yield " ".join(paragraph.split())
        yield ""
    shown = [one for one in command.params if not getattr(one, "hidden", False)]
    yield from table(("Takes", "Value", "Default", "Meaning"), (_parameter(one) for one in shown))


def _parameter(one: Any) -> tuple[str, str, str, str]:
    names = ", ".join(code(name) for name in (*one.opts, *one.secondary_opts))
    if one.param_type_name != "option":
        names = code(one.metavar or one.name.upper())
    return names, _takes(one), "required" if one.required else code(_default(one)), one.help or ""


def _takes(one: Any) -> str:
    """The values of a parameter in words; nothing for a switch."""
    kind = one.type_descriptor.annotation
    kind = next(iter(get_args(kind)), kind)
    if getattr(one, "is_flag", False) or kind is bool:
        return ""
    return _kind(kind) + _bounds(one) + (", repeatable" if getattr(one, "multiple", False) or one.nargs == -1 else "")


def _kind(kind: Any) -> str:
    if isinstance(kind, type) and issubclass(kind, Enum):
        return ", ".join(str(member.value) for member in kind)
    return {int: "whole number", float: "number", Path: "path"}.get(kind, "text")


def _bounds(one: Any) -> str:
    low = "" if one.min is None else f" from {one.min:g}"
    return low + ("" if one.max is None else f" to {one.max:g}")


def _default(one: Any) -> str:
    value = one.default
    if value is None or value is False or callable(value):
        return ""
    if isinstance(value, (list, tuple)):
        return " ".join(map(str, value))
    return str(value.value if isinstance(value, Enum) else value)


def _exits() -> Iterator[str]:
    yield "## Exit statuses"
    yield ""
    yield from table(("Status", "Meaning"), ((str(code_.value), meaning) for code_, meaning in MEANINGS.items()))
