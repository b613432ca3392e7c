"""The one style sheet: text can be read in both themes (WCAG 2.2 AA), and only colours that have a name are used."""

from __future__ import annotations

import re

import pytest

from api.console.rendering import STATIC

SHEET = (STATIC / "console.css").read_text()
GROUNDS = ("ground", "sheet", "mark")
TEXTS = ("ink", "quiet", "link", "good", "warn", "bad")
PARTS = ("alerted", "logged", "ignored", "unhandled", "shed", "rejected", "missing")


def theme(dark: bool) -> dict[str, str]:
    begin = SHEET.index("@media (prefers-color-scheme: dark)") if dark else 0
    block = SHEET[begin : SHEET.index("}", begin)]
    found = dict(re.findall(r"--(\w+): (#[0-9a-f]{3,6});", block))
    return {
        name: "#" + "".join(2 * one for one in value[1:]) if len(value) == 4 else value for name, value in found.items()
    }


def luminance(colour: str) -> float:
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (one / 12.92 if one <= 0.04045 else ((one + 0.055) / 1.055) ** 2.4 for one in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_text_can_be_read_and_parts_of_the_bar_be_seen(dark: bool) -> None:
    colours = theme(dark)
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    weak = {
        (text, ground): round(contrast(colours[text], colours[ground]), 2)
        for text in TEXTS
        for ground in GROUNDS
        if contrast(colours[text], colours[ground]) < 4.5
    }
    weak |= {("sheet", "link"): 0.0} if contrast(colours["sheet"], colours["link"]) < 4.5 else {}
    weak |= {
        (part, "sheet"): round(contrast(colours[part], colours["sheet"]), 2)
        for part in (*PARTS, "focus")
        if contrast(colours[part], colours["sheet"]) < 3
    }
    assert weak == {}


def test_colours_have_names() -> None:
    rules = SHEET[SHEET.index("* { box-sizing") :]
    assert re.findall(r"#[0-9a-f]{3,6}\b", rules) == []
    assert set(re.findall(r"var\(--(\w+)\)", rules)) <= set(theme(False))
    assert set(theme(False)) == set(theme(True))
