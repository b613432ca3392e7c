"""Secrets from a real OpenBao: logins, renewals, seals and freezes."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from ops.devstack.layout import Layout
from ops.devstack.openbao import OpenBao
from ops.devstack.processes import wait_until
from ops.vault.bootstrap import hand_out
from schemas.errors import SecretsUnavailable, SettingsRefused
from schemas.secret_names import READS, WEBHOOK, DatabaseRole, Service, database_group
from schemas.settings import Settings
from streams.adapters.secret_keeper import SecretKeeper
from streams.adapters.secret_sources import read_secrets
from streams.adapters.vault import VaultClient
from streams.adapters.vault_login import LoggedIn, login_of
from streams.adapters.vault_store import VaultStore
from streams.core.vault import Trouble
from tests.contracts.secret_store import SecretStoreContract, shown
from tests.integration.vault import Vault
from tests.programs import bare_environment, run_text

WORKER = database_group(DatabaseRole.WORKER)


class Clock:
    """Moved by hand."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Visitor:
    """A service at the store, with a clock of its own."""

    client: VaultClient
    store: VaultStore
    clock: Clock

    @property
    def token(self) -> str:
        return str(self.client._client.token)

    def trouble(self) -> str | None:
        try:
            self.store.load(WEBHOOK)
        except SecretsUnavailable as fault:
            return fault.trouble
        return None


def visitor(settings: Settings, *, call_s: float = 20.0) -> Visitor:
    clock, login = Clock(), login_of(settings)
    assert not isinstance(login, str)
    client = VaultClient(str(settings.vault_addr), mount=settings.vault_mount, call_s=call_s)
    return Visitor(client, VaultStore(LoggedIn(client, login, clock=clock), settings.vault_secrets_path), clock)


@pytest.fixture
def forward(vault: Vault) -> Iterator[Visitor]:
    vault.put("database/worker", DB_PASS_CURRENT="one")
    vault.put("webhook", MOOG_API_KEY="token")
    made = visitor(vault.settings(Service.FORWARD))
    yield made
    made.client.close()


class Real:
    """Implements World."""

    def __init__(self, vault: Vault, store: VaultStore) -> None:
        self.vault = vault
        self.store = store

    def put(self, **values: str) -> None:
        for group in (WORKER, WEBHOOK):
            self.vault.put(group.path, **{name: value for name, value in values.items() if name in group.names})

    def break_off(self) -> None:
        self.vault.server.seal()

    def mend(self) -> None:
        self.vault.server.unseal()


class TestVaultStore(SecretStoreContract):
    @pytest.fixture
    def world(self, vault: Vault) -> Iterator[Real]:
        made = visitor(vault.settings(Service.FORWARD))
        yield Real(vault, made.store)
        made.client.close()


def test_a_token_is_renewed_and_at_its_end_there_is_a_new_login(forward: Visitor) -> None:
    assert forward.trouble() is None
    first = forward.token
    forward.clock.now += 800  # of 1200
    assert forward.trouble() is None
    assert forward.token == first
    forward.clock.now += 800
    assert forward.trouble() is None
    assert forward.token == first, "the renewal counts from when it was asked for"
    forward.clock.now += 1300
    assert forward.trouble() is None
    assert forward.token != first


def test_a_token_that_was_revoked_is_replaced_at_once(vault: Vault, forward: Visitor) -> None:
    assert forward.trouble() is None
    first = forward.token
    vault.owner.auth.token.revoke(first)
    assert forward.trouble() is None
    assert forward.token != first


@pytest.mark.proves("vault.wrong")
def test_a_secret_id_replaced_on_disk_is_picked_up(vault: Vault, forward: Visitor) -> None:
    folder = vault.server.identity(Service.FORWARD)
    assert forward.trouble() is None
    secrets = SecretKeeper(forward.store, (WEBHOOK,), every_s=0)
    secrets.start()
    vault.owner.auth.approle.destroy_secret_id("mutt-forward", (folder / "secret-id").read_text())
    vault.owner.auth.token.revoke(forward.token)
    secrets.refresh()
    assert secrets.troubles == {"webhook": "login"}
    assert shown(secrets, "MOOG_API_KEY") == ["token"]
    hand_out(vault.owner, Service.FORWARD, folder)
    secrets.refresh()
    assert secrets.troubles == {}


