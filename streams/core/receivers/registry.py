"""Every receiver, and the one that a setting names."""

from __future__ import annotations

from collections.abc import Sequence

from schemas.errors import SettingsRefused
from streams.core.receivers.moogsoft import MOOGSOFT
from streams.core.receivers.receiver import Receiver
from streams.core.receivers.webhook import WEBHOOK

RECEIVERS: tuple[Receiver, ...] = (MOOGSOFT, WEBHOOK)


def receiver_named(name: str, receivers: Sequence[Receiver] = RECEIVERS) -> Receiver:
    """Raises SettingsRefused, with the names there are."""
    for receiver in receivers:
        if receiver.name == name:
            return receiver
    known = ", ".join(receiver.name for receiver in receivers)
    raise SettingsRefused(f"MUTT_RECEIVER={name!r} is no receiver; there are: {known}")
