"""The generated pages are what their generators make, and say what is so."""

from __future__ import annotations

import importlib.util
import json
import re
from pathlib import Path
from typing import Annotated, Any

import pytest
from jsonschema import Draft202012Validator
from msgspec import Meta
from typer.testing import CliRunner

from ops.documents import words
from ops.documents.__main__ import app
from ops.documents.cli import PROGRAMS, commands
from ops.documents.config import allowed
from ops.documents.markdown import table
from ops.documents.metrics import Exporter, collectors, exporters, operations
from ops.documents.pages import PAGES, SQL
from ops.documents.sql_words import Words
from ops.documents.topics import event_schema, schema
from schemas.alerts import Alert
from schemas.codec import decode, encode
from schemas.errors import RecordRejected
from schemas.topics import SNMP
from tests.architecture.documents import ROOT, blocks, tracked
from tests.builders import alert
from tests.toy_receiver import TOY

OID = "1.3.6.1.6.3.1.1.5.3"


@pytest.mark.parametrize("name", [name for name in PAGES if name != SQL])
def test_the_page_is_what_its_generator_makes(name: str) -> None:
    assert (ROOT / "docs" / name).read_text() == PAGES[name](), f"run: python -m ops.documents write {name}"


def test_every_section_that_the_contents_name_is_there() -> None:
    for page in ("CLI.md", SQL):
        text = (ROOT / "docs" / page).read_text()
        heads = {head.replace(" ", "-") for head in re.findall(r"^## (.+)$", text, re.MULTILINE)}
        named = set(re.findall(r"\]\(#([^)]+)\)", text))
        assert named
        assert named <= heads


def test_every_command_has_words_and_so_has_each_of_its_options() -> None:
    silent = [
        (name, one.name)
        for program in PROGRAMS
        for name, command in commands(program)
        for one in command.params
        if not one.help and one.name != "help"
    ]
    assert silent == []


@pytest.mark.parametrize("exporter", exporters(), ids=lambda exporter: exporter.title)
@pytest.mark.checks("SURFACE_3")
def test_labels_that_are_told_are_those_that_are_exported(exporter: Exporter) -> None:
    """Where other tests have brought a receiver of their own to work before, it is among them."""
    labelled = {name: set(one._labelnames) for name, one in collectors(exporter) if one._labelnames}
    assert {name: set(values) for name, values in exporter.labels.items()} == labelled
    for name, one in collectors(exporter):
        for bound in getattr(one, "_metrics", {}):
            for label, value in zip(one._labelnames, bound, strict=True):
                assert value in [*map(str, exporter.labels[name][label]), TOY.name], (name, label)


@pytest.mark.parametrize("exporter", exporters(), ids=lambda exporter: exporter.title)
def test_every_metric_says_what_to_do(exporter: Exporter) -> None:
    text = (ROOT / "docs" / "METRICS.md").read_text()
    rows = {row[0]: row[-1] for row in re.findall(r"^\| `(\w+)` \|(.*?)\| ([^|]*) \|$", text, re.MULTILINE)}
    assert {name for name, _ in collectors(exporter)} <= {name for name, words in rows.items() if words.strip()}


def test_operations_of_the_api_are_all_that_its_source_times() -> None:
    timed = [file for file in tracked() if file.startswith("api/") and ".timed(" in (ROOT / file).read_text()]
    named = [word for file in timed for word in re.findall(r"\.timed\(([^)]*)\)", (ROOT / file).read_text())]
    assert {word.strip('"') for word in named} == set(operations())


def test_nobody_has_words_for_a_table_or_an_index_that_is_not_there() -> None:
    text = (ROOT / "docs" / SQL).read_text()
    found = Words()
    assert [name for name in (*found.tables, *found.indexes) if f"`{name}`" not in text] == []


EVENT: dict[str, Any] = {"timestamp": "2026-03-01T12:00:00Z", "hostname": "h1", "message": "m"}
DIFFERENT: list[dict[str, Any]] = [
    {},
    {"timestamp": None},
    {"timestamp": 1772366400},
    {"timestamp": True},
    {"timestamp": "yesterday"},
    {"hostname": ""},
    {"hostname": " "},
    {"hostname": "h" * 256},
    {"hostname": "-"},
    {"message": None},
    {"message": ""},
    {"source": ""},
    {"source": "s" * 65},
    {"syslog_severity": 7},
    {"syslog_severity": 8},
    {"syslog_severity": "3"},
    {"syslog_severity": True},
    {"facility": 24},
    {"facility": None},
    {"program": 1},
    {"structured_data": {"a@1": {"b": "c"}}},
    {"structured_data": '[a@1 b="c"]'},
    {"structured_data": []},
    {"trap_oid": "." + OID},
    {"trap_oid": "1"},
    {"trap_oid": "1.03"},
    {"varbinds": {OID: 2**64 - 1}},
    {"varbinds": {OID: 2**64}},
    {"varbinds": {OID: []}},
    {"varbinds": {"sysUpTime": 1}},
    {"varbinds": {f"{OID}.{n}": None for n in range(1001)}},
    {"correlation_id": "a b"},
    {"correlation_id": "c" * 64},
    {"correlation_id": "c" * 65},
    {"correlation_id": ""},
    {"unknown": [1, 2]},
]


@pytest.mark.parametrize("different", DIFFERENT, ids=lambda different: json.dumps(different)[:60])
def test_the_schema_of_an_event_takes_what_the_decoder_takes(different: dict[str, Any]) -> None:
    event = EVENT | different
    taken = True
    try:
        decode(json.dumps(event).encode(), SNMP, b"h1")
    except RecordRejected:
        taken = False
    assert Draft202012Validator(event_schema()).is_valid(event) is taken


def test_the_schema_of_an_alert_takes_an_alert() -> None:
    Draft202012Validator(schema(Alert)).validate(json.loads(encode(alert())))


def test_what_is_shown_as_json_is_a_schema() -> None:
    shown = [json.loads(text) for text in blocks(ROOT / "docs" / "TOPICS.md", "json")]
    assert len(shown) == 3
    for one in shown:
        Draft202012Validator.check_schema(one)


def test_pages_are_checked_by_name() -> None:
    assert CliRunner().invoke(app, ["check", "TOPICS.md"]).exit_code == 0
    refused = CliRunner().invoke(app, ["check", "TOPIC.md"]).exception
    assert str(refused).startswith("TOPIC.md: no generated page; there are ")


def test_words_are_read_below_fields_and_above_calls(tmp_path: Path) -> None:
    file = tmp_path / "declared.py"
    file.write_text("# first\n# line\nA = str('mutt_a')\nB = str('mutt_b')\n\nC = str('mutt_c')\n")
    spec = importlib.util.spec_from_file_location("declared", file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert words.above_calls(module, "mutt_") == {"mutt_a": "first line", "mutt_b": "first line", "mutt_c": ""}
    assert words.below_fields(Alert)["occurred_at"] == "Event time, else broker time: RFC 3339 in UTC."


def test_types_are_told_in_words() -> None:
    assert allowed(Annotated[int, Meta(ge=1)]) == "a whole number from 1"
    assert allowed(str | None) == "text, or unset"


def test_a_cell_cannot_break_its_table() -> None:
    assert list(table(("A",), [("a|b\nc",)])) == ["| A |", "|---|", "| a\\|b c |", ""]
    assert list(table(("A",), [])) == []
