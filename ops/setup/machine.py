"""What a machine must have; what was read is judged, one line a fact."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ops.devstack.layout import free_port

GIB = 1024**3
PYTHON = (3, 11)
CORES = 2
MEMORY = 2 * GIB
DISK = 2 * GIB


@dataclass(frozen=True, slots=True)
class Machine:
    """What it has; memory and disk in bytes, None where the system does not say."""

    python: tuple[int, ...]
    cores: int
    memory: int | None
    disk: int
    taken: tuple[int, ...]
    """Ports that are wanted and in use."""


@dataclass(frozen=True, slots=True)
class Fact:
    """One thing that was looked at."""

    name: str
    says: str
    ok: bool
    needed: bool = True
    """False: mutt may work all the same."""


def read(home: Path, ports: tuple[int, ...] = ()) -> Machine:
    """This machine. `ports`: on loopback, that must be free."""
    there = next(folder for folder in (home, *home.parents) if folder.exists())
    return Machine(
        python=tuple(sys.version_info[:3]),
        cores=len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1,
        memory=_memory(),
        disk=shutil.disk_usage(there).free,
        taken=tuple(port for port in ports if free_port(port) != port),
    )


def _memory() -> int | None:
    """Of the machine."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (ValueError, OSError):
        return None


def judged(machine: Machine) -> Iterator[Fact]:
    """Each fact with what would be enough."""
    version = ".".join(map(str, machine.python))
    wanted = ".".join(map(str, PYTHON))
    yield Fact("python", f"{version}; needs {wanted} or newer", machine.python >= PYTHON)
    yield Fact("cores", f"{machine.cores}; {CORES} or more are good", machine.cores >= CORES, needed=False)
    if machine.memory is not None:
        enough = machine.memory >= MEMORY
        yield Fact("memory", f"{machine.memory / GIB:.1f} GiB; {MEMORY // GIB} or more are good", enough, needed=False)
    yield Fact("disk", f"{machine.disk / GIB:.1f} GiB free; needs {DISK // GIB}", machine.disk >= DISK)
    taken = ", ".join(map(str, machine.taken))
    yield Fact("ports", f"{taken}: taken, by mutt itself or by another" if taken else "free", not taken, needed=False)
