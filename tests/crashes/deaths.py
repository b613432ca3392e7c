"""The points at which programs have died in this process, in order."""

from __future__ import annotations

met: list[str] = []
