"""`python -m tests.screenshots [FOLDER] [--json]`: pictures of the console in both themes, of the demo or of a stack.

Where settings of a stack are in the environment, it is that one; else the demo is played, and its end is taken.
Of events, rules and letters the first in the list is the one whose page is taken.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
import tempfile
from pathlib import Path

from playwright.async_api import Page
from rich.console import Console

from ops.demo.run import Options, run
from ops.devstack.stack import Stack
from schemas.secret_names import API_KEY
from schemas.settings import Settings
from streams.adapters.secrets import FileSecrets
from tests.integration.browsers import CHROMIUM, WHY_NOT, browsing, sign_in

THEMES = ("light", "dark")
SIZE = {"width": 1200, "height": 720}
MOST_BYTES = 150_000
"""Of one picture, so that the repository stays small."""
PAGES = {
    "overview": "/ui",
    "events": "/ui/events",
    "unhandled": "/ui/unhandled",
    "rules": "/ui/rules",
    "dead-letters": "/ui/dead-letters",
    "service-levels": "/ui/slo",
    "configuration": "/ui/config",
    "changes": "/ui/changes",
    "ledger": "/ui/ledger",
    "system": "/ui/system",
}
LINKED = {
    "event": ("/ui/events", "tbody a[href^='/ui/events/']"),
    "rule": ("/ui/rules", "tbody a[href^='/ui/rules/']"),
    "dead-letter": ("/ui/dead-letters", "tbody a[href^='/ui/dead-letters/']"),
}
"""Pages that another links to first."""


class Pictures:
    """What was taken, and what pages complained of meanwhile."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.files: list[Path] = []
        self.problems: list[str] = []

    def take(self, settings: Settings) -> None:
        """All pages of the console of this stack."""
        key = FileSecrets(settings.secrets_dir).get(API_KEY)
        origin = f"http://127.0.0.1:{settings.api_port}"
        for theme in THEMES:
            asyncio.run(self._take(theme, origin, key.reveal() if key else ""))
        too_large = [file.name for file in self.files if file.stat().st_size > MOST_BYTES]
        self.problems += [f"{name} has more than {MOST_BYTES} bytes" for name in too_large]

    async def _take(self, theme: str, origin: str, key: str) -> None:
        async with browsing(origin, color_scheme=theme, viewport=SIZE) as (page, watch):
            await sign_in(page, key)
            for name, path in PAGES.items():
                await page.goto(path)
                await self._picture(page, f"{name}-{theme}")
            for name, (path, link) in LINKED.items():
                await page.goto(path)
                if await page.locator(link).count():
                    await page.goto(await page.locator(link).first.get_attribute("href") or path)
                    await self._picture(page, f"{name}-{theme}")
            self.problems += watch.unexpected()

    async def _picture(self, page: Page, name: str) -> None:
        file = self._folder / f"{name}.png"
        await page.screenshot(path=file)
        self.files.append(file)
        print(file, file=sys.stderr)


def main() -> None:
    parser = argparse.ArgumentParser(prog="make screenshots")
    parser.add_argument("folder", nargs="?", type=Path, default=Path(".mutt/screenshots"))
    parser.add_argument("--json", action="store_true", help="the last line is one JSON object")
    given = parser.parse_args()
    if CHROMIUM is None:
        sys.exit(WHY_NOT)
    given.folder.mkdir(parents=True, exist_ok=True)
    pictures = Pictures(given.folder)
    if "MUTT_DATABASE_URL" in os.environ:
        pictures.take(Settings.from_env(os.environ))
    else:
        _of_demo(pictures)
    ok = not pictures.problems and bool(pictures.files)
    told = {"ok": ok, "pictures": [str(file) for file in pictures.files], "problems": pictures.problems}
    print(json.dumps(told) if given.json else "\n".join(pictures.problems) or f"{len(pictures.files)} pictures")
    sys.exit(not ok)


def _of_demo(pictures: Pictures) -> None:
    """Plays it in a folder of its own; its screen goes to the errors."""

    def take(stack: Stack) -> None:
        pictures.take(stack.settings)

    with tempfile.TemporaryDirectory(prefix="mutt-screenshots-") as folder:
        console = Console(stderr=True)
        home = Path(folder) / "stack"
        result = run(
            Options(home=home, seed=1, seconds=26.0, rate=300.0, live=False, stay=False, afterwards=take), console
        )
        if not result["ok"]:
            pictures.problems.append(f"the demo did not end well: {result.get('problems')}")


if __name__ == "__main__":
    main()
