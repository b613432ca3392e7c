"""`mutt doctor`: whether Kafka and PostgreSQL are as mutt relies on them to be."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from ops.cli.awaited import awaited
from ops.cli.exits import Exit, printable

if TYPE_CHECKING:
    from streams.core.health_checks import Finding


def doctor(
    security: Annotated[
        bool, typer.Option("--security", help="Only what is unsafe about the settings; no server is asked.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """Check the settings and the state of Kafka and PostgreSQL that mutt relies on; exit 1 when something is wrong."""
    from streams.core.health_checks import Verdict

    findings = _security() if security else awaited(_examine())
    ok = all(finding.verdict is not Verdict.WRONG for finding in findings)
    if as_json:
        import msgspec

        typer.echo(msgspec.json.encode({"ok": ok, "findings": findings}))
    else:
        for finding in findings:
            remedy = f"; {finding.remedy}" if finding.remedy else ""
            typer.echo(printable(f"{finding.verdict:8} {finding.subject}: {finding.says}{remedy}"))
    if not ok:
        raise typer.Exit(Exit.CHECK_FAILED)


def _security() -> list[Finding]:
    """As every service of these settings would see it at its start."""
    from ops.cli.connections import settings_from_environment
    from schemas.secret_names import Service
    from streams.core.safety import judge_safety
    from streams.safe_start import surroundings_of

    settings = settings_from_environment()
    return judge_safety(settings, surroundings_of(settings), Service)


async def _examine() -> list[Finding]:
    from ops.cli.connections import brokers_of, database, settings_from_environment
    from streams.adapters.system import examine

    settings = settings_from_environment()
    async with database(settings) as pool:
        return (await examine(pool, brokers_of(settings)))[0]
