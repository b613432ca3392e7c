"""A file of settings: read as a shell reads it, changed without touching the rest."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from ops import settings_file
from schemas.errors import SettingsRefused
from schemas.settings import Settings


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "settings.env"


def test_a_new_file_explains_every_setting_and_sets_only_what_was_given(file: Path) -> None:
    settings_file.write(file, {"MUTT_HOME": "a folder's own", "MUTT_LOG_LEVEL": "debug"}, "Two\nlines.")
    text = file.read_text()
    assert text.startswith("# Two\n# lines.\n")
    assert "# Seconds a worker gets to finish what it has in hand after SIGTERM.\n#MUTT_DRAIN_TIMEOUT=10.0\n" in text
    assert text.count("=") >= len(Settings.__struct_fields__)
    assert settings_file.read(file) == {"MUTT_HOME": "a folder's own", "MUTT_LOG_LEVEL": "debug"}


def test_a_shell_reads_the_same(file: Path) -> None:
    settings_file.write(file, {"MUTT_HOME": 'it\'s $HOME `x` "q"'}, "About.")
    script = f'set -a; . "{file}"; printf %s "$MUTT_HOME"'
    shown = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True)
    assert shown.stdout == settings_file.read(file)["MUTT_HOME"]


def test_a_change_leaves_the_other_lines(file: Path) -> None:
    file.write_text("# mine\nMUTT_HOST=0.0.0.0\n#MUTT_LOG_LEVEL=info\n")
    assert settings_file.change(file, {"MUTT_LOG_LEVEL": "debug", "MUTT_API_PORT": "8000"}) == {
        "MUTT_LOG_LEVEL": (None, "debug"), "MUTT_API_PORT": (None, "8000"),
    }  # fmt: skip
    assert file.read_text() == "# mine\nMUTT_HOST=0.0.0.0\nMUTT_LOG_LEVEL=debug\nMUTT_API_PORT=8000\n"
    assert settings_file.change(file, {"MUTT_LOG_LEVEL": "debug"}) == {}
    settings_file.change(file, {"MUTT_LOG_LEVEL": None})
    assert settings_file.read(file) == {"MUTT_HOST": "0.0.0.0", "MUTT_API_PORT": "8000"}


def test_a_change_that_is_refused_leaves_all_of_it(file: Path) -> None:
    file.write_text("MUTT_API_PORT=8000\n")
    with pytest.raises(SettingsRefused, match="<= 65535"):
        settings_file.change(file, {"MUTT_LOG_LEVEL": "debug", "MUTT_API_PORT": "70000"})
    assert file.read_text() == "MUTT_API_PORT=8000\n"


@pytest.mark.parametrize("line", ["MUTT_HOST=a b", "MUTT_HOST='a", "export MUTT_HOST=a", "MUTT_HOST"])
def test_a_line_that_is_none_is_named(file: Path, line: str) -> None:
    file.write_text(f"# x\n{line}\n")
    with pytest.raises(SettingsRefused, match=r"settings.env:2: "):
        settings_file.read(file)


def test_without_a_file_nothing_is_set(file: Path) -> None:
    assert settings_file.read(file) == {}
