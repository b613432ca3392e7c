"""Object identifiers as prefixes: a dictionary probed at the dots, so that only whole arcs match."""

from __future__ import annotations

from collections.abc import Iterable


class PrefixTable:
    """Which rules name a prefix of an OID: 1.3.6.1.4.1.9 is one of 1.3.6.1.4.1.9.1, never of 1.3.6.1.4.1.90."""

    __slots__ = ("_ranks",)

    def __init__(self, prefixes: Iterable[tuple[str, int]]) -> None:
        ranks: dict[str, list[int]] = {}
        for prefix, rank in prefixes:
            ranks.setdefault(prefix.removeprefix("."), []).append(rank)
        self._ranks = ranks

    def __bool__(self) -> bool:
        return bool(self._ranks)

    def collect(self, oid: str, hits: list[int]) -> None:
        """Adds the ranks of every prefix of `oid` to `hits`."""
        if oid.startswith("."):
            oid = oid[1:]
        ranks = self._ranks
        end = len(oid)
        while end > 0:
            found = ranks.get(oid[:end])
            if found is not None:
                hits.extend(found)
            end = oid.rfind(".", 0, end)
