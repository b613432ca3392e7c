"""The folder of a stack: made once, kept apart from other things, removed whole."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from ops.devstack.layout import Layout, free_port
from ops.devstack.processes import StackFailed
from schemas.errors import SettingsRefused


def made(home: Path) -> Layout:
    layout = Layout(home)
    layout.create()
    return layout


def test_a_secret_is_made_once_and_for_its_owner_alone(tmp_path: Path) -> None:
    layout = made(tmp_path / "home")
    assert layout.secret("A") == layout.secret("A") != layout.secret("B")
    assert layout.secret("C", "given") == "given"
    assert (layout.secrets / "A").stat().st_mode & 0o777 == 0o600
    assert layout.secrets.stat().st_mode & 0o777 == 0o700


def test_a_state_that_cannot_be_read_is_none(tmp_path: Path) -> None:
    layout = made(tmp_path)
    assert layout.load() == {}
    layout.save({"ports": {"kafka": 1}})
    assert layout.load() == {"ports": {"kafka": 1}}
    layout.state_file.write_text("{")
    assert layout.load() == {}


def test_a_folder_with_other_things_is_refused_and_never_purged(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(SettingsRefused, match="MUTT_HOME"):
        Layout(tmp_path).create()
    assert not Layout(tmp_path).purge()
    assert (tmp_path / "thesis.tex").exists()


def test_a_purge_removes_all_but_the_demonstration(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    home = tmp_path / "home"
    (home / "demo").mkdir(parents=True)
    layout = made(home)
    layout.save({"outside": [str(outside)]})
    layout.secret("A")
    assert layout.purge()
    assert not outside.exists()
    assert [entry.name for entry in home.iterdir()] == ["demo"]
    (home / "demo").rmdir()
    layout.create()
    assert layout.purge()
    assert not home.exists()


def test_one_process_runs_a_stack(tmp_path: Path) -> None:
    layout = made(tmp_path)
    with layout.lock(), pytest.raises(StackFailed, match="another process"), layout.lock():
        pass
    with layout.lock():
        pass


def test_a_port_is_kept_unless_somebody_else_has_it() -> None:
    wanted = free_port()
    assert free_port(wanted) == wanted
    with socket.socket() as other:
        other.bind(("127.0.0.1", wanted))
        other.listen()
        assert free_port(wanted) not in (wanted, 0)
