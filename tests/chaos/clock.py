"""A clock that is off: libfaketime (package `faketime`) shows it to the programs that are started with it."""

from __future__ import annotations

from pathlib import Path

_LIBRARIES = sorted(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))
NO_CLOCK = None if _LIBRARIES else "libfaketime is not installed (package faketime)"
"""Why no clock can be set, where none can."""


class Clock:
    """What programs see that were started with its environment; monotonic time is real. Read from a file below."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "clock"
        self.shows(0)

    def shows(self, offset_s: float) -> None:
        """From now on, so many seconds from the real time."""
        new = self._file.with_suffix(".new")
        new.write_text(f"{offset_s:+.0f}\n")
        new.replace(self._file)

    @property
    def environment(self) -> dict[str, str]:
        return {
            "LD_PRELOAD": str(_LIBRARIES[0]), "FAKETIME_TIMESTAMP_FILE": str(self._file), "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1", "FAKETIME_FORCE_MONOTONIC_FIX": "0",
        }  # fmt: skip
