"""What each worker holds of memory and sockets, once a second, into a file that the checker reads."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

EVERY_S = 1.0
RSS_MIB = 250.0
SOCKETS = 200.0
CAPS = {"rss_mib": RSS_MIB, "sockets": SOCKETS}


class Memory:
    """Samples from `start` to `stop`. `pids` tells which worker has which process."""

    def __init__(self, path: Path, pids: Callable[[], Mapping[str, int]]) -> None:
        self.path = path
        self.most: dict[str, float] = dict.fromkeys(CAPS, 0.0)
        self._pids = pids
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="memory", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._ended.set()
        self._thread.join()

    def _run(self) -> None:
        with self.path.open("w", encoding="utf-8") as file:
            while not self._ended.wait(EVERY_S):
                for worker, pid in self._pids().items():
                    with suppress(OSError, StopIteration):  # it has just ended
                        sample = {"rss_mib": _rss_mib(pid), "sockets": float(_sockets(pid))}
                        self.most = {name: max(most, sample[name]) for name, most in self.most.items()}
                        file.write(json.dumps({"at": round(time.time(), 1), "worker": worker} | sample) + "\n")


def _rss_mib(pid: int) -> float:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return round(next(int(line.split()[1]) for line in lines if line.startswith("VmRSS:")) / 1024, 1)


def _sockets(pid: int) -> int:
    found = 0
    for descriptor in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(OSError):
            found += str(descriptor.readlink()).startswith("socket:")
    return found
