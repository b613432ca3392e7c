"""Every certificate is replaced by one of another authority, and then the authority, while everything runs."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import ssl
from collections.abc import Mapping
from pathlib import Path

from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource, ResourceType

from ops.devstack.authority import Authority
from ops.devstack.kafka import ADMINISTRATOR, BROKER
from ops.devstack.processes import wait_until
from ops.devstack.secured import SecuredStack
from schemas.config import DynamicConfig
from schemas.settings import Settings
from tests.integration.pipeline import until
from tests.integration.rotating import Receiver

AMONG_BROKERS = {BROKER, ADMINISTRATOR}


class Renewals:
    """In the order of docs/ROTATION.md: first both authorities count, then the certificates, then the new one alone."""

    def __init__(self, secured: SecuredStack, receiver: Receiver, ports: Mapping[str, int]) -> None:
        """`ports`: where each service shows its own."""
        self._stack = secured
        self._receiver = receiver
        self._ports = ports
        self._broker = AdminClient(librdkafka(secured.administrator))

    async def everything(self) -> None:
        stack = self._stack
        second = Authority(stack.bao.owner, stack.authorities.parent / "second", "pki-second")
        first = stack.authorities.read_text()
        rewrite(stack.authorities, first + second.certificate.read_text())
        await self._posts_begin_with_both()
        stack.trusts.load_verify_locations(second.certificate)
        for name in stack.pairs.keys() - AMONG_BROKERS:
            issued, pair = second.issue(name), stack.pairs[name]
            issued.certificate.replace(pair.certificate)
            issued.key.replace(pair.key)
        stack.trusts.load_cert_chain(stack.certified.pair.certificate, stack.certified.pair.key)
        shown = second.issue(BROKER).both(stack.authorities.parent / "to-clients.pem")
        await asyncio.to_thread(self._broker_shows, shown)
        assert stack.bao.child is not None
        stack.bao.child.signal(signal.SIGHUP)
        await self._all_show_one_of(second)
        rewrite(stack.authorities, second.certificate.read_text())

    async def _posts_begin_with_both(self) -> None:
        """Those that were on their way to the receiver know only the first authority; they are over when as many more
        have come as can be on their way."""
        enough = self._receiver.posts.total() + 2 * DynamicConfig().moog_max_in_flight

        async def come() -> bool:
            return self._receiver.posts.total() > enough

        await until(come, "posts that began with both authorities come")

    async def _all_show_one_of(self, authority: Authority) -> None:
        trusts, stack = ssl.create_default_context(cafile=authority.certificate), self._stack
        servers = {"openbao": stack.bao.port, "kafka": stack.kafka.port}
        for name, port in {**servers, **self._ports}.items():
            shows = f"{name} shows its new certificate"
            await asyncio.to_thread(wait_until, lambda port=port: vouched_for(port, trusts), what=shows)

        async def twice() -> bool:
            return len(self._receiver.certificates) == 2

        await until(twice, "the receiver is shown the new certificate")

    def _broker_shows(self, file: Path) -> None:
        """To those who log in; what brokers show one another and their administrator is Kafka's own affair."""
        name = "listener.name.login.ssl.keystore.location"
        entry = ConfigEntry(name, os.fspath(file), incremental_operation=AlterConfigOpType.SET)
        resource = ConfigResource(ResourceType.BROKER, "1", incremental_configs=[entry])
        self._broker.incremental_alter_configs([resource])[resource].result(60)


def librdkafka(settings: Settings) -> dict[str, str]:
    """A client that is none of ours and shows a certificate."""
    return {
        "bootstrap.servers": settings.kafka_bootstrap, "security.protocol": "SSL",
        "ssl.ca.location": str(settings.kafka_cacert), "ssl.certificate.location": str(settings.kafka_cert),
        "ssl.key.location": str(settings.kafka_key), "ssl.endpoint.identification.algorithm": "none",
    }  # fmt: skip


def rewrite(file: Path, text: str) -> None:
    """As one replaces a file that is in use."""
    fresh = file.with_suffix(".fresh")
    fresh.write_text(text)
    fresh.replace(file)


def vouched_for(port: int, trusts: ssl.SSLContext) -> bool:
    try:
        with (
            socket.create_connection(("127.0.0.1", port), 20) as plain,
            trusts.wrap_socket(plain, server_hostname="127.0.0.1"),
        ):
            return True
    except ssl.SSLCertVerificationError:
        return False
