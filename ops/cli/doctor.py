"""`mutt doctor`: whether Kafka and PostgreSQL are as mutt relies on them to be."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated, cast

import typer

from ops.cli.exits import Exit, printable

if TYPE_CHECKING:
    from asyncpg import Connection

    from streams.core.health_checks import Finding


def doctor(as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False) -> None:
    """Check the settings and the state of Kafka and PostgreSQL that mutt relies on; exit 1 when something is wrong."""
    from streams.core.health_checks import Verdict

    findings = asyncio.run(_examine())
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


async def _examine() -> list[Finding]:
    from ops.cli.connections import brokers_of, database, settings_from_environment
    from streams.adapters.health_readings import read_positions, read_postgres, read_topics
    from streams.core.health_checks import judge_positions, judge_postgres, judge_topics

    settings = settings_from_environment()
    async with database(settings) as pool:
        async with pool.acquire() as connection:
            store = await read_postgres(cast("Connection", connection))
        findings = [*judge_postgres(store), *judge_topics(await read_topics(brokers_of(settings)))]
        if not store.pending:
            findings += judge_positions(await read_positions(pool, brokers_of(settings)))
    return findings
