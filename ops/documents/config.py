"""docs/CONFIG.md: static settings, dynamic keys and secrets, each with what it may be and who reads it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import get_type_hints

import msgspec

from ops.documents.markdown import code, codes, page, table
from ops.documents.words import below_fields
from ops.standing import allowed
from schemas.config import KEYS
from schemas.config_values import to_text
from schemas.secret_names import NO_SECRETS, READS
from schemas.settings import Settings, variable_of


def document() -> str:
    about = (
        "Settings come from the environment and are read once, when a process starts; a misspelt name ends it."
        " Keys are changed while\nmutt runs, by `mutt config set`, the console or the API: audited, in force within a"
        " second. Secrets come from Vault, OpenBao or\nfiles ([SECRETS.md](SECRETS.md))."
    )
    return page("Settings, keys and secrets", about, _settings(), _keys(), _secrets())


def _settings() -> Iterator[str]:
    words, hints = below_fields(Settings), get_type_hints(Settings, include_extras=True)
    yield "## Settings"
    yield ""
    yield from table(
        ("Variable", "May be", "Default", "Meaning"),
        (
            (code(variable_of(one.name)), allowed(hints[one.name]), code(_shown(one.default)), words.get(one.name, ""))
            for one in msgspec.structs.fields(Settings)
        ),
    )


def _shown(default: object) -> str:
    """A default as it would be written in the environment; nothing for what is unset."""
    if default is None:
        return ""
    return to_text(default) if isinstance(default, (bool, int, float, str)) else str(default)


def _keys() -> Iterator[str]:
    yield "## Keys"
    yield ""
    yield from table(
        ("Key", "May be", "Default", "Read by", "Meaning"),
        (
            (code(key.name), key.bounds, code(to_text(key.default)), key.read_by, key.means)
            for key in KEYS
        ),
    )  # fmt: skip
    yield (
        "`alerter_queue_warn_threshold` < `alerter_queue_shed_threshold` < `alerter_queue_hard_limit`: a change that"
        " breaks this is refused,"
    )
    yield "so raise them in one `mutt config set`. Unset, the hard limit is ten times the shed threshold."
    yield ""


def _secrets() -> Iterator[str]:
    yield "## Secrets"
    yield ""
    yield f"Who reads which. {codes(sorted(NO_SECRETS))} stand beside secrets and may be told."
    yield ""
    yield from table(
        ("Read by", "Path in the store", "Needed", "Optional"),
        (
            (service.value, code(group.path), codes(group.required), codes(group.optional))
            for service, groups in READS.items()
            for group in groups
        ),
    )
