"""Object identifiers as prefixes: a dictionary probed at the dots, so that only whole arcs match."""

from __future__ import annotations

from collections.abc import Iterable


class PrefixTable:
    """Which rules name a prefix of an OID: 1.3.6.1.4.1.9 is one of 1.3.6.1.4.1.9.1, never of 1.3.6.1.4.1.90."""

    __slots__ = ("_longest", "_ranks", "_shortest")

    def __init__(self, prefixes: Iterable[tuple[str, int]]) -> None:
        ranks: dict[str, list[int]] = {}
        for prefix, rank in prefixes:
            ranks.setdefault(prefix.removeprefix("."), []).append(rank)
        self._ranks = ranks
        self._shortest = max(1, min(map(len, ranks), default=1))
        self._longest = max(map(len, ranks), default=0)

    def collect(self, oid: str, hits: list[int]) -> None:
        """Adds the ranks of every prefix of `oid` to `hits`."""
        if oid.startswith("."):
            oid = oid[1:]
        ranks, end, shortest = self._ranks, len(oid), self._shortest
        if end > self._longest:
            end = self._longest if oid[self._longest] == "." else oid.rfind(".", 0, self._longest)
        while end >= shortest:
            found = ranks.get(oid[:end])
            if found is not None:
                hits.extend(found)
            end = oid.rfind(".", 0, end)
