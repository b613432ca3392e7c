"""A way of failing is told once and counted; other kinds and operations are others."""

from __future__ import annotations

from tests.fuzz.findings import Finding, Findings, Kind


def finding(
    kind: Kind = Kind.SCHEMA_BREAK, operation: str = "GET /a", what: str = "Undocumented status (418): x"
) -> Finding:
    return Finding(kind, operation, "admin", what, "curl")


def test_the_same_is_counted_and_told_once() -> None:
    findings = Findings()
    assert findings.add(finding())
    assert not findings.add(finding(what="Undocumented status (418): y"))
    assert findings.add(finding(what="Server error (500): x"))
    assert findings.add(finding(operation="GET /b"))
    assert findings.add(finding(Kind.SERVER_ERROR))
    assert (findings.count(Kind.SCHEMA_BREAK), findings.count(Kind.SERVER_ERROR)) == (4, 1)
    assert [one.times for one in findings] == [2, 1, 1, 1]
