"""`mutt snmp-bridge`: carries traps from snmptrapd to Kafka."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

from ops.cli.awaited import awaited
from ops.cli.exits import Exit, fail
from schemas.settings import Settings, settings_of_process

if TYPE_CHECKING:
    from streams.adapters.broker_access import BrokerAccess

STOPS = (signal.SIGTERM, signal.SIGINT)


def snmp_bridge() -> None:
    """Publish the traps that snmptrapd prints on standard input; docs/PRODUCERS.md says how to start both.

    Each trap is an event on mutt.ingest.snmp, acknowledged by all of Kafka's replicas before more is read: with Kafka
    away the pipe holds snmptrapd back. Ends when the input ends; after SIGTERM it waits for that as long as
    MUTT_DRAIN_TIMEOUT.
    """
    signal.pthread_sigmask(signal.SIG_BLOCK, STOPS)  # the bridge hears of one that comes before it can act on it
    from schemas.secret_names import Service
    from streams.logs import configure
    from streams.safe_start import check_safe
    from streams.snmp_bridge import SnmpBridge

    settings = settings_of_process(os.environ)
    configure(settings.log_level, "snmp-bridge")
    check_safe(settings, Service.SNMP_BRIDGE)
    if not awaited(SnmpBridge(settings, STOPS, _brokers(settings)).run()):
        where = settings.kafka_bootstrap
        fail(Exit.UNAVAILABLE, f"Kafka at {where} had not taken all traps when it was time to stop; the rest is lost")


def _brokers(settings: Settings) -> BrokerAccess:
    """Its only secret is the login at brokers that want one."""
    from schemas.secret_names import Service
    from streams.adapters.broker_access import BrokerAccess, uses_login
    from streams.adapters.secret_sources import open_secrets
    from streams.adapters.secrets import FileSecrets
    from streams.app import end_process
    from streams.metrics import SECRETS

    if not uses_login(settings):
        return BrokerAccess(settings, FileSecrets(None))
    return BrokerAccess(settings, open_secrets(settings, Service.SNMP_BRIDGE, SECRETS, end_process))
