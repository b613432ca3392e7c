"""A plain webhook: the alert as the JSON it is on `mutt.alerts`, with the headers of Standard Webhooks."""

from __future__ import annotations

from schemas import codec
from streams.core.receivers.receiver import Receiver

WEBHOOK = Receiver(name="webhook", body=codec.encode)
