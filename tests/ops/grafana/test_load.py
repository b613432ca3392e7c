"""`python -m ops.grafana load` against a server that writes down what it is asked, as Grafana's API is documented."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from ops.cli.exits import Exit, run
from ops.devstack.layout import free_port
from ops.grafana.__main__ import app
from tests.ops.grafana.reading import dashboards

TOKEN = "glsa_secret"


@dataclass
class Grafana:
    """What came, and what is answered to it by path (200 where nothing is said)."""

    url: str = ""
    answers: dict[str, int] = field(default_factory=dict)
    asked: list[tuple[str, str, dict[str, Any]]] = field(default_factory=list)


@contextmanager
def listening(answers: dict[str, int] | None = None) -> Iterator[Grafana]:
    grafana = Grafana(answers=answers or {})

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            grafana.asked.append((self.path, self.headers["Authorization"], body))
            status = grafana.answers.get(self.path, 200)
            self.send_response(status)
            if status == 302:
                self.send_header("Location", f"{grafana.url}/elsewhere")
            self.end_headers()
            self.wfile.write(b'{"message":"said so"}')

        def do_GET(self) -> None:
            self.do_POST()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    grafana.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield grafana
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def status_of(*arguments: str) -> Any:
    """How the command ends."""
    with pytest.raises(SystemExit) as ended:
        run(app, arguments)
    return ended.value.code or 0


def loaded(url: str, folder: Path, token: str = f"{TOKEN}\n") -> Any:
    file = folder / "token"
    file.write_text(token)
    return status_of("load", url, "--token-file", str(file))


@pytest.mark.parametrize("folder", [200, 409, 412], ids=["new", "there", "there, older Grafana"])
def test_every_dashboard_is_put_into_the_folder(folder: int, tmp_path: Path) -> None:
    with listening({"/api/folders": folder}) as grafana:
        assert loaded(grafana.url + "/", tmp_path) == 0
    (first, *rest) = grafana.asked
    assert first == ("/api/folders", f"Bearer {TOKEN}", {"uid": "mutt", "title": "mutt"})
    assert {path for path, _, _ in rest} == {"/api/dashboards/db"}
    assert [body["dashboard"] for _, _, body in rest] == list(dashboards().values())
    assert all(body["overwrite"] and body["folderUid"] == "mutt" for _, _, body in rest)


def test_a_refusal_ends_it_with_what_grafana_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with listening({"/api/dashboards/db": 403}) as grafana:
        assert loaded(grafana.url, tmp_path) == Exit.USAGE
    assert len(grafana.asked) == 2
    told = capsys.readouterr().err
    assert "403" in told
    assert "said so" in told
    assert TOKEN not in told


def test_a_token_is_not_carried_elsewhere(tmp_path: Path) -> None:
    with listening({"/api/folders": 302}) as grafana:
        assert loaded(grafana.url, tmp_path) == Exit.USAGE
    assert [path for path, _, _ in grafana.asked] == ["/api/folders"]


def test_no_grafana_is_said_in_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert loaded(f"http://127.0.0.1:{free_port()}", tmp_path) == Exit.UNAVAILABLE
    assert loaded("grafana.example.org", tmp_path) == Exit.USAGE
    assert capsys.readouterr().err.count("\n") == 2


@pytest.mark.parametrize("token", ["", "\n", f"{TOKEN}\nX-Other: 1", f"{TOKEN} more", f"{TOKEN}é"])
def test_what_is_no_token_is_not_sent_and_not_shown(
    token: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with listening() as grafana:
        assert loaded(grafana.url, tmp_path, token) == Exit.BAD_DATA
    assert grafana.asked == []
    assert TOKEN not in capsys.readouterr().err


def test_all_are_written(tmp_path: Path) -> None:
    assert status_of("write", str(tmp_path)) == 0
    assert {file.name: json.loads(file.read_text()) for file in tmp_path.iterdir()} == dashboards()
