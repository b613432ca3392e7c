"""Audit rows by the million, as weeks of work would leave them: skewed hosts and rules, batches of one time."""

from __future__ import annotations

import asyncpg

AT_ONCE = 100_000
BATCH = 500

_FILL = """
INSERT INTO audit (topic, partition, "offset", broker_time, event_time, hostname, source, syslog_severity, disposition,
  rule_id, rule_version, ruleset_version, handling, team, alert_id, correlation_id, message, raw)
SELECT 'mutt.ingest.syslog', b % 8, (b / 8) * $4::int + n % $4::int, t, t - interval '1 second',
  'host-' || floor(5000 * power(u, 3))::int, 'syslog', n % 8, d,
  CASE WHEN d <> 'unhandled' THEN 1 + floor(1000 * power(v, 4))::int END, CASE WHEN d <> 'unhandled' THEN 1 END, 7,
  CASE d WHEN 'alerted' THEN 'Page_and_ticket' WHEN 'shed' THEN 'Page_only' WHEN 'logged' THEN 'Log_only' END, 'netops',
  CASE d WHEN 'alerted' THEN md5(n::text)::uuid END,
  'mutt.ingest.syslog:' || b % 8 || ':' || (b / 8) * $4::int + n % $4::int,
  m, convert_to('{"timestamp":"2026-03-01T12:00:00Z","hostname":"host","message":"' || m || '"}', 'UTF8')
FROM (SELECT n, n / $4::int AS b,
        now() - interval '30 days' + (n / $4::int) * (interval '30 days' / ($3::int / $4::int)) AS t,
        random() AS u, random() AS v,
        CASE WHEN r < 0.0001 THEN 'shed' WHEN r < 0.2 THEN 'alerted' WHEN r < 0.3 THEN 'unhandled'
             ELSE 'logged' END AS d,
        '%LINK-3-UPDOWN: Interface GigabitEthernet' || n % 48 || '/0/' || n % 7
          || ', changed state to down, sequence ' || n AS m
      FROM (SELECT n, random() AS r FROM generate_series($1::int, $2::int) n OFFSET 0) s OFFSET 0) q
"""
_ALERTS = """
INSERT INTO alerts (id, kind, topic, partition, "offset", broker_time, hostname, severity, rule_id, rule_version, team,
                    handling, payload, state, created_at)
SELECT alert_id, 'rule', topic, partition, "offset", broker_time, hostname, 3, rule_id, 1, team, handling, '{}',
       'delivered', broker_time FROM audit WHERE alert_id IS NOT NULL
"""


async def fill(connection: asyncpg.Connection, rows: int, *, alerts: bool = True) -> None:
    """So many rows over the last 30 days, and the alerts they name unless they are not wanted."""
    for first in range(1, rows + 1, AT_ONCE):
        await connection.execute(_FILL, first, min(first + AT_ONCE - 1, rows), max(rows, BATCH), BATCH, timeout=600)
    if alerts:
        await connection.execute(_ALERTS, timeout=900)
    await connection.execute("VACUUM ANALYZE audit", timeout=900)
    await connection.execute("VACUUM ANALYZE alerts", timeout=900)
