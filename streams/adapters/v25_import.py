"""Puts rules, hosts and teams of MUTT 2.5 into the tables: one transaction, audited; what is there stays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from schemas.rules import Rule
from streams.adapters.rules import export_rules, import_rules, missing
from streams.adapters.transactions import sign
from streams.core.authors import Author

_HOSTS = """
INSERT INTO development_hosts (hostname) SELECT unnest($1::text[])
ON CONFLICT (hostname) DO NOTHING RETURNING hostname
"""
_TEAMS = """
INSERT INTO device_teams (hostname, team_assignment) SELECT * FROM unnest($1::text[], $2::text[])
ON CONFLICT (hostname) DO NOTHING RETURNING hostname
"""


class Added(NamedTuple):
    """How many were not there yet."""

    rules: int
    hosts: int
    teams: int


async def kept_teams(connection: Any, teams: Mapping[str, str]) -> dict[str, str]:
    """The hosts among these that have another team already: theirs stays."""
    rows = await connection.fetch(
        "SELECT hostname, team_assignment FROM device_teams WHERE hostname = ANY($1::text[])", list(teams)
    )
    found = {row["hostname"]: row["team_assignment"] for row in rows}
    return {host: team for host, team in found.items() if team != teams[host]}


async def would_add(connection: Any, rules: Sequence[Rule], hosts: Sequence[str], teams: Mapping[str, str]) -> Added:
    """What `add` would add now; changes nothing."""
    there = await connection.fetchval(
        "SELECT count(*) FROM development_hosts WHERE hostname = ANY($1::text[])", list(hosts)
    )
    with_team = await connection.fetchval(
        "SELECT count(*) FROM device_teams WHERE hostname = ANY($1::text[])", list(teams)
    )
    new = missing(rules, await export_rules(connection))
    return Added(len(new), len(set(hosts)) - there, len(teams) - with_team)


async def add(
    connection: Any, rules: Sequence[Rule], hosts: Sequence[str], teams: Mapping[str, str], author: Author
) -> Added:
    """Adds what is not there, all or none. The rules must have passed `check_patterns`."""
    async with connection.transaction():
        imported = await import_rules(connection, rules, author)
        await sign(connection, author)
        new_hosts = await connection.fetch(_HOSTS, list(dict.fromkeys(hosts)))
        new_teams = await connection.fetch(_TEAMS, list(teams), list(teams.values()))
    return Added(imported.added, len(new_hosts), len(new_teams))
