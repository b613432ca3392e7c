"""One fuzz run: every role asks every operation, and every answer goes through all checks of schemathesis."""

from __future__ import annotations

import sys
import time
from collections import Counter
from dataclasses import asdict, dataclass, field
from functools import partial
from typing import Any

import requests
import schemathesis
from schemathesis import Case
from schemathesis.core.failures import Failure, FailureGroup
from schemathesis.core.transport import Response
from schemathesis.specs.openapi.checks import ignored_auth

from tests.fuzz.cases import Cases, next_page
from tests.fuzz.findings import Finding, Findings, Kind
from tests.fuzz.roles import ADMIN, ROLES, Role, shares
from tests.fuzz.verdict import kind_of
from tests.fuzz.world import World

ANSWER_S = 30.0
TELL_S = 5.0
SHOWN = 600
"""Characters of an answer that are told."""
STALE, TARGET_TOO_LONG, NO_PRECONDITION = "412", "414", "428"


def fuzz(world: World, calls: int, seed: int) -> dict[str, Any]:
    """The report of about so many calls; what checks ask besides counts too.

    First everything is asked once as it is meant, by who may do all, so that no run is too short to see what is broken.
    """
    schema = schemathesis.openapi.from_url(f"{world.url}/api/openapi.json")
    _set_up(schema.config)
    operations = [found.ok() for found in schema.get_all_operations()]
    cases = [Cases(operation, world.known, f"{seed} {operation.label}") for operation in operations]
    cells = [(role, place) for role in ROLES for place in range(len(operations))]
    weights = [role.weight(operations[place].definition.raw.get("x-scope")) for role, place in cells]
    run, began = Run(world), time.monotonic()
    for each in cases[:calls]:
        run.ask(ADMIN, each.plain())
    for (role, place), count in zip(cells, shares(max(0, calls - len(cases)), weights), strict=True):
        cases[place].send(count, partial(run.ask, role))
    facts = {"operations": len(operations), "seed": seed, "seconds": round(time.monotonic() - began, 1)}
    return run.report() | facts


def _set_up(config: Any) -> None:
    """Keys come from the roles; a condition that does not hold, or is missing, is refused as it should be."""
    config.generation.with_security_parameters = False
    config.output.sanitization.enabled = False
    for check, *more in (
        (config.checks.positive_data_acceptance, STALE),
        (config.checks.negative_data_rejection, STALE, TARGET_TOO_LONG),
        (config.checks.missing_required_header, NO_PRECONDITION),
    ):
        check.expected_statuses = [*check.expected_statuses, *more]


def say(text: str) -> None:
    """Progress. What a server said may hold anything; a terminal gets none of it raw."""
    print("".join(char if char.isprintable() else "\ufffd" for char in text), file=sys.stderr, flush=True)


@dataclass
class Tally:
    """The calls of one role, by status."""

    calls: int = 0
    statuses: Counter[str] = field(default_factory=Counter)

    def shown(self) -> dict[str, Any]:
        return {"calls": self.calls, "statuses": dict(sorted(self.statuses.items()))}


class Run:
    """Asks and judges, and counts both."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._session = requests.Session()
        self._session.hooks["response"].append(self._count)
        self._shut: set[str] = set()
        """Operations of which it was seen that they open to no other key."""
        self._findings = Findings()
        self._tallies = {role.name: Tally() for role in ROLES}
        self._asking = ROLES[0]
        self._told = time.monotonic()

    @property
    def calls(self) -> int:
        return sum(tally.calls for tally in self._tallies.values())

    @property
    def _failures(self) -> list[Finding]:
        return [finding for finding in self._findings if finding.kind is not Kind.BEYOND_SCHEMA]

    def report(self) -> dict[str, Any]:
        failures = self._failures
        alive = self._world.api.running
        return {
            "ok": alive and not failures,
            "calls": self.calls,
            "server_errors": self._findings.count(Kind.SERVER_ERROR),
            "schema_breaks": self._findings.count(Kind.SCHEMA_BREAK),
            "beyond_schema": self._findings.count(Kind.BEYOND_SCHEMA),
            "alive": alive,
            "by_role": {name: tally.shown() for name, tally in self._tallies.items()},
            "failures": [asdict(finding) for finding in failures],
        }

    def ask(self, role: Role, case: Case) -> None:
        """Sends a request and judges its answer; of a list that goes on also the next page."""
        self._asking = role
        response = self._send(case)
        if response is None:
            return
        self._judge(case, response)
        if (more := next_page(case, response)) is not None and (page := self._send(more)) is not None:
            self._judge(more, page)
        if time.monotonic() - self._told > TELL_S:
            self._told = time.monotonic()
            say(f"{self.calls} calls as far as {role.name}, {len(self._failures)} kinds of failure")

    @property
    def _headers(self) -> dict[str, str]:
        key = self._world.keys.get(self._asking.name)
        return {"X-API-KEY": key} if key else {}

    def _send(self, case: Case) -> Response | None:
        try:
            return case.call(
                base_url=self._world.url,
                session=self._session,
                headers=self._headers,
                timeout=ANSWER_S,
                allow_redirects=False,
            )
        except requests.exceptions.InvalidHeader:
            return None  # no client could send it
        except requests.RequestException as error:
            self._add(Kind.SERVER_ERROR, case, f"no answer: {error!r}")
            return None

    def _judge(self, case: Case, response: Response) -> None:
        label = case.operation.label
        excluded = [ignored_auth] if label in self._shut else []
        try:
            case.validate_response(response, headers=self._headers, excluded_checks=excluded)
        except FailureGroup as group:
            for failure in group.exceptions:
                self._fail(case, response, failure)
        if response.status_code < 300 and self._headers:
            self._shut.add(label)

    def _fail(self, case: Case, response: Response, failure: Failure | Any) -> None:
        kind = kind_of(failure, case, response)
        if kind is not None:
            what = f"{failure.title} ({response.status_code}): {failure.message}; answer: {response.text[:SHOWN]}"
            self._add(kind, case, what)

    def _add(self, kind: Kind, case: Case, what: str) -> None:
        finding = Finding(kind, case.operation.label, self._asking.name, what, self._curl(case))
        if self._findings.add(finding) and kind is not Kind.BEYOND_SCHEMA:
            say(f"{kind}: {finding.operation} as {finding.role}: {what}")
            say(f"    {finding.curl}")

    def _curl(self, case: Case) -> str:
        """For a shell where KEY holds the key of the role."""
        line = case.as_curl_command(headers=dict.fromkeys(self._headers, "$KEY"), base_url=self._world.url)
        return line.replace("'X-API-KEY: $KEY'", '"X-API-KEY: $KEY"')

    def _count(self, response: requests.Response, *_: Any, **__: Any) -> None:
        tally = self._tallies[self._asking.name]
        tally.calls += 1
        tally.statuses[str(response.status_code)] += 1
