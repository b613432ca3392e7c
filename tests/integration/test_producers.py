"""The README's producer, run as it stands there: what it publishes is what mutt reads."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from typing import Any

from ops.devstack.stack import Stack
from schemas import codec
from schemas.topics import SYSLOG
from tests.architecture.documents import README, blocks
from tests.integration.topics import read_all


def test_the_python_producer(broker: Stack) -> None:
    (snippet,) = blocks(README, "python")
    environment = os.environ | {"MUTT_KAFKA_BOOTSTRAP": broker.kafka.bootstrap}
    command = [sys.executable, "-W", "error", "-c", snippet]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    (record,) = arrived(broker.kafka.bootstrap, SYSLOG.name, 1)
    assert done.stdout == f"mutt trace {SYSLOG.name}:{record.partition()}:{record.offset()}\n"
    event = codec.decode(record.value(), SYSLOG, record.key()).event
    assert (event.hostname, event.message, event.syslog_severity) == ("pay-1", "backup job nightly failed", 3)
    assert record.key() == b"pay-1"


def arrived(bootstrap: str, topic: str, count: int) -> list[Any]:
    """The records of a topic, once so many different ones are there."""
    end = time.monotonic() + 60
    while True:
        records = read_all(bootstrap, topic)
        if len({record.value() for record in records}) >= count:
            return records
        assert time.monotonic() < end, f"{len(records)} of {count} records arrived"
        time.sleep(0.2)
