"""Plots: well-formed, accessible, deterministic, and twins of their tables."""

from __future__ import annotations

import math
import re
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.core.report.plot import HEIGHT, MAX_POINTS, WIDTH, Plot, Series, ticks

SVG = "{http://www.w3.org/2000/svg}"
NUMBERS = st.floats(-1e6, 1e6, allow_nan=False)
POINTS = st.lists(st.tuples(NUMBERS, NUMBERS), min_size=1, max_size=20).map(tuple)


def plot(kind: Any, *points: tuple[tuple[float, float], ...], **more: Any) -> Plot:
    series = tuple(Series(f"s{number}", one) for number, one in enumerate(points))
    return Plot("Title", "What it shows", "x", "y", kind, series, **more)


@given(POINTS, st.sampled_from(["line", "dots"]))
@settings(max_examples=40)
def test_every_point_lies_inside_the_picture(points: Any, kind: Any) -> None:
    root = ElementTree.fromstring(plot(kind, points).svg())
    circles = root.findall(f"{SVG}circle")
    assert len(circles) == len(points)
    for circle in circles:
        assert 0 <= float(circle.get("cx", "-1")) <= WIDTH
        assert 0 <= float(circle.get("cy", "-1")) <= HEIGHT


def test_higher_values_are_drawn_higher() -> None:
    root = ElementTree.fromstring(plot("line", ((0, 0.1), (1, 0.5), (2, 0.3))).svg())
    heights = [float(circle.get("cy", "0")) for circle in root.findall(f"{SVG}circle")]
    assert heights[1] < heights[2] < heights[0]


@pytest.mark.parametrize("last", [-1.0, 1.0])
def test_bars_stand_on_zero_and_are_as_tall_as_their_values(last: float) -> None:
    drawn = plot("bars", ((0, 1.0), (1, 2.0), (2, last)), labels=("a", "b", "c"))
    bars = ElementTree.fromstring(drawn.svg()).findall(f"{SVG}rect")[1:]
    tall = [float(bar.get("height", "0")) for bar in bars]
    assert tall[1] == pytest.approx(2 * tall[0], abs=0.02)
    assert tall[2] == pytest.approx(tall[0], abs=0.02)


def test_a_plot_is_titled_described_and_has_a_table_twin() -> None:
    drawn = plot("line", ((0, 0.25), (1, 0.5)), ((0, 0.1),), limit=("least", 0.2))
    root = ElementTree.fromstring(drawn.svg())
    assert (root.findtext(f"{SVG}title"), root.findtext(f"{SVG}desc")) == ("Title", "What it shows")
    assert root.get("role") == "img"
    head, rows = drawn.table()
    assert head == ("series", "x", "y")
    assert rows == (("s0", "0", "0.25"), ("s0", "1", "0.5"), ("s1", "0", "0.1"), ("least", "", "0.2"))


def test_series_are_told_apart_without_colour() -> None:
    root = ElementTree.fromstring(plot("line", *[((0, float(n)), (1, float(n))) for n in range(4)]).svg())
    dashes = [line.get("stroke-dasharray") for line in root.findall(f"{SVG}polyline")]
    assert len(set(dashes)) == 4
    with pytest.raises(ValueError, match="without colour"):
        plot("dots", ((0, 1.0),), ((0, 2.0),))


def test_the_same_plot_is_the_same_bytes() -> None:
    assert plot("line", ((0, 1 / 3), (1, 2 / 3))).svg() == plot("line", ((0, 1 / 3), (1, 2 / 3))).svg()


def test_hostile_words_stay_words() -> None:
    word = '"><script>\x1b\x00&'
    drawn = Plot(word, word, word, word, "bars", (Series(word, ((0.0, 1.0),)),), (word,), (word, 0.5))
    text = drawn.svg()
    assert "<script>" not in text
    ElementTree.fromstring(text)


@pytest.mark.parametrize(
    "points", [(), ((0.0, math.nan),), ((math.inf, 0.0),), tuple((float(n), 0.0) for n in range(MAX_POINTS + 1))]
)
def test_what_cannot_be_drawn_is_refused(points: Any) -> None:
    with pytest.raises(ValueError, match="a plot holds"):
        plot("dots", points)


@given(st.floats(-1e6, 1e6), st.floats(1e-6, 1e6))
@settings(max_examples=60)
def test_ticks_are_round_ordered_and_inside(low: float, span: float) -> None:
    found = ticks(low, low + span)
    assert len(found) <= 12
    assert found == sorted(found)
    slack = span * 1e-6 + abs(low) * 1e-9
    assert all(low - slack <= value <= low + span + slack for value in found)


def test_a_themed_plot_takes_the_colours_of_its_page() -> None:
    hostile = Plot('"#1d4e89"', 'fill="#1d4e89"', "x", "y", "line", (Series("s", ((0, 1), (1, 2))),), limit=("l", 1.5))
    themed = hostile.svg(themed=True)
    assert re.search(r'(fill|stroke)="#', themed) is None
    assert "var(--plot-1)" in themed
    assert "var(--plot-limit)" in themed
    assert "#1d4e89" in themed, "words stay as they are"
    assert hostile.svg() == hostile.svg(themed=False)


def test_labels_of_many_bars_do_not_lie_over_each_other() -> None:
    points = tuple((float(number), 1.0) for number in range(20))
    labels = tuple(f"{number / 20:.2f}" for number in range(20))
    drawn = Plot("many", "bars", "x", "y", "bars", (Series("s", points),), labels=labels).svg()
    assert drawn.count(">0.00<") == 1
    assert 5 <= sum(drawn.count(f">{label}<") for label in labels) < 20
