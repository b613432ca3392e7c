"""The console on the real database: every page, and every change that one makes there, as the API makes it."""

from __future__ import annotations

import asyncio
import datetime as dt
import re
import signal
from collections.abc import AsyncIterator
from html import unescape

import httpx2
import pytest
import pytest_asyncio
from msgspec.structs import replace

from api.app import utc_now
from ops.devstack.layout import free_port
from schemas.secret_names import API_KEY
from streams.adapters.dead_letters import DeadLetters
from tests.api.conformance import check_answer
from tests.api.console.desk import Desk, hidden_fields, read
from tests.builders import dead_letter
from tests.integration.api_process import process
from tests.integration.conftest import Database
from tests.integration.consoles import console_on, store_event
from tests.integration.whole_api import api_on

RULE = {
    "match_type": "contains", "match_string": "link down", "severity_match": "exact", "priority": "100",
    "prod_handling": "Page_only", "dev_handling": "Log_only", "mode": "active", "is_active": "true",
}  # fmt: skip
NEW = "/ui/rules/new"
EVIL = '"><script>alert(1)</script>\x1b[31m'


@pytest_asyncio.fixture
async def desk(database: Database) -> AsyncIterator[Desk]:
    desk = console_on(database)
    await desk.sign_in()
    yield desk


async def test_every_page_of_an_empty_system_says_so(desk: Desk) -> None:
    for path, words in (
        ("/ui", "everything is taken"),
        ("/ui/events", "There are no audited events"),
        ("/ui/alerts?state=pending", "All alerts"),
        ("/ui/rules", "There are no rules"),
        ("/ui/dead-letters", "There are no dead letters"),
        ("/ui/jobs", "There are no jobs"),
        ("/ui/slo", "No traffic in"),
        ("/ui/ledger", "No partition was read yet"),
        ("/ui/config", "alerter_queue_warn_threshold"),
        ("/ui/config/ingest_paused", "It was never changed"),
        ("/ui/changes", "There are no changes"),
        (NEW, "New rule"),
        ("/ui/keys", "There are no keys"),
        ("/ui/maintenance", "There is no window"),
        ("/ui/system", "It never ran"),
        ("/ui/hosts", "There are no hosts"),
        ("/ui/teams", "There are no hosts"),
        ("/ui/unhandled", "There are no unhandled messages"),
        ("/ui/dead-letters/park", "Park dead letters"),
        ("/ui/rules/files", "Add the rules of a file"),
        ("/ui/dead-letters/replay", "Replay dead letters"),
    ):
        assert words in await desk.page(path)
    for path in (
        "/ui/rules/7",
        "/ui/rules/7/edit",
        "/ui/config/nothing",
        "/ui/changes/9",
        "/ui/events/x",
        "/ui/events/x:0:1",
        "/ui/jobs/00000000-0000-4000-8000-000000000000",
    ):
        await desk.page(path, 404)


async def test_the_overview_has_the_numbers_of_the_ledger(desk: Desk, database: Database) -> None:
    pool, minute = database.pool, utc_now().replace(second=0, microsecond=0)
    await pool.execute(
        "INSERT INTO partition_progress (topic, partition, next_offset, halted_at, halted_reason)"
        " VALUES ('mutt.ingest.raw', 0, 160, NULL, NULL), ('mutt.ingest.raw', 1, 5, now(), $1)",
        EVIL,
    )
    for first, at in ((0, minute - dt.timedelta(hours=2)), (100, minute - dt.timedelta(minutes=30)), (150, minute)):
        await pool.execute(
            "INSERT INTO ledger (topic, partition, epoch, first_offset, next_offset, minute, ruleset_version,"
            " ruleset_digest, alerted, logged, unhandled, rejected, missing)"
            " VALUES ('mutt.ingest.raw', 0, 0, $1::bigint, $1::bigint + 10, $2, 1, 'x', 4, 3, 1, 1, 1)",
            first,
            at,
        )
    await DeadLetters(pool).insert_absent([dead_letter(), dead_letter()], utc_now())
    page = await desk.page("/ui")
    values = dict(re.findall(r'data-value="([^"]+)">([^<]*)<', page))
    assert values | {"received": "18", "matched": "14", "alerted": "8", "delivered": "0"} == values
    assert values | {"ended-unhandled": "2", "ended-missing": "2", "paused": "1", "letters": "2"} == values
    assert "an operator must act" in page
    api, _ = api_on(database)
    answer = await Desk(api).client.get("/api/v2/overview")
    check_answer(api.table, answer)
    assert answer.json()["dead_letters"] == {"shed": 2}
    assert "script>alert(1)" in "".join(read(page).texts)


