"""`mutt parse`: raw syslog lines in, one JSON object a line out. Needs no server."""

from __future__ import annotations

from typing import Annotated

import typer


def parse(
    file: Annotated[str, typer.Argument(metavar="[FILE|-]", help="Raw lines; - is standard input.")] = "-",
) -> None:
    """Read raw syslog lines (RFC 5424, RFC 3164, or neither) and print one JSON object a line.

    Each object has the event's fields, `format` (rfc5424, rfc3164 or other), `event_time` where the line names an
    instant, and `flags` where something is unusual; or `error` and `detail` where the line holds no event. The output
    is printable ASCII: whatever else a line holds is escaped.
    """
    from ops.cli.parsed_lines import write_parsed

    write_parsed(file)
