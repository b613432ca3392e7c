"""What holds for all tests: what takes minutes is left out unless it is asked for (`-m campaign`); nothing is timed."""

from __future__ import annotations

import gc

import pytest


def pytest_collection() -> None:
    """What is imported and collected stays until the end: the collector need not look at it, now or in any test."""
    gc.disable()


def pytest_collection_finish() -> None:
    gc.freeze()
    gc.enable()


def pytest_configure(config: pytest.Config) -> None:
    if config.pluginmanager.hasplugin("hypothesispytest"):
        from hypothesis import settings  # takes a second to import, which tests without it save

        settings.register_profile("untimed", deadline=None)
        settings.load_profile("untimed")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if "campaign" in config.option.markexpr:
        return
    left_out = [item for item in items if item.get_closest_marker("campaign") is not None]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]