async def test_an_event_is_found_and_told_whole(desk: Desk, database: Database) -> None:
    await store_event(database, 1)
    await store_event(database, 2, hostname=EVIL, message=EVIL, disposition="alerted", rule_id=3)
    found = read(await desk.page("/ui/events?q=script"))
    assert any('"><script>alert(1)</script>\u241b[31m' in one for one in found.texts)
    page = await desk.page("/ui/events?disposition=logged&hostname=core-1")
    assert page.count("/ui/events/mutt.ingest.syslog:0:1") == 1
    assert "no whole number" not in page
    assert "rule_id must be a whole number" in await desk.page("/ui/events?rule_id=x")
    whole = await desk.page("/ui/events/mutt.ingest.syslog:0:1")
    assert "2026-03-01T12:00:00Z" in whole
    assert "link down on ge-0/0/1" in whole


async def test_a_rule_is_tried_then_saved_then_undone(desk: Desk, database: Database) -> None:
    await store_event(database, 1)
    tried = await desk.fill(NEW, NEW, 200, **RULE, lines="<187>Mar  1 12:00:00 core-1 ifmgr: link down", do="try")
    text = "".join(read(tried.text).texts)
    assert "unhandled" in text
    assert "alerted by this rule, Page_only" in text
    assert "Of the 1 events audited last" in text
    assert "There are no rules" in await desk.page("/ui/rules")
    saved = await desk.fill(NEW, NEW, **RULE, reason="new site", do="save")
    assert saved.headers["location"] == "/ui/rules/1?saved=1"
    edit = "/ui/rules/1/edit"
    await desk.fill(edit, edit, **RULE | {"priority": "7", "is_active": ""}, do="save")
    page = await desk.page("/ui/rules/1?saved=1")
    assert "new site" in page
    changes = re.findall(
        r"<td>(\w+)</td><td class=\"before\">\s*([^\s<]+)\s*</td><td class=\"after\">\s*([^\s<]+)", page
    )
    assert ("priority", "100", "7") in changes
    assert ("is_active", "True", "False") in changes
    await desk.fill("/ui/rules/1", "/ui/rules/1/restore")
    assert re.search(r"<dt>priority</dt><dd>\s*100", await desk.page("/ui/rules/1"))
    await desk.fill("/ui/rules/1", "/ui/rules/1/retire", reason="gone")
    retired = await desk.page("/ui/rules/1")
    assert "Retired" in retired
    assert "/ui/rules/1/edit" not in retired
    audit = await desk.page("/ui/changes?table=alert_rules")
    assert audit.count("/ui/rules/1") == 4
    first = re.findall(r"/ui/changes/(\d+)", audit)[0]
    assert "gone" in await desk.page(f"/ui/changes/{first}")


async def test_a_rule_sent_twice_is_made_once(desk: Desk) -> None:
    form = hidden_fields(await desk.page(NEW), NEW) | RULE | {"do": "save"}
    places = [(await desk.send(NEW, form)).headers["location"] for _ in range(2)]
    assert places == ["/ui/rules/1?saved=1"] * 2
    assert (await desk.page("/ui/rules")).count(">rule ") == 1


