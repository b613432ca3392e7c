"""`python -m tests.screenshots FOLDER`: pictures of every page in both themes, of the stack whose settings are in the
environment. Its last event is the one whose page is taken."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

from playwright.async_api import Page

from schemas.secret_names import API_KEY
from schemas.settings import Settings
from streams.adapters.secrets import FileSecrets
from tests.integration.browsers import CHROMIUM, WHY_NOT, browsing, sign_in

PAGES = {
    "overview": "/ui",
    "events": "/ui/events",
    "rules": "/ui/rules",
    "dead-letters": "/ui/dead-letters",
    "service-levels": "/ui/slo",
    "configuration": "/ui/config",
    "changes": "/ui/changes",
    "ledger": "/ui/ledger",
}
LINKED = {"event": ("/ui/events", "tbody a[href^='/ui/events/']"), "rule": ("/ui/rules", "tbody a[href^='/ui/rules/']")}
"""Pages that another links to first."""


async def take(folder: Path, theme: str, origin: str, key: str) -> None:
    async with browsing(origin, color_scheme=theme, viewport={"width": 1280, "height": 800}) as (page, watch):
        await sign_in(page, key)
        for name, path in PAGES.items():
            await page.goto(path)
            await _picture(page, folder / f"{name}-{theme}.png")
        for name, (path, link) in LINKED.items():
            await page.goto(path)
            if await page.locator(link).count():
                await page.locator(link).first.click()
                await page.wait_for_url(f"**{path}/*")
                await _picture(page, folder / f"{name}-{theme}.png")
        if watch.unexpected():
            sys.exit(f"pages complained: {watch.unexpected()}")


async def _picture(page: Page, file: Path) -> None:
    await page.screenshot(path=file)
    print(file)


def main(folder: Path) -> None:
    if CHROMIUM is None:
        sys.exit(WHY_NOT)
    settings = Settings.from_env(os.environ)
    key = FileSecrets(settings.secrets_dir).get(API_KEY)
    folder.mkdir(parents=True, exist_ok=True)
    for theme in ("light", "dark"):
        origin = f"http://127.0.0.1:{settings.api_port}"
        asyncio.run(take(folder, theme, origin, key.reveal() if key else ""))


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else ".mutt/screenshots"))
