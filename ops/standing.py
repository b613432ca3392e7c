"""Every setting and every key of mutt as it stands: its value, where that comes from, and what it may be."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from msgspec import Meta
from msgspec.structs import fields

from ops.documents.words import below_fields
from schemas.config import KEYS
from schemas.config_values import to_text
from schemas.settings import Settings, variable_of
from streams.core.config_keys import StoredKey, standings

READ_ONCE = "every process, once, when it starts"


@dataclass(frozen=True, slots=True)
class Standing:
    """A setting (static, named by its variable) or a key (dynamic, in the database)."""

    name: str
    dynamic: bool
    value: str | None
    """As text; None where nothing is set, or where the database was not asked."""
    default: str | None
    source: str
    """`default`, `file`, `stack`, `environment` or `database`; `unknown` where the database was not asked."""
    bounds: str
    read_by: str
    means: str

    @property
    def differs(self) -> bool:
        return self.source not in ("default", "unknown") and self.value != self.default


def settings(sources: Mapping[str, Mapping[str, str]]) -> list[Standing]:
    """The static settings. `sources`: variables by the name of where they stand, the strongest first."""
    words, hints = below_fields(Settings), get_type_hints(Settings, include_extras=True)
    found = []
    for one in fields(Settings):
        variable = variable_of(one.name)
        default = None if one.default is None else to_text(one.default)
        source = next((name for name, values in sources.items() if values.get(variable)), "default")
        value = default if source == "default" else sources[source][variable]
        means = words.get(one.name, "").removeprefix(f"{variable}: ")
        found.append(Standing(variable, False, value, default, source, allowed(hints[one.name]), READ_ONCE, means))
    return found


def keys(stored: Mapping[str, StoredKey] | None) -> list[Standing]:
    """The dynamic keys; None where what is stored is not known."""
    if stored is None:
        return [
            Standing(key.name, True, None, to_text(key.default), "unknown", key.bounds, key.read_by, key.means)
            for key in KEYS
        ]
    return [
        Standing(
            one.key.name, True, to_text(one.value), to_text(one.key.default),
            "database" if one.stored else "default", one.key.bounds, one.key.read_by, one.key.means,
        )
        for one in standings(stored)
    ]  # fmt: skip


def names() -> list[str]:
    """Of all settings and keys."""
    return [variable_of(one.name) for one in fields(Settings)] + [key.name for key in KEYS]


def allowed(hint: Any) -> str:
    """The values of a type with its bounds, in words."""
    if get_origin(hint) in (Union, UnionType):
        return " or ".join(allowed(part) for part in get_args(hint) if part is not type(None)) + ", or unset"
    if get_origin(hint) is Annotated:
        kind, *metas = get_args(hint)
        return _KINDS[kind] + "".join(_bounds(meta) for meta in metas if isinstance(meta, Meta))
    if get_origin(hint) is Literal:
        return ", ".join(get_args(hint))
    return _KINDS[hint]


_KINDS = {str: "text", int: "a whole number", float: "a number", bool: "true or false"}


def _bounds(meta: Meta) -> str:
    if meta.pattern is not None:
        return f" like `{meta.pattern}`"
    parts = {"from": meta.ge, "above": meta.gt, "to": meta.le, "below": meta.lt}
    return "".join(f" {word} {bound:g}" for word, bound in parts.items() if bound is not None)
