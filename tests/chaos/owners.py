"""Whose a connection is: from which ports a process calls a server, as Linux tells them."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path


def calls(pid: int, server: int, port: int) -> bool:
    """Whether the process calls the server on loopback that listens at one port from the other."""
    return port in ports(pid, server)


def ports(pid: int, server: int) -> frozenset[int]:
    """From which the process calls; none where it is gone."""
    sockets = set()
    with suppress(OSError):
        for descriptor in Path(f"/proc/{pid}/fd").iterdir():
            with suppress(OSError):
                sockets.add(str(descriptor.readlink()))
    lines = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return frozenset(_port(line[1]) for line in lines if _port(line[2]) == server and f"socket:[{line[9]}]" in sockets)


def _port(address: str) -> int:
    return int(address.rpartition(":")[2], 16)
