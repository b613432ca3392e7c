"""The help of both programs comes at once: what a command needs is imported when it is called."""

from __future__ import annotations

import subprocess
import sys

import pytest

LATE = {
    "aiokafka", "aiohttp", "api", "asyncio", "asyncpg", "faust", "hvac", "hyperscan", "jinja2", "prometheus_client",
    "requests", "starlette", "streams.adapters", "streams.app", "structlog", "yaml",
}  # fmt: skip


@pytest.mark.parametrize("program", ["mutt", "muttdev"])
def test_help_imports_no_library_of_a_command(program: str) -> None:
    script = (
        f"import sys; sys.argv = ['{program}', '--help']\n"
        f"from ops.cli import {program}\n"
        f"try: {program}.main()\n"
        "finally: print(*sys.modules, file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert "Usage:" in done.stdout
    assert LATE & set(done.stderr.split()) == set()
