"""`python -m api`: what it refuses before it listens."""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path

import pytest

from api.__main__ import check_key_needed, is_loopback
from schemas.errors import SettingsRefused
from schemas.secret_names import API_KEY
from streams.adapters.secrets import FileSecrets
from tests.programs import bare_environment


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.9.9", "::1", "localhost"])
def test_loopback(host: str) -> None:
    assert is_loopback(host)
    assert not check_key_needed(FileSecrets(None), host)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "mutt.example", "", "127.0.0.1.example"])
def test_others_could_reach_it_so_it_needs_a_key(host: str, tmp_path: Path) -> None:
    with pytest.raises(SettingsRefused, match=API_KEY):
        check_key_needed(FileSecrets(None), host)
    assert check_key_needed(secrets(tmp_path, "s3cret\n"), host)


def test_an_empty_key_is_none_and_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsRefused, match="empty"):
        secrets(tmp_path, "\n")


def test_refusals_are_one_line_and_a_status() -> None:
    assert started(MUTT_HOST="0.0.0.0") == (78, 1)
    assert started(MUTT_API_PROT="1") == (78, 1)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        assert started(MUTT_API_PORT=str(taken.getsockname()[1])) == (69, 1)


def started(**environment: str) -> tuple[int, int]:
    """Exit status and lines on standard error."""
    kept = bare_environment()
    done = subprocess.run(
        [sys.executable, "-m", "api"], env=kept | environment, capture_output=True, text=True, timeout=60
    )
    assert done.stdout == ""
    return done.returncode, len(done.stderr.splitlines())


def secrets(folder: Path, key: str) -> FileSecrets:
    file = folder / API_KEY
    file.touch(mode=0o600)
    file.write_text(key)
    return FileSecrets(str(folder))