def test_a_wrapped_secret_id_opens_once_and_serves_on(vault: Vault, forward: Visitor, tmp_path: Path) -> None:
    def wrap() -> None:
        told = vault.owner.auth.approle.generate_secret_id("mutt-forward", wrap_ttl="60s")
        file.touch(mode=0o600)
        file.write_text(told["wrap_info"]["token"])

    file = tmp_path / "wrapped"
    wrap()
    settings = vault.settings(Service.FORWARD, vault_secret_id_file=str(file), vault_secret_id_wrapped=True)
    service = visitor(settings)
    assert service.trouble() is None
    service.clock.now += 2000
    assert service.trouble() is None
    thief = visitor(settings)
    with pytest.raises(SecretsUnavailable, match="used before") as refused:
        thief.store.load(WEBHOOK)
    assert refused.value.trouble == Trouble.LOGIN
    wrap()
    assert thief.trouble() is None


def test_a_token_from_a_file(vault: Vault, forward: Visitor, tmp_path: Path) -> None:
    def give(**options: Any) -> None:
        made = vault.owner.auth.token.create(policies=["mutt-forward"], no_default_policy=True, **options)
        file.touch(mode=0o600)
        file.write_text(made["auth"]["client_token"])

    file = tmp_path / "token"
    settings = Settings(vault_addr=vault.server.address, vault_token_file=str(file))
    assert visitor(settings).trouble() == Trouble.LOGIN
    give(ttl="10m")
    service = visitor(settings)
    assert service.trouble() is None
    vault.owner.auth.token.revoke(file.read_text())
    assert service.trouble() == Trouble.LOGIN
    give(ttl="10m")
    assert service.trouble() is None
    file.write_text(vault.owner.token)  # it never ends
    assert visitor(settings).trouble() == Trouble.REFUSED


@pytest.mark.proves("vault.freeze")
def test_a_frozen_server_is_given_up_in_time_and_missed_no_more_when_it_thaws(vault: Vault, forward: Visitor) -> None:
    service = visitor(vault.settings(Service.FORWARD), call_s=1.0)
    assert service.trouble() is None
    assert vault.server.child is not None
    vault.server.child.signal(signal.SIGSTOP)
    try:
        assert service.trouble() == Trouble.SLOW
    finally:
        vault.server.child.signal(signal.SIGCONT)
    assert forward.trouble() is None


@pytest.mark.proves("vault.kill", "vault.restart")
def test_a_server_that_dies_and_comes_back_sealed_changes_nothing(tmp_path: Path) -> None:
    layout = Layout(tmp_path / "own")
    layout.create()
    server = OpenBao(layout)
    try:
        server.start()
        server.provide({"DB_PASS_CURRENT": "one", "MOOG_API_KEY": "token"})
        settings = Settings(**server.settings(Service.FORWARD))
        secrets = SecretKeeper(visitor(settings).store, READS[Service.FORWARD], every_s=0)
        secrets.start()
        server.kill()
        secrets.refresh()
        assert set(secrets.troubles.values()) == {"down"}
        with pytest.raises(SettingsRefused, match="cannot be reached"):
            read_secrets(settings, Service.FORWARD)
        server.launch()
        secrets.refresh()
        assert set(secrets.troubles.values()) == {"sealed"}
        with pytest.raises(SettingsRefused, match="sealed"):
            read_secrets(settings, Service.FORWARD)
        assert shown(secrets, "DB_PASS_CURRENT", "MOOG_API_KEY") == ["one", "token"]
        server.unseal()

        def again() -> bool:
            secrets.refresh()
            return secrets.troubles == {}

        wait_until(again, what="the secrets after the unsealing")
    finally:
        server.kill()


def test_a_worker_without_its_secrets_ends_with_one_line(vault: Vault) -> None:
    vault.put("database/worker", DB_USER_CURRENT="hunter2")
    settings = vault.settings(Service.MATCH)
    for command in (("worker", "match"), ("migrate",)):
        done = run_text("mutt", *command, environment=bare_environment(**settings.to_env()))
        assert done.returncode == 78, done.stderr
        assert "hunter2" not in done.stdout + done.stderr
        assert [line for line in done.stderr.splitlines() if line.startswith("mutt: ")]
    with pytest.raises(SettingsRefused, match="DB_PASS_CURRENT is missing"):
        SecretKeeper(visitor(settings).store, READS[Service.MATCH], every_s=1).start()
