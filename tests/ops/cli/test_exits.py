"""Every error of a command is one line and a documented exit status (BAD-INPUTS C1, C3, C4, C5)."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import asyncpg
import pytest
import typer
from aiokafka.errors import KafkaConnectionError, UnknownTopicOrPartitionError

from ops.cli import mutt, muttdev
from ops.cli.exits import EPILOG, MEANINGS, Exit, classify, fail, options, run
from schemas.errors import Refused, SettingsRefused, StoreUnavailable
from schemas.versions import MUTT_VERSION
from tests.programs import bare_environment


def commands(command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    yield path
    for name, child in getattr(command, "commands", {}).items():
        yield from commands(child, (*path, name))


MUTT = list(commands(typer.main.get_command(mutt.app)))
MUTTDEV = list(commands(typer.main.get_command(muttdev.app)))


def status_of(app: typer.Typer, arguments: Sequence[str]) -> object:
    with pytest.raises(SystemExit) as ended:
        run(app, arguments)
    return ended.value.code


def app_that(raises: BaseException) -> typer.Typer:
    app = typer.Typer(name="mutt")

    @app.command()
    def command() -> None:
        raise raises

    return app


@pytest.mark.parametrize("app", [mutt.app, muttdev.app])
def test_both_programs_say_which_version_they_are(app: typer.Typer, capsys: pytest.CaptureFixture[str]) -> None:
    assert status_of(app, ["--version"]) == Exit.DONE
    assert capsys.readouterr().out == f"mutt {MUTT_VERSION}\n"


@pytest.mark.parametrize(
    ("app", "path"),
    [(mutt.app, path) for path in MUTT] + [(muttdev.app, path) for path in MUTTDEV],
    ids=[" ".join(("mutt", *path)) for path in MUTT] + [" ".join(("muttdev", *path)) for path in MUTTDEV],
)
def test_C1_an_unknown_flag_is_one_line(
    app: typer.Typer, path: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    assert status_of(app, [*path, "--no-such-flag"]) == Exit.USAGE
    name = " ".join((str(app.info.name), *path))
    output = capsys.readouterr()
    assert output.err == f"{app.info.name}: No such option: --no-such-flag; see: {name} --help\n"
    assert output.out == ""


@pytest.mark.parametrize(
    "arguments",
    [
        ["nonsense"],
        ["dlq", "list", "--limit", "x"],
        ["dlq", "list", "--from", "2025-13-01"],
        ["rules", "test"],
        ["trace"],
        ["worker", "match", "one-too-many"],
        ["dlq", "list", "--limit"],
    ],
    ids=" ".join,
)
def test_C1_other_wrong_usage_is_one_line(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert status_of(mutt.app, arguments) == Exit.USAGE
    output = capsys.readouterr()
    assert output.err.startswith("mutt: ")
    assert output.err.count("\n") == 1
    assert output.out == ""


@pytest.mark.checks("SECRET_4")
def test_C3_no_flag_takes_a_secret_and_none_is_repeated(capsys: pytest.CaptureFixture[str]) -> None:
    assert status_of(mutt.app, ["dlq", "list", "--password=s3cret"]) == Exit.USAGE
    assert "s3cret" not in capsys.readouterr().err


def test_without_a_command_the_help_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    assert status_of(mutt.app, []) == Exit.USAGE
    output = capsys.readouterr()
    assert "Usage: mutt" in output.out
    assert output.err == ""


def test_the_help_names_every_exit_status(capsys: pytest.CaptureFixture[str]) -> None:
    assert set(MEANINGS) == set(Exit)
    assert all(f"{code.value} {MEANINGS[code]}" in EPILOG for code in Exit)
    for app in (mutt.app, muttdev.app):
        assert status_of(app, ["--help"]) in (None, 0)
        assert "Exit status:" in capsys.readouterr().out


@pytest.mark.parametrize("raised", [KeyboardInterrupt(), typer.Abort()], ids=["at work", "at a prompt"])
def test_C1_interrupted_is_one_line(raised: BaseException, capsys: pytest.CaptureFixture[str]) -> None:
    assert status_of(app_that(raised), []) == Exit.INTERRUPTED
    assert capsys.readouterr().err.strip() == "mutt: interrupted"


def test_a_message_of_many_lines_leaves_as_one(capsys: pytest.CaptureFixture[str]) -> None:
    assert status_of(app_that(Refused("one\n\n  two\x1b[2J\r\n")), []) == Exit.USAGE
    assert capsys.readouterr().err == "mutt: one / two\\x1b[2J\n"


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (SettingsRefused(["MUTT_X is no setting"]), Exit.CONFIGURATION),
        (StoreUnavailable("PostgreSQL: away"), Exit.UNAVAILABLE),
        (ConnectionRefusedError(111, "refused"), Exit.UNAVAILABLE),
        (asyncpg.InvalidPasswordError("no"), Exit.CONFIGURATION),
        (asyncpg.UndefinedTableError("no"), Exit.CONFIGURATION),
        (asyncpg.CannotConnectNowError("starting up"), Exit.UNAVAILABLE),
        (asyncpg.InternalClientError("cut"), Exit.UNAVAILABLE),
        (KafkaConnectionError("no"), Exit.UNAVAILABLE),
        (UnknownTopicOrPartitionError(), Exit.CONFIGURATION),
        (OSError(28, "No space left on device"), Exit.OUTPUT),
        (FileNotFoundError(2, "No such file or directory", "f"), Exit.BAD_DATA),
        (UnicodeDecodeError("utf-8", b"\xe9", 0, 1, "invalid"), Exit.BAD_DATA),
        (ZeroDivisionError("x"), Exit.INTERNAL),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else value.name,
)
def test_what_an_error_means(error: Exception, code: Exit) -> None:
    assert classify(error)[0] is code


def test_a_command_fails_with_its_own_words(capsys: pytest.CaptureFixture[str]) -> None:
    app = typer.Typer(name="muttdev")
    app.command()(lambda: fail(Exit.TRY_AGAIN, "moved meanwhile"))
    assert status_of(app, []) == Exit.TRY_AGAIN
    assert capsys.readouterr().err == "muttdev: moved meanwhile\n"


def test_only_with_debug_a_defect_has_a_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("MUTT_DEBUG", raising=False)
    app = app_that(ZeroDivisionError("x"))
    app.callback()(options)
    assert status_of(app, ["command"]) == Exit.INTERNAL
    assert capsys.readouterr().err.startswith("mutt: ZeroDivisionError: x (a defect in mutt; --debug before")
    monkeypatch.setenv("MUTT_DEBUG", "")  # undone afterwards, whatever the option does
    with pytest.raises(ZeroDivisionError):
        run(app, ["--debug", "command"])


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_C1_a_full_disk_under_any_command() -> None:
    done = as_process(["mutt", "--help"], ">/dev/full")
    assert (done.returncode, done.stderr) == (74, "mutt: cannot write: No space left on device\n")


def test_C1_closed_streams_are_no_defect() -> None:
    assert as_process(["mutt", "parse"], "<&-").returncode == 0
    assert as_process(["mutt", "--nope"], "2>&-").returncode == 2


def test_C4_settings_are_refused_all_at_once() -> None:
    done = as_process(["mutt", "migrate"], "", MUTT_HOEM="x", MUTT_API_PORT="70000", MUTT_BATCH_RECORDS="many")
    assert done.returncode == 78
    assert done.stderr.count("\n") == 1
    assert all(
        name in done.stderr for name in ("MUTT_HOEM", "MUTT_HOME", "MUTT_API_PORT", "65535", "MUTT_BATCH_RECORDS")
    )


def as_process(command: list[str], redirect: str, **environment: str) -> subprocess.CompletedProcess[str]:
    kept = bare_environment()
    argv = [sys.executable, "-c", f"from ops.cli.{command[0]} import main; main()", *command[1:]]
    return subprocess.run(
        ["sh", "-c", f'"$@" {redirect}', "sh", *argv],
        capture_output=True,
        text=True,
        env=kept | environment,
        timeout=60,
        check=False,
    )
