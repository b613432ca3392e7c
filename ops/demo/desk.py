"""What an operator does in the demonstration: `mutt` commands, and changes of the dynamic configuration."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import Any

from ops.cli.connections import database
from ops.devstack.processes import StackFailed
from ops.devstack.stack import Stack
from streams.adapters.config_store import ConfigStore
from streams.adapters.transactions import Transactions
from streams.core.authors import Author

COMMAND_WITHIN_S = 60.0
ACTOR = "demo"


class Operator:
    """At the desk of a started stack."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack

    async def command(self, *arguments: str) -> dict[str, Any]:
        """Runs a `mutt` command and reads the JSON it prints; it never outlives this call. Raises StackFailed."""
        process = await asyncio.create_subprocess_exec(
            *self._stack.mutt(*arguments),
            env=self._stack.environment(),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        try:
            async with asyncio.timeout(COMMAND_WITHIN_S):
                out, err = await process.communicate()
        except TimeoutError:
            raise StackFailed(f"mutt {arguments[0]} {arguments[1]} does not end") from None
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        if process.returncode:
            raise StackFailed(
                f"mutt {arguments[0]} {arguments[1]} ended with {process.returncode}: {err.decode()[-500:]}"
            )
        answer: dict[str, Any] = json.loads(out.splitlines()[-1])
        return answer

    async def configure(self, changes: Mapping[str, str | None], reason: str) -> None:
        """Changes keys of the dynamic configuration; None takes one back to its default.

        Workers follow within a second, and the audit names us (I8).
        """
        async with database(self._stack.settings, size=1) as pool:
            await ConfigStore(Transactions(pool)).change(changes, Author(ACTOR, reason))
