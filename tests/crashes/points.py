"""The crash points: every gap between two effects, by number, and where in the program it lies.

A gap right behind a call of the seam `crash.here` is named as the seam is. Some gaps lie where no program of ours can
stand: after a COMMIT was handed to the socket, after half of a COPY. There the seam before the gap is named, and `When`
says how far the process goes on from it (`tests/crashes/dying.py`).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class When(Enum):
    """How far the process goes on behind the seam before it dies."""

    AT = "no step further"
    SENT = "until the next statement, or COMMIT, is on its way to the database, not answered"
    HALF = "until half of the rows of the next COPY are written"
    ONE_ARRIVED = "until the broker has the next batch of records it sends; it sends no second one"
    ARRIVED = "until the broker has what was sent before; it sends nothing more"
    ASKED = "until its next HTTP request is written, not answered"


@dataclass(frozen=True)
class Point:
    """One gap. `seam` is the name that the program calls, `then` what must be so after the next start."""

    number: int
    name: str
    role: str
    then: str
    seam: str = ""
    when: When = When.AT
    after: str = ""
    """A seam that must have been passed before: what comes at this one until then has to do with something else."""

    @property
    def whole(self) -> bool:
        """It lies where a batch is written in one statement, which takes no dead letters."""
        return self.called == "writing_whole"

    @property
    def called(self) -> str:
        return self.seam or self.name


AGAIN = "nothing is there, the range comes again"
TOLD = "progress tells whether the transaction counts"
SENT_FIRST = "the next owner sends first, under the same ids"
SKIPPED = "the range is skipped"
POSTED_AGAIN = "posted again under the same id, in the host's order"
DROPPED = "dropped by its id"
ARCHIVED_ANEW = "no row is gone; what was written is discarded and archived anew"
RUN_AGAIN = "nothing is done twice; the run counts as cut short"
RESUMED = "a resume sends it; a second copy has no effect"

MATCH = (
    Point(1, "polled", "match", AGAIN),
    Point(2, "deciding", "match", AGAIN),  # decoding, matching and deciding are one call without effects
    Point(3, "decided", "match", AGAIN),
    Point(4, "transaction_open", "match", AGAIN),
    Point(4, "writing_whole", "match", AGAIN),  # a small batch without letters is one statement, its own transaction
    Point(5, "progress_sent", "match", AGAIN, "transaction_open", When.SENT),  # progress, ledger, SLI: one statement
    Point(6, "audit_half_copied", "match", AGAIN, "books_written", When.HALF),
    Point(7, "audit_copied", "match", AGAIN),
    Point(8, "books_written", "match", AGAIN),
    Point(9, "alerts_copied", "match", AGAIN),
    Point(10, "letters_copied", "match", AGAIN),
    Point(11, "signatures_kept", "match", AGAIN),
    Point(12, "row_refused", "match", AGAIN),
    Point(13, "commit_sent", "match", TOLD, "written", When.SENT),
    Point(13, "whole_sent", "match", TOLD, "writing_whole", When.SENT),
    Point(14, "committed", "match", SENT_FIRST),
    Point(15, "some_alerts_sent", "match", SENT_FIRST, "publishing", When.ONE_ARRIVED),
    Point(16, "alerts_sent", "match", SENT_FIRST, "alerts_sent", When.ARRIVED),
    Point(17, "published", "match", SENT_FIRST),
    Point(18, "marked", "match", SKIPPED),
    Point(19, "acknowledged", "match", SKIPPED),
    Point(20, "kafka_committed", "match", SKIPPED, after="acknowledged"),  # where reading begins is committed too
    Point(21, "located", "match", AGAIN),
    Point(22, "hash_compared", "match", AGAIN),
    Point(23, "some_left_over_sent", "match", SENT_FIRST, "publishing", When.ONE_ARRIVED),
)
IN_PARTS = frozenset(
    (
        "transaction_open",
        "books_written",
        "audit_copied",
        "alerts_copied",
        "letters_copied",
        "signatures_kept",
        "written",
    )
)
"""Gaps that only a batch has which is not written in one statement (`streams/adapters/batch_statements.py`)."""

FORWARD = (
    Point(24, "alerts_read", "forward", POSTED_AGAIN),
    Point(25, "token_taken", "forward", POSTED_AGAIN),
    Point(26, "request_written", "forward", POSTED_AGAIN, "posting", When.ASKED),
    Point(27, "answered", "forward", POSTED_AGAIN),
    Point(28, "probe_in_flight", "forward", POSTED_AGAIN, "posting", When.ASKED),
    Point(29, "settled", "forward", DROPPED),
    Point(30, "letter_unsent", "forward", SENT_FIRST, "publishing"),
)
LETTERS = (
    Point(31, "letters_read", "dead-letters", "the letter is there once"),
    Point(32, "letters_indexed", "dead-letters", "the letter is there once"),
    Point(33, "letter_edited", "mutt", "the letter is as it was"),
    Point(34, "edit_committed", "mutt", "original kept, difference recorded"),
    Point(35, "parking", "dead-letters", "mutt.dlq.parked is written at the next start"),
    Point(35, "parked_sent", "dead-letters", "written at the next start, once more under the same id"),
    Point(36, "purge_archived", "mutt", "nothing is purged, the purge is repeated"),
    Point(37, "replay_recorded", "mutt", RESUMED),
    Point(38, "letters_claimed", "mutt", RESUMED),
    Point(39, "replay_sent", "mutt", RESUMED),
    Point(40, "replay_marked", "mutt", RESUMED),
    Point(41, "replay_unfinished", "mutt", RESUMED),
)
CONFIG = (
    Point(42, "change_written", "api", "neither the change nor its audit row is there"),
    Point(43, "change_committed", "api", "change and audit row are there, and in force within a second"),
    Point(44, "rules_compiled", "match", "the new set is in force at the next start"),
    Point(45, "rules_swapped", "match", "every batch is decided by one whole version"),
    Point(46, "migration_applied", "mutt", "neither effect nor record is there"),
    Point(47, "migration_recorded", "mutt", "effect and record of the one, nothing of the next"),
)
RETENTION = (
    Point(48, "archive_growing", "mutt", ARCHIVED_ANEW),
    Point(48, "archive_unnamed", "mutt", ARCHIVED_ANEW),
    Point(48, "archive_named", "mutt", ARCHIVED_ANEW),
    Point(48, "archive_described", "mutt", ARCHIVED_ANEW),
    Point(49, "archive_verified", "mutt", "the partition is still there, the next run takes it out"),
    Point(49, "part_credited", "mutt", "the partition is still there, and the ledger knows nothing of an archive"),
    Point(50, "part_detached", "mutt", "the next run drops it; its rows are in the archive alone"),
    Point(51, "part_dropped", "mutt", RUN_AGAIN),
    Point(49, "rows_archived", "mutt", "the rows are still there, what was written is discarded"),
    Point(51, "rows_deleted", "mutt", RUN_AGAIN),
    Point(51, "archive_discarded", "mutt", "an archive past its years is gone; the next run notes it"),
)
LOGINS = (
    Point(52, "next_login_stored", "mutt", "the login in use opens, the next one not yet"),
    Point(53, "next_login_made", "mutt", "both open, the one in use is taken"),
    Point(54, "logins_switched", "mutt", "both open, the next one is taken"),
)
KEYS = (Point(55, "key_made", "mutt", "the key made is not known to anybody, the older one works"),)
PAUSES = (
    Point(56, "pause_wanted", "match", "the desired set is rebuilt; nothing is skipped"),
    Point(57, "pauses_untold", "match", "the desired set is rebuilt; nothing is skipped"),
    Point(58, "assigned", "match", "the desired set is rebuilt; nothing is skipped"),
)

POINTS = {point.name: point for point in (*MATCH, *FORWARD, *LETTERS, *CONFIG, *RETENTION, *LOGINS, *KEYS, *PAUSES)}
