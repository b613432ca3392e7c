"""What some tests need of the machine, and why they are left out where it is not there. CI has all of it."""

from __future__ import annotations

import pytest

from tests.chaos.clock import NO_CLOCK
from tests.chaos.disk import NO_DISK

needs_root = pytest.mark.skipif(NO_DISK is not None, reason=NO_DISK or "")
needs_faketime = pytest.mark.skipif(NO_CLOCK is not None, reason=NO_CLOCK or "")
