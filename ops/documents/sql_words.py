"""What the tables, columns and indexes are for: the comments of the migrations, and words for what has none there."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from streams.adapters.migrations import packaged

_TABLE = re.compile(r"CREATE TABLE (\w+)(?! PARTITION)")
_ADDED = re.compile(r"ALTER TABLE (\w+)")
_INDEX = re.compile(r"CREATE INDEX (\w+)")
_COLUMN = re.compile(r'\s+(?:ADD COLUMN )?"?([a-z_0-9]+)"?\s.*?--\s*(\S.*)$')

TABLES: Mapping[str, str] = {
    "alert_rules": "The rules. A change moves `version` and the rule set's version, and is audited, by trigger.",
    "development_hosts": "Hosts whose events are handled by `dev_handling`.",
    "device_teams": "The team of a host, where its rule names none.",
    "dynamic_config": "Keys that somebody set; all others have their default ([CONFIG.md](CONFIG.md)).",
    "erasures": "Every `mutt erase`: who, why, and how many rows; not what was looked for, but its digest.",
    "retention_runs": "Every run of retention.",
    "schema_migrations": "Which migrations were applied, with the checksum of each file.",
}
INDEXES: Mapping[str, str] = {
    "alert_rules_updated": "pages of rules by their last change",
    "alerts_created": "retention",
    "alerts_created_time": "deliveries by time, and retention",
    "alerts_dead": "dead alerts by time",
    "alerts_pending": "the backlog: how many wait, and since when",
    "alerts_unpublished": "the outbox of mutt.alerts",
    "api_keys_client": "the keys of a client",
    "audit_hostname_time": "search by host",
    "audit_rule_time": "search by rule",
    "audit_time": "search by time alone, and the plan of retention",
    "config_audit_actor": "search by who changed it",
    "config_audit_client": "search by client",
    "config_audit_object": "the history of one thing",
    "config_audit_operation": "search by operation",
    "config_audit_record": "search by the number that v1 knows a thing by",
    "config_audit_time": "search by time, and retention",
    "dead_letters_open": "statistics of what is open, by reason",
    "dead_letters_origin": "the letter of a record",
    "dead_letters_parked_unpublished": "the outbox of mutt.dlq.parked",
    "dead_letters_replay": "the letters of a replay",
    "dead_letters_replay_of": "what a replayed letter became",
    "dead_letters_state_time": "pages of letters by state",
    "dead_letters_unpublished": "the outbox of mutt.dlq",
    "erasures_running": "whether this transaction erases",
    "idempotency_keys_created": "keys that are over",
    "letter_log_letter": "the history of a letter",
    "maintenance_windows_end": "windows that are not over",
    "replays_created": "pages of replays",
    "retention_archives_unfinished": "what a killed run left",
    "retention_runs_started": "the last runs",
    "sli_component_minute": "the sums of a window",
}


COLUMNS: Mapping[tuple[str, str], str] = {
    ("sli", "component"): "ingestor, forwarder, alert_latency, audit or api",
}
"""All three go before what the migrations say."""


class Words:
    """By name of a table, of an index, and of table and column."""

    def __init__(self) -> None:
        self.tables, self.indexes, self.columns = dict(TABLES), dict(INDEXES), dict(COLUMNS)
        for migration in packaged():
            self._read(migration.sql)

    def _read(self, sql: str) -> None:
        table: str | None = None
        for comment, line in _with_comments(sql):
            if line.startswith((")", "CREATE FUNCTION", "CREATE OR REPLACE", "DO ")):
                table = None
            if begun := _TABLE.match(line) or _ADDED.match(line):
                table = begun[1]
                if comment and _TABLE.match(line):
                    self.tables.setdefault(table, comment)
            elif (index := _INDEX.match(line)) and comment:
                self.indexes.setdefault(index[1], comment)
            elif table and (column := _COLUMN.match(line)):
                self.columns.setdefault((table, column[1]), column[2])


def _with_comments(sql: str) -> Iterator[tuple[str, str]]:
    """Every line of SQL with the comment right above it."""
    comment: list[str] = []
    for line in sql.splitlines():
        if line.startswith("--"):
            comment.append(line.removeprefix("--").strip())
            continue
        yield " ".join(comment), line
        comment = []
