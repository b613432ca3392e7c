"""What `mutt --help` takes beyond the help of a bare Typer application: CPU, so that a busy machine changes little."""

from __future__ import annotations

import asyncio
import resource
import subprocess
import sys
from statistics import median

from tests.bench.arena import Arena
from tests.bench.report import Figures
from tests.bench.sizes import Sizes

BARE = "import typer; app = typer.Typer(name='bare'); app.command('x')(lambda: None); app(['--help'])"
OURS = "from ops.cli.mutt import main; import sys; sys.argv = ['mutt', '--help']; main()"
ROUNDS = 15


async def measure(arena: Arena, sizes: Sizes) -> Figures:
    """Milliseconds of CPU, the median of interleaved starts; the first pair only warms the caches of the disk."""
    pairs = await asyncio.to_thread(lambda: [(_took_ms(BARE), _took_ms(OURS)) for _ in range(ROUNDS + 1)][1:])
    bare, ours = (median(times) for times in zip(*pairs, strict=True))
    return {"help_over_typer_ms": round(ours - bare), "help_ms": round(ours)}


def _took_ms(program: str) -> float:
    before = _cpu_s()
    subprocess.run([sys.executable, "-c", program], stdout=subprocess.DEVNULL, check=True)
    return (_cpu_s() - before) * 1000


def _cpu_s() -> float:
    """Of all processes that we started and that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