async def test_a_wrong_rule_is_told_at_its_fields_and_nothing_typed_is_lost(desk: Desk) -> None:
    wrong = RULE | {"match_type": "regex", "match_string": "a(?<=b\u200b", "priority": "much"}
    for do in ("try", "save"):
        answer = await desk.fill(NEW, NEW, 422, **wrong, description=EVIL[:-5], do=do)
        assert 'id="fault-priority"' in answer.text
        assert 'value="a(?&lt;=b\u200b"' in answer.text
    answer = await desk.fill(NEW, NEW, 422, **wrong | {"priority": "1"}, do="try")
    assert 'aria-describedby="fault-match_string" aria-invalid="true"' in answer.text


async def test_a_pattern_is_checked_while_it_is_written(desk: Desk) -> None:
    form = hidden_fields(await desk.page(NEW), NEW) | RULE | {"match_type": "regex"}
    told = {}
    for pattern in ("fan [0-9]", "\u200b\u00e9[z-a]", r"a\y", "x" * 60 + "[z-a]"):
        told[pattern] = (await desk.send("/ui/rules/check", form | {"match_string": pattern})).json()
    assert told.pop("fan [0-9]") == {"faults": {}, "marks": {}, "warnings": []}
    assert "no meaning" in told.pop(r"a\y")["warnings"][0]
    marks = [one["marks"]["match_string"].split("\n") for one in told.values()]
    assert marks[0][0].startswith("\u2039U+200B\u203a\u00e9[")
    assert [line[mark.index("^")] for line, mark in marks] == ["a", "a"]
    assert "Range out of order" in told["\u200b\u00e9[z-a]"]["faults"]["match_string"]
    assert len(marks[1][0]) < 60
    shown = await desk.send(NEW, form | {"match_string": "[z-a]", "do": "save"})
    assert "\n[z-a]\n   ^</pre>" in shown.text


async def test_the_list_tells_what_rules_did_and_which_never_can(desk: Desk, database: Database) -> None:
    await desk.fill(NEW, NEW, **RULE, do="save")
    await desk.fill(NEW, NEW, **RULE | {"match_string": "LINK down on", "priority": "200"}, do="save")
    await desk.fill(NEW, NEW, **RULE | {"match_string": "fan", "dev_handling": "Ignore"}, do="save")
    for offset, days in enumerate((0, 0, 2, 40)):
        await store_event(database, offset, rule_id=1, broker_time=utc_now() - dt.timedelta(days=days, minutes=1))
    api, _ = api_on(database)
    answer = await Desk(api).client.get("/api/v2/rules/usage?ids=1,2,3,9")
    check_answer(api.table, answer)
    told = {one["rule_id"]: one for one in answer.json()["items"]}
    assert [(told[id]["last_day"], told[id]["last_30_days"], told[id]["shadowed_by"]) for id in (1, 2, 3)] == [
        (2, 3, None), (0, 0, 1), (0, 0, None),
    ]  # fmt: skip
    assert [told[id]["counts_all"] for id in (1, 2, 3)] == [True, True, False]
    assert [told[id]["last_hit_at"] is None for id in (1, 2, 3)] == [False, True, True]
    page = await desk.page("/ui/rules")
    assert "matches all of it before" in page
    assert "what it ignores leaves none" in page
    assert "3 in 30 days" in await desk.page("/ui/rules/1")
    for wrong in ("", "?ids=", "?ids=a", "?ids=1,", "?ids=9999999999", "?ids=" + ",".join(map(str, range(201)))):
        check_answer(api.table, refused := await Desk(api).client.get("/api/v2/rules/usage" + wrong))
        assert refused.status_code == 422


