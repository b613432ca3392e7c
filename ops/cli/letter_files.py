"""Dead letters as files: JSON Lines, bytes as base64; a file is whole and on the disk, or not there."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

from schemas.errors import Refused
from streams.adapters.letter_desk import Archive
from streams.core.letter_documents import letter_json
from streams.core.replay import StoredLetter


def export_line(stored: StoredLetter) -> str:
    """One letter, a line of JSON: key, value, headers and the edited value as base64, null where they are null."""
    letter = stored.letter
    body: Mapping[str, Any] = letter_json(stored) | {
        "key": _base64(letter.key),
        "value": _base64(letter.value),
        "edited_value": _base64(stored.edited_value),
        "headers": [[_base64(name), _base64(value)] for name, value in letter.headers],
    }
    return json.dumps(body, ensure_ascii=True, separators=(",", ":"))


def _base64(data: bytes | None) -> str | None:
    return None if data is None else base64.b64encode(data).decode()


class LetterFile:
    """Implements Keeper: a new file, compressed where its name ends in .gz. Left without `seal`, nothing remains."""

    def __init__(self, path: Path) -> None:
        """Raises Refused when the file is there already."""
        if path.exists():
            raise Refused(f"{path} is there already; it is not overwritten")
        self.path = path
        self.letters = 0
        self._part = path.with_name(f".{path.name}.{os.getpid()}.part")
        self._raw: IO[bytes]
        self._out: IO[bytes]
        self._sealed = False

    def __enter__(self) -> Self:
        self._raw = os.fdopen(os.open(self._part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")
        self._out = gzip.GzipFile(fileobj=self._raw, mode="wb", mtime=0) if self.path.suffix == ".gz" else self._raw  # type: ignore[assignment]
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if not self._sealed:
            self._raw.close()
            self._part.unlink(missing_ok=True)

    def keep(self, stored: StoredLetter) -> None:
        self._out.write(export_line(stored).encode() + b"\n")
        self.letters += 1

    def seal(self) -> Archive:
        """Puts the file in its place, safe on the disk. Raises OSError; Refused when another took the place."""
        if self._out is not self._raw:
            self._out.close()
        self._raw.flush()
        os.fsync(self._raw.fileno())
        self._raw.close()
        try:
            os.link(self._part, self.path)  # unlike a rename it never replaces a file
        except FileExistsError:
            raise Refused(f"{self.path} is there already; it is not overwritten") from None
        self._part.unlink()
        self._sealed = True
        _sync_folder(self.path.parent)
        return Archive(str(self.path.resolve()), _sha256(self.path))


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
