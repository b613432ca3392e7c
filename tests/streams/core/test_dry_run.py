"""Which decisions would change under proposed rules."""

from __future__ import annotations

from msgspec.structs import replace

from schemas.events import Disposition
from schemas.rules import Handling, Rule
from streams.core.dry_run import EXAMPLES, Comparison, Differences, Proposal, Sample, proposed_set
from streams.core.matching import Knowledge
from tests.builders import event, rule, rule_set

LINK = rule(id=1, match_string="link", priority=5)
FAN = rule(id=2, match_string="fan", priority=5, prod_handling=Handling.LOG_ONLY, team_assignment="hw")


def found(proposal: Proposal, *messages: str, hosts: tuple[str, ...] = ("h1",)) -> Differences:
    now = rule_set(LINK, FAN)
    then, _ = proposed_set(now, proposal, next_id=3)
    comparison = Comparison(Knowledge.of(now), Knowledge.of(then))
    comparison.see(
        Sample(f"{host}:{message}", event(hostname=host, message=message)) for host in hosts for message in messages
    )
    return comparison.found


def new(**values: object) -> Rule:
    return rule(**{"id": 0} | values)


def test_nothing_proposed_changes_nothing() -> None:
    differences = found(Proposal(), "link", "fan", "other")
    assert (differences.judged, differences.changed, differences.examples) == (3, 0, [])


def test_a_new_rule_takes_what_nobody_handled_and_loses_ties() -> None:
    differences = found(Proposal((new(match_string="n", priority=5),)), "link", "nobody", "x", hosts=("h1", "h2"))
    assert differences.kinds == {(Disposition.UNHANDLED, Disposition.ALERTED): 2}
    assert differences.hosts == {"h1": 1, "h2": 1}
    assert differences.teams_before == {"NETO": 2}
    assert differences.teams_after == {"netops": 2}
    (first, _) = differences.examples
    assert (first.sample.name, first.before.rule_id, first.after.rule_id) == ("h1:nobody", None, 3)
    assert (first.before.handling, first.after.handling) == (None, Handling.PAGE_AND_TICKET)


def test_a_changed_rule_is_compared_with_what_it_was() -> None:
    quiet = replace(FAN, prod_handling=Handling.IGNORE)
    assert found(Proposal((quiet,)), "fan", "link").kinds == {(Disposition.LOGGED, Disposition.IGNORED): 1}
    assert found(Proposal((replace(FAN, is_active=False),)), "fan").kinds == {
        (Disposition.LOGGED, Disposition.UNHANDLED): 1
    }


def test_another_team_is_another_decision() -> None:
    differences = found(Proposal((replace(FAN, team_assignment="voice"),)), "fan")
    assert (differences.teams_before, differences.teams_after) == ({"hw": 1}, {"voice": 1})


def test_a_rule_retired_and_a_whole_set() -> None:
    assert found(Proposal(without=frozenset({1})), "link", "fan").changed == 1
    assert found(Proposal(whole=True), "link", "fan").changed == 2


def test_new_rules_are_numbered_behind_all_others_and_known_by_their_place() -> None:
    proposal = Proposal((new(match_string="a"), replace(LINK, priority=1), new(match_string="b")))
    then, places = proposed_set(rule_set(LINK, FAN), proposal, next_id=9)
    assert [one.id for one in then.rules] == [1, 2, 9, 10]
    assert places == {9: 0, 1: 1, 10: 2}


def test_examples_are_few_and_show_every_kind_of_change() -> None:
    proposal = Proposal((new(match_string="n", priority=1, prod_handling=Handling.IGNORE),))
    differences = found(proposal, *(f"n {number}" for number in range(EXAMPLES + 5)), "link n", "fan n")
    assert differences.changed == EXAMPLES + 7
    assert len(differences.examples) == EXAMPLES
    assert {change.kind for change in differences.examples} == set(differences.kinds)
