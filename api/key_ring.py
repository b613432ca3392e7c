"""KeyRing: knows clients by the keys in the database, and by the one key of the secrets; limits and notes failures."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Callable
from time import monotonic

from api.auth import OneKey
from api.key_cache import KeyCache
from api.metrics import ApiMetrics
from api.problem_types import ProblemType
from api.problems import Problem
from schemas.scopes import Client
from schemas.secrets import LiveSecrets, Secret
from streams.core.api_keys import ApiKey, Failure, Keys, Rehash, hash_due, judge, parse_key
from streams.core.auth_failures import FailureBook
from streams.core.auth_limits import POLICY, FailureLimits, FailurePolicy, neighbourhood
from streams.core.key_uses import KeyUses

TOO_MANY = "too many failed authentications; try again later"


class KeyRing:
    """Implements Authenticator.

    An address from which too much failed is answered 429 without a look at the database, except for keys that have
    been seen to be there: who shares an address with somebody that tries keys is not locked out with him.
    """

    def __init__(
        self,
        keys: Keys,
        metrics: ApiMetrics,
        *,
        single: LiveSecrets,
        peppers: LiveSecrets,
        policy: FailurePolicy = POLICY,
        now: Callable[[], dt.datetime],
        clock: Callable[[], float] = monotonic,
    ) -> None:
        """`single` opens everything. Without it and without `peppers` everyone who reaches the port may ask."""
        self._cache = KeyCache(keys, clock=clock)
        self._failures = {failure: metrics.auth_failures.labels(failure.value) for failure in Failure}
        self._single = single
        self._peppers = peppers
        self._limits = FailureLimits(policy)
        self._now = now
        self._clock = clock
        self.book = FailureBook()
        self.uses = KeyUses()
        self.hashes: dict[str, Rehash] = {}
        """Of keys that opened under an older pepper; whoever writes them down takes them out."""

    async def client_of(self, presented: Secret | None, address: str) -> Client | None:
        single, peppers = self._single(), self._peppers()
        holder = await OneKey(*single).client_of(presented, address) if single or not peppers else None
        if holder is not None:
            return holder
        if presented is None:
            self._failures[Failure.MISSING].inc()
            return None
        caller = neighbourhood(address)
        key, failure = await self._look(presented, caller, peppers)
        if failure is not None:
            self._failed(failure, key, caller)
            return None
        assert key is not None
        return self._used(key)

    async def again(self, name: str) -> Client | None:
        """Whom a key stands for now that was presented before, by its id; None where it ended. Raises Unavailable."""
        single, peppers = self._single(), self._peppers()
        holder = await OneKey(*single).again(name) if single or not peppers else None
        if holder is not None or not peppers:
            return holder
        stored = self._cache.fresh(name) or await self._cache.ask(name)
        return self._used(stored.key) if stored is not None and stored.key.dead(self._now()) is None else None

    def _used(self, key: ApiKey) -> Client:
        self.uses.note(key.id, self._now())
        return Client(key.client, key.name or key.client, key.scopes)

    async def _look(
        self, presented: Secret, caller: str, peppers: tuple[Secret, ...]
    ) -> tuple[ApiKey | None, Failure | None]:
        """The key that is meant, where it is there; and why it does not open.

        What is remembered lets in, and does not refuse, so that a wrong secret takes as long as an unknown id.
        """
        parsed = parse_key(presented.reveal())
        if parsed is None or not peppers:
            return None, Failure.MALFORMED
        limited = self._limits.wait(caller, self._clock()) > 0
        if limited and not self._cache.knows(parsed.id):
            return None, Failure.LIMITED
        stored = self._cache.fresh(parsed.id)
        if stored is None or not (limited or judge(parsed, stored, peppers, self._now()) is None):
            stored = await self._cache.ask(parsed.id)
        failure = judge(parsed, stored, peppers, self._now())
        if stored and failure is None and (due := hash_due(parsed, stored, peppers[0])):
            self.hashes[parsed.id] = Rehash(stored.key_hash, due)
        return stored.key if stored else None, failure

    def _failed(self, failure: Failure, key: ApiKey | None, caller: str) -> None:
        """Raises Problem (429) where too much failed."""
        self._failures[failure].inc()
        key_id = key.id if key else None
        self.book.add(caller, key_id, failure, self._now())
        wait = self._limits.failed(caller, key_id, self._clock())
        if wait:
            raise Problem(ProblemType.RATE_LIMITED, TOO_MANY, headers={"Retry-After": str(max(1, math.ceil(wait)))})
