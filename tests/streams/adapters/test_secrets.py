"""Files of secrets: which are closed enough, whoever owns them."""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from pathlib import Path

import pytest

from schemas.errors import SettingsRefused
from streams.adapters.secrets import FileSecrets, is_open

ROOT, OURS, STRANGER = 0, 1000, 1001


def file_of(owner: int, mode: int) -> os.stat_result:
    fields: Sequence[int] = (stat.S_IFREG | mode, 1, 1, 1, owner, 1000, 10, 0, 0, 0)
    return os.stat_result(fields)


@pytest.mark.parametrize(
    ("owner", "mode", "is_refused"),
    [
        (OURS, 0o600, False),
        (OURS, 0o400, False),
        (OURS, 0o640, True),
        (ROOT, 0o600, False),
        (ROOT, 0o440, False),  # Kubernetes with fsGroup, systemd's credentials
        (ROOT, 0o640, False),
        (ROOT, 0o660, True),
        (ROOT, 0o650, True),
        (ROOT, 0o644, True),
        (STRANGER, 0o640, True),
    ],
)
def test_a_file_of_root_may_be_read_by_its_group(owner: int, mode: int, is_refused: bool) -> None:
    assert is_open(file_of(owner, mode), reader=OURS) is is_refused


def test_root_keeps_its_own_files_to_itself() -> None:
    assert is_open(file_of(ROOT, 0o640), reader=ROOT)
    assert not is_open(file_of(ROOT, 0o600), reader=ROOT)


def test_secrets_as_kubernetes_lays_them_out_are_found_by_name(tmp_path: Path) -> None:
    """Each name is a link through `..data` to a folder that is replaced as a whole."""
    data = tmp_path / "..2026_11_26"
    data.mkdir()
    (data / "DB_PASS_CURRENT").write_text("s3cret\n")
    (data / "DB_PASS_CURRENT").chmod(0o400)
    (tmp_path / "..data").symlink_to(data.name)
    (tmp_path / "DB_PASS_CURRENT").symlink_to("..data/DB_PASS_CURRENT")
    found = FileSecrets(str(tmp_path)).get("DB_PASS_CURRENT")
    assert found is not None
    assert found.reveal() == "s3cret"


def test_a_file_open_to_others_is_named_and_refused(tmp_path: Path) -> None:
    (tmp_path / "DB_PASS_CURRENT").write_text("s3cret")
    (tmp_path / "DB_PASS_CURRENT").chmod(0o604)
    with pytest.raises(SettingsRefused, match="DB_PASS_CURRENT is open to others"):
        FileSecrets(str(tmp_path))
