"""Every dashboard, in the order in which a person asks."""

from __future__ import annotations

from ops.grafana.boards import dead_letters, delivery, ingest, objectives, overview, retention, stores
from ops.grafana.panels import Board

BOARDS: tuple[Board, ...] = (
    overview.BOARD,
    ingest.BOARD,
    delivery.BOARD,
    dead_letters.BOARD,
    objectives.BOARD,
    stores.BOARD,
    retention.BOARD,
)
