"""How much of everything one run of the bench does."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Sizes:
    """Counts of events, rounds and seconds."""

    events: int
    """Of a run of mutt, the afternoon's loop and a peer; slower rivals get a share of it."""
    rounds: int
    seconds: int
    """Of each run at a given rate, after its warm-up."""
    lag: int
    letters: int
    """Dead letters that are replayed."""
    table_rows: int
    """Audit rows that are there before, at most."""

    @property
    def half(self) -> int:
        """Events of runs whose CPU is compared, which settles sooner than their rate."""
        return max(30_000, self.events // 2)


FULL = Sizes(events=200_000, rounds=3, seconds=10, lag=1_000_000, letters=100_000, table_rows=20_000_000)
QUICK = Sizes(events=50_000, rounds=1, seconds=5, lag=200_000, letters=20_000, table_rows=400_000)
