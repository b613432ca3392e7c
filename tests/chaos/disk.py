"""A disk of few MiB, which can be filled and emptied. Needs root, as CI is."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

NO_DISK = None if os.geteuid() == 0 else "mounting a small file system needs root"
"""Why there is no small disk, where there is none."""
_PIECE = b"\0" * (1 << 20)


@dataclass(frozen=True)
class SmallDisk:
    """A file system of its own at `path`, which every user can reach."""

    path: Path

    @property
    def _ballast(self) -> Path:
        return self.path / "ballast"

    def fill(self) -> None:
        """Leaves no room at all."""
        for piece in (_PIECE, b"\0"):
            with suppress(OSError), self._ballast.open("ab", buffering=0) as file:
                while True:
                    file.write(piece)

    def empty(self) -> None:
        """Room again."""
        self._ballast.unlink(missing_ok=True)


@contextmanager
def small_disk(mib: int) -> Iterator[SmallDisk]:
    """Mounted until the block is left; what runs on it must have ended by then."""
    folder = Path(tempfile.mkdtemp(prefix="mutt-disk-"))
    options = f"size={mib}m,mode=755"
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", folder], check=True)
    try:
        yield SmallDisk(folder)
    finally:
        subprocess.run(["umount", folder], check=True)
        folder.rmdir()