async def test_rules_go_out_as_a_file_and_come_in_again(desk: Desk) -> None:
    await desk.fill(NEW, NEW, **RULE, do="save")
    files = "/ui/rules/files"
    written = await desk.page(files + "/jsonl")
    assert "link down" in written
    assert "link down" in await desk.page(files + "/yaml")
    await desk.page(files + "/xml", 422)
    more = written + '{"match_string": "fan", "prod_handling": "Log_only", "dev_handling": "Log_only"}\n'
    assert "1 would be added; 1 stand" in (await desk.fill(files, files, 200, content=more, format="jsonl")).text
    assert "There are no" not in await desk.page("/ui/rules?q=link")
    assert "1 added" in (await desk.fill(files, files, 200, content=more, format="jsonl", do="add")).text
    assert ">rule 2<" in await desk.page("/ui/rules?q=fan")
    wrong = await desk.fill(files, files, 422, content=more + '{"match_type": "none"}\n' + EVIL, do="add")
    assert "line 3" in wrong.text
    assert "script>alert(1)" in "".join(read(wrong.text).texts)


async def test_of_two_who_edit_the_second_sees_what_the_first_did(desk: Desk) -> None:
    await desk.fill(NEW, NEW, **RULE, do="save")
    edit = "/ui/rules/1/edit"
    seen_by_both = hidden_fields(await desk.page(edit), edit)
    await desk.send(edit, seen_by_both | RULE | {"priority": "7", "reason": "first", "do": "save"})
    conflict = await desk.send(edit, seen_by_both | RULE | {"match_string": EVIL[:-5], "do": "save"})
    assert conflict.status_code == 409
    text = "".join(read(conflict.text).texts)
    assert "You began with version 1; it is version 2 by now" in text
    assert "first" in text
    again = await desk.send(edit, hidden_fields(conflict.text, edit) | {"do": "save"})
    assert again.headers["location"] == "/ui/rules/1?saved=1"
    assert "script>" in "".join(read(await desk.page("/ui/rules/1")).texts)
    stale = await desk.send("/ui/rules/1/retire", {"token": seen_by_both["token"], "version": "1"})
    assert (stale.status_code, "changed meanwhile" in stale.text) == (412, True)


@pytest.mark.checks("UI_4")
async def test_a_form_without_its_token_changes_nothing(desk: Desk) -> None:
    fields = hidden_fields(await desk.page(NEW), NEW) | RULE | {"do": "save"}
    for token in ("", "0" * 64, "é"):
        assert (await desk.send(NEW, fields | {"token": token})).status_code == 403
    assert (await desk.send(NEW, fields, Origin="http://evil.example")).status_code == 403
    assert (await desk.send("/ui/rules/1/retire", {"token": fields["token"], "version": "x"})).status_code == 400
    await desk.send("/ui/sign-out", fields)
    assert (await desk.send(NEW, fields)).status_code == 401
    await desk.sign_in()
    assert (await desk.send(NEW, fields)).status_code == 403  # of another session
    assert "There are no rules" in await desk.page("/ui/rules")


async def test_a_key_is_changed_with_its_reason_and_goes_back(desk: Desk) -> None:
    path = "/ui/config/moog_rate_limit"
    stale = hidden_fields(await desk.page(path), path)
    assert (
        (await desk.fill(path, path, value="33", reason="they asked", do="set")).headers["location"].endswith("saved=1")
    )
    page = await desk.page(path)
    assert "they asked" in page
    for value, words in (("much", "33"), ("0", "moog_rate_limit")):
        refused = await desk.fill(path, path, 422, value=value, do="set")
        assert words in refused.text
        assert f'value="{value}"' in refused.text
    assert "Not changed" in (await desk.send(path, stale | {"value": "34", "do": "set"})).text
    await desk.fill(path, path, do="reset")
    assert "it has its default" in await desk.page(path)
    warn, shed = "/ui/config/alerter_queue_warn_threshold", "/ui/config/alerter_queue_shed_threshold"
    await desk.fill(warn, warn, value="500", do="set")
    await desk.fill(shed, shed, value="900", do="set")
    assert "must be below" in (await desk.fill(warn, warn, 409, do="reset")).text


