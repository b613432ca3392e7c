"""Dumps and CSV of MUTT 2.5: what is read, and what is refused with its line."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.errors import Refused
from schemas.v25_files import CELL_LIMIT, ROWS_LIMIT, SIZE_LIMIT, OldRow, read_rows

DUMP = r"""--
-- PostgreSQL database dump
--
SET client_encoding = 'UTF8';
CREATE TABLE public.alert_rules (
    id integer NOT NULL,
    match_string character varying(255)
);
COPY public.alert_rules (id, match_string, "trap_oid", is_active) FROM stdin;
1	tab\there \\d+	\N	t
2	line\ntwo \x41\101	1.3	f
\.

COPY public.event_audit_log (id, raw_message) FROM stdin;
1	INSERT INTO alert_rules (id) VALUES (9);
\.

INSERT INTO public.development_hosts (hostname) VALUES ('lab-1'), ('o''brien'),
	('a
b;');
INSERT INTO public.event_audit_log VALUES (1, 'COPY alert_rules (id) FROM stdin;
INSERT INTO alert_rules (id) VALUES (9);', '{}'::text[], NULL, now);
INSERT INTO "device_teams" (hostname, team_assignment) VALUES (E'h\\1\'s', 'net'::character varying(100));
"""


def rows(text: str) -> list[OldRow]:
    return read_rows(text.encode())


def refused(text: str | bytes) -> str:
    with pytest.raises(Refused) as caught:
        read_rows(text if isinstance(text, bytes) else text.encode())
    return str(caught.value)


def test_a_dump_is_read_as_postgresql_would() -> None:
    assert rows(DUMP) == [
        OldRow("alert_rules", 10, {"id": "1", "match_string": "tab\there \\d+", "trap_oid": None, "is_active": "t"}),
        OldRow("alert_rules", 11, {"id": "2", "match_string": "line\ntwo AA", "trap_oid": "1.3", "is_active": "f"}),
        OldRow("development_hosts", 18, {"hostname": "lab-1"}),
        OldRow("development_hosts", 18, {"hostname": "o'brien"}),
        OldRow("development_hosts", 19, {"hostname": "a\nb;"}),
        OldRow("device_teams", 23, {"hostname": "h\\1's", "team_assignment": "net"}),
    ]
    assert rows(DUMP.replace("\n", "\r\n"))[0] == rows(DUMP)[0]


def test_csv_is_told_by_its_columns() -> None:
    assert rows('\ufeffHostname,team_assignment\n"a,\n""b""",net\n\nc,\n') == [
        OldRow("device_teams", 2, {"hostname": 'a,\n"b"', "team_assignment": "net"}),
        OldRow("device_teams", 5, {"hostname": "c", "team_assignment": None}),
    ]
    assert rows("id,match_string,prod_handling\n7,x,Page_only\n")[0].table == "alert_rules"
    assert rows("hostname\nlab-1\n")[0].table == "development_hosts"
    assert rows("hostname\n") == []


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "line 1: neither a dump"),
        ("a,b\n1,2\n", "line 1: neither a dump"),
        ("hostname,hostname\nx,y\n", "line 1: a column stands there twice"),
        ("hostname\na,b\n", "line 2: 2 values for 1 columns"),
        ('hostname\n"a\n', "CSV: unexpected end of data"),
        ('hostname\n"a"b\n', "line 2: CSV"),
        ("hostname\n" + "x" * 200_000, "line 2: CSV: field larger than field limit"),
        ("hostname\n" + "x" * (CELL_LIMIT + 1), "line 2: a value of more than 65,536 characters"),
        ("hostname\na\0\n", "line 2: a NUL character"),
        (b"hostname\nok\n\xff\n", "line 3: not UTF-8"),
        ("COPY alert_rules (id) FROM stdin;\n1\n", "line 1: COPY without its end"),
        ("COPY alert_rules (id, priority) FROM stdin;\n1\n\\.\n", "line 2: 1 values for 2 columns"),
        ("COPY alert_rules FROM stdin;\n1\n\\.\n", "cannot be read"),
        ("\nINSERT INTO alert_rules VALUES (1);", "line 2: INSERT without columns"),
        ("INSERT INTO alert_rules (id) VALUES (1", "line 1: value 1 cannot be read"),
        ("INSERT INTO alert_rules (id) VALUES ('1);", "line 1: value 1 cannot be read"),
        ("INSERT INTO alert_rules (id) VALUES (1, 2);", "line 1: 2 values for 1 columns"),
        ("INSERT INTO alert_rules (id) VALUES (1)", "line 1: INSERT without its end"),
        ("INSERT INTO alert_rules (id) VALUES (f(1));", "line 1: value 1 cannot be read"),
        ("INSERT INTO alert_rules (id) SELECT 1;", "cannot be read"),
        ("INSERT INTO alert_rules (id) VALUES (1),\n x;", "line 2: INSERT cannot be read"),
        ("hostname\n" + "h\n" * (ROWS_LIMIT + 1), "line 200002: more than 200,000 rows"),
        (b"hostname\n" + bytes(SIZE_LIMIT), "at most 67,108,864"),
        ("INSERT INTO other VALUES ('\nINSERT INTO alert_rules (id) VALUES (9);", "line 1: value 1 cannot be read"),
    ],
)
def test_what_cannot_be_read_is_refused_with_its_line(text: str | bytes, why: str) -> None:
    assert why in refused(text)


def test_many_rows_and_long_quotes_take_no_longer_than_they_are_long() -> None:
    many = "".join(f"INSERT INTO development_hosts (hostname) VALUES ('h{n}');\n" for n in range(5_000))
    assert rows(many)[-1] == OldRow("development_hosts", 5_000, {"hostname": "h4999"})
    assert "cannot be read" in refused("INSERT INTO development_hosts (hostname) VALUES ('" + "''" * 200_000)
    assert "cannot be read" in refused("INSERT INTO development_hosts (hostname) VALUES (E'" + "\\'" * 200_000)


PIECES = (
    "COPY alert_rules (id) FROM stdin;\n", "INSERT INTO device_teams (hostname) VALUES (", "'", "\\", "\n", "\\.", ")",
    ";", ",", "E'", "::text", "NULL", "hostname\n", '"', "é",
)  # fmt: skip


@settings(max_examples=100, deadline=None)
@given(st.lists(st.sampled_from(PIECES)))
def test_any_text_is_read_or_refused(parts: list[str]) -> None:
    with suppress(Refused):
        rows("".join(parts))
