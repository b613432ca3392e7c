"""What can be a secret: decided over what its place holds, without ever telling a value."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from schemas.errors import SecretRefused, SettingsRefused
from schemas.secret_names import (
    API_PEPPER,
    API_PEPPER_PREVIOUS,
    WEBHOOK_SIGNING,
    WEBHOOK_SIGNING_NEXT,
    SecretGroup,
)
from schemas.secrets import Secret
from streams.core.signing import signing_key

LONGEST = 8192
"""Characters."""
COME_AND_GO = ("_NEXT", "_NEXT_IS", "_PREVIOUS")
"""Ends of the names of what is there only while one secret replaces another."""
SHORTEST_PEPPER = 32
"""Characters."""


def checked(group: SecretGroup, held: Mapping[str, object], *, whole: bool = True) -> dict[str, Secret]:
    """The secrets of a group by name; what else the place holds is not ours.

    `whole` asks for what the group requires. Raises SecretRefused, with every fault at once.
    """
    ours = {name: held[name] for name in group.names if name in held}
    problems = [f"{name} {why}" for name, value in ours.items() if (why := fault_of(name, value))]
    problems += [f"{name} is missing" for name in group.required if whole and name not in ours]
    problems += [f"{one} is there without {other}" for one, other in group.pairs if one in ours and other not in ours]
    if problems:
        raise SecretRefused(problems)
    return {name: Secret(str(value)) for name, value in ours.items()}


def fault_of(name: str, value: object) -> str | None:
    """What is wrong with a value; None where nothing is."""
    if not isinstance(value, str):
        return "is no text"
    if not value.strip():
        return "is empty"
    if len(value) > LONGEST:
        return f"is longer than {LONGEST} characters"
    if value != value.strip() or not value.isprintable():
        return "begins or ends with a blank, or holds a line break, NUL or another control character"
    form = _FORMS.get(name)
    return form(value) if form else None


def _pepper_fault(value: str) -> str | None:
    return f"has fewer than {SHORTEST_PEPPER} characters" if len(value) < SHORTEST_PEPPER else None


def _signing_fault(value: str) -> str | None:
    try:
        signing_key(Secret(value))
    except SettingsRefused as refused:
        return f"cannot sign: {refused}"
    return None


_FORMS: Mapping[str, Callable[[str], str | None]] = {
    API_PEPPER: _pepper_fault,
    API_PEPPER_PREVIOUS: _pepper_fault,
    WEBHOOK_SIGNING: _signing_fault,
    WEBHOOK_SIGNING_NEXT: _signing_fault,
}


def kept_whole(old: Mapping[str, Secret], new: Mapping[str, Secret]) -> None:
    """Only the second of two live secrets may go while a service runs: what else is gone is half a secret.

    Raises SecretRefused.
    """
    gone = [name for name in old if name not in new and not name.endswith(COME_AND_GO)]
    if gone:
        raise SecretRefused([f"{name} is gone" for name in gone])
