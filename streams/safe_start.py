"""The start of a service: everything unsafe about its settings is told at once, before anything is opened."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from pathlib import Path

from schemas.errors import SettingsRefused
from schemas.secret_names import API_KEY, API_PEPPER, Service
from schemas.settings import Settings
from streams.adapters.secret_sources import open_secrets
from streams.adapters.secrets import SecretSource, is_open
from streams.core.safety import Surroundings, judge_safety, unsafe
from streams.metrics import SecretMetrics


def surroundings_of(settings: Settings, secrets: SecretSource | None = None) -> Surroundings:
    """What lies on this machine. The API's keys are looked for in the secrets, or in their folder."""
    key_needed: bool | None = None
    if secrets is not None:
        key_needed = any(secrets.get(name) for name in (API_KEY, API_PEPPER))
    elif not settings.vault_addr:
        folder = settings.secrets_dir
        key_needed = folder is not None and any((Path(folder) / name).is_file() for name in (API_KEY, API_PEPPER))
    return Surroundings(tuple(str(file) for file in _secret_files(settings) if _is_exposed(file)), key_needed)


def open_safely(
    settings: Settings, service: Service, metrics: SecretMetrics, on_death: Callable[[BaseException], None]
) -> SecretSource:
    """The secrets of a service that may start, as `open_secrets` gives them. SettingsRefused names all there is."""
    secrets, problems = None, list[str]()
    try:
        secrets = open_secrets(settings, service, metrics, on_death)
    except SettingsRefused as refused:
        problems += refused.problems
    around = surroundings_of(settings, secrets)
    problems += unsafe(judge_safety(settings, around, (service,)))
    if secrets is None or problems:
        raise SettingsRefused(list(dict.fromkeys(problems)))
    return secrets


def check_safe(settings: Settings, service: Service) -> None:
    """For a service that reads no secrets. Raises SettingsRefused."""
    if problems := unsafe(judge_safety(settings, surroundings_of(settings), (service,))):
        raise SettingsRefused(problems)


def _secret_files(settings: Settings) -> Iterable[Path]:
    named = (
        settings.vault_secret_id_file, settings.vault_token_file, settings.tls_key, settings.webhook_client_key,
        settings.metrics_token_file, settings.kafka_key, settings.database_key,
    )  # fmt: skip
    yield from (Path(file) for file in named if file is not None)
    if settings.secrets_dir is not None and not settings.vault_addr and Path(settings.secrets_dir).is_dir():
        yield from sorted(file for file in Path(settings.secrets_dir).iterdir() if not file.name.startswith("."))


def _is_exposed(file: Path) -> bool:
    try:
        return file.is_file() and is_open(file.stat(), reader=os.geteuid())
    except OSError:
        return False
