"""What is to be erased, as it is asked for; and whether a line of an archive still holds it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, field

SHORTEST = 4
"""Characters of a pattern: fewer would stand in everything."""
LONGEST = 200


@dataclass(frozen=True, slots=True)
class Target:
    """Rows of this host, in which this text stands; at least one of both."""

    hostname: str | None = None
    pattern: str | None = field(default=None, repr=False)
    """Found whatever its case; in bytes as they are. No expression."""

    @property
    def pattern_sha256(self) -> bytes | None:
        return None if self.pattern is None else hashlib.sha256(self.pattern.encode()).digest()

    def problems(self) -> Iterator[str]:
        if self.hostname is None and self.pattern is None:
            yield "name a host, a pattern, or both"
        if self.hostname is not None and not 1 <= len(self.hostname) <= 255:
            yield "a host has 1 to 255 characters"
        if self.pattern is not None and not SHORTEST <= len(self.pattern) <= LONGEST:
            yield f"a pattern has {SHORTEST} to {LONGEST} characters"

    def is_in(self, line: bytes) -> bool:
        """Whether a row of an archive, a line of JSON with bytes in hexadecimal, is one of these."""
        row = json.loads(line)
        if self.hostname is not None and row.get("hostname") != self.hostname:
            return False
        if self.pattern is None:
            return True
        text = json.dumps(row, ensure_ascii=False).lower()
        return self.pattern.lower() in text or self.pattern.encode().hex() in text
