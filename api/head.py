"""The head of a request by names: read once, since every request comes through here."""

from __future__ import annotations

from collections.abc import Iterable


class Head(dict[bytes, list[bytes]]):
    """The headers of one request: names in lower case, as ASGI gives them, and every value that was given."""

    def __init__(self, raw: Iterable[tuple[bytes, bytes]]) -> None:
        super().__init__()
        for name, value in raw:
            self.setdefault(name, []).append(value)

    def all(self, name: bytes) -> list[str]:
        return [value.decode("latin-1") for value in self.get(name, ())]

    def first(self, name: bytes) -> str | None:
        return self[name][0].decode("latin-1") if name in self else None

    def only(self, name: bytes) -> str | None:
        """None, too, where it is given more than once."""
        return self.first(name) if len(self.get(name, ())) == 1 else None
