"""What histories found once stays mended, and has a small test of its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.histories import follow
from tests.histories.checks import NAMES
from tests.histories.found import Found, all_found

ROOT = Path(__file__).parent.parent.parent


@pytest.mark.parametrize("one", all_found(), ids=lambda one: f"seed {one.plan.seed}")
def test_a_history_that_was_red_once_is_green(one: Found) -> None:
    assert follow(one.plan).anomalies == [], one.found


def test_each_names_its_detector_and_a_test_that_is_there() -> None:
    for one in all_found():
        assert one.detector in NAMES
        file, _, name = one.test.partition("::")
        assert f"def {name}(" in (ROOT / file).read_text()
