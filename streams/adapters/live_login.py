"""User and password as a Kafka client asks for them at each connection it opens: those of that moment."""

from __future__ import annotations

import threading

from schemas.secret_names import KAFKA_PASSWORD, KAFKA_USER
from streams.adapters.secrets import SecretSource


def live_login(secrets: SecretSource) -> tuple[LiveUser, LivePassword]:
    """Both must be among the secrets. For SCRAM alone: PLAIN joins plain strings."""
    return LiveUser(secrets), LivePassword(secrets)


class _Live:
    """aiokafka keeps what it is given and asks it for its text whenever it logs in.

    So a client that runs follows a change: what is open stays open, and what is opened next has the new login.
    """

    name: str

    def __init__(self, secrets: SecretSource) -> None:
        self._secrets = secrets
        self._last = ""

    def _text(self) -> str:
        """What was there last, if it is gone: the broker refuses it, and the client asks again."""
        found = self._secrets.get(self.name)
        if found is not None:
            self._last = found.reveal()
        return self._last

    def __repr__(self) -> str:
        return f"<{self.name}>"


class LiveUser(_Live):
    """All that is asked of it is `replace`, and its name for the log."""

    name = KAFKA_USER

    def replace(self, old: str, new: str) -> str:
        return self._text().replace(old, new)

    def __str__(self) -> str:
        return self._text()


class LivePassword(_Live):
    """All that is asked of it is `encode`, before the user.

    Each time it has the store looked at beside: a login that is refused may have been replaced unseen, and the client
    tries again within the second.
    """

    name = KAFKA_PASSWORD

    def __init__(self, secrets: SecretSource) -> None:
        super().__init__(secrets)
        self._looking = threading.Lock()

    def encode(self, encoding: str) -> bytes:
        threading.Thread(target=self._look, name="broker login", daemon=True).start()
        return self._text().encode(encoding)

    def _look(self) -> None:
        if self._looking.acquire(blocking=False):
            try:
                self._secrets.refresh()
            finally:
                self._looking.release()