async def test_letters_are_looked_at_and_replayed_as_a_job(desk: Desk, database: Database) -> None:
    letters = [dead_letter(value=EVIL.encode()), dead_letter(value=b"\xff\x00")]
    await DeadLetters(database.pool).insert_absent(letters, utc_now())
    assert (await desk.page("/ui/dead-letters?state=open")).count('href="/ui/dead-letters/') == 4
    assert "ff 00" in await desk.page(f"/ui/dead-letters/{letters[1].id}")
    whole = read(await desk.page(f"/ui/dead-letters/{letters[0].id}"))
    assert any("script>alert(1)" in one for one in whole.texts)
    path = "/ui/dead-letters/replay"
    assert "must narrow" in (await desk.fill(path, path, 422, do="try")).text
    assert "/limit" in (await desk.fill(path, path, 422, ids=str(letters[0].id), limit="all", do="try")).text
    tried = await desk.fill(path, path, 200, ids=str(letters[0].id), reason="mended", do="try")
    assert "would be sent" in tried.text
    begun = await desk.send(path, hidden_fields(tried.text, path) | {"ids": str(letters[0].id), "do": "replay"})
    job = await desk.client.get(begun.headers["location"])
    assert (job.status_code, job.headers["refresh"]) == (200, "2")
    assert begun.headers["location"] in await desk.page("/ui/jobs")


async def test_hosts_get_a_team_and_are_for_development_and_lose_both(desk: Desk) -> None:
    hosts, teams = "/ui/hosts", "/ui/teams"
    await desk.fill(hosts, hosts, hostname="lab é/1".replace("/", "-"), do="add")
    assert "lab é-1" in await desk.page(hosts)
    assert (await desk.fill(hosts, hosts, 409, hostname="lab é-1", do="add")).text.count('value="lab é-1"') == 2
    assert (
        "script&gt;alert(1)" in (await desk.fill(teams, teams, 422, hostname=EVIL, team_assignment="", do="add")).text
    )
    await desk.fill(teams, teams, hostname="core-1", team_assignment="netops", reason="new site", do="add")
    fields = hidden_fields(await desk.page(teams + "?q=core"), teams)
    assert fields["hostname"] == "core-1"
    assert (await desk.send(teams, fields | {"team_assignment": "voice", "do": "change"})).status_code == 303
    assert "voice" in await desk.page(teams + "?team_assignment=voice")
    stale = await desk.send(teams, fields | {"do": "remove"})
    assert (stale.status_code, "changed meanwhile" in stale.text) == (412, True)
    for path in (teams, hosts):
        await desk.fill(path, path, do="remove")
        assert "There are no hosts" in await desk.page(path)
    assert "new site" in await desk.page("/ui/changes?table=device_teams")


async def test_what_no_rule_matches_becomes_a_rule_that_is_tried_at_once(desk: Desk, database: Database) -> None:
    for signature, (host, sample) in enumerate((("core-1", "fan 3 failed (slot 7)"), (EVIL, EVIL))):
        await database.pool.execute(
            "INSERT INTO unhandled_signatures (topic, partition, signature, hostname, template, sample, count,"
            " window_started, last_seen) VALUES ('mutt.ingest.raw', 0, $1, $2, $3, $3, $4, now(), now())",
            -signature, host, sample, 50 - signature,
        )  # fmt: skip
    await store_event(database, 1, disposition="unhandled", message="fan 12 failed (slot 1)")
    page = await desk.page("/ui/unhandled")
    assert page.index("fan 3") < page.index("script&gt;alert(1)")
    first = unescape(re.findall(r'href="(/ui/rules/new[^"]*)"', page)[0])
    editor = await desk.page(first)
    assert r"fan [0-9A-Fa-fx-]+ failed \(slot [0-9A-Fa-fx-]+\)" in editor
    assert "<strong>1</strong> would be decided otherwise" in editor
    assert "There are no unhandled messages that fit" in await desk.page("/ui/unhandled?hostname=other")
    api, _ = api_on(database)
    answer = await Desk(api).client.get("/api/v2/unhandled?limit=1&q=fan")
    check_answer(api.table, answer)
    paged = (await Desk(api).client.get("/api/v2/unhandled?limit=1&sort=last_seen_at")).json()
    check_answer(
        api.table, await Desk(api).client.get(f"/api/v2/unhandled?limit=1&sort=last_seen_at&cursor={paged['next']}")
    )


