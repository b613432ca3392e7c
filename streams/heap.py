"""How the C library keeps the memory of this process."""

from __future__ import annotations

import ctypes
import sys

_M_ARENA_MAX = -8
"""mallopt(3), glibc."""
ARENAS = 2


def share_arenas() -> None:
    """Threads share few arenas: what one of them freed is there for the others, and does not lie beside it.

    To be called before threads begin. Records are unpacked in one thread and worked on in another: with an arena for
    each a worker that reads a gigabyte of bombs held half as much memory again. Does nothing where there is no glibc.
    """
    if sys.platform == "linux" and hasattr(library := ctypes.CDLL(None), "mallopt"):
        library.mallopt(_M_ARENA_MAX, ARENAS)
