"""What a failed check of schemathesis means here."""

from __future__ import annotations

from typing import Any

from schemathesis import Case
from schemathesis.core import NOT_SET
from schemathesis.core.transport import Response
from schemathesis.openapi.checks import IgnoredAuth, RejectedPositiveData

from tests.fuzz.findings import Kind

EXPLAINED = frozenset({400, 422})
TWO_THAT_DISAGREE = "must not lie after"
TOO_MANY = "429 Too Many Requests"


def kind_of(failure: Any, case: Case, response: Response) -> Kind | None:
    """None for what is no failure: a door that stays shut because too many keys were tried on it."""
    if response.status_code >= 500:
        return Kind.SERVER_ERROR
    if isinstance(failure, IgnoredAuth) and TOO_MANY in failure.message:
        return None
    if isinstance(failure, RejectedPositiveData) and _explained(case, response):
        return Kind.BEYOND_SCHEMA
    return Kind.SCHEMA_BREAK


def _explained(case: Case, response: Response) -> bool:
    """Whether a body was refused with the reason. What one parameter may hold, the schema must say."""
    if response.status_code not in EXPLAINED:
        return False
    if case.body is NOT_SET:
        return TWO_THAT_DISAGREE in response.text
    answer = response.json()
    return bool(answer.get("errors") or answer.get("error") or answer.get("message"))
