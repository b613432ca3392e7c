"""Files of archives: whole under their name or not there, and what is not what was written is noticed."""

from __future__ import annotations

import gzip
from pathlib import Path

import msgspec
import pytest

from schemas.errors import ArchiveDamaged, Refused
from streams.adapters.archives import ArchiveFolder, Manifest, Sealed

NAME = "audit_2026_01"


@pytest.fixture
def folder(tmp_path: Path) -> ArchiveFolder:
    return ArchiveFolder(tmp_path)


def write(folder: ArchiveFolder, *rows: str) -> Manifest:
    with folder.writer(NAME) as writer:
        writer.add(rows[:1])
        writer.add(rows[1:])
        sealed = writer.seal()
    folder.describe(manifest := described(sealed))
    return manifest


def described(sealed: Sealed) -> Manifest:
    first, last = sealed.ends(("id",))
    return Manifest(
        name=NAME, kind="audit", part=NAME, schema_version=12, columns=["id"], rows=sealed.rows, first_key=first,
        last_key=last, low="", high="", bytes=sealed.size, sha256=sealed.sha256, content_sha256=sealed.content_sha256,
        created_at="",
    )  # fmt: skip


def test_what_was_written_is_read_back(folder: ArchiveFolder) -> None:
    manifest = write(folder, '{"id":1}', '{"id":\n2}', '{"id":3}')
    folder.verify(manifest)
    assert folder.manifest(NAME) == manifest
    assert (manifest.rows, manifest.first_key, manifest.last_key) == (3, [1], [3])
    assert list(folder.lines(NAME)) == [b'{"id":1}\n', b'{"id": 2}\n', b'{"id":3}\n']
    assert folder.names() == {NAME}
    folder.discard(NAME)
    folder.discard(NAME)
    assert list(folder.path.iterdir()) == []


def test_an_empty_partition_has_an_archive_too(folder: ArchiveFolder) -> None:
    manifest = write(folder)
    folder.verify(manifest)
    assert (manifest.rows, manifest.first_key) == (0, None)


def test_what_is_not_sealed_leaves_nothing(folder: ArchiveFolder) -> None:
    with folder.writer(NAME) as writer:
        writer.add(["{}"])
    assert list(folder.path.iterdir()) == []


def test_a_file_that_is_there_is_not_overwritten(folder: ArchiveFolder) -> None:
    write(folder, '{"id":1}')
    with pytest.raises(Refused, match="there already"):
        folder.writer(NAME)


def test_a_folder_that_everybody_may_write_to_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0o777)
    with pytest.raises(Refused, match="everybody"):
        ArchiveFolder(tmp_path)
    with pytest.raises(Refused, match="no folder"):
        ArchiveFolder(tmp_path / "none")


def test_every_changed_bit_is_noticed(folder: ArchiveFolder) -> None:
    manifest = write(folder, *(f'{{"id":{number}}}' for number in range(20)))
    file = folder.file(NAME)
    good = file.read_bytes()
    for place in range(len(good)):
        file.write_bytes(good[:place] + bytes([good[place] ^ 1]) + good[place + 1 :])
        with pytest.raises(ArchiveDamaged):
            folder.verify(manifest)
    file.write_bytes(good)
    folder.verify(manifest)


def test_other_rows_under_the_same_sum_of_the_file_are_noticed(folder: ArchiveFolder) -> None:
    manifest = write(folder, '{"id":1}')
    for wrong in (
        msgspec.structs.replace(manifest, rows=2),
        msgspec.structs.replace(manifest, content_sha256="0" * 64),
    ):
        with pytest.raises(ArchiveDamaged, match="rows"):
            folder.verify(wrong)


@pytest.mark.parametrize(
    "data", [b"", b"no gzip", gzip.compress(b"{}\n" * 1000, mtime=0)[:-5]], ids=["empty", "no gzip", "cut"]
)
def test_what_is_no_archive_is_no_traceback(folder: ArchiveFolder, data: bytes) -> None:
    folder.file(NAME).write_bytes(data)
    if data:
        with pytest.raises(ArchiveDamaged):
            list(folder.lines(NAME))
    with pytest.raises(ArchiveDamaged, match="missing"):
        folder.manifest(NAME)
