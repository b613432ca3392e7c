"""axe-core, which finds what a page keeps from those who see or move otherwise: from npm, kept out of the tree."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

from playwright.async_api import Page

HERE = Path(__file__).parents[1] / "axe"
NPM = shutil.which("npm")
WHY_NOT = "no npm on PATH, which axe-core comes from"
WCAG = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa")
INSTALL = ("ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error")


def axe_source(folder: Path) -> str:
    """The script of the version that tests/axe locks, installed into this folder."""
    assert NPM is not None
    for name in ("package.json", "package-lock.json", ".npmrc"):
        shutil.copy(HERE / name, folder)
    subprocess.run([NPM, *INSTALL], cwd=folder, check=True, timeout=300)
    return (folder / "node_modules" / "axe-core" / "axe.min.js").read_text()


async def violations(page: Page, *rules: str) -> list[str]:
    """What breaks WCAG 2.2 AA on the page as it stands, axe-core being in it; with names of rules only of those."""
    only = {"type": "rule", "values": rules} if rules else {"type": "tag", "values": WCAG}
    found: Any = await page.evaluate("only => axe.run({runOnly: only, resultTypes: ['violations']})", only)
    return [
        f"{one['id']}: {node['target']} {node['html'][:200]} {node['failureSummary']}"
        for one in found["violations"]
        for node in one["nodes"]
    ]
