"""`python -m api`: what it refuses before it listens."""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path

import pytest

from schemas.errors import SettingsRefused
from schemas.secret_names import API_KEY
from streams.adapters.secrets import FileSecrets
from tests.programs import bare_environment


def test_an_empty_key_is_none_and_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsRefused, match="empty"):
        secrets(tmp_path, "\n")


@pytest.mark.checks("TLS_4", "SURFACE_1")
def test_all_that_is_unsafe_is_told_at_once_before_it_listens(tmp_path: Path) -> None:
    open_token = tmp_path / "token"
    open_token.write_text("a-token-of-sixteen")
    open_token.chmod(0o644)
    unsafe = {"MUTT_HOST": "0.0.0.0", "MUTT_CORS_ORIGINS": "http://a.example", "MUTT_TLS_KEY": "/nowhere"}
    done = start(**unsafe, MUTT_METRICS_TOKEN_FILE=str(open_token))
    assert done.returncode == 78
    for told in ("there is no TLS", "API_PEPPER", "MUTT_CORS_ORIGINS", "one is not set", "token is open to others"):
        assert told in done.stderr


def test_refusals_are_one_line_and_a_status() -> None:
    assert started(MUTT_HOST="0.0.0.0") == (78, 1)
    assert started(MUTT_API_PROT="1") == (78, 1)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        assert started(MUTT_API_PORT=str(taken.getsockname()[1])) == (69, 1)


def started(**environment: str) -> tuple[int, int]:
    """Exit status and lines on standard error."""
    done = start(**environment)
    assert done.stdout == ""
    return done.returncode, len(done.stderr.splitlines())


def start(**environment: str) -> subprocess.CompletedProcess[str]:
    kept = bare_environment()
    command = [sys.executable, "-m", "api"]
    return subprocess.run(command, env=kept | environment, capture_output=True, text=True, timeout=120)


def secrets(folder: Path, key: str) -> FileSecrets:
    file = folder / API_KEY
    file.touch(mode=0o600)
    file.write_text(key)
    return FileSecrets(str(folder))
