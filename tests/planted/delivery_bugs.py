"""Bugs of the forwarder: ids, order, what is given up, what is acknowledged."""

from __future__ import annotations

import asyncio
import uuid

from streams.adapters.webhook import WebhookSink
from streams.agents.delivery_dispatch import Dispatch
from streams.agents.delivery_hold import Hand, Held, Hold
from streams.agents.forward_alerts import Forwarder
from streams.core import delivery
from streams.core.batches import PolledBatch
from streams.core.delivery import Answer, DeliveryReason, Kind, Outcome
from tests.planted.patches import Collection, Patches

BUGS = Collection()


@BUGS.bug(19, "a retry goes out under a new webhook-id", "two_ids", "ghost", scenario="receiver_fails")
def retry_under_a_new_id(patches: Patches) -> None:
    post = WebhookSink.post
    seen: set[uuid.UUID] = set()

    async def post_anew(self: WebhookSink, alert_id: uuid.UUID, body: bytes, trace: str | None = None) -> Answer:
        again = alert_id in seen
        seen.add(alert_id)
        return await post(self, uuid.uuid4() if again else alert_id, body)

    patches.replace(WebhookSink, "post", post_anew)


@BUGS.bug(20, "a host's next alert goes out while an earlier one waits for its retry", "order",
          scenario="receiver_fails", histories=True)  # fmt: skip
def next_alert_overtakes_a_retry(patches: Patches) -> None:
    async def _deliver(self: Dispatch, held: Held) -> None:
        with self.posting:
            delay = await self._delivery.post(held)
        self._lineup.done(held.alert.hostname)
        if delay is not None:
            asyncio.get_running_loop().call_later(delay, self.add, held)

    patches.replace(Dispatch, "_deliver", _deliver)


@BUGS.bug(21, "401 is taken for the alert's own fault", "blame", scenario="receiver_fails", histories=True)
def refused_login_is_a_letter(patches: Patches) -> None:
    retried = {status: reason for status, reason in delivery._RETRIED.items() if status != 401}
    patches.replace(delivery, "_RETRIED", retried)


@BUGS.bug(31, "the forwarder acknowledges what it has only taken", "alert_lost", scenario="forwarder_killed",
          stalls=True)  # fmt: skip
def taken_is_acknowledged(patches: Patches) -> None:
    take = Hold.take

    def take_and_acknowledge(self: Hold, batch: PolledBatch) -> Hand:
        batch.acknowledge()
        return take(self, batch)

    patches.replace(Hold, "take", take_and_acknowledge)


@BUGS.bug(32, "an attempt changes the body it sends", "two_ids", scenario="receiver_fails")
def body_tells_the_attempt(patches: Patches) -> None:
    post = WebhookSink.post
    attempts: dict[uuid.UUID, int] = {}

    async def post_counted(self: WebhookSink, alert_id: uuid.UUID, body: bytes, trace: str | None = None) -> Answer:
        attempts[alert_id] = attempts.get(alert_id, 0) + 1
        return await post(self, alert_id, body[:-1] + f',"attempt":{attempts[alert_id]}}}'.encode())

    patches.replace(WebhookSink, "post", post_counted)


@BUGS.bug(33, "a receiver that is down is given up after three attempts", "blame", scenario="receiver_fails",
          histories=True)  # fmt: skip
def given_up_too_soon(patches: Patches) -> None:
    post = Forwarder._post

    async def _post(self: Forwarder, held: Held) -> Outcome:
        outcome = await post(self, held)
        tired = outcome.kind is Kind.RETRY and held.tries >= 3
        return Outcome(Kind.DEAD, DeliveryReason.HTTP) if tired else outcome

    patches.replace(Forwarder, "_post", _post)
