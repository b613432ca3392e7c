"""How far a partition may be committed: never beyond the first offset that is not acknowledged."""

from __future__ import annotations


class Watermark:
    """Acknowledged ranges of one partition. Ranges may come out of order; the mark moves only without a hole.

    Offsets below `start` count as done before. `ack` takes half-open ranges `[first, after)`.
    """

    __slots__ = ("_mark", "_waiting", "committed")

    def __init__(self, start: int, *, committed: int | None = None) -> None:
        self._mark = start
        self._waiting: dict[int, int] = {}
        self.committed = committed

    def ack(self, first: int, after: int) -> None:
        """Marks `[first, after)` done. A range that overlaps what is done already counts for its new part."""
        if after <= self._mark:
            return
        if first > self._mark:
            self._waiting[first] = max(after, self._waiting.get(first, after))
            return
        self._mark = after
        while self._waiting:
            head = min(self._waiting)
            if head > self._mark:
                return
            self._mark = max(self._mark, self._waiting.pop(head))

    @property
    def position(self) -> int:
        """The next offset to read after everything below is acknowledged."""
        return self._mark

    def to_commit(self) -> int | None:
        """The position to commit, or None when it is committed already."""
        return self._mark if self.committed is None or self._mark > self.committed else None
