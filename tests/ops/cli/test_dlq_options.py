"""What `mutt dlq`, `mutt ledger` and `mutt trace` refuse before they reach any server: one line and status 2."""

from __future__ import annotations

import datetime as dt
import subprocess
import uuid
from pathlib import Path

import pytest

from ops.cli.exits import Exit, Failed
from ops.cli.letter_options import id_chunks, letter_filter, moment
from ops.cli.letter_views import bytes_text
from schemas.dead_letters import LetterState, Reason, Stage
from schemas.errors import Refused
from streams.core.letter_documents import bytes_json
from tests.programs import bare_environment, run_text

NOWHERE = {"MUTT_DATABASE_URL": "postgresql://mutt@127.0.0.1:1/mutt", "MUTT_KAFKA_BOOTSTRAP": "127.0.0.1:1"}


def mutt(*arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    return run_text("mutt", *arguments, given=stdin, environment=bare_environment(**NOWHERE))


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (("dlq", "list", "--from", "2025-13-01"), "2025-13-01"),
        (("dlq", "list", "--to", "yesterday"), "yesterday"),
        (("dlq", "list", "--from", "2026-01-01T00:00:00"), "2026-01-01T00:00:00"),
        (("dlq", "stats", "--reason", "shedd"), "did you mean shed?"),
        (("dlq", "stats", "--from", "2026-02-01", "--to", "2026-01-01"), "is not before"),
        (("dlq", "list", "--limit", "0"), "--limit 0"),
        (("dlq", "show", "nonsense"), "nonsense"),
        (("dlq", "replay", "--yes"), "needs a filter"),
        (("dlq", "replay", "--state", "open", "--yes"), "needs a filter"),
        (("dlq", "replay", "--reason", "shed"), "--yes"),
        (("dlq", "replay", "--reason", "shed", "--state", "replayed", "--yes"), "only open"),
        (("dlq", "replay", "--reason", "shed", "--rate", "0", "--yes"), "--rate"),
        (("dlq", "replay", "--reason", "shed", "--resume", "0" * 32, "--yes"), "--resume"),
        (("dlq", "replay", "--reason", "shed", "--limit", "0", "--yes"), "--limit 0"),
        (("dlq", "replay", "--reason", "shed", "--ids", "-", "--yes"), "--ids takes no other filter"),
        (("slo", "maintenance", "add", "all", "--reason", "x"), "say --to or --for"),
        (("topics", "acl", "--principal", "nobody=User:x"), "--principal nobody: no client"),
        (("topics", "acl", "--principal", "match=x"), "write User:NAME"),
        (("secrets", "rotate-db", "admin"), "is replaced by hand"),
        (("secrets", "rotate-kafka", "rotate"), "has no login at Kafka that others replace"),
        (("ledger", "reset", "--topic", "mutt.dlq", "--partition", "0", "--to", "5"), "mutt.dlq"),
        (("ledger", "reset", "--topic", "mutt.ingest.raw", "--partition", "0", "--to", "-5"), "-5"),
        (("ledger", "reset", "--topic", "mutt.ingest.raw", "--partition", "0", "--to", "5"), "--yes"),
        (("trace", "mutt.ingest.syslog:x:5"), "mutt.ingest.syslog:x:5"),
        (("trace", "mutt.ingest.syslog:0:99999999999999999999"), "out of bounds"),
    ],
)
def test_what_is_asked_wrongly_is_named_in_one_line(arguments: tuple[str, ...], named: str) -> None:
    done = mutt(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert named in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    "arguments",
    [
        ("dlq", "stats"),
        ("dlq", "replay", "--reason", "shed", "--yes"),
        ("ledger", "show"),
        ("ledger", "verify", "--json"),
        ("trace", "mutt.ingest.syslog:0:5"),
    ],
)
def test_servers_that_are_down_are_one_line_and_69(arguments: tuple[str, ...]) -> None:
    done = mutt(*arguments)
    assert (done.returncode, done.stdout) == (69, "")
    assert "muttdev status" in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("2026-03-01", dt.datetime(2026, 3, 1, tzinfo=dt.UTC)),
        ("2026-03-01T12:00:00Z", dt.datetime(2026, 3, 1, 12, tzinfo=dt.UTC)),
        ("2026-03-01t12:00:00.5+02:00", dt.datetime(2026, 3, 1, 10, 0, 0, 500_000, tzinfo=dt.UTC)),
    ],
)
def test_times_are_rfc_3339(text: str, instant: dt.datetime) -> None:
    assert moment("--from", text) == instant


@pytest.mark.parametrize(
    "text", ["", "2026", "2026-W01-1", "20260301", "2026-03-01T25:00:00Z", "0001-01-01T00:00:00+14:00"]
)
def test_other_times_are_refused(text: str) -> None:
    with pytest.raises(Refused):
        moment("--from", text)


def test_all_wrong_values_are_named_at_once() -> None:
    with pytest.raises(Refused) as refused:
        letter_filter(reason=["a"], stage=["b"], since="c", ids=["d"], state=["e"])
    assert len(refused.value.problems) == 5


def test_a_filter_from_options() -> None:
    chosen = letter_filter(reason=["shed", "json"], stage=["deliver"], host=["h"], topic=["t"], state=["parked"])
    assert (chosen.reasons, chosen.stages) == ((Reason.SHED, Reason.JSON), (Stage.DELIVER,))
    assert (chosen.hosts, chosen.topics, chosen.states) == (("h",), ("t",), (LetterState.PARKED,))


def test_a_million_ids_are_read_as_they_are_used(tmp_path: Path) -> None:
    file = tmp_path / "ids"
    ids = [uuid.UUID(int=n) for n in range(2500)]
    file.write_text("\n".join(map(str, ids)) + "\n\n")
    chunks = list(id_chunks(file))
    assert [len(chunk.ids) for chunk in chunks] == [1000, 1000, 500]
    assert [letter for chunk in chunks for letter in chunk.ids] == ids


def test_a_bad_id_in_a_file_is_named_with_its_line(tmp_path: Path) -> None:
    file = tmp_path / "ids"
    file.write_bytes(b"3d9a1e78-791a-40c2-8a0b-1b33da16189f\n\xff\xfe\n")
    with pytest.raises(Failed, match="line 2") as ended:
        list(id_chunks(file))
    assert ended.value.code is Exit.BAD_DATA


@pytest.mark.parametrize(
    ("data", "shown"),
    [
        (None, "null"),
        (b"", ""),
        (b"\x1b[2J\n", "\\x1b[2J\\x0a"),
        (b"\xff\x00", "hex ff00"),
        ("é".encode() * 5, "éé … (10 bytes)"),
    ],
)
def test_bytes_are_shown_so_that_they_cannot_drive_a_terminal(data: bytes | None, shown: str) -> None:
    assert bytes_text(data, 5) == shown


def test_bytes_in_json_are_exact() -> None:
    assert [bytes_json(data) for data in (None, "é\0".encode(), b"\xff")] == [None, {"text": "é\0"}, {"hex": "ff"}]
