"""The receiver's address: refused without being repeated, or a plain URL that leads where it says, and stays so."""

from __future__ import annotations

from schemas.errors import SettingsRefused
from streams.adapters.egress import receiver_url

SCHEMES = ("http", "https")


def check(data: bytes) -> None:
    text = data.decode("utf-8", "surrogateescape")
    try:
        url = receiver_url(text)
    except SettingsRefused as refused:
        _does_not_repeat(str(refused), text)
        return
    written = str(url)
    assert url.scheme in SCHEMES
    assert url.raw_host
    assert url.raw_host.isascii()
    assert not set(url.raw_host) & set(" \t\r\n@#?/\\"), f"the host {url.raw_host!r} is no name"
    assert url.user is None
    assert url.password is None
    assert not url.fragment
    assert written.isascii()
    assert not any(char <= " " or char == "\x7f" for char in written), f"{written!r} holds a blank or control character"
    assert url.port is not None
    assert 0 <= url.port <= 65_535
    again = receiver_url(written)
    assert again.raw_host == url.raw_host, "written and read again it leads elsewhere"
    assert again.raw_path_qs == url.raw_path_qs


def _does_not_repeat(words: str, text: str) -> None:
    assert len(text) < 8 or text not in words, f"{words!r} repeats the address"
