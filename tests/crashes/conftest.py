"""The servers are those of the integration tests."""

from __future__ import annotations

from tests.integration.conftest import broker, database, kafka, postgres, stack, system

__all__ = ["broker", "database", "kafka", "postgres", "stack", "system"]
