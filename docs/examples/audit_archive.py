"""Asks the archives of the audit with DuckDB: which rules raised alerts, on which hosts, and how many.

    python docs/examples/audit_archive.py FOLDER

FOLDER is MUTT_ARCHIVE_DIR: files NAME.ndjson.gz, each with its manifest. `mutt retention verify` says first whether
they are what was written. DuckDB reads them where they lie; nothing is unpacked.
"""

from __future__ import annotations

import sys
from pathlib import Path

import duckdb

QUESTION = """
SELECT rule_id, hostname, count(*) AS alerts, min(broker_time) AS first, max(broker_time) AS last
FROM read_json($files, format = 'newline_delimited', columns = {
    rule_id: 'INTEGER', hostname: 'VARCHAR', disposition: 'VARCHAR', broker_time: 'TIMESTAMP'})
WHERE disposition = 'alerted'
GROUP BY rule_id, hostname
ORDER BY alerts DESC, hostname
LIMIT 20
"""


def main() -> None:
    files = sorted(str(file) for file in Path(sys.argv[1]).glob("audit_*.ndjson.gz"))
    if not files:
        sys.exit(f"no archive of the audit in {sys.argv[1]}")
    for rule, host, alerts, first, last in duckdb.execute(QUESTION, {"files": files}).fetchall():
        print(f"rule {rule}  {host:<30} {alerts:>8}  {first:%Y-%m-%d} to {last:%Y-%m-%d}")


if __name__ == "__main__":
    main()
