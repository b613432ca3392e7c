"""Every receiver keeps the same promises; the plain webhook's body and headers; a third one is one small file."""

from __future__ import annotations

import datetime as dt
import inspect
import json

import pytest
from standardwebhooks import Webhook

from schemas import codec
from schemas.errors import SettingsRefused
from schemas.rules import AlertSeverity
from schemas.secrets import Secret
from streams.core.delivery import Answer, Fault, Kind
from streams.core.receivers.receiver import Post, Receiver
from streams.core.receivers.registry import RECEIVERS, receiver_named
from streams.core.receivers.webhook import WEBHOOK
from streams.core.signing import signing_key
from tests import examples, toy_receiver
from tests.builders import alert
from tests.toy_receiver import TOY

SIGNING = "whsec_" + "a2tra2tra2tra2tra2tra2tra2tra2tra2s="
SENT = dt.datetime(2026, 3, 1, 12, tzinfo=dt.UTC)
HOSTILE = {"hostname": "h\r\nX: y", "description": "\x1b[31m\u202e💥 ' \" </script>", "team": "é↓"}
EVERY = [*RECEIVERS, TOY, examples.module("receiver").PAGER]


def post(**fields: object) -> Post:
    defaults: dict[str, object] = {"identity": "an-id", "timestamp": int(SENT.timestamp()), "body": b'{"a":1}'}
    return Post(**defaults | fields)  # type: ignore[arg-type]


@pytest.mark.parametrize("receiver", EVERY, ids=lambda receiver: receiver.name)
def test_a_body_is_json_and_the_same_each_time(receiver: Receiver) -> None:
    one = alert(**HOSTILE, severity=AlertSeverity.CLEAR)
    assert receiver.body(one) == receiver.body(codec.decode_alert(codec.encode(one)))
    assert isinstance(json.loads(receiver.body(one)), dict)


@pytest.mark.parametrize("receiver", EVERY, ids=lambda receiver: receiver.name)
@pytest.mark.parametrize("token", [None, Secret("a-token")])
def test_headers_are_text_that_a_header_can_hold(receiver: Receiver, token: Secret | None) -> None:
    headers = receiver.headers(post(token=token, signing_keys=(b"k" * 32,)))
    assert all(value.isascii() and value.isprintable() for value in headers.values())
    assert any("a-token" in value for value in headers.values()) == (token is not None)


@pytest.mark.parametrize("receiver", EVERY, ids=lambda receiver: receiver.name)
def test_a_fault_or_a_server_error_is_never_final(receiver: Receiver) -> None:
    answers = [Answer(fault=fault) for fault in Fault] + [Answer(status=status) for status in (429, 500, 503)]
    assert {receiver.judge(answer).kind for answer in answers} == {Kind.RETRY}
    assert receiver.judge(Answer(status=204)).kind is Kind.DELIVERED
    assert receiver.judge(Answer(status=413)).kind is Kind.DEAD


def test_the_plain_webhook_gets_the_alert_as_it_was_committed() -> None:
    one = alert(**HOSTILE)
    assert WEBHOOK.body(one) == codec.encode(one)
    assert json.loads(WEBHOOK.body(one))["severity"] == "major"


def test_the_plain_webhook_has_the_headers_of_standard_webhooks() -> None:
    body = WEBHOOK.body(alert())
    headers = dict(WEBHOOK.headers(post(body=body, signing_keys=(signing_key(Secret(SIGNING)),))))
    assert set(headers) == {"webhook-id", "webhook-timestamp", "webhook-signature"}
    webhook = Webhook(SIGNING)
    assert headers["webhook-signature"] == webhook.sign("an-id", SENT, body.decode())


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ('{"ok": true}', Kind.DELIVERED), ("", Kind.DELIVERED), ("[]", Kind.DELIVERED),
        ('{"error": "flood"}', Kind.RETRY), ('{"error": "no such room"}', Kind.DEAD), ('{"error": {}}', Kind.DEAD),
    ],
)  # fmt: skip
def test_a_receiver_may_read_its_verdict_from_the_body(text: str, kind: Kind) -> None:
    assert TOY.judge(Answer(status=200, text=text)).kind is kind


def test_a_third_receiver_is_one_small_file() -> None:
    assert len(inspect.getsource(toy_receiver).splitlines()) <= 60


def test_a_receiver_is_chosen_by_name() -> None:
    assert [receiver_named(receiver.name) for receiver in RECEIVERS] == list(RECEIVERS)
    assert receiver_named("toy", [*RECEIVERS, TOY]) is TOY
    assert len({receiver.name for receiver in RECEIVERS}) == len(RECEIVERS)
    with pytest.raises(SettingsRefused, match="'Moogsoft' is no receiver; there are: moogsoft, webhook"):
        receiver_named("Moogsoft")
