"""What may stand nowhere in the product, each shown by a planted line; ruff finds some of it."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache

import pytest

from tests.architecture.documents import ROOT, tracked

PACKAGES = ("schemas/", "streams/", "api/", "ops/")

BY_RUFF = {
    "S501": "import requests\nrequests.get('https://mutt.example', verify=False, timeout=1)\n",
    "S506": "import yaml\nyaml.load('a', Loader=yaml.Loader)\n",
    "S608": "async def read(connection, name):\n    return await connection.fetch(f'SELECT * FROM {name}')\n",
    "T201": "def show(message):\n    print(message)\n",
    "BLE001": "def go_on(step):\n    try:\n        step()\n    except Exception:\n        return None\n",
}

PATTERNS = {
    "ops/logs/filters.py": "whoever runs `mutt logs` gives it, for his own terminal",
}
"""Where a pattern is made while the program runs."""

DECODERS = {
    "api/console/inside.py": "the API's own answers",
    "api/console/reports.py": "reports of browsers about the policy for pages; bounded, and only counted",
    "api/console/sessions.py": "what a cookie of ours seals",
    "api/cursors.py": "what a cursor of ours seals",
    "api/events.py": "the list around events; each event goes to the codec as its bytes",
    "schemas/codec.py": "records",
    "schemas/json_checks.py": "records",
    "schemas/json_documents.py": "bodies of requests, strictly",
    "schemas/plain.py": "records, many at a time",
    "schemas/rule_files.py": "files of rules, strictly",
    "streams/adapters/archives.py": "our own archives and their manifests",
    "streams/adapters/config_audit.py": "our own rows",
    "streams/adapters/idempotency.py": "our own rows",
    "streams/adapters/patterns.py": "what our own child process says",
    "streams/adapters/prometheus.py": "Prometheus's answer, bounded and typed",
    "streams/adapters/replay_claims.py": "our own rows",
    "streams/adapters/rule_store.py": "our own rows",
    "streams/adapters/selects.py": "PostgreSQL's plan",
    "streams/adapters/trace_documents.py": "our own rows",
    "streams/core/erasure.py": "our own archives",
    "streams/core/letter_edit.py": "a letter that an operator changes; it goes through the codec when it is replayed",
    "streams/core/vault.py": "Vault's answer, bounded and typed",
}
"""Who decodes JSON in what runs beside the record's own decoder, and of what; the commands of ops decide nothing."""


@pytest.mark.checks("STATIC_2")
def test_ruff_finds_each_planted_line() -> None:
    command = [
        sys.executable,
        "-m",
        "ruff",
        "check",
        "--output-format=json",
        "--stdin-filename=streams/planted.py",
        "-",
    ]
    for rule, planted in BY_RUFF.items():
        done = subprocess.run(command, input=planted, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
        assert rule in {found["code"] for found in json.loads(done.stdout)}


def made_patterns(tree: ast.AST) -> Iterator[ast.Call]:
    """Calls of `re` within functions, with a pattern that is neither written there nor the name of a constant."""
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    for call in (node for function in functions for node in ast.walk(function) if isinstance(node, ast.Call)):
        called = call.func
        of_re = isinstance(called, ast.Attribute) and isinstance(called.value, ast.Name) and called.value.id == "re"
        if of_re and called.attr != "escape" and call.args:
            pattern = call.args[0]
            if not isinstance(pattern, ast.Constant) and not (isinstance(pattern, ast.Name) and pattern.id.isupper()):
                yield call


def decoders(tree: ast.AST) -> Iterator[ast.Attribute]:
    names = {"json.loads", "json.load", "orjson.loads", "msgspec.json.decode", "msgspec.json.Decoder"}
    last = {name.rpartition(".")[2] for name in names}
    reached = (node for node in ast.walk(tree) if isinstance(node, ast.Attribute) and node.attr in last)
    yield from (node for node in reached if ast.unparse(node) in names)


@pytest.mark.parametrize(
    ("planted", "found"),
    [
        ("def match(rule): return re.compile(rule.text)", 1),
        ("def match(rule): return re.search(f'a{rule}', 'a')", 1),
        ("def match(text): return re.search('a+', text) or re.search(A, re.escape(text))", 0),
        ("A = re.compile(B + 'c')", 0),
    ],
)
@pytest.mark.checks("STATIC_2")
def test_a_pattern_that_is_made_at_run_time_is_noticed(planted: str, found: int) -> None:
    assert len(list(made_patterns(ast.parse(planted)))) == found


@pytest.mark.parametrize("planted", ["json.loads(record.value)", "orjson.loads(b'{}')", "msgspec.json.Decoder(Event)"])
@pytest.mark.checks("STATIC_2")
def test_a_decoder_of_its_own_is_noticed(planted: str) -> None:
    assert len(list(decoders(ast.parse(planted)))) == 1


@pytest.mark.checks("STATIC_2")
def test_no_pattern_is_made_while_the_program_runs() -> None:
    assert {file for file, tree in modules() if any(made_patterns(tree))} == set(PATTERNS)


@pytest.mark.checks("STATIC_2")
def test_JSON_is_decoded_in_these_places_alone() -> None:
    assert {file for file, tree in modules() if not file.startswith("ops/") and any(decoders(tree))} == set(DECODERS)


@pytest.mark.checks("STATIC_1")
def test_a_rule_of_security_is_silenced_with_a_reason_alone() -> None:
    """ruff itself finds what is silenced and not there."""
    lines = [line for file, _ in modules() for line in (ROOT / file).read_text(encoding="utf-8").splitlines()]
    silenced = [line for line in lines if re.search(r"# noqa: (\w+, )*S\d", line)]
    assert len(silenced) > 50
    assert [line for line in silenced if not re.search(r"# noqa: [\w, ]+?(?: - | \()\w", line)] == []


@cache
def modules() -> list[tuple[str, ast.Module]]:
    files = [file for file in tracked() if file.startswith(PACKAGES) and file.endswith(".py")]
    return [(file, ast.parse((ROOT / file).read_text(encoding="utf-8"))) for file in files]
