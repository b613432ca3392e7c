"""Implements SecretStore on Vault's KV v2."""

from __future__ import annotations

from collections.abc import Mapping

from schemas.errors import SecretsUnavailable
from schemas.secret_names import SecretGroup
from schemas.secrets import Secret
from streams.adapters.secrets import Loaded
from streams.adapters.vault_login import LoggedIn
from streams.core.secret_rules import checked
from streams.core.vault import Trouble, Version


class VaultStore:
    """`base` is the path below the mount under which the groups lie."""

    def __init__(self, vault: LoggedIn, base: str) -> None:
        self.vault = vault
        self._base = base

    def path(self, group: SecretGroup) -> str:
        return f"{self._base}/{group.path}"

    def load(self, group: SecretGroup) -> Loaded:
        try:
            found = self.vault.ask(lambda client: client.read(self.path(group)))
        except SecretsUnavailable as fault:
            if fault.trouble != Trouble.MISSING or group.required:
                raise
            return Loaded({}, 0, "")
        return Loaded(checked(group, found.held), found.number, found.created)

    def names(self, group: SecretGroup) -> Version:
        """The names that are there, without values; those that are not ours too. Raises SecretsUnavailable."""
        return self.vault.ask(lambda client: client.names(self.path(group)))

    def save(self, group: SecretGroup, values: Mapping[str, Secret], *, over: int) -> None:
        """A new version over that number, which must be the newest still. Raises SecretsUnavailable."""
        self.vault.ask(lambda client: client.write(self.path(group), values, over=over))
