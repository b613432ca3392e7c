"""Syslog lines made from the demonstration's message templates, their blanks filled at random."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from random import Random

from ops.demo.fleet import BY_KIND
from ops.demo.messages import MATCHED, UNMATCHED, Template, fill
from schemas.errors import Refused

LOCAL7 = 23


def lines(part: str, count: int, *, seed: int | None = None) -> Iterator[bytes]:
    """RFC 3164 lines of the templates whose text holds `part`, in any case; stamped when they are taken.

    Raises Refused where no template does.
    """
    wanted = [each for each in (*MATCHED, *UNMATCHED) if part.lower() in each.text.lower()]
    if not wanted:
        raise Refused(f"no template holds {part!r}; they stand in ops/demo/messages.py")
    random = Random(seed)  # noqa: S311 - no secret
    return (_line(random, random.choice(wanted)) for _ in range(count))


def _line(random: Random, template: Template) -> bytes:
    host = random.choice(BY_KIND[template.kind]).name
    now = dt.datetime.now(dt.UTC)
    program = f"{template.program}: " if template.program else ""
    head = f"<{LOCAL7 * 8 + template.severity}>{now:%b} {now.day:2} {now:%H:%M:%S} {host} "
    return (head + program + fill(random, template.text)).encode()
