"""Makes a Vault or OpenBao ready for mutt: mount, policies, one AppRole a service, first secrets. Prints no secret."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import hvac
import requests
from hvac.exceptions import InvalidRequest, VaultError

from schemas.errors import SecretsUnavailable
from schemas.secret_names import Service, all_groups
from schemas.secrets import Secret
from streams.adapters.vault import CALL_S
from streams.core.secret_rules import checked
from streams.core.vault import Trouble

ROLE_ID = "role-id"
SECRET_ID = "secret-id"  # noqa: S105 - the name of a file


@dataclass(frozen=True, slots=True)
class Place:
    """Where mutt's secrets lie, and how long a service's token lives."""

    mount: str = "secret"
    base: str = "mutt"
    token_ttl: str = "20m"  # noqa: S105 - a duration
    token_max_ttl: str = "1h"  # noqa: S105 - a duration


def administrator(address: str, token: Secret, *, ca_file: str | None = None) -> hvac.Client:
    """A client that may do what the token may."""
    session = requests.Session()
    session.trust_env = False
    session.verify = ca_file or True
    return hvac.Client(
        url=address, token=token.reveal(), cert=(), timeout=CALL_S, allow_redirects=False, session=session
    )


def bootstrap(client: hvac.Client, place: Place) -> list[str]:
    """Mount, policies and AppRoles; safe to repeat. Returns what it did. Raises SecretsUnavailable."""
    try:
        return [_mount(client, place), _approle(client), *(_service(client, place, service) for service in Service)]
    except (VaultError, requests.RequestException) as error:
        raise unavailable(error) from None


def unavailable(error: Exception) -> SecretsUnavailable:
    """What the server wrote is not repeated, but for its refusals of what we asked for."""
    refused = ", ".join(map(str, error.errors or ())) if isinstance(error, VaultError) else ""
    return SecretsUnavailable(Trouble.DOWN, f"Vault: {type(error).__name__} {refused}".rstrip())


def hand_out(client: hvac.Client, service: Service, folder: Path) -> None:
    """Writes role id and a new secret id of a service into files of `folder`, which only their owner can read."""
    try:
        role_id = client.auth.approle.read_role_id(_role(service))["data"]["role_id"]
        secret_id = client.auth.approle.generate_secret_id(_role(service))["data"]["secret_id"]
    except (VaultError, requests.RequestException) as error:
        raise unavailable(error) from None
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    write_private(folder / ROLE_ID, role_id)
    write_private(folder / SECRET_ID, secret_id)


def store(client: hvac.Client, place: Place, secrets: Mapping[str, str]) -> list[str]:
    """Stores secrets where there are none yet; returns the paths. Raises SecretRefused, SecretsUnavailable."""
    stored = []
    for group in all_groups():
        ours = checked(group, secrets, whole=False)
        values = {name: value.reveal() for name, value in ours.items()}
        if not values or set(group.required) - set(values):
            continue
        path = f"{place.base}/{group.path}"
        try:
            client.secrets.kv.v2.create_or_update_secret(path, values, cas=0, mount_point=place.mount)
        except InvalidRequest:
            continue  # somebody's version is there
        except (VaultError, requests.RequestException) as error:
            raise unavailable(error) from None
        stored.append(path)
    return stored


def policy(service: Service, place: Place) -> str:
    """The service's policy file, for this mount and base."""
    text = resources.files("ops.vault").joinpath("policies", f"{_role(service)}.hcl").read_text(encoding="utf-8")
    return text.replace("secret/data/mutt/", f"{place.mount}/data/{place.base}/").replace(
        "secret/subkeys/mutt/", f"{place.mount}/subkeys/{place.base}/"
    )


def write_private(path: Path, text: str) -> None:
    """In one step, readable by its owner alone."""
    new = path.with_name(path.name + ".new")
    new.unlink(missing_ok=True)
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
    new.replace(path)


def _role(service: Service) -> str:
    return f"mutt-{service}"


def _mount(client: hvac.Client, place: Place) -> str:
    mounts: dict[str, Any] = client.sys.list_mounted_secrets_engines()["data"]
    if f"{place.mount}/" in mounts:
        return f"{place.mount}/ is there"
    client.sys.enable_secrets_engine("kv", path=place.mount, options={"version": "2"})
    return f"made {place.mount}/, a KV v2"


def _approle(client: hvac.Client) -> str:
    if "approle/" in client.sys.list_auth_methods()["data"]:
        return "AppRole is enabled"
    client.sys.enable_auth_method("approle")
    return "enabled AppRole"


def _service(client: hvac.Client, place: Place, service: Service) -> str:
    name = _role(service)
    client.sys.create_or_update_policy(name, policy(service, place))
    client.auth.approle.create_or_update_approle(
        name,
        token_policies=[name],
        token_no_default_policy=True,
        token_ttl=place.token_ttl,
        token_max_ttl=place.token_max_ttl,
        token_type="service",  # noqa: S106 - a kind of token
    )
    return f"policy and role {name}"
