"""A Kafka that lets in who has a login or a certificate, and lets each do what mutt's table of rights says."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from confluent_kafka.admin import AdminClient, ScramCredentialInfo, ScramMechanism, UserScramCredentialUpsertion
from msgspec.structs import replace

from ops.devstack.kafka import Guard, Kafka
from ops.devstack.layout import Layout, free_port
from schemas.secret_names import DB_PASSWORD
from schemas.settings import Settings
from streams.adapters.broker_access import BrokerAccess
from streams.adapters.secrets import FileSecrets
from streams.core.broker_rights import Client
from tests.certificates import Authority, Pair

_ROUNDS = 4096


@dataclass(frozen=True)
class Guarded:
    """The server, started, with a SCRAM user for each client; its open listener is the administrator's."""

    kafka: Kafka
    authority: Authority
    folder: Path
    certificate: Pair
    """Of the client `match`, for the listener that wants one."""

    @classmethod
    def start(cls, folder: Path) -> Guarded:
        authority = Authority(folder / "authority")
        kafka = Kafka(Layout(folder / "broker"))
        kafka._layout.create()
        identity = authority.issue("broker").both(folder / "identity.pem")
        kafka.guard = Guard(free_port(), free_port(), identity, authority.certificate)
        guarded = cls(kafka, authority, folder, authority.issue("mutt-match"))
        try:
            kafka.start(180)
            guarded._make_users()
        except BaseException:
            kafka.kill()
            raise
        return guarded

    def _make_users(self) -> None:
        info = ScramCredentialInfo(ScramMechanism.SCRAM_SHA_512, _ROUNDS)
        admin = AdminClient({"bootstrap.servers": self.kafka.bootstrap})
        made = admin.alter_user_scram_credentials(
            [UserScramCredentialUpsertion(f"mutt-{each}", info, f"of {each}".encode()) for each in Client]
        )
        for answer in made.values():
            answer.result(60)

    @property
    def guard(self) -> Guard:
        assert self.kafka.guard is not None
        return self.kafka.guard

    def settings(self, base: Settings, client: Client, **changes: Any) -> Settings:
        """With the login of this client, which is in a folder of secrets of its own."""
        secrets = self.folder / f"secrets of {client}"
        secrets.mkdir(mode=0o700, exist_ok=True)
        held = {"KAFKA_USER": f"mutt-{client}", "KAFKA_PASSWORD": f"of {client}"}
        if base.secrets_dir:
            held["DB_PASS_CURRENT"] = (Path(base.secrets_dir) / DB_PASSWORD).read_text()
        for name, value in held.items():
            (secrets / name).write_text(value)
            (secrets / name).chmod(0o600)
        ours = {
            "kafka_bootstrap": f"127.0.0.1:{self.guard.login_port}", "kafka_security": "sasl_ssl",
            "kafka_cacert": str(self.authority.certificate), "secrets_dir": str(secrets),
        }  # fmt: skip
        return replace(base, **ours | changes)

    def mutual(self, base: Settings, **changes: Any) -> Settings:
        """With the certificate instead of a login."""
        ours = {
            "kafka_bootstrap": f"127.0.0.1:{self.guard.mutual_port}", "kafka_security": "ssl",
            "kafka_cacert": str(self.authority.certificate), "kafka_cert": str(self.certificate.certificate),
            "kafka_key": str(self.certificate.key),
        }  # fmt: skip
        return replace(base, **ours | changes)

    def access(self, client: Client, **changes: Any) -> BrokerAccess:
        settings = self.settings(Settings(), client, **changes)
        return BrokerAccess(settings, FileSecrets(settings.secrets_dir))

    def librdkafka(self, client: Client) -> dict[str, Any]:
        """The settings of a client that is none of ours."""
        return {
            "bootstrap.servers": f"127.0.0.1:{self.guard.login_port}", "security.protocol": "SASL_SSL",
            "sasl.mechanism": "SCRAM-SHA-512", "sasl.username": f"mutt-{client}", "sasl.password": f"of {client}",
            "ssl.ca.location": str(self.authority.certificate), "ssl.endpoint.identification.algorithm": "none",
        }  # fmt: skip
