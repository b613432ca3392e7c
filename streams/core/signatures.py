"""Signatures of unmatched events: host and message without its ids, counted in windows, bounded per partition.

Numbers and ids do not count, so that a changing id cannot hide a storm. The first sighting of a signature stays in
memory; from the second on it has a row (docs/adr/0009-unhandled-signatures.md says what that trades).
"""

from __future__ import annotations

import re
import struct
from collections.abc import Mapping, Sequence
from functools import cached_property
from hashlib import blake2b
from itertools import chain, islice

from msgspec import Struct
from msgspec.structs import replace

TEMPLATE_CHARACTERS = 512
"""The signature looks at this much of a message."""

BOOK_LIMIT = 2000
"""Signatures remembered per partition; beyond it the longest unseen is forgotten."""

ID = re.compile(
    r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"  # UUID
    r"|(?<![A-Za-z0-9])0[xX][0-9a-fA-F]+"
    r"|(?<![A-Za-z0-9])[0-9a-fA-F]{8,}(?![A-Za-z0-9])"  # hash, address, long hexadecimal id
    r"|(?<![A-Za-z0-9])(?=[a-fA-F]*[0-9])[0-9a-fA-F]+(?![A-Za-z0-9])"  # short hexadecimal with a digit in it
    r"|[0-9]+"
)
"""Numbers and ids of messages, which no signature looks at."""
SAMPLE_CHARACTERS = 200
"""Of a message that are kept to be shown."""

_INT64 = struct.Struct(">q").unpack
_ID_BYTES = b"0123456789abcdefABCDEF:.-"


class SignaturePolicy(Struct, frozen=True):
    """When a signature becomes a meta-alert: `threshold` events within `window_s` seconds, once per window."""

    threshold: int = 100
    window_s: int = 86400


class Seen(Struct, gc=False):
    """What is known of one signature. Times are ms since the epoch, of the broker."""

    hostname: str
    template: str
    sample: str
    count: int
    started: int
    last: int
    alerted: bool = False

    @property
    def has_row(self) -> bool:
        """Whether it is stored, as long as the book keeps it."""
        return self.count > 1 or self.alerted


def mask(message: str) -> str:
    """The message with every number and id shown as `#`, cut to TEMPLATE_CHARACTERS."""
    return ID.sub("#", message[:TEMPLATE_CHARACTERS])


def signature(hostname: str, message: str) -> int:
    """A signed 64-bit hash of the host and the message's skeleton: its text without any hexadecimal digit or separator.

    Whatever can be part of a number, address, MAC, UUID or hexadecimal id is left out whole, so ids of every shape
    and length fall together; two messages that differ in the letters a to f alone do too. It runs for every unmatched
    event, so it is one pass of `bytes.translate` and one short hash.
    """
    try:
        host, text = hostname.encode(), message[:TEMPLATE_CHARACTERS].encode()
    except UnicodeEncodeError:
        host, text = (part.encode("utf-8", "surrogatepass") for part in (hostname, message[:TEMPLATE_CHARACTERS]))
    skeleton = host + b"\0" + text.translate(None, _ID_BYTES)
    return _INT64(blake2b(skeleton, digest_size=8).digest())[0]  # type: ignore[no-any-return]


def signatures(hostnames: Sequence[str], messages: Sequence[str]) -> list[int]:
    """`signature` of each pair, at half its cost, where no message holds a line feed and all texts can be encoded."""
    cut = "\n".join([message[:TEMPLATE_CHARACTERS] for message in messages])
    texts = cut.encode().translate(None, _ID_BYTES).split(b"\n")
    skeletons = map(b"%b\0%b".__mod__, zip(map(str.encode, hostnames), texts, strict=False))
    hashes = b"".join([blake2b(skeleton, digest_size=8).digest() for skeleton in skeletons])
    return list(struct.unpack(f">{len(hostnames)}q", hashes))


class SignatureBook:
    """The signatures one partition has seen, least recently seen first. Changed only by applying a draft."""

    def __init__(self, entries: Mapping[int, Seen] | None = None, *, limit: int = BOOK_LIMIT) -> None:
        self.entries: dict[int, Seen] = dict(entries or {})
        self.limit = limit

    def draft(self) -> SignatureDraft:
        return SignatureDraft(self)

    def apply(self, draft: SignatureDraft) -> None:
        """Makes a committed draft the state."""
        evicted = draft.evicted
        for key in self.entries.keys() & draft.changed.keys():
            del self.entries[key]
        self.entries.update(draft.changed)
        for key in evicted:
            del self.entries[key]


class SignatureDraft:
    """What one batch adds to a book; thrown away if the batch does not commit."""

    def __init__(self, book: SignatureBook) -> None:
        self._book = book
        self.changed: dict[int, Seen] = {}

    def observe(self, key: int, hostname: str, message: str, at: int, policy: SignaturePolicy) -> Seen | None:
        """Counts one event at `at` (ms). Returns the signature when this event crosses the threshold."""
        seen = self.changed.get(key)
        if seen is None:
            known = self._book.entries.get(key)
            if known is None and policy.threshold > 1:
                self.changed[key] = Seen(hostname, "", "", 1, at, at)
                return None
            seen = self.changed[key] = replace(known) if known else Seen(hostname, "", "", 0, at, at)
        if at - seen.started > policy.window_s * 1000:
            seen.count, seen.started, seen.alerted = 0, at, False
        seen.count += 1
        seen.last = at
        if seen.count == 2 or (not seen.template and seen.count > 1):
            seen.template = mask(message)
            seen.sample = message[:SAMPLE_CHARACTERS]
        if seen.count >= policy.threshold and not seen.alerted:
            seen.alerted = True
            seen.template = seen.template or mask(message)
            seen.sample = seen.sample or message[:SAMPLE_CHARACTERS]
            return seen
        return None

    @cached_property
    def evicted(self) -> list[int]:
        """Signatures to forget so that the book keeps its limit: the longest unseen, this batch's last.

        Asked for when the whole batch is observed, and before the draft is applied: it is worked out once.
        """
        entries, changed = self._book.entries, self.changed
        surplus = len(entries) + len(changed) - len(changed.keys() & entries.keys()) - self._book.limit
        if surplus <= 0:
            return []
        unseen = (key for key in entries if key not in changed)
        return list(islice(chain(unseen, changed), surplus))

    def rows(self) -> dict[int, Seen]:
        """What to store: changed signatures seen more than once, or alerted, that stay."""
        gone = set(self.evicted)
        return {key: seen for key, seen in self.changed.items() if seen.has_row and key not in gone}

    def deletions(self) -> list[int]:
        """Stored signatures to delete."""
        known = self._book.entries
        return [key for key in self.evicted if (seen := known.get(key)) and seen.has_row]
