"""How a database login is replaced: what its secret holds at each step, and which roles the logins are."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Mapping
from enum import StrEnum

from schemas.errors import Refused
from schemas.secret_names import (
    DB_NEXT_IS,
    DB_PASSWORD,
    DB_PASSWORD_NEXT,
    DB_USER,
    DB_USER_NEXT,
    DatabaseRole,
)
from schemas.secrets import Secret

ITERATIONS = 4096
"""PostgreSQL's own number."""

_OURS = re.compile(r"mutt_[a-z]+_[ab]")


class Stage(StrEnum):
    """What DB_NEXT_IS says of the second login."""

    COMING = "coming"
    LEAVING = "leaving"


def stage_of(values: Mapping[str, Secret]) -> Stage | None:
    """None where there is one login alone. Raises Refused for a second one that nobody can place."""
    if DB_USER_NEXT not in values:
        return None
    said = values.get(DB_NEXT_IS)
    if said is None or said.reveal() not in list(Stage):
        raise Refused(f"{DB_USER_NEXT} is there, but {DB_NEXT_IS} does not say whether it is coming or leaving")
    return Stage(said.reveal())


def other_login(role: DatabaseRole, current: str) -> str:
    """Two names take turns: mutt_worker_a, mutt_worker_b. Whatever else is in use is followed by the first."""
    first, second = f"mutt_{role}_a", f"mutt_{role}_b"
    return second if current == first else first


def is_ours(login: str) -> bool:
    """Whether a rotation made it: then, and only then, a rotation may end it."""
    return _OURS.fullmatch(login) is not None


def prepared(values: Mapping[str, Secret], login: str, password: Secret) -> dict[str, Secret]:
    """The second login is told, before it is there: whoever meets it early is refused and takes the first."""
    coming = {DB_USER_NEXT: Secret(login), DB_PASSWORD_NEXT: password, DB_NEXT_IS: Secret(Stage.COMING)}
    return dict(values) | coming


def switched(values: Mapping[str, Secret], current: str) -> dict[str, Secret]:
    """The coming login is the first one from now on, and the first one leaves; `current` is its user."""
    return {
        DB_USER: values[DB_USER_NEXT],
        DB_PASSWORD: values[DB_PASSWORD_NEXT],
        DB_USER_NEXT: Secret(current),
        DB_PASSWORD_NEXT: values[DB_PASSWORD],
        DB_NEXT_IS: Secret(Stage.LEAVING),
    }


def retired(values: Mapping[str, Secret]) -> dict[str, Secret]:
    """One login alone."""
    return {name: value for name, value in values.items() if name in (DB_USER, DB_PASSWORD)}


def scram_verifier(password: Secret, salt: bytes) -> str:
    """What PostgreSQL keeps of a password, so that the password itself is in no statement and no log of the server."""
    salted = hashlib.pbkdf2_hmac("sha256", password.reveal().encode(), salt, ITERATIONS)
    stored = hashlib.sha256(hmac.digest(salted, b"Client Key", "sha256")).digest()
    server = hmac.digest(salted, b"Server Key", "sha256")
    told = [base64.b64encode(part).decode() for part in (salt, stored, server)]
    return f"SCRAM-SHA-256${ITERATIONS}:{told[0]}${told[1]}:{told[2]}"
