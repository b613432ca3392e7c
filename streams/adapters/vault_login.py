"""Being logged in at Vault: by AppRole or token, renewed in time, anew when the token has come to its end."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Protocol, TypeVar

from schemas.errors import SecretsUnavailable
from schemas.secrets import Secret
from schemas.settings import Settings
from streams.adapters.secrets import is_open
from streams.adapters.vault import VaultClient
from streams.core.vault import RENEW_AFTER, Lease, Step, Trouble, step

T = TypeVar("T")

LONGEST_FILE = 4096


class Login(Protocol):
    """One way to come by a token."""

    def __call__(self, client: VaultClient) -> Lease:
        """Raises SecretsUnavailable."""


class TokenFile:
    """A token that somebody keeps in a file; read anew each time, so that it can be replaced."""

    def __init__(self, path: str) -> None:
        self._path = path

    def __call__(self, client: VaultClient) -> Lease:
        return client.adopt(secret_in(self._path))


class AppRole:
    """A role id and the secret id in a file, read anew for each login.

    `wrapped`: the file holds a wrapping token, which gives the secret id once; it is remembered as long as the file
    stays what it was.
    """

    def __init__(self, role_id: str, path: str, *, wrapped: bool = False) -> None:
        self._role_id = role_id
        self._path = path
        self._wrapped = wrapped
        self._unwrapped: tuple[str, Secret] | None = None

    def __call__(self, client: VaultClient) -> Lease:
        held = secret_in(self._path)
        return client.login(self._role_id, self._unwrap(client, held) if self._wrapped else held)

    def _unwrap(self, client: VaultClient, wrapping: Secret) -> Secret:
        if self._unwrapped is None or self._unwrapped[0] != wrapping.reveal():
            try:
                given = client.unwrap(wrapping).get("secret_id")
            except SecretsUnavailable as fault:
                if fault.trouble != Trouble.DENIED:
                    raise
                raise SecretsUnavailable(
                    Trouble.LOGIN, "the wrapping token was used before, by us or by somebody else, or has expired"
                ) from None
            if not isinstance(given, str) or not given:
                raise SecretsUnavailable(Trouble.LOGIN, "the wrapping token holds no secret id")
            self._unwrapped = (wrapping.reveal(), Secret(given))
        return self._unwrapped[1]


class LoggedIn:
    """A client that has a token whenever it is asked something. Not for two threads at once."""

    def __init__(self, client: VaultClient, login: Login, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._client = client
        self._login = login
        self._clock = clock
        self._lease: Lease | None = None
        self._since = 0.0
        self._first_ttl_s = 0.0

    def ask(self, question: Callable[[VaultClient], T]) -> T:
        """Asks, with a new login where the token is refused: it may have been revoked. Raises SecretsUnavailable."""
        fresh = self._prepare()
        try:
            return question(self._client)
        except SecretsUnavailable as fault:
            if fault.trouble != Trouble.DENIED or fresh:
                raise
        self._log_in()
        return question(self._client)

    def close(self) -> None:
        self._client.close()

    def _prepare(self) -> bool:
        """Whether the token is brand-new."""
        wanted = step(self._lease, self._clock() - self._since, self._first_ttl_s)
        if wanted is Step.RENEW and self._renewed():
            return False
        if wanted is Step.USE:
            return False
        return self._log_in()

    def _renewed(self) -> bool:
        asked = self._clock()
        try:
            lease = self._client.renew()
        except SecretsUnavailable as fault:
            if fault.trouble != Trouble.DENIED:
                raise
            return False
        self._keep(lease, asked)
        # A token near its maximum is given ever less: then a new login is due.
        return step(lease, lease.ttl_s * RENEW_AFTER, self._first_ttl_s) is not Step.LOGIN

    def _log_in(self) -> bool:
        asked = self._clock()
        try:
            lease = self._login(self._client)
        except SecretsUnavailable as fault:
            self._lease = None
            if fault.trouble != Trouble.DENIED:
                raise
            raise SecretsUnavailable(Trouble.LOGIN, "it refuses the login") from None
        self._keep(lease, asked)
        self._first_ttl_s = lease.ttl_s
        return True

    def _keep(self, lease: Lease, asked: float) -> None:
        self._lease, self._since = lease, asked


def login_of(settings: Settings) -> Login | str:
    """What the settings say, or what they lack."""
    role, secret_id, token = settings.vault_role_id, settings.vault_secret_id_file, settings.vault_token_file
    if token and not (role or secret_id):
        return TokenFile(token)
    if role and secret_id and not token:
        return AppRole(role, secret_id, wrapped=settings.vault_secret_id_wrapped)
    return "VAULT_ADDR needs either VAULT_ROLE_ID with VAULT_SECRET_ID_FILE, or MUTT_VAULT_TOKEN_FILE"


def secret_in(path: str) -> Secret:
    """A file's text. Raises SecretsUnavailable, also where others could read it (`is_open`)."""
    file = Path(path)
    try:
        exposed = is_open(file.stat(), reader=os.geteuid())
        text = file.read_text(encoding="utf-8").strip() if not exposed else ""
    except (OSError, UnicodeDecodeError) as error:
        raise SecretsUnavailable(Trouble.LOGIN, f"{path} cannot be read ({type(error).__name__})") from None
    if exposed:
        raise SecretsUnavailable(Trouble.LOGIN, f"{path} is open to others; run: chmod 600 {path}")
    if not text or len(text) > LONGEST_FILE or not text.isprintable():
        raise SecretsUnavailable(Trouble.LOGIN, f"{path} holds no token or secret id")
    return Secret(text)
