"""What `connection` says of TLS and login, as Faust takes it."""

from __future__ import annotations

from faust.auth import Credentials, SASLCredentials, SSLCredentials

from streams.adapters.broker_access import Brokers, connection


def credentials(brokers: Brokers) -> Credentials | None:
    """None for brokers that everybody may talk to in the open. Raises SettingsRefused."""
    arguments = connection(brokers)
    if "sasl_mechanism" in arguments:
        return SASLCredentials(
            username=arguments["sasl_plain_username"],
            password=arguments["sasl_plain_password"],
            ssl_context=arguments.get("ssl_context"),
            mechanism=arguments["sasl_mechanism"],
        )
    return SSLCredentials(arguments["ssl_context"]) if "ssl_context" in arguments else None
