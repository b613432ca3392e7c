"""docs/CHEATSHEET.md: dynamic configuration and dead letters on one page, from the registry and the commands."""

from __future__ import annotations

from collections.abc import Iterator

from ops.cli import mutt
from ops.documents.cli import commands, summary, usage
from ops.documents.markdown import block, code, codes, page, table
from schemas.config import KEYS
from schemas.config_values import to_text
from schemas.dead_letters import FACTS, Replayable

_NEXT = {
    Replayable.YES: "`mutt dlq replay --reason {reason} --dry-run`",
    Replayable.AFTER_FIX: "mend the cause, then `mutt dlq replay --reason {reason} --dry-run`",
    Replayable.AFTER_EDIT: "`mutt dlq list --reason {reason}`, then `mutt dlq edit ID`",
    Replayable.BY_CHOICE: "`mutt dlq show ID`, then replay or park it",
    Replayable.NO: "its producer must send it anew; `mutt dlq park --reason {reason}`",
}
_EVERY_DAY = """\
mutt config show                                     # every key: value in force, bounds, meaning
mutt config set alerter_shed_mode=defer --reason "receiver is being upgraded"
mutt config set alerter_queue_warn_threshold=4000 alerter_queue_shed_threshold=8000
mutt config unset alerter_shed_mode                  # back to its default
mutt pause --reason "the database moves"              # nothing more is taken in
mutt pauses                                          # what stands still, and why
mutt resume

mutt dlq stats --by reason                           # what is there, and since when
mutt dlq stats --reason delivery --by detail         # one cause, one group
mutt dlq list --reason shed --from 2026-03-01T12:00:00Z --limit 20
mutt dlq replay --reason shed --dry-run              # what would become of them; then without --dry-run
mutt dlq replays                                     # how far each replay came
mutt ledger verify                                   # afterwards: do the books balance?"""


def document() -> str:
    about = "The commands of a bad night. [CLI.md](CLI.md) has all of them, [RUNBOOK.md](RUNBOOK.md) what to do when."
    return page("Cheat sheet", about, _every_day(), _keys(), _reasons(), _commands())


def _every_day() -> Iterator[str]:
    yield from block("sh", _EVERY_DAY)


def _keys() -> Iterator[str]:
    yield "## Keys"
    yield ""
    yield "`mutt config set KEY=VALUE…` takes several, all or none; in force within a second."
    yield ""
    yield from table(
        ("Key", "Default", "May be", "Meaning"),
        ((code(key.name), to_text(key.default), key.bounds, key.means) for key in KEYS),
    )


def _reasons() -> Iterator[str]:
    yield "## Reasons of dead letters"
    yield ""
    yield from table(
        ("Reason", "Means", "Who mends it", "Next"),
        (
            (code(reason), facts.means, facts.who_fixes, _NEXT[facts.replayable].format(reason=reason))
            for reason, facts in FACTS.items()
        ),
    )


def _filters() -> str:
    """The options that every command has which works on many letters."""
    known = dict(commands(mutt.app))
    listed, parked = ([one.opts[0] for one in known[f"mutt dlq {name}"].params] for name in ("list", "park"))
    return codes(option for option in listed if option in parked and option != "--json")


def _commands() -> Iterator[str]:
    yield "## Commands"
    yield ""
    yield f"Letters are chosen by {_filters()}; those that may be repeated are alternatives, the others add up."
    yield ""
    wanted = ("mutt config", "mutt dlq", "mutt pause", "mutt resume")
    yield from table(
        ("Command", "What it does"),
        (
            (code(usage(name, one)), summary(one))
            for name, one in commands(mutt.app)
            if name.startswith(wanted)
        ),
    )  # fmt: skip
