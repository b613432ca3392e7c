"""What would not start is noticed: a command, an option, a value, a variable or a port that mutt does not have."""

from __future__ import annotations

import pytest

from tests.ops.deploy.launches import Launch


@pytest.mark.parametrize(
    ("argv", "environment", "ports"),
    [
        (("mutt", "worker", "forward"), {"MUTT_FORWARD_PORT": "9000"}, {9000}),
        (("mutt", "migrate", "--check"), {}, set()),
        (("mutt", "topics", "create", "--replication", "3"), {}, set()),
        (("/opt/mutt/bin/python", "-m", "api"), {}, {8090}),
        (("/usr/local/bin/mutt-snmptrapd", "udp:1162"), {}, {8087}),
    ],
)
def test_what_mutt_has_is_right(argv: tuple[str, ...], environment: dict[str, str], ports: set[int]) -> None:
    assert Launch("here", argv, environment, frozenset(ports)).problems() == []


@pytest.mark.parametrize(
    ("argv", "environment", "ports", "problem"),
    [
        (("mutt", "worker", "froward"), {}, set(), "froward"),
        (("mutt", "migrate", "--chek"), {}, set(), "--chek"),
        (("mutt", "ready", "forwarder"), {}, set(), "forwarder"),
        (("mutt", "topics", "create", "--replication", "0"), {}, set(), "--replication"),
        (("python", "-m", "apy"), {}, set(), "no module apy"),
        (("faust", "worker"), {}, set(), "no program of mutt"),
        (("mutt", "worker", "match"), {"MUTT_KAFKA_BOOTSTRAPS": "k:1"}, set(), "MUTT_KAFKA_BOOTSTRAPS"),
        (("mutt", "worker", "match"), {"MUTT_MATCH_PORT": "many"}, set(), "MUTT_MATCH_PORT"),
        (("mutt", "worker", "match"), {}, {8083}, "looked for at port 8083, but listens on 8081"),
    ],
)
def test_what_mutt_does_not_have_is_noticed(
    argv: tuple[str, ...], environment: dict[str, str], ports: set[int], problem: str
) -> None:
    problems = Launch("here", argv, environment, frozenset(ports)).problems()
    assert len(problems) == 1
    assert problem in problems[0]
