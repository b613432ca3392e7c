"""What all rivals share, so that none is given less care: the matchers, the audit row, the safe COPY.

Only hyperscan, orjson and psycopg are needed here: each peer runs in an environment of its own.
"""

import datetime as dt
import json
import pathlib
import re
import uuid
from collections.abc import Callable, Iterable

import hyperscan
import orjson
import psycopg

ALERTS = "mutt.alerts"
COLUMNS = (
    'topic, partition, "offset", broker_time, event_time, hostname, source, syslog_severity, disposition, rule_id,'
    " rule_version, ruleset_version, handling, team, alert_id, correlation_id, trap_oid, message, raw"
)
TYPES = (
    "text", "int4", "int8", "timestamptz", "timestamptz", "text", "text", "int2", "text", "int4", "int4", "int8",
    "text", "text", "uuid", "text", "text", "text", "bytea",
)  # fmt: skip
COPY = f"COPY audit ({COLUMNS}) FROM STDIN (FORMAT BINARY)"
TOPIC, PARTITION, OFFSET = range(3)


def read_rules(file):
    return json.loads(pathlib.Path(file).read_text())


def matcher(rules):
    """The number of the first rule that matches an event, or None: one scan of all patterns, OIDs from a dict."""
    texts = [(n, r) for n, r in enumerate(rules) if r["match_type"] != "oid_prefix"]
    oids = {r["trap_oid"]: n for n, r in reversed(list(enumerate(rules))) if r["match_type"] == "oid_prefix"}
    database = hyperscan.Database()
    escape = lambda r: "".join(f"\\x{b:02x}" for b in r["match_string"].encode())  # noqa: E731
    database.compile(
        expressions=[(escape(r) if r["match_type"] == "contains" else r["match_string"]).encode() for _, r in texts],
        ids=[n for n, _ in texts], flags=hyperscan.HS_FLAG_CASELESS | hyperscan.HS_FLAG_SINGLEMATCH,
    )  # fmt: skip

    def match(event):
        hits, oid = [], event.get("trap_oid")
        database.scan(event["message"].encode(), lambda number, *_: hits.append(number))
        while oid:
            hits += [oids[oid]] if oid in oids else []
            oid = oid.rpartition(".")[0]
        severity = event.get("syslog_severity")
        fit = [n for n in hits if rules[n].get("syslog_severity") in (None, severity)]
        return min(fit) if fit else None

    return match


def linear(rules):
    """The same answer from a loop over the rules, as it is written before anybody measures."""
    checks = [(number, rule.get("syslog_severity"), _check(rule)) for number, rule in enumerate(rules)]

    def match(event):
        text, oid, severity = event["message"].lower(), event.get("trap_oid") or "", event.get("syslog_severity")
        for number, wanted, fits in checks:
            if (wanted is None or wanted == severity) and fits(text, oid):
                return number
        return None

    return match


def _check(rule) -> Callable[[str, str], object]:
    if rule["match_type"] == "oid_prefix":
        prefix = rule["trap_oid"]
        return lambda _, oid: oid == prefix or oid.startswith(f"{prefix}.")
    pattern = rule["match_string"].lower()
    if rule["match_type"] == "contains":
        return lambda text, _: pattern in text
    search = re.compile(rule["match_string"], re.IGNORECASE).search
    return lambda text, _: search(text)


class Decider:
    """Turns one record into its audit row, and its alert if it raises one."""

    def __init__(self, rules, match):
        self.rules, self.match = rules, match

    def __call__(self, topic, partition, offset, milliseconds, value):
        return self.judge(topic, partition, offset, milliseconds, value, orjson.loads(value))

    def judge(self, topic, partition, offset, milliseconds, value, event):
        number = self.match(event)
        rule, alert, raised = (self.rules[number], None, None) if number is not None else ({}, None, None)
        if rule.get("prod_handling") == "Page_and_ticket":
            alert = uuid.uuid4()
            raised = {"id": str(alert), "rule_id": number + 1, "partition": partition, "offset": offset, "event": event}
        row = (
            topic, partition, offset, dt.datetime.fromtimestamp(milliseconds / 1000, dt.UTC),
            dt.datetime.fromisoformat(event["timestamp"]), event["hostname"], event["source"],
            event["syslog_severity"], "alerted" if alert else "logged" if rule else "unhandled",
            None if number is None else number + 1, 1, 1, rule.get("prod_handling"), rule.get("team_assignment"), alert,
            event["correlation_id"], event.get("trap_oid"), event["message"], value,
        )  # fmt: skip
        return row, raised


class SafeCopy:
    """Audit rows into PostgreSQL so that a record that comes again changes nothing: what lies below a partition's
    progress is skipped, rows and progress move in one transaction."""

    def __init__(self, dsn):
        self.connection = psycopg.connect(dsn)

    def write(self, rows: Iterable[tuple]) -> None:
        """Rows of any partitions, each partition's in offset order."""
        partitions: dict[tuple[str, int], list[tuple]] = {}
        for row in rows:
            partitions.setdefault((row[TOPIC], row[PARTITION]), []).append(row)
        with self.connection.transaction(), self.connection.cursor() as cursor:
            fresh: list[tuple] = []
            for at, found in sorted(partitions.items()):
                cursor.execute(
                    "INSERT INTO partition_progress (topic, partition, next_offset) VALUES (%s, %s, 0)"
                    " ON CONFLICT DO NOTHING", at)  # fmt: skip
                cursor.execute(
                    "SELECT next_offset FROM partition_progress WHERE topic = %s AND partition = %s FOR UPDATE", at
                )
                (stands,) = cursor.fetchone()
                fresh += [row for row in found if row[OFFSET] >= stands]
                cursor.execute(
                    "UPDATE partition_progress SET next_offset = greatest(next_offset, %s)"
                    " WHERE topic = %s AND partition = %s", (found[-1][OFFSET] + 1, *at))  # fmt: skip
            if fresh:
                with cursor.copy(COPY) as copy:
                    copy.set_types(TYPES)
                    for row in fresh:
                        copy.write_row(row)
