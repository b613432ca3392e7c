"""A real browser at the console: the system's Chromium, driven by Playwright, and everything it complains of."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from playwright.async_api import BrowserContext, ConsoleMessage, Dialog, Page, Request, async_playwright, expect

CHROMIUM = shutil.which("chromium")
WHY_NOT = "no chromium on PATH (apt package chromium)"
PATIENCE_MS = 60_000
expect.set_options(timeout=PATIENCE_MS)  # theirs is five seconds, which a busy machine may need for one answer


@dataclass
class Watch:
    """What no page may do: run a stranger's script, break a policy, ask another site, or report an error."""

    origin: str
    complaints: list[str] = field(default_factory=list)
    expected: tuple[str, ...] = ()
    """Parts of complaints that a test provokes."""

    def over(self, context: BrowserContext) -> None:
        context.on("console", self._console)
        context.on("dialog", self._dialog)
        context.on("request", self._request)
        context.on("weberror", lambda error: self.complaints.append(f"error: {error.error}"))

    def unexpected(self) -> list[str]:
        return [one for one in self.complaints if not any(part in one for part in self.expected)]

    def _console(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.complaints.append(f"{message.type}: {message.text}")

    async def _dialog(self, dialog: Dialog) -> None:
        self.complaints.append(f"dialog: {dialog.message}")
        await dialog.dismiss()

    def _request(self, request: Request) -> None:
        if not request.url.startswith(self.origin + "/"):
            self.complaints.append(f"asked elsewhere: {request.url}")


@asynccontextmanager
async def browsing(origin: str, **context: object) -> AsyncIterator[tuple[Page, Watch]]:
    """A page of a browser of its own, and who watches it."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM)
        try:
            opened = await browser.new_context(base_url=origin, **context)  # type: ignore[arg-type]
            opened.set_default_timeout(PATIENCE_MS)
            watch = Watch(origin)
            watch.over(opened)
            yield await opened.new_page(), watch
        finally:
            await browser.close()


async def sign_in(page: Page, key: str, to: str = "/ui") -> None:
    await page.goto(to)
    await page.get_by_label("API key").fill(key)
    await page.get_by_role("button", name="Sign in").click()
    await page.wait_for_url("**" + to)
