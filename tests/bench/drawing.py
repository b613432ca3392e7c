"""Draws what an event costs as things grow: one SVG of small charts, one for each dimension."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

WIDTH, HEIGHT, COLUMNS = 300, 190, 3
LEFT, RIGHT, TOP, BOTTOM = 44, 14, 34, 34
TITLES = {
    "partitions": "partitions with events", "workers": "workers", "rules": "rules, half regex",
    "event_bytes": "bytes an event", "share_of_matches": "share made to match", "table_rows": "audit rows before",
}  # fmt: skip
_STYLE = (
    "text{font:11px sans-serif;fill:#333}.t{font-weight:bold}.a{stroke:#bbb;fill:none}"
    ".l{stroke:#1565c0;stroke-width:2;fill:none}.p{fill:#1565c0}"
)

Points = Sequence[Mapping[str, float]]


def chart_sheet(scale: Mapping[str, Points]) -> str:
    """The SVG of all dimensions: CPU an event in microseconds, from 0, against each value in turn."""
    rows = -(-len(scale) // COLUMNS)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {COLUMNS * WIDTH} {rows * HEIGHT}" role="img"'
        ' aria-label="CPU of a worker an event, by dimension">',
        f"<style>{_STYLE}</style>",
        f'<rect width="{COLUMNS * WIDTH}" height="{rows * HEIGHT}" fill="#fff"/>',
    ]
    for number, (name, points) in enumerate(scale.items()):
        row, column = divmod(number, COLUMNS)
        parts += [f'<g transform="translate({column * WIDTH},{row * HEIGHT})">', *_chart(name, points), "</g>"]
    return "\n".join([*parts, "</svg>", ""])


def _chart(name: str, points: Points) -> list[str]:
    most = max(point["cpu_us"] for point in points) * 1.2
    step = (WIDTH - LEFT - RIGHT) / max(1, len(points))
    base = HEIGHT - BOTTOM
    places = [
        (LEFT + step * (at + 0.5), base - (base - TOP) * point["cpu_us"] / most, point)
        for at, point in enumerate(points)
    ]
    line = " ".join(f"{x:.1f},{y:.1f}" for x, y, _ in places)
    drawn = [
        f'<text class="t" x="{LEFT}" y="18">{escape(TITLES.get(name, name))}</text>',
        f'<path class="a" d="M{LEFT},{TOP}V{base}H{WIDTH - RIGHT}"/>',
        f'<text x="4" y="{TOP + 8}">{most:.0f} µs</text>',
        f'<text x="30" y="{base}">0</text>',
        f'<polyline class="l" points="{line}"/>',
    ]
    for x, y, point in places:
        drawn += [
            f'<circle class="p" cx="{x:.1f}" cy="{y:.1f}" r="3"/>',
            f'<text x="{x:.1f}" y="{y - 7:.1f}" text-anchor="middle">{point["cpu_us"]:.1f}</text>',
            f'<text x="{x:.1f}" y="{base + 16}" text-anchor="middle">{short(point["value"])}</text>',
        ]
    return drawn


def short(value: float) -> str:
    """350, 10k, 5M."""
    for unit, name in ((1e6, "M"), (1e3, "k")):
        if value >= unit:
            return f"{value / unit:g}"[:4].rstrip(".") + name
    return f"{value:g}"
