"""`muttdev setup`: makes a machine ready, and says what it did and what is next."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ops.cli.consent import YesOption, agree
from ops.cli.exits import Exit, fail, printable, printable_json
from ops.setup.steps import Env, Step, steps

NEXT = {
    Env.DEV: "next: muttdev status; muttdev send --template LINK-3; muttdev tail decisions",
    Env.TEST: "next: make test",
    Env.PROD: "next: start the services (docs/DEPLOYMENT.md), then: mutt doctor",
}
PROD_PORTS = (8081, 8083, 8086, 8090)


def setup(
    env: Annotated[Env, typer.Option("--env", help="A laptop with its own servers, a test machine, or production.")] = (
        Env.DEV
    ),
    check: Annotated[bool, typer.Option("--check", help="Change nothing; exit 1 when something is to do.")] = False,
    file: Annotated[
        Path | None, typer.Option("--file", help="Where the settings of test or production go: ./mutt.env.")
    ] = None,
    yes: YesOption = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """Look at the machine, then fetch, write and start what is missing. Run again, it does what is still to do.

    Production's servers are those of the environment (MUTT_KAFKA_BOOTSTRAP and the like).
    """
    show = _Shown(as_json)
    show.machine(env)
    todo = [(step, what) for step in steps(env, file) if (what := _looked(step, show)) is not None]
    if check:
        show.end({"todo": [step.name for step, _ in todo], "ok": not todo})
        raise typer.Exit(Exit.CHECK_FAILED if todo else Exit.DONE)
    if todo:
        agree(f"Do this: {', '.join(step.name for step, _ in todo)}?", yes=yes)
    done = {}
    for step, _ in todo:
        if step.look() is not None:
            done[step.name] = step.do()
            show.line("done", step.name, done[step.name])
    show.end({"done": done, "ok": True}, NEXT[env])


def _looked(step: Step, show: _Shown) -> str | None:
    what = step.look()
    show.line("ok" if what is None else "todo", step.name, what or "is there")
    return what


class _Shown:
    """Lines as they come, or one JSON object at the end."""

    def __init__(self, as_json: bool) -> None:
        self._as_json = as_json

    def machine(self, env: Env) -> None:
        """Fails where it is not enough."""
        from ops.cli.stack import home
        from ops.setup.machine import judged, read

        facts = list(judged(read(home(), PROD_PORTS if env is Env.PROD else ())))
        for fact in facts:
            self.line("ok" if fact.ok else "wrong" if fact.needed else "warning", fact.name, fact.says)
        if wrong := [f"{fact.name}: {fact.says}" for fact in facts if fact.needed and not fact.ok]:
            fail(Exit.CHECK_FAILED, f"this machine cannot run mutt: {'; '.join(wrong)}")

    def line(self, word: str, name: str, says: str) -> None:
        if not self._as_json:
            typer.echo(printable(f"{word:8} {name:9} {says}"))

    def end(self, told: dict[str, object], words: str = "") -> None:
        if self._as_json:
            typer.echo(printable_json(told))
        elif words:
            typer.echo(words)
