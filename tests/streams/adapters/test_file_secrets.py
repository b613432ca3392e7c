"""Secrets from files, for development."""

from __future__ import annotations

from pathlib import Path

import pytest

from schemas.errors import SettingsRefused
from streams.adapters.secrets import FileSecrets, FileStore
from tests.contracts.secret_store import SecretStoreContract


class Files:
    """Implements World."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.store = FileStore(str(folder))

    def put(self, **values: str) -> None:
        for file in self.folder.iterdir():
            file.unlink()
        for name, value in values.items():
            file = self.folder / name
            file.touch(mode=0o600)
            file.write_text(value)

    def break_off(self) -> None:
        for file in self.folder.iterdir():
            file.chmod(0o644)

    def mend(self) -> None:
        for file in self.folder.iterdir():
            file.chmod(0o600)


class TestFileStore(SecretStoreContract):
    @pytest.fixture
    def world(self, tmp_path: Path) -> Files:
        return Files(tmp_path)


@pytest.mark.parametrize("mode", [0o604, 0o640, 0o666])
def test_a_file_open_to_others_is_refused_by_name(tmp_path: Path, mode: int) -> None:
    Files(tmp_path).put(MOOG_API_KEY="hunter2")
    (tmp_path / "MOOG_API_KEY").chmod(mode)
    with pytest.raises(SettingsRefused, match="MOOG_API_KEY is open to others; run: chmod 600") as refused:
        FileSecrets(str(tmp_path))
    assert "hunter2" not in str(refused.value)


def test_no_folder() -> None:
    assert FileSecrets(None).get("MOOG_API_KEY") is None
    with pytest.raises(SettingsRefused, match="is no folder"):
        FileSecrets("/nowhere at all")
