"""Certificates for one laptop: an authority within OpenBao (its PKI engine), which is made anew with each server."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import hvac

from ops.vault.bootstrap import write_private

MOUNT, ROLE = "pki", "laptop"
LIVES = "168h"
"""A certificate's life. The authority lives as long as the engine lets it: 32 days."""


@dataclass(frozen=True, slots=True)
class Pair:
    """Files: the certificate, and its key, which only we may read."""

    certificate: Path
    key: Path

    def both(self, target: Path) -> Path:
        """One file with the key and then the certificate, as Kafka reads them."""
        write_private(target, self.key.read_text() + self.certificate.read_text())
        return target


@dataclass(frozen=True, slots=True)
class Certified:
    """What is needed among those who show and ask for certificates: who vouches for the others, and our own."""

    authorities: Path
    pair: Pair

    def context(self) -> ssl.SSLContext:
        """Of a client among them. Reads files."""
        context = ssl.create_default_context(cafile=self.authorities)
        context.load_cert_chain(self.pair.certificate, self.pair.key)
        return context


class Authority:
    """Vouches for what it issues. Its own key never leaves OpenBao."""

    def __init__(self, owner: Callable[[], hvac.Client], folder: Path, mount: str = MOUNT) -> None:
        """Makes it, where there is none yet. `owner` may do everything, and reaches the server as it is then.

        Raises hvac's errors.
        """
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._owner = owner
        self._mount = mount
        self._folder = folder
        self.certificate = folder / "authority.pem"
        client = owner()
        client.sys.enable_secrets_engine("pki", path=mount, config={"max_lease_ttl": "768h"})
        kind = {"key_type": "ec", "key_bits": 256}
        made = client.secrets.pki.generate_root(
            "internal", "mutt on one laptop", kind | {"ttl": "768h"}, mount_point=mount
        )
        names = {"allow_any_name": True, "enforce_hostnames": False, "allow_ip_sans": True, "max_ttl": LIVES}
        client.secrets.pki.create_or_update_role(ROLE, kind | names, mount_point=mount)
        self.certificate.write_text(made["data"]["certificate"] + "\n")

    def issue(self, name: str) -> Pair:
        """For a common name, and the address 127.0.0.1. Raises hvac's errors."""
        more = {"ip_sans": "127.0.0.1", "exclude_cn_from_sans": True, "private_key_format": "pkcs8", "ttl": LIVES}
        made = self._owner().secrets.pki.generate_certificate(ROLE, name, more, mount_point=self._mount)["data"]
        pair = Pair(self._folder / f"{name}.pem", self._folder / f"{name}.key")
        pair.certificate.write_text(made["certificate"] + "\n")
        write_private(pair.key, made["private_key"] + "\n")
        return pair
