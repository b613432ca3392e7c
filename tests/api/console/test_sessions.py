"""Signing in: cookies that cannot be made or altered, that end, and forms that no other site can send."""

from __future__ import annotations

import datetime as dt

import pytest

from api.auth import OneKey
from api.console.entry import _inside
from api.console.sessions import COOKIE, LOCAL_COOKIE
from schemas.errors import StoreUnavailable
from schemas.scopes import Scope
from streams.core.authors import Author
from tests.api.console.canned import KEY, World
from tests.api.console.desk import SITE
from tests.contracts.ended_sessions import EndedSessionsContract
from tests.fakes_keys import MemoryEndedSessions

EVENTS = "/ui/events"
IDLE, LONGEST = dt.timedelta(minutes=15), dt.timedelta(hours=8)
FILE = "/ui/static/console.css"


async def test_who_is_not_signed_in_is_asked_for_a_key_and_then_gets_where_he_wanted() -> None:
    desk = World().desk()
    asked = await desk.client.get(EVENTS + "?q=a%20b")
    assert (asked.status_code, asked.headers["location"]) == (303, "/ui/sign-in?to=%2Fui%2Fevents%3Fq%3Da%2520b")
    assert 'value="/ui/events?q=a%20b"' in await desk.page(asked.headers["location"])
    entered = await desk.sign_in(KEY, to=EVENTS + "?q=a%20b")
    assert (entered.status_code, entered.headers["location"]) == (303, EVENTS + "?q=a%20b")
    assert 'value="a b"' in await desk.page(entered.headers["location"])


@pytest.mark.parametrize("key", ["", "wrong", "mutt_aaaaaaaaaaaa_" + "a" * 43, "\u00e9\u4e2d"])
async def test_a_key_that_opens_nothing_is_told_so_and_leaves_no_cookie(key: str) -> None:
    answer = await World().desk().sign_in(key)
    assert (answer.status_code, "set-cookie" in answer.headers) == (401, False)
    assert "does not open anything" in answer.text


@pytest.mark.checks("KEY_4")
async def test_many_wrong_keys_are_limited_as_they_are_at_the_api() -> None:
    desk = World().desk()
    statuses = [(await desk.sign_in(f"wrong{number}")).status_code for number in range(40)]
    assert statuses[0] == 401
    assert statuses[-1] == 429


@pytest.mark.checks("UI_3")
async def test_a_cookie_is_for_its_host_alone_and_over_tls_but_on_the_machine_itself() -> None:
    local = (await World().desk().sign_in(KEY)).headers["set-cookie"]
    assert local.startswith(LOCAL_COOKIE + "=")
    assert {"HttpOnly", "Path=/", "SameSite=strict"} <= set(local.split("; "))
    assert "Secure" not in local
    world = World(hosts=("mutt.example",))
    desk = world.desk("http://mutt.example")
    answer = await desk.send("/ui/sign-in", {"key": KEY}, Origin="https://mutt.example")
    assert answer.headers["set-cookie"].startswith(COOKIE + "=")
    assert "Secure" in answer.headers["set-cookie"]
    assert "Domain" not in answer.headers["set-cookie"]


@pytest.mark.checks("UI_3")
async def test_a_session_is_not_made_or_altered_by_others() -> None:
    world = World()
    desk = world.desk()
    cookie = (await desk.sign_in(KEY)).headers["set-cookie"].partition(";")[0].partition("=")[2]
    await desk.page(EVENTS)
    other = World(secret=b"another").desk()
    changed = [cookie[:-2] + ("AA" if cookie[-2:] != "AA" else "BB"), cookie[1:], "", "x" * 5000, cookie + "A", "é"]
    for desk, values in ((world.desk(), changed), (other, [cookie]), (World(single="new").desk(), [cookie])):
        for value in values:
            header = {"Cookie": f"{LOCAL_COOKIE}={value}".encode()}
            assert (await desk.client.get(EVENTS, headers=header)).status_code == 303
    fine = await world.desk().client.get(EVENTS, headers={"Cookie": f"{LOCAL_COOKIE}={cookie}"})
    assert fine.status_code == 200


@pytest.mark.checks("UI_3")
async def test_a_session_ends_when_idle_and_when_old_but_not_while_used() -> None:
    world = World()
    desk = world.desk()
    await desk.sign_in(KEY)
    begun = world.now
    while world.now < begun + LONGEST - IDLE:
        world.now += IDLE - dt.timedelta(seconds=1)
        await desk.page(EVENTS)
    world.now += IDLE
    await desk.page(EVENTS, 303)
    await desk.sign_in(KEY)
    world.now += IDLE
    await desk.page(EVENTS, 303)


@pytest.mark.checks("KEY_3", "UI_3")
async def test_a_session_does_what_its_key_may_and_ends_with_it() -> None:
    world = World()
    desk = world.desk()
    await desk.sign_in(await world.key(Scope.EVENTS_READ))
    page = await desk.page(EVENTS)
    assert "Tess" in page
    assert "/ui/rules" not in page
    assert "lacks the scope rules:read" in await desk.page("/ui/rules", 403)
    await world.keys.revoke(next(iter(world.keys.stored)), Author("tests"))
    world.now += dt.timedelta(seconds=1)
    await desk.page(EVENTS, 303)


