"""What the rules of now would decide over a dead letter, were it sent again."""

from __future__ import annotations

import uuid

from msgspec import Struct

from schemas import codec
from schemas.dead_letters import Stage
from schemas.errors import RecordRejected
from schemas.events import Disposition
from schemas.rows import instant
from schemas.topics import topics_by_name
from streams.core.matching import Judgement, Knowledge
from streams.core.replay import StoredLetter, current_value


class Verdict(Struct, frozen=True, kw_only=True):
    """A decision that was not taken. With `delivers` there is none to take: the alert goes to the receiver again."""

    disposition: Disposition | None = None
    rule_id: int | None = None
    handling: str | None = None
    team: str | None = None
    alert_severity: str | None = None
    error: str | None = None
    """The reason where it would be rejected again."""
    detail: str | None = None
    delivers: uuid.UUID | None = None

    @property
    def summary(self) -> str:
        """One or two words, to count by."""
        if self.delivers is not None:
            return "delivered again"
        return str(self.disposition) + (f" ({self.error})" if self.error else "")


def verdict(stored: StoredLetter, knowledge: Knowledge) -> Verdict | None:
    """The decision over the letter's value as a replay would send it; None where no topic of ours would take it."""
    letter = stored.letter
    if letter.stage is Stage.DELIVER:
        return Verdict(delivers=letter.alert_id) if letter.alert_id is not None else None
    topic = topics_by_name().get(letter.topic)
    if topic is None or not topic.is_ingest:
        return None
    try:
        decoded = codec.decode(current_value(stored), topic, letter.key, instant(letter.timestamp))
        return _of(knowledge.judge(decoded.event))
    except RecordRejected as rejected:
        return Verdict(disposition=Disposition.REJECTED, error=rejected.reason.value, detail=rejected.detail)
    except Exception as error:  # noqa: BLE001 - the defect that made this letter may still be there; it is told
        return Verdict(
            disposition=Disposition.REJECTED, error="internal_error", detail=f"{type(error).__name__}: {error}"
        )


def _of(judgement: Judgement) -> Verdict:
    rule, disposition = judgement.rule, judgement.disposition
    return Verdict(
        disposition=disposition,
        rule_id=rule.id if rule else None,
        handling=judgement.handling.value if rule else None,
        team=judgement.team if rule else None,
        alert_severity=judgement.severity.value if disposition is Disposition.ALERTED else None,
    )
