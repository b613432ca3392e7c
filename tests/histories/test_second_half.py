"""The second half of the histories of the gate."""

from __future__ import annotations

import pytest

from tests.histories.gate import pass_half


@pytest.mark.timeout(900)
def test_G3_no_history_of_the_second_half_breaks_an_invariant() -> None:
    pass_half(1)
