"""The documents as a site: built without a warning, with a search, and nothing on it comes from elsewhere."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

from ops.documents.site import without_links_out
from tests.architecture.documents import ROOT


def test_the_site_is_built_without_warnings_and_asks_nobody(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", tmp_path],
        cwd=ROOT, env=os.environ | {"NO_MKDOCS_2_WARNING": "1"},
        capture_output=True, text=True, timeout=170, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    found = json.loads((tmp_path / "search" / "search_index.json").read_text())["docs"]
    assert any("alerter_queue_shed_threshold" in one["text"] for one in found)
    pages = [file.read_text() for file in tmp_path.rglob("*.html")]
    loaded = [
        url for page in pages for url in re.findall(r'<(?:script|link|img)[^>]+(?:src|href)="(https?:[^"]+)', page)
    ]
    assert loaded == []


def test_links_out_of_the_documents_become_names() -> None:
    text = "[a](../ops/x.conf) [b](API.md#c) [d](adr/README.md) [e](https://h/x) [f](adr/)"
    told = "a (`ops/x.conf`) [b](API.md#c) [d](adr/README.md) [e](https://h/x) f (`adr`)"
    assert without_links_out(text, "INDEX.md") == told
    assert without_links_out("[a](../API.md)", "adr/0001-x.md") == "[a](../API.md)"
