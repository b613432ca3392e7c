"""/health of a running API against the same route on nothing but Starlette, both on the API's own server, in turns.

`python -m tests.bench.api_trivial` measures that alone.
"""

from __future__ import annotations

import asyncio
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
from msgspec.structs import replace

from ops.devstack.layout import free_port
from ops.devstack.stack import Stack
from tests.bench.race import cpu_seconds
from tests.integration.api_process import process
from tests.integration.conftest import new_database
from tests.integration.pipeline import until

TARGETS: dict[str, float] = {"api_trivial_over_starlette": 0.8}
TURNS = 20
"""Short ones, so that what else the machine does meets both."""
CLIENTS = 8
BARE = """
import asyncio, sys, uvicorn
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route
from api.server import listen, served

async def health(_):
    return JSONResponse({"status": "healthy", "service": "api", "version": "0"})

app = Starlette(routes=[Route("/health", health)])
asyncio.run(uvicorn.Server(served(app)).serve(sockets=[listen("127.0.0.1", int(sys.argv[1]))]))
"""


@dataclass
class Side:
    """One server, and what its turns took."""

    url: str
    pid: int
    per_s: list[float] = field(default_factory=list)
    cpu_s: float = 0.0
    requests: int = 0

    @property
    def cpu_us(self) -> float:
        """Of one request; it moves less than requests a second where others use the machine."""
        return round(self.cpu_s / self.requests * 1e6, 1)


async def measure(client: aiohttp.ClientSession, base: str, pid: int, *, seconds: float) -> dict[str, float]:
    """Requests a second of both, as a ratio of medians, and the CPU time a request takes on each."""
    with _bare() as (port, bare):
        ours, theirs = Side(f"{base}/health", pid), Side(f"http://127.0.0.1:{port}/health", bare)
        await until(lambda: _answers(client, theirs.url), "bare Starlette answers")
        for _ in range(TURNS):
            for side in (ours, theirs):
                await _turn(client, side, seconds / TURNS)
    return {
        "api_trivial_over_starlette": round(statistics.median(ours.per_s) / statistics.median(theirs.per_s), 3),
        "api_trivial_cpu_us": ours.cpu_us,
        "starlette_trivial_cpu_us": theirs.cpu_us,
    }


async def _turn(client: aiohttp.ClientSession, side: Side, seconds: float) -> None:
    done, used, began = 0, cpu_seconds(side.pid), time.perf_counter()

    async def caller() -> None:
        nonlocal done
        while time.perf_counter() - began < seconds:
            async with client.get(side.url) as answer:
                await answer.read()
            done += 1

    await asyncio.gather(*(caller() for _ in range(CLIENTS)))
    side.per_s.append(done / (time.perf_counter() - began))
    side.cpu_s += cpu_seconds(side.pid) - used
    side.requests += done


@contextmanager
def _bare() -> Iterator[tuple[int, int]]:
    """Its port and process id."""
    port = free_port()
    child = subprocess.Popen([sys.executable, "-c", BARE, str(port)], env=os.environ | {"PYTHONPATH": os.getcwd()})
    try:
        yield port, child.pid
    finally:
        child.kill()
        child.wait()


async def _answers(client: aiohttp.ClientSession, url: str) -> bool:
    try:
        async with client.get(url) as answer:
            return answer.status == 200
    except aiohttp.ClientError:
        return False


async def _alone(home: Path) -> dict[str, float]:
    stack = Stack(home)
    try:
        stack.start_postgres()
        database = await new_database(stack)
        with process(replace(database.settings, api_port=free_port())) as (port, child):
            async with aiohttp.ClientSession() as client:
                return await measure(client, f"http://127.0.0.1:{port}", child.pid, seconds=20)
    finally:
        stack.stop_all()
        stack.layout.purge()


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="mutt-bench-") as folder:
        print(asyncio.run(_alone(Path(folder))))
