"""Faust as its documentation shows it, given our matcher: `take` and executemany, or `async for` and an insert each.

Its stock driver, its records, its settings, but for what durability asks: the producer waits for all replicas, and a
record that comes again inserts nothing.
"""

import asyncio
import sys
import tempfile

import asyncpg
import faust
import orjson

from tests.bench.rivals.common import ALERTS, COLUMNS, Decider, matcher, read_rules

MARKS = ", ".join(f"${number}" for number in range(1, COLUMNS.count(",") + 2))
INSERT = f"INSERT INTO audit ({COLUMNS}) VALUES ({MARKS}) ON CONFLICT DO NOTHING"
AT_ONCE = 1000


def main(bootstrap, topic_name, rules_file, dsn, form):
    rules = read_rules(rules_file)
    decide = Decider(rules, matcher(rules))
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    with tempfile.TemporaryDirectory() as folder:
        app = faust.App(
            f"stock-{form}-{dsn.rpartition('/')[2]}", broker=f"kafka://{bootstrap}", datadir=folder, web_enabled=False,
            producer_acks=-1, topic_disable_leader=True, key_serializer="raw", value_serializer="json",
        )  # fmt: skip
        topic = app.topic(topic_name)  # Faust decodes the JSON
        alerts = app.topic(ALERTS)
        pools = {}

        async def pool():
            if not pools:
                pools["one"] = await asyncpg.create_pool(dsn, min_size=2, max_size=4)
            return pools["one"]

        def judged(event):
            at = event.message
            return decide.judge(topic_name, at.partition, at.offset, at.timestamp * 1000, at.value, event.value)

        async def take(stream):
            async for events in stream.take_events(AT_ONCE, within=0.1):
                found = [judged(event) for event in events]
                await (await pool()).executemany(INSERT, [row for row, _ in found])
                for event, (_, alert) in zip(events, found, strict=True):
                    if alert:
                        await alerts.send(key=event.message.key, value=orjson.dumps(alert), value_serializer="raw")

        async def one_by_one(stream):
            async for event in stream.events():
                row, alert = judged(event)
                await (await pool()).execute(INSERT, *row)
                if alert:
                    await alerts.send(key=event.message.key, value=orjson.dumps(alert), value_serializer="raw")

        app.agent(topic)({"take": take, "async_for": one_by_one}[form])
        faust.Worker(app, loop=loop, loglevel="warning", quiet=True).execute_from_commandline()


if __name__ == "__main__":
    main(*sys.argv[1:])
