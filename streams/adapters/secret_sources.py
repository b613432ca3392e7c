"""Opens the secrets of a service: from Vault where VAULT_ADDR is set, else from files, for development."""

from __future__ import annotations

import resource
from collections.abc import Callable
from typing import TYPE_CHECKING

import structlog

from schemas.errors import SettingsRefused
from schemas.secret_names import READS, Service
from schemas.settings import Settings
from streams.adapters.secret_keeper import SecretKeeper
from streams.adapters.secrets import FileSecrets, FileStore, SecretSource, SecretStore
from streams.core.safety import VAULT_PLAIN, is_plain_to_others
from streams.metrics import SecretMetrics

if TYPE_CHECKING:
    from streams.adapters.vault_store import VaultStore

log = structlog.get_logger()


def open_secrets(
    settings: Settings, service: Service, metrics: SecretMetrics, on_death: Callable[[BaseException], None]
) -> SecretSource:
    """The secrets of a service that runs on: looked at again and again. Raises SettingsRefused within ten seconds.

    A defect while looking is handed to `on_death`, in another thread.
    """
    keeper = _started(settings, service)
    if keeper is None:
        return FileSecrets(None)
    if not settings.vault_addr:
        log.warning("secrets come from files, which is for development only; set VAULT_ADDR", service_reads=service)
    keeper.shown_by(metrics)
    keeper.follow(on_death)
    return keeper


def read_secrets(settings: Settings, service: Service) -> SecretSource:
    """The secrets of a command: looked at once. Raises SettingsRefused within ten seconds."""
    return _started(settings, service, silent=True) or FileSecrets(None)


def store_of(settings: Settings) -> SecretStore | None:
    """None where the settings name neither Vault nor a folder. Raises SettingsRefused."""
    if settings.vault_addr:
        return vault_store(settings)
    return FileStore(settings.secrets_dir) if settings.secrets_dir else None


def vault_store(settings: Settings) -> VaultStore:
    """Raises SettingsRefused where the settings do not say how to reach it, and log in."""
    from streams.adapters.vault import VaultClient
    from streams.adapters.vault_login import LoggedIn, login_of
    from streams.adapters.vault_store import VaultStore

    if settings.vault_addr is None:
        raise SettingsRefused("VAULT_ADDR is not set")
    login = login_of(settings)
    problems = [login] if isinstance(login, str) else []
    if is_plain_to_others(settings.vault_addr) and not settings.vault_plain:
        problems.append(VAULT_PLAIN)
    if isinstance(login, str) or problems:
        raise SettingsRefused(problems)
    client = VaultClient(settings.vault_addr, mount=settings.vault_mount, ca_file=settings.vault_cacert)
    return VaultStore(LoggedIn(client, login), settings.vault_secrets_path)


def _started(settings: Settings, service: Service, *, silent: bool = False) -> SecretKeeper | None:
    store = store_of(settings)
    if store is None:
        return None
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a core dump would hold them
    keeper = SecretKeeper(store, READS[service], every_s=settings.vault_refresh, silent=silent)
    keeper.start()
    return keeper
