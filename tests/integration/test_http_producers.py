"""The producers of docs/PRODUCERS.md that post to the API, run as they stand there."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from msgspec.structs import replace

from ops.devstack.layout import free_port
from ops.devstack.stack import Stack
from schemas import codec
from schemas.topics import SYSLOG
from tests.architecture.documents import ROOT, blocks
from tests.integration.api_process import process
from tests.integration.conftest import Database
from tests.integration.test_producers import arrived

GUIDE = ROOT / "docs" / "PRODUCERS.md"


def curl(snippet: str, _: Path) -> list[str]:
    return ["bash", "-c", snippet]


def python(snippet: str, _: Path) -> list[str]:
    return [sys.executable, "-W", "error", "-c", snippet]


def go(snippet: str, folder: Path) -> list[str]:
    source = folder / "main.go"
    source.write_text(snippet)
    return ["go", "run", str(source)]


def needs(tool: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(shutil.which(tool) is None, reason=f"{tool} is not installed")


@pytest.mark.parametrize(
    ("language", "command", "name"),
    [
        pytest.param("bash", curl, "curl", marks=needs("curl")),
        ("python", python, "Python"),
        pytest.param("go", go, "Go", marks=[needs("go"), pytest.mark.campaign, pytest.mark.timeout(400)]),
    ],
)
async def test_a_producer_over_http(
    broker: Stack, database: Database, tmp_path: Path, language: str,
    command: Callable[[str, Path], list[str]], name: str,
) -> None:  # fmt: skip
    (snippet,) = blocks(GUIDE, language)
    settings = replace(database.settings, api_port=free_port())
    environment = os.environ | {
        "MUTT_URL": f"http://127.0.0.1:{settings.api_port}",
        "MUTT_KEY": (Path(settings.secrets_dir) / "API_KEY").read_text().strip(),
        "GOPROXY": "off",
    }
    with process(settings):
        done = await asyncio.to_thread(
            subprocess.run, command(snippet, tmp_path), env=environment, capture_output=True, text=True, check=False,
            timeout=300,
        )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    (record,) = arrived(broker.kafka.bootstrap, SYSLOG.name, 1)
    event = codec.decode(record.value(), SYSLOG, record.key()).event
    assert (event.hostname, event.message, event.syslog_severity) == ("pay-1", f"sent by {name}", 3)


@needs("gofmt")
def test_the_producer_in_go_is_go() -> None:
    """To compile what it imports takes minutes on a fresh machine: it is run in the campaign."""
    (snippet,) = blocks(GUIDE, "go")
    done = subprocess.run(["gofmt", "-l", "-e"], input=snippet, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
