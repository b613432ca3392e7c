"""What every ReceiverProbe must do; run on the fake and on the real one."""

from __future__ import annotations

from typing import Protocol

from streams.core.delivery import Answer, Fault
from streams.core.ports import ReceiverProbe


class Asked(Protocol):
    """A receiver of the test's, behind the probe."""

    @property
    def probe(self) -> ReceiverProbe: ...

    def answer(self, answer: Answer) -> None:
        """How it answers from now on; a fault means that it gives no answer."""

    @property
    def alerts(self) -> int:
        """Posts it got."""


class ReceiverProbeContract:
    """Subclass with a fixture `asked`."""

    async def test_every_status_is_an_answer_and_no_question_is_an_alert(self, asked: Asked) -> None:
        for status in (200, 204, 302, 401, 404, 405, 429, 500, 501, 503):
            asked.answer(Answer(status=status))
            assert (await asked.probe.ask()).status == status
        assert asked.alerts == 0

    async def test_no_answer_is_a_fault_and_raises_nothing(self, asked: Asked) -> None:
        asked.answer(Answer(fault=Fault.CONNECTION))
        answer = await asked.probe.ask()
        assert (answer.status, answer.fault) == (None, Fault.CONNECTION)
