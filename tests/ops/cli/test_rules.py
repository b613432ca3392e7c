"""`mutt rules test` and `mutt rules import` as a person runs them, without servers."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
from typer.testing import CliRunner

from ops.cli.mutt import app
from tests import programs
from tests.builders import event_json

DATA = Path(__file__).parents[4] / "shared" / "data"

RULES = """\
- match_string: link down
  prod_handling: page_only
  dev_handling: Suppress
  team_assignment: netops
- match_type: oid_prefix
  trap_oid: "1.3.6.1.6.3"
  priority: 5
  prod_handling: Email_only
  dev_handling: Ignore
- match_string: disk
"""


def run(*arguments: str, stdin: bytes = b"", **environ: str) -> subprocess.CompletedProcess[bytes]:
    """The real command in its own process, as an operator runs it."""
    return programs.run("mutt", "rules", *arguments, given=stdin, environment=programs.bare_environment(**environ))


@pytest.fixture
def rules(tmp_path: Path) -> str:
    file = tmp_path / "rules.yaml"
    file.write_text(RULES, encoding="utf-8")
    return str(file)


def decisions(rules: str, *events: bytes, options: tuple[str, ...] = ()) -> list[dict[str, object]]:
    done = run("test", "--rules", rules, "--events", "-", "--json", *options, stdin=b"".join(e + b"\n" for e in events))
    assert (done.returncode, done.stderr) == (0, b"")
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_each_event_gets_its_decision(rules: str) -> None:
    found = decisions(
        rules,
        event_json(message="eth0 LINK DOWN", syslog_severity=3),
        event_json(message="link down", trap_oid=".1.3.6.1.6.3.1"),
        event_json(message="disk full"),
        event_json(message="nothing"),
        event_json(message="link down", hostname="lab"),
        options=("--development-host", "lab", "--team", "h1=storage"),
    )
    columns = ("disposition", "rule_id", "handling", "team", "alert_severity")
    assert [tuple(one[name] for name in columns) for one in found] == [
        ("alerted", 1, "Page_only", "netops", "major"),
        ("logged", 2, "Email_only", "storage", None),
        ("alerted", 3, "Ticket_only", "storage", "warning"),
        ("unhandled", None, None, None, None),
        ("ignored", 1, "Ignore", "netops", None),
    ]


def test_a_bad_event_is_told_and_the_next_is_taken(rules: str) -> None:
    found = decisions(rules, b"garbage", b'{"message": 5}', b"x" * (3 * 1024 * 1024), event_json(message="disk"))
    assert [one["disposition"] for one in found] == ["rejected", "rejected", "rejected", "alerted"]
    assert [one.get("error") for one in found] == ["json", "missing_field", "too_large", None]


def test_K21_text_output_shows_control_characters(rules: str, tmp_path: Path) -> None:
    events = tmp_path / "events.jsonl"
    events.write_bytes(event_json(message="disk") + b"\n" + b'{"\x1b[2J": 1}\n')
    done = run("test", "--rules", rules, "--events", str(events))
    assert done.returncode == 0
    assert b"\x1b" not in done.stdout
    assert [line.split()[1] for line in done.stdout.splitlines()] == [b"DISPOSITION", b"alerted", b"rejected"]


@pytest.mark.parametrize(
    ("content", "line"),
    [
        ('{"match_string": "a"}\n' * 6 + '{"match_type": "regex", "match_string": "a(?=b)"}\n', 7),
        ('{"match_string": "a"}\n' * 6 + '{"match_string": ""}\n', 7),
        ("\ufeff" + '{"match_string": "a"}\n', 1),
        ("- match_string: a\n- match_string: !!python/object:x y\n", 2),
    ],
)
@pytest.mark.parametrize("command", [("test", "--rules"), ("import", "--yes")], ids=["test", "import"])
def test_R8_a_bad_rules_file_ends_with_65_and_the_line(
    tmp_path: Path, command: tuple[str, str], content: str, line: int
) -> None:
    file = tmp_path / "rules"
    file.write_text(content, encoding="utf-8")
    done = run(*command, str(file))
    assert (done.returncode, done.stdout) == (65, b"")
    assert done.stderr.startswith(f"mutt: line {line}: ".encode())
    assert done.stderr.count(b"\n") == 1


def test_C1_exit_codes(rules: str, tmp_path: Path) -> None:
    good = ("test", "--rules", rules)
    assert run(*good).returncode == 0
    assert run(*good, "--nonsense").returncode == 2
    assert run(*good, "--default-handling", "page").returncode == 2
    assert run(*good, "--team", "h1").returncode == 2
    assert run(*good, "--events", str(tmp_path / "missing")).returncode == 65
    assert run("test", "--rules", str(tmp_path)).returncode == 65
    assert run("export", "--format", "xml").returncode == 2


def test_C2_an_import_without_a_terminal_needs_yes(rules: str) -> None:
    done = run("import", rules)
    assert done.returncode == 2
    assert b"--yes" in done.stderr


def test_C5_a_database_that_is_down(rules: str) -> None:
    done = run("import", "--yes", rules, MUTT_DATABASE_URL="postgresql://mutt@127.0.0.1:1/mutt")
    assert done.returncode == 69
    assert done.stderr.count(b"\n") == 1


def test_help_names_every_command() -> None:
    shown = CliRunner().invoke(app, ["rules", "--help"]).output
    assert all(name in shown for name in ("import", "export", "test"))


@pytest.mark.corpus
def test_the_real_rules_find_the_real_traps(tmp_path: Path) -> None:
    traps = [json.loads(line)["event"] for line in (DATA / "traps.jsonl").read_text(encoding="utf-8").splitlines()]
    found = decisions(str(DATA / "rules_recog.jsonl"), *(json.dumps(trap).encode() for trap in traps))
    assert len(found) == 60
    assert {one["disposition"] for one in found} == {"alerted", "unhandled"}
