"""Least privilege at a real OpenBao, tried as each service; and what a bootstrap leaves and says."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Any

import hvac
import pytest
from hvac.exceptions import Forbidden

from ops.vault.bootstrap import Place, policy
from schemas.secret_names import READS, Service, all_groups
from tests.integration.vault import MOUNT, Vault
from tests.programs import bare_environment, run_text


@pytest.mark.checks("VAULT_1", "VAULT_3")
def test_each_service_reads_its_own_and_is_refused_the_rest(vault: Vault) -> None:
    for group in all_groups():
        vault.put(group.path, DB_PASS_CURRENT="x")
    for service in Service:
        look_around(service, logged_in(vault, service))


def look_around(service: Service, client: hvac.Client) -> None:
    """Tries everything as this service."""
    wanted, writes = set(READS[service]), set()
    if service is Service.ROTATE:
        writes = {group for group in all_groups() if group.path.startswith(("database/", "kafka/"))} - wanted
    groups = all_groups()
    assert {group for group in groups if may(partial(read, client, group.path))} == wanted | writes, service
    assert {group for group in groups if may(partial(write, client, group.path))} == writes, service
    assert [path for path in ELSEWHERE if may(partial(client.read, path))] == [], service
    assert not may(partial(client.secrets.kv.v2.delete_latest_version_of_secret, "mutt/webhook", MOUNT))
    assert may(client.auth.token.lookup_self)
    assert may(client.auth.token.renew_self)


ELSEWHERE = (
    "sys/mounts", "sys/policies/acl/mutt-forward", "sys/auth", "sys/audit", "auth/approle/role/mutt-forward/role-id",
    "auth/approle/role/mutt-api/secret-id", "secret/metadata/mutt/webhook", "secret/config", "cubbyhole/other",
    "identity/entity/id",
)  # fmt: skip


@pytest.mark.checks("VAULT_2")
def test_tokens_live_an_hour_at_most(vault: Vault) -> None:
    for service in Service:
        role = vault.owner.auth.approle.read_role(f"mutt-{service}")["data"]
        assert 0 < role["token_ttl"] <= role["token_max_ttl"] <= 3600
        assert role["token_policies"] == [f"mutt-{service}"]
        assert logged_in(vault, service).lookup_token()["data"]["policies"] == [f"mutt-{service}"]


def logged_in(vault: Vault, service: Service) -> hvac.Client:
    folder = vault.server.identity(service)
    client = hvac.Client(url=vault.server.address, token="")
    client.auth.approle.login((folder / "role-id").read_text(), (folder / "secret-id").read_text())
    return client


def read(client: hvac.Client, path: str) -> Any:
    return client.secrets.kv.v2.read_secret_version(f"mutt/{path}", mount_point=MOUNT, raise_on_deleted_version=True)


def write(client: hvac.Client, path: str) -> Any:
    return client.secrets.kv.v2.create_or_update_secret(f"mutt/{path}", {"DB_PASS_CURRENT": "y"}, mount_point=MOUNT)


def may(call: Any) -> bool:
    try:
        call()
    except Forbidden:
        return False
    return True


def test_the_policy_files_are_what_the_table_says() -> None:
    for service, groups in READS.items():
        text = policy(service, Place())
        for group in all_groups():
            assert (f'path "secret/data/mutt/{group.path}"' in text) == (
                group in groups or (service is Service.ROTATE and group.path.startswith(("database/", "kafka/")))
            )
    assert "kv2/data/team/mutt/webhook" in policy(Service.FORWARD, Place("kv2", "team/mutt"))


def test_a_bootstrap_from_the_command_line_shows_no_secret(vault: Vault, tmp_path: Path) -> None:
    secrets, token, identities = tmp_path / "secrets", tmp_path / "token", tmp_path / "identities"
    secrets.mkdir(mode=0o700)
    first = {"DB_PASS_CURRENT": "hunter2-database", "API_PEPPER": "hunter2-" + "p" * 30, "MOOG_API_KEY": "hunter2-t"}
    for path, text in {token: vault.owner.token, **{secrets / name: value for name, value in first.items()}}.items():
        path.touch(mode=0o600)
        path.write_text(text)
    environment = bare_environment(VAULT_ADDR=vault.server.address)
    options = ["--token-file", str(token), "--identities", str(identities), "--secrets", str(secrets)]
    for _ in range(2):
        done = run_text("mutt", "secrets", "bootstrap", *options, "--json", environment=environment)
        assert done.returncode == 0, done.stderr
        assert vault.owner.token not in done.stdout + done.stderr
        assert "hunter2" not in done.stdout + done.stderr
        for file in identities.rglob("secret-id"):
            assert file.read_text() not in done.stdout + done.stderr
            assert file.stat().st_mode & 0o077 == 0
    assert vault.held("webhook") == {"MOOG_API_KEY": "hunter2-t"}
    listed = run_text("mutt", "secrets", "status", "--json", environment=as_operator(environment, identities))
    assert listed.returncode == 0, listed.stderr
    rows = {row["path"]: row for row in json.loads(listed.stdout)["secrets"]}
    assert rows["database/worker"]["names"] == ["DB_PASS_CURRENT"]
    assert rows["database/worker"]["version"] == 1
    assert rows["database/worker"]["age_s"] >= 0
    assert "hunter2" not in listed.stdout + listed.stderr
    vault.put("database/api", OTHER="x")
    wrong = run_text("mutt", "secrets", "status", environment=as_operator(environment, identities))
    assert wrong.returncode == 1
    assert "DB_PASS_CURRENT is missing" in wrong.stdout


def as_operator(environment: dict[str, str], identities: Path) -> dict[str, str]:
    folder = identities / "operator"
    return environment | {
        "VAULT_ROLE_ID": (folder / "role-id").read_text(),
        "VAULT_SECRET_ID_FILE": str(folder / "secret-id"),
    }
