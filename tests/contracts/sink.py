"""What every AlertSink must do; run on the fake and on the real one."""

from __future__ import annotations

import uuid
from typing import Protocol

from streams.core.delivery import Answer, Fault
from streams.core.ports import AlertSink


class Receiver(Protocol):
    """A receiver of the test's, behind the sink."""

    @property
    def sink(self) -> AlertSink: ...

    def answer(self, answer: Answer) -> None:
        """How it answers from now on; a fault means that it gives no answer."""

    @property
    def received(self) -> list[tuple[str, bytes]]:
        """Id and body of every post."""


class SinkContract:
    """Subclass with a fixture `receiver`."""

    async def test_the_body_arrives_byte_for_byte_under_its_id(self, receiver: Receiver) -> None:
        alert, body = uuid.uuid4(), b'{"description":"a\\r\\nX: y \xe2\x86\x93"}'
        answer = await receiver.sink.post(alert, body)
        assert (answer.status, answer.fault) == (200, None)
        assert receiver.received == [(str(alert), body)]

    async def test_every_status_is_an_answer(self, receiver: Receiver) -> None:
        for status in (201, 302, 401, 404, 422, 429, 500, 503, 600):
            receiver.answer(Answer(status=status, retry_after="7", text="as told"))
            answer = await receiver.sink.post(uuid.uuid4(), b"{}")
            assert (answer.status, answer.retry_after, answer.text) == (status, "7", "as told")

    async def test_no_answer_is_a_fault_and_raises_nothing(self, receiver: Receiver) -> None:
        receiver.answer(Answer(fault=Fault.CONNECTION))
        answer = await receiver.sink.post(uuid.uuid4(), b"{}")
        assert (answer.status, answer.fault) == (None, Fault.CONNECTION)
