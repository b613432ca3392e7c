"""The head of a request by names: read once, since every request comes through here."""

from __future__ import annotations

from collections.abc import Iterable


class Head:
    """What the headers of one request say. Names are bytes in lower case, as ASGI gives them; values are text."""

    def __init__(self, raw: Iterable[tuple[bytes, bytes]]) -> None:
        self._values: dict[bytes, list[bytes]] = {}
        for name, value in raw:
            self._values.setdefault(name, []).append(value)

    def __contains__(self, name: bytes) -> bool:
        return name in self._values

    def all(self, name: bytes) -> list[str]:
        return [value.decode("latin-1") for value in self._values.get(name, ())]

    def first(self, name: bytes) -> str | None:
        given = self._values.get(name)
        return given[0].decode("latin-1") if given else None

    def only(self, name: bytes) -> str | None:
        """None, too, where it is given more than once."""
        given = self._values.get(name)
        return given[0].decode("latin-1") if given and len(given) == 1 else None
