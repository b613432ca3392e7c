"""How many failed authentications an address and a key get; what is remembered of them is bounded."""

from __future__ import annotations

import ipaddress
from collections import OrderedDict
from dataclasses import dataclass

from streams.core.rate_limit import RatePolicy, TokenBucket


@dataclass(frozen=True, slots=True)
class FailurePolicy:
    """Failures that are let by; and how many addresses, and keys, are remembered."""

    address: RatePolicy
    key: RatePolicy
    remembered: int


TEN_A_MINUTE = RatePolicy(10, 60, saved=10)
POLICY = FailurePolicy(address=TEN_A_MINUTE, key=TEN_A_MINUTE, remembered=10_000)


class _Buckets:
    """A bucket by name; beyond the bound the one that was asked for longest ago is forgotten."""

    def __init__(self, policy: RatePolicy, most: int) -> None:
        self._policy = policy
        self._most = most
        self._buckets: OrderedDict[str, TokenBucket] = OrderedDict()

    def __len__(self) -> int:
        return len(self._buckets)

    def wait(self, name: str, now: float) -> float:
        bucket = self._buckets.get(name)
        return bucket.wait(now) if bucket else 0.0

    def take(self, name: str, now: float) -> float:
        bucket = self._buckets.setdefault(name, TokenBucket(self._policy, full=True))
        self._buckets.move_to_end(name)
        if len(self._buckets) > self._most:
            self._buckets.popitem(last=False)
        return bucket.take(now)


class FailureLimits:
    """`now` is monotonic seconds; what is returned is 0.0, or the seconds after which to try again."""

    def __init__(self, policy: FailurePolicy) -> None:
        self._addresses = _Buckets(policy.address, policy.remembered)
        self._keys = _Buckets(policy.key, policy.remembered)

    @property
    def remembered(self) -> int:
        return len(self._addresses) + len(self._keys)

    def wait(self, address: str, now: float) -> float:
        """Whether so much failed from there that more is not looked at."""
        return self._addresses.wait(address, now)

    def failed(self, address: str, key_id: str | None, now: float) -> float:
        """Counts a failure, of a key where it named one that is there; else anyone could fill what is remembered."""
        waits = [self._addresses.take(address, now)]
        if key_id is not None:
            waits.append(self._keys.take(key_id, now))
        return max(waits)


def neighbourhood(address: str) -> str:
    """What counts as one caller: an IPv4 address, or a /64 of IPv6, of which one machine has all."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return "unknown"
    if isinstance(parsed, ipaddress.IPv4Address):
        return str(parsed)
    return str(parsed.ipv4_mapped or ipaddress.ip_network((parsed, 64), strict=False))
