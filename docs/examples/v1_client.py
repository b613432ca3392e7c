"""A client as they were written for MUTT 2.5: plain `requests`, the paths and members of version 1.

MUTT_URL=http://127.0.0.1:8090 MUTT_KEY=... python v1_client.py
"""

import os
import sys
import time

import requests

URL = os.environ["MUTT_URL"]
SESSION = requests.Session()
SESSION.headers["X-API-KEY"] = os.environ["MUTT_KEY"]


def send(event):
    """Posts one event; waits as long as a 429 or 503 asks for."""
    while True:
        answer = SESSION.post(URL + "/ingest", json=event, headers={"X-Correlation-ID": "v1-client"}, timeout=10)
        if answer.status_code == 200:
            body = answer.json()
            assert body["status"] == "queued", body
            print("queued as", body["correlation_id"], "behind", body["queue_depth"])
            return
        body = answer.json()
        if answer.status_code not in (429, 503):
            raise SystemExit(f"{answer.status_code}: {body['message']}")
        time.sleep(body.get("retry_after", 1))


def audit_logs(**filters):
    """Every audited event, page by page."""
    page = 1
    while True:
        answer = SESSION.get(URL + "/api/v1/audit-logs", params={"page": page, "limit": 50, **filters}, timeout=10)
        answer.raise_for_status()
        body = answer.json()
        yield from body["logs"]
        if page >= body["pagination"]["pages"]:
            return
        page += 1


def main():
    health = requests.get(URL + "/health", timeout=10).json()
    assert health["status"] == "healthy", health
    send({"timestamp": "2026-03-01T12:00:00Z", "hostname": "v1-host", "message": "link down", "severity": "3"})
    bad = SESSION.post(URL + "/ingest", json={"hostname": "v1-host"}, timeout=10)
    assert bad.status_code == 400, bad.text
    assert bad.json()["status"] == "error", bad.text
    for log in audit_logs(hostname="v1-host"):
        print(log["event_timestamp"], log["hostname"], log["handling_decision"], log["forwarded_to_moog"])
    slo = SESSION.get(URL + "/api/v1/slo", params={"window_hours": 24}, timeout=10).json()
    for name, part in slo["components"].items():
        print(name, part["state"], part["availability"])
    return 0


if __name__ == "__main__":
    sys.exit(main())