async def test_a_letter_is_corrected_with_its_difference_before_it_is_kept(desk: Desk, database: Database) -> None:
    fine, bytes_ = dead_letter(value=b'{"hostname":"core-1","message":"x"}'), dead_letter(value=b"a\r\n\xff")
    await DeadLetters(database.pool).insert_absent([fine, bytes_], utc_now())
    assert "mutt dlq edit" in await desk.page(f"/ui/dead-letters/{bytes_.id}/edit")
    path = f"/ui/dead-letters/{fine.id}/edit"
    text = '{"hostname":"core-1","message":"<b>y","timestamp":"2026-03-01T12:00:00Z"}'
    tried = await desk.fill(path, path, 200, text=text, do="try")
    assert re.search(r'class="added">\+\s+&#34;message&#34;: &#34;&lt;b&gt;y', tried.text)
    assert "unhandled" in tried.text
    stale = hidden_fields(tried.text, path)
    kept = await desk.send(path, stale | {"text": text, "why": "mended", "do": "keep"})
    assert kept.headers["location"] == f"/ui/dead-letters/{fine.id}"
    assert "mended" in await desk.page(f"/ui/dead-letters/{fine.id}")
    late = await desk.send(path, stale | {"text": "mine", "do": "keep"})
    assert (late.status_code, ">\nmine</textarea>" in late.text) == (412, True)
    assert '"edits" value="1"' in late.text.replace("name=", "")


async def test_letters_are_set_aside_when_their_number_is_typed(desk: Desk, database: Database) -> None:
    letters = [dead_letter(), dead_letter(), dead_letter()]
    await DeadLetters(database.pool).insert_absent(letters, utc_now())
    path = "/ui/dead-letters/park"
    assert "must narrow" in (await desk.fill(path, path, 422, do="count")).text
    assert "That is 3 letters" in (await desk.fill(path, path, 200, reasons="shed", do="count")).text
    for typed, status in (("", 422), ("2", 412), ("many", 422)):
        refused = await desk.fill(path, path, status, reasons="shed", typed=typed, do="park")
        assert 'id="typed"' in refused.text
    assert await database.pool.fetchval("SELECT count(*) FROM dead_letters WHERE state = 'open'") == 3
    assert "3 letters are parked" in (await desk.fill(path, path, 200, reasons="shed", typed="3", do="park")).text
    back = f"{path}?ids={letters[0].id}&back=true"
    form = hidden_fields(await desk.page(back), path) | {"ids": str(letters[0].id), "typed": "1", "do": "park"}
    assert "1 letters are open again" in (await desk.send(path, form)).text
    assert "unparked" in await desk.page(f"/ui/dead-letters/{letters[0].id}")
    api, _ = api_on(database)
    for body in ({"filter": {"reasons": ["shed"]}}, {"filter": {"reasons": ["shed"]}, "expected": 7}):
        check_answer(api.table, await Desk(api).client.post("/api/v2/dead-letters/park", json=body))
    edit = f"/api/v2/dead-letters/{letters[0].id}/edit"
    for body in ({"edits": 0}, {"edits": 0, "base64": "!"}, {"edits": 0, "base64": "e30=", "dry_run": True}):
        check_answer(api.table, await Desk(api).client.post(edit, json=body))


