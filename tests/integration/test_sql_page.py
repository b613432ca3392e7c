"""docs/SQL.md is what a migrated database says of itself."""

from __future__ import annotations

from ops.documents import sql
from tests.architecture.documents import ROOT
from tests.integration.conftest import Database


async def test_the_page_is_what_the_database_says(database: Database) -> None:
    async with database.pool.acquire() as connection:
        found = await sql.tables(connection)
    assert (ROOT / "docs" / "SQL.md").read_text() == sql.document(found), "run: python -m ops.documents write SQL.md"
