"""Archives: compressed files of JSON lines, each with its manifest; under its name a file is whole and on the disk."""

from __future__ import annotations

import gzip
import hashlib
import os
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

import msgspec
from msgspec import Struct

from schemas.errors import ArchiveDamaged, Refused
from streams import crash

FORMAT = 1
SIDE = "restored_"
"""What the name of a table begins with that an archive was put back into."""
_SUFFIX, _MANIFEST = ".ndjson.gz", ".manifest.json"
_COMPRESSION = 6


class Manifest(Struct, frozen=True, kw_only=True):
    """What an archive holds. Times are RFC 3339, sums hexadecimal SHA-256."""

    format: int = FORMAT
    name: str
    kind: str
    """The table its rows are of."""
    part: str | None
    schema_version: int
    """The migration that the database was at."""
    columns: list[str]
    rows: int
    first_key: list[Any] | None
    last_key: list[Any] | None
    low: str
    """Rows have their time from here on ..."""
    high: str
    """... and before this."""
    bytes: int
    sha256: str
    """Of the file."""
    content_sha256: str
    """Of its lines, uncompressed."""
    created_at: str


@dataclass(frozen=True, slots=True)
class Sealed:
    """A file that is in its place."""

    rows: int
    size: int
    sha256: str
    content_sha256: str
    first: bytes | None
    """The first line, None where there is none."""
    last: bytes | None

    def ends(self, key: Sequence[str]) -> tuple[list[Any] | None, list[Any] | None]:
        """The keys of the first and the last row."""
        return _key(self.first, key), _key(self.last, key)


class ArchiveFolder:
    """A folder of archives. Errors of the file system leave as OSError, what is no archive as ArchiveDamaged."""

    def __init__(self, path: Path) -> None:
        """Raises Refused where there is no such folder, or everybody may write to it."""
        if not path.is_dir():
            raise Refused(f"{path} is no folder; archives go there (MUTT_ARCHIVE_DIR)")
        if path.stat().st_mode & 0o002:
            raise Refused(f"everybody may write to {path}; archives are only as safe as their folder (chmod o-w)")
        self.path = path

    def file(self, name: str) -> Path:
        return self.path / (name + _SUFFIX)

    def manifest_file(self, name: str) -> Path:
        return self.path / (name + _MANIFEST)

    def writer(self, name: str) -> ArchiveWriter:
        """Raises Refused where a file of that name is there."""
        return ArchiveWriter(self.file(name), self._part(name))

    def discard(self, name: str) -> None:
        """Takes away what there is of an archive, whole or in parts; the file last, so that it can be said again."""
        for file in (self.manifest_file(name), self._part(name), self.file(name)):
            file.unlink(missing_ok=True)
        _sync(self.path)

    def describe(self, manifest: Manifest) -> None:
        """Puts the manifest beside its file, which is in its place."""
        file = self.manifest_file(manifest.name)
        part = file.with_name(f".{file.name}.part")
        body = msgspec.json.format(msgspec.json.encode(manifest), indent=2) + b"\n"
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as out:
            out.write(body)
            out.flush()
            os.fsync(out.fileno())
        part.replace(file)
        _sync(self.path)

    def manifest(self, name: str) -> Manifest:
        """Raises ArchiveDamaged where there is none that can be read."""
        try:
            return msgspec.json.decode(self.manifest_file(name).read_bytes(), type=Manifest)
        except FileNotFoundError:
            raise ArchiveDamaged(f"{self.manifest_file(name).name} is missing") from None
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise ArchiveDamaged(f"{self.manifest_file(name).name} is no manifest: {error}") from error

    def verify(self, manifest: Manifest) -> None:
        """Reads the whole file back. Raises ArchiveDamaged with what does not fit its manifest."""
        file = self.file(manifest.name)
        if not file.is_file():
            raise ArchiveDamaged(f"{file.name} is missing")
        if (size := file.stat().st_size) != manifest.bytes:
            raise ArchiveDamaged(f"{file.name} has {size} bytes, its manifest says {manifest.bytes}")
        if file_sha256(file) != manifest.sha256:
            raise ArchiveDamaged(f"{file.name} is not the file that was written: its SHA-256 is another")
        rows, content = _contents(self.lines(manifest.name))
        if (rows, content) != (manifest.rows, manifest.content_sha256):
            raise ArchiveDamaged(f"{file.name} holds {rows} rows, or others than its {manifest.rows}")

    def lines(self, name: str) -> Iterator[bytes]:
        """The lines of an archive, each with its end. Raises ArchiveDamaged."""
        try:
            with gzip.open(self.file(name), "rb") as lines:
                yield from lines
        except (gzip.BadGzipFile, EOFError, zlib.error) as error:
            raise ArchiveDamaged(f"{self.file(name).name}: {error}") from error

    def names(self) -> set[str]:
        """Archives that have a file here, or a manifest."""
        files = [file.name for file in self.path.iterdir() if not file.name.startswith(".")]
        return {file.removesuffix(end) for file in files for end in (_SUFFIX, _MANIFEST) if file.endswith(end)}

    def _part(self, name: str) -> Path:
        return self.path / f".{name}{_SUFFIX}.part"


class ArchiveWriter:
    """A new file under a temporary name; `seal` gives it its own. Left without it, nothing of that name is there."""

    def __init__(self, path: Path, part: Path) -> None:
        if path.exists():
            raise Refused(f"{path.name} is there already and no archive of this database; move it away")
        self._path = path
        self._part = part
        self._rows = 0
        self._first: bytes | None = None
        self._last: bytes | None = None
        self._content = hashlib.sha256()
        self._raw: IO[bytes]
        self._out: gzip.GzipFile

    def __enter__(self) -> Self:
        self._raw = os.fdopen(os.open(self._part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb")
        self._out = gzip.GzipFile(fileobj=self._raw, mode="wb", mtime=0, compresslevel=_COMPRESSION)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._raw.close()
        self._part.unlink(missing_ok=True)

    def add(self, rows: Iterable[str]) -> None:
        """Rows as JSON; an end of line can stand between its tokens alone, where a space does as well."""
        lines = [row.replace("\n", " ").encode() + b"\n" for row in rows]
        if lines:
            self._first, self._last = self._first or lines[0], lines[-1]
        data = b"".join(lines)
        self._out.write(data)
        self._content.update(data)
        self._rows += len(lines)

    def seal(self) -> Sealed:
        """Puts the file in its place, safe on the disk."""
        self._out.close()
        self._raw.flush()
        os.fsync(self._raw.fileno())
        crash.here("archive_unnamed")
        self._part.replace(self._path)
        _sync(self._path.parent)
        size, digest = self._path.stat().st_size, file_sha256(self._path)
        return Sealed(self._rows, size, digest, self._content.hexdigest(), self._first, self._last)


def file_sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _contents(lines: Iterable[bytes]) -> tuple[int, str]:
    """How many lines there are, and the SHA-256 of all."""
    digest, rows = hashlib.sha256(), 0
    for line in lines:
        digest.update(line)
        rows += 1
    return rows, digest.hexdigest()


def _key(line: bytes | None, key: Sequence[str]) -> list[Any] | None:
    if line is None:
        return None
    row = msgspec.json.decode(line)
    return [row[name] for name in key]


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
