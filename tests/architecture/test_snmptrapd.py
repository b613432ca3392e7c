"""The script that starts snmptrapd gives it the format that the bridge reads."""

from __future__ import annotations

from schemas.snmptrapd import FORMAT
from tests.run import ROOT


def test_the_format_is_the_one_that_is_read() -> None:
    assert f"-F '{FORMAT}'" in (ROOT / "ops" / "snmptrapd" / "mutt-snmptrapd").read_text()
