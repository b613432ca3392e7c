"""User and password as the Kafka client's own login asks for them."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from aiokafka.conn import ScramAuthenticator
from msgspec.structs import replace

from schemas.secret_names import KAFKA_PASSWORD, KAFKA_USER
from schemas.secrets import Secret
from schemas.settings import Settings
from streams.adapters.broker_access import BrokerAccess, connection
from streams.broker_login import credentials

SETTINGS = Settings(kafka_security="sasl_plaintext")


class Changing:
    """Implements SecretSource."""

    def __init__(self, **values: str) -> None:
        self.values = values
        self.looked = threading.Event()

    def get(self, name: str) -> Secret | None:
        return Secret(self.values[name]) if name in self.values else None

    def subscribe(self, changed: Callable[[], None]) -> None:
        """Nobody is told."""

    def refresh(self) -> None:
        self.looked.set()


def logging_in(arguments: dict[str, Any]) -> tuple[str, bytes]:
    """User and password that a login of the Kafka client would use now."""
    names = ("sasl_plain_username", "sasl_plain_password", "sasl_mechanism")
    scram = ScramAuthenticator(loop=None, **{name: arguments[name] for name in names})
    return scram.first_message().split(",")[2], scram._sasl_plain_password


def test_each_login_of_a_client_that_runs_is_the_one_of_that_moment() -> None:
    secrets = Changing(**{KAFKA_USER: "mutt-match", KAFKA_PASSWORD: "first"})
    arguments = connection(BrokerAccess(SETTINGS, secrets))
    assert logging_in(arguments) == ("n=mutt-match", b"first")
    secrets.values[KAFKA_PASSWORD] = "second"
    assert logging_in(arguments) == ("n=mutt-match", b"second")
    secrets.values |= {KAFKA_USER: "mutt,b", KAFKA_PASSWORD: "third"}
    assert logging_in(arguments) == ("n=mutt=2Cb", b"third")
    secrets.values.clear()
    assert logging_in(arguments) == ("n=mutt=2Cb", b"third")


def test_with_each_login_the_store_is_looked_at_beside() -> None:
    secrets = Changing(**{KAFKA_USER: "mutt-match", KAFKA_PASSWORD: "first"})
    arguments = connection(BrokerAccess(SETTINGS, secrets))
    assert not secrets.looked.is_set()
    logging_in(arguments)
    assert secrets.looked.wait(60)


def test_neither_shows_the_password_and_faust_takes_both_as_they_are() -> None:
    secrets = Changing(**{KAFKA_USER: "mutt-match", KAFKA_PASSWORD: "first"})
    brokers = BrokerAccess(SETTINGS, secrets)
    arguments = connection(brokers)
    assert "first" not in f"{arguments}{arguments['sasl_plain_password']}"
    assert str(arguments["sasl_plain_username"]) == "mutt-match"
    given: Any = credentials(brokers)
    assert given.password.encode("utf-8") == b"first"


def test_PLAIN_has_the_login_of_its_start() -> None:
    secrets = Changing(**{KAFKA_USER: "mutt-match", KAFKA_PASSWORD: "first"})
    arguments = connection(BrokerAccess(replace(SETTINGS, kafka_sasl_mechanism="PLAIN"), secrets))
    assert (arguments["sasl_plain_username"], arguments["sasl_plain_password"]) == ("mutt-match", "first")
