"""`mutt api openapi`: the committed copy, again."""

from __future__ import annotations

from tests.api.test_documentation import COPY
from tests.programs import bare_environment, run


def test_the_command_writes_the_committed_copy() -> None:
    done = run("mutt", "api", "openapi", environment=bare_environment())
    assert (done.returncode, done.stdout) == (0, COPY.read_bytes())