class TestInMemory(EndedSessionsContract):
    @pytest.fixture
    def ended(self) -> MemoryEndedSessions:
        return MemoryEndedSessions()


@pytest.mark.checks("UI_3")
async def test_a_session_is_new_at_each_sign_in_whatever_the_browser_brought() -> None:
    desk = World().desk()
    cookies = []
    for _ in range(3):
        await desk.sign_in(KEY)
        cookies.append(desk.client.cookies[LOCAL_COOKIE])
    assert len(set(cookies)) == 3


@pytest.mark.checks("UI_3")
async def test_signing_out_ends_the_session_and_every_copy_of_its_cookie() -> None:
    world = World()
    desk, thief = world.desk(), world.desk()
    await desk.sign_in(KEY)
    thief.client.cookies[LOCAL_COOKIE] = desk.client.cookies[LOCAL_COOKIE]
    await thief.page(EVENTS)
    await desk.send("/ui/sign-out", {"from": "test"})
    await thief.page(EVENTS, 303)
    await desk.sign_in(KEY)
    await desk.page(EVENTS)
    assert list(world.ended.ended.values()) == [world.now + LONGEST]


async def test_what_cannot_be_ended_is_told_and_not_forgotten() -> None:
    world = World()
    desk = world.desk()
    await desk.sign_in(KEY)
    world.ended.fault = StoreUnavailable("away")
    assert (await desk.send("/ui/sign-out", {"from": "test"})).status_code == 503
    world.ended.fault = None
    await desk.page(EVENTS)


async def test_signing_out_forgets_the_cookie() -> None:
    desk = World().desk()
    await desk.sign_in(KEY)
    answer = await desk.send("/ui/sign-out", {"from": "test"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/ui/sign-in")
    await desk.page(EVENTS, 303)


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://localhost.evil.example"},
        {"Origin": "http://["},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
@pytest.mark.checks("UI_4")
async def test_forms_of_other_sites_are_refused(headers: dict[str, str]) -> None:
    desk = World().desk()
    answer = await desk.client.post("/ui/sign-in", data={"key": KEY}, headers={"Origin": SITE} | headers)
    assert answer.status_code == 403
    assert "set-cookie" not in answer.headers
    assert (await desk.client.post("/ui/sign-in", data={"key": KEY})).status_code == 403


async def test_forms_are_forms() -> None:
    desk = World().desk()
    for content, media, status in (
        (b"{}", "application/json", 415),
        (b"key=%ff", "application/x-www-form-urlencoded", 400),
        (b"key=a&key=b", "application/x-www-form-urlencoded", 400),
        (b"&".join(b"a%d=" % number for number in range(300)), "application/x-www-form-urlencoded", 400),
        (b"key=" + b"a" * 2**21, "application/x-www-form-urlencoded", 413),
    ):
        headers = {"Origin": SITE, "Content-Type": media}
        assert (await desk.client.post("/ui/sign-in", content=content, headers=headers)).status_code == status


async def test_without_keys_on_ones_own_machine_an_empty_key_opens() -> None:
    desk = World(single=None, pepper=None).desk()
    assert (await desk.sign_in()).status_code == 303
    await desk.page(EVENTS)
    assert await OneKey(None).again("development") is not None
    assert await OneKey(None).again("api-key") is None


async def test_a_database_that_is_away_is_told_and_signs_nobody_out() -> None:
    world = World()
    desk = world.desk()
    await desk.sign_in(await world.key())
    world.now += dt.timedelta(minutes=2)
    world.keys.fault = StoreUnavailable("away")
    assert "the database does not answer" in await desk.page(EVENTS, 503)
    world.keys.fault = None
    await desk.page(EVENTS)


@pytest.mark.parametrize(
    ("to", "where"),
    [
        ("/ui/rules?q=a", "/ui/rules?q=a"),
        ("/ui", "/ui"),
        ("//evil.example", "/ui"),
        ("https://evil.example/ui", "/ui"),
        ("/uix", "/ui"),
        ("/ui\\evil", "/ui"),
        ("/ui/a\r\nX: y", "/ui"),
        ("javascript:alert(1)", "/ui"),
        ("", "/ui"),
    ],
)
def test_one_is_sent_nowhere_but_into_the_console(to: str, where: str) -> None:
    assert _inside(to) == where


async def test_files_are_kept_for_long_and_no_others_are_there() -> None:
    desk = World().desk()
    answer = await desk.client.get(FILE)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/css; charset=utf-8")
    assert "immutable" in answer.headers["cache-control"]
    for name in ("nothing.css", "..%2fapp.py", "console.css%00"):
        assert (await desk.client.get(f"/ui/static/{name}")).status_code in (303, 400, 404)


async def test_pages_are_of_the_console_and_documents_of_the_api() -> None:
    desk = World().desk()
    assert (await desk.client.get("/api/v2/audit-logs")).status_code == 401
    await desk.sign_in(KEY)
    assert (await desk.client.get("/api/v2/audit-logs")).status_code == 401  # a cookie opens the console alone
    assert "there is nothing at this path" in await desk.page("/ui/nothing", 404)
    assert (await desk.client.get("/uix", headers={"X-API-KEY": KEY})).headers["content-type"].startswith("application")
