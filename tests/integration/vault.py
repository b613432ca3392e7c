"""A real OpenBao as tests use it: filled and broken by its owner, asked as a service."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec.structs import replace

from ops.devstack.openbao import OpenBao
from schemas.secret_names import SecretGroup, Service, all_groups
from schemas.settings import Settings

MOUNT = "secret"


class Vault:
    def __init__(self, server: OpenBao) -> None:
        self.server = server
        self.owner = server.owner()

    def empty(self) -> None:
        self.server.unseal()
        for group in all_groups():
            self.owner.secrets.kv.v2.delete_metadata_and_all_versions(f"mutt/{group.path}", mount_point=MOUNT)

    def put(self, path: str, **values: Any) -> None:
        """The newest version of a path, whatever was there."""
        self.owner.secrets.kv.v2.create_or_update_secret(f"mutt/{path}", values, mount_point=MOUNT)

    def put_all(self, values: Mapping[str, str], groups: tuple[SecretGroup, ...] = all_groups()) -> None:
        """Each group gets those that are its own."""
        for group in groups:
            ours = {name: values[name] for name in group.names if name in values}
            if ours and not set(group.required) - set(ours):
                self.put(group.path, **ours)

    def held(self, path: str) -> dict[str, str]:
        found = self.owner.secrets.kv.v2.read_secret_version(
            f"mutt/{path}", mount_point=MOUNT, raise_on_deleted_version=True
        )
        held: dict[str, str] = found["data"]["data"]
        return held

    def settings(self, service: Service, base: Settings | None = None, **changes: Any) -> Settings:
        return replace(base or Settings(), **self.server.settings(service) | {"vault_refresh": 0.2} | changes)