async def test_keys_are_made_rotated_and_revoked_and_shown_once(desk: Desk) -> None:
    path = "/ui/keys"
    form = hidden_fields(await desk.page(path), path)  # of a row, or of the new one
    assert (await desk.send(path, form | {"client": "grafana", "do": "make"})).status_code == 422
    wanted = form | {"client": "grafana", "name": EVIL[:-5], "scope-events:read": "on", "do": "make"}
    answer = await desk.send(path, wanted)
    made = re.findall(r"mutt_\w{12}_[\w-]+", answer.text)
    assert len(set(made)) == 1, answer.text
    again = await desk.send(path, wanted)
    assert "was done already" in again.text
    assert made[0] not in again.text
    assert "script&gt;alert(1)" in await desk.page(path + "?client=grafana")
    rotated = (
        await desk.send(path, form | {"client": "grafana", "grace_seconds": "60", "do": "rotate", "once": "r"})
    ).text
    assert made[0] not in rotated
    assert len(set(re.findall(r"mutt_\w{12}_[\w-]+", rotated))) == 1
    id = made[0].split("_")[1]
    revoke = {"token": form["token"], "client": "grafana", "id": id, "do": "revoke"}
    assert (await desk.send(path, revoke | {"typed": "other"})).status_code == 422
    assert "opens nothing" in (await desk.send(path, revoke | {"typed": "grafana"})).text
    assert "revoked" in await desk.page(path)
    assert (await desk.send(path, revoke | {"id": "nothing", "typed": "grafana"})).status_code == 404


async def test_maintenance_is_declared_and_ended(desk: Desk) -> None:
    path = "/ui/maintenance"
    wrong = await desk.fill(path, path, 422, starts_at="now", ends_at="", reason=EVIL, do="declare")
    assert 'id="starts_at" name="starts_at" type="text" value="now"' in wrong.text
    begin = utc_now() - dt.timedelta(minutes=1)
    times = {"starts_at": begin.isoformat(), "ends_at": (begin + dt.timedelta(hours=1)).isoformat()}
    await desk.fill(path, path, **times, component="forwarder", reason=EVIL, do="declare")
    page = await desk.page(path)
    assert "script>alert(1)" in "".join(read(page).texts)
    await desk.fill(path, path, do="end")
    assert (await desk.send(path, hidden_fields(page, path) | {"do": "end"})).status_code in (409, 412, 422)


async def test_the_system_says_what_is_in_order_and_that_kafka_is_away(desk: Desk, database: Database) -> None:
    await database.pool.execute(
        "INSERT INTO retention_runs (id, actor, outcome, problems) VALUES (gen_random_uuid(), 'cron', 'failed', $1)",
        [EVIL],
    )
    page = "".join(read(await desk.page("/ui/system")).texts)
    for words in ("does not answer", "fsync", "retention", "failed", "script>alert(1)"):
        assert words in page
    api, _ = api_on(database)
    check_answer(api.table, await Desk(api).client.get("/api/v2/system"))


async def test_a_server_that_is_told_to_stop_does_not_wait_for_who_looks_on(database: Database) -> None:
    """The stream of the overview lasts for minutes, but for no stop."""
    settings = replace(database.settings, api_port=free_port())
    key = database.secrets.get(API_KEY)
    assert key is not None
    with process(settings) as (port, child):
        async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=30) as client:
            origin = {"Origin": f"http://127.0.0.1:{port}"}
            assert (await client.post("/ui/sign-in", data={"key": key.reveal()}, headers=origin)).status_code == 303
            async with client.stream("GET", "/ui/live") as told:
                lines = told.aiter_lines()
                while not (await anext(lines)).startswith("event: values"):
                    pass
                child.send_signal(signal.SIGTERM)
                async for _ in lines:
                    pass
            assert await asyncio.to_thread(child.wait, 30) == 0
