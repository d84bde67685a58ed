"""Small plots as SVG: bars, lines and dots, without scripts, fonts or colours that carry the meaning alone.

Every plot has a title and a description for screen readers, and a table twin that holds the same numbers.
The same input always gives the same bytes. In a page with light and dark colours of its own, `svg(themed=True)` takes
them from the page's custom properties (`--plot-page`, `--plot-ink`, ...) instead of the fixed ones.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from holdfast.core.report.escape import html, visible

WIDTH: Final = 640
HEIGHT: Final = 320
_LEFT, _RIGHT, _TOP, _BOTTOM = 64, 20, 40, 56
_DASHES: Final = (("", "solid"), ("6 3", "dashed"), ("2 3", "dotted"), ("8 3 2 3", "dash-dotted"))
_INKS: Final = ("#1d4e89", "#b3541e", "#2e7d32", "#6a1b9a")
_VARIABLES: Final = {
    "#ffffff": "--plot-page",
    "#111111": "--plot-ink",
    "#333333": "--plot-text",
    "#dddddd": "--plot-grid",
    "#8a1c1c": "--plot-limit",
    **{ink: f"--plot-{number}" for number, ink in enumerate(_INKS, 1)},
}
LETTER: Final = 6.5
"""About the width of a letter at the size of labels."""
MAX_SERIES: Final = 4
MAX_POINTS: Final = 2_000

Kind = Literal["bars", "line", "dots"]


@dataclass(frozen=True, slots=True)
class Series:
    """Points (x, y) under a name; for bars, x counts 0, 1, 2 … through the plot's labels."""

    name: str
    points: tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True)
class Plot:
    """What to draw. `limit` is a horizontal line with its own label, such as a policy's bound."""

    title: str
    description: str
    x: str
    y: str
    kind: Kind
    series: tuple[Series, ...]
    labels: tuple[str, ...] = ()
    limit: tuple[str, float] | None = None

    def __post_init__(self) -> None:
        points = [point for one in self.series for point in one.points]
        if not 1 <= len(self.series) <= MAX_SERIES or not points or len(points) > MAX_POINTS:
            raise ValueError(f"a plot holds 1 to {MAX_SERIES} series and 1 to {MAX_POINTS:,} points")
        if self.kind != "line" and len(self.series) > 1:
            raise ValueError("only lines hold several series, as only they can be told apart without colour")
        if not all(math.isfinite(value) for point in points for value in point):
            raise ValueError("a plot holds finite numbers only")

    def svg(self, *, themed: bool = False) -> str:
        """The picture, as text to save or to put into a page; `themed`: in the colours of that page."""
        return _themed(self._svg()) if themed else self._svg()

    def _svg(self) -> str:
        frame = _Frame.of(self)
        head = f'viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{html(self.title)}"'
        body = [*_axes(self, frame), *_limit(self, frame)]
        for number, one in enumerate(self.series):
            body += _draw(self.kind, one, number, frame)
        body += _legend(self.series) if len(self.series) > 1 else []
        return "\n".join(
            [
                f'<svg xmlns="http://www.w3.org/2000/svg" {head} font-family="sans-serif" font-size="12">',
                f"<title>{html(self.title)}</title>",
                f"<desc>{html(self.description)}</desc>",
                f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>',
                f'<text x="{_LEFT}" y="22" font-size="14" fill="#111111">{html(self.title, 80)}</text>',
                *body,
                "</svg>",
                "",
            ]
        )

    def table(self) -> tuple[tuple[str, ...], tuple[tuple[str, ...], ...]]:
        """The same numbers: a head, and rows of (series, x, y)."""
        head = ("series", visible(self.x), visible(self.y))
        rows = [(visible(one.name), self._label(x), f"{y:.4g}") for one in self.series for x, y in one.points]
        if self.limit is not None:
            rows.append((visible(self.limit[0]), "", f"{self.limit[1]:.4g}"))
        return head, tuple(rows)

    def _label(self, x: float) -> str:
        return visible(self.labels[int(x)]) if self.kind == "bars" and 0 <= x < len(self.labels) else f"{x:g}"


@dataclass(frozen=True, slots=True)
class _Frame:
    """From values to places on the page."""

    low_x: float
    high_x: float
    low_y: float
    high_y: float

    @classmethod
    def of(cls, plot: Plot) -> _Frame:
        xs = [x for one in plot.series for x, _ in one.points]
        ys = [y for one in plot.series for _, y in one.points] + ([plot.limit[1]] if plot.limit else [])
        low_x, high_x = (-0.5, max(xs) + 0.5) if plot.kind == "bars" else (min(xs), max(xs))
        low_y, high_y = min(0.0, *ys), max(0.0, *ys)
        return cls(low_x, high_x if high_x > low_x else low_x + 1, low_y, high_y if high_y > low_y else low_y + 1)

    def x(self, value: float) -> float:
        share = (value - self.low_x) / (self.high_x - self.low_x)
        return round(_LEFT + share * (WIDTH - _LEFT - _RIGHT), 2)

    def y(self, value: float) -> float:
        share = (value - self.low_y) / (self.high_y - self.low_y)
        return round(HEIGHT - _BOTTOM - share * (HEIGHT - _TOP - _BOTTOM), 2)


def _themed(svg: str) -> str:
    """Fixed colours as custom properties. Text cannot look like an attribute: its quotes are escaped."""
    return re.sub(r'(?<=(?:fill|roke)=")#[0-9a-f]{6}(?=")', lambda found: f"var({_VARIABLES[found[0]]})", svg)


def ticks(low: float, high: float, count: int = 5) -> list[float]:
    """Round numbers (1, 2 or 5 times a power of ten) that span low to high."""
    rough = (high - low) / count
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= rough * 0.999)
    first = math.ceil(low / step - 1e-9)
    return [round(number * step, 12) for number in range(first, math.floor(high / step + 1e-9) + 1)]


def _axes(plot: Plot, frame: _Frame) -> Iterable[str]:
    floor, right = HEIGHT - _BOTTOM, WIDTH - _RIGHT
    for value in ticks(frame.low_y, frame.high_y):
        at = frame.y(value)
        yield f'<line x1="{_LEFT}" y1="{at}" x2="{right}" y2="{at}" stroke="#dddddd"/>'
        yield f'<text x="{_LEFT - 6}" y="{at + 4}" text-anchor="end" fill="#333333">{value:g}</text>'
    for place, words in _marks(plot, frame):
        yield f'<text x="{place}" y="{floor + 16}" text-anchor="middle" fill="#333333">{html(words, 14)}</text>'
    yield f'<line x1="{_LEFT}" y1="{floor}" x2="{right}" y2="{floor}" stroke="#333333"/>'
    middle = (_LEFT + right) / 2
    yield f'<text x="{middle}" y="{HEIGHT - 12}" text-anchor="middle" fill="#111111">{html(plot.x, 80)}</text>'
    turn = f'transform="translate(14 {HEIGHT / 2}) rotate(-90)"'
    yield f'<text {turn} text-anchor="middle" fill="#111111">{html(plot.y, 40)}</text>'


def _marks(plot: Plot, frame: _Frame) -> Iterable[tuple[float, str]]:
    if plot.kind == "bars":
        shown = [(frame.x(number), words) for number, words in enumerate(plot.labels) if number <= frame.high_x]
        return shown[:: _stride(shown)]
    return [(frame.x(value), f"{value:g}") for value in ticks(frame.low_x, frame.high_x)]


def _stride(marks: Sequence[tuple[float, str]]) -> int:
    """Every how many-th label is written, so that none lies over the next."""
    if len(marks) < 2:
        return 1
    longest = max(min(len(words), 14) for _, words in marks)
    return max(1, math.ceil((longest * LETTER + LETTER) / (marks[1][0] - marks[0][0])))


def _limit(plot: Plot, frame: _Frame) -> Iterable[str]:
    if plot.limit is None:
        return
    words, value = plot.limit
    at = frame.y(value)
    yield f'<line x1="{_LEFT}" y1="{at}" x2="{WIDTH - _RIGHT}" y2="{at}" stroke="#8a1c1c" stroke-dasharray="4 4"/>'
    yield f'<text x="{WIDTH - _RIGHT}" y="{at - 4}" text-anchor="end" fill="#8a1c1c">{html(words, 60)}</text>'


def _draw(kind: Kind, one: Series, number: int, frame: _Frame) -> Iterable[str]:
    ink = _INKS[number]
    if kind == "bars":
        yield from _bars(one, frame)
        return
    places = [(frame.x(x), frame.y(y)) for x, y in one.points]
    if kind == "line":
        path = " ".join(f"{x},{y}" for x, y in places)
        dash = f' stroke-dasharray="{_DASHES[number][0]}"' if number else ""
        yield f'<polyline points="{path}" fill="none" stroke="{ink}" stroke-width="2"{dash}/>'
    yield from (f'<circle cx="{x}" cy="{y}" r="3" fill="{ink}"/>' for x, y in places)


def _bars(one: Series, frame: _Frame) -> Iterable[str]:
    floor = frame.y(0.0)
    wide = round((frame.x(1) - frame.x(0)) * 0.7, 2)
    for x, y in one.points:
        at, left = frame.y(y), round(frame.x(x) - wide / 2, 2)
        top, tall = min(at, floor), round(abs(floor - at), 2)
        yield f'<rect x="{left}" y="{top}" width="{wide}" height="{tall}" fill="{_INKS[0]}"/>'
        yield f'<text x="{frame.x(x)}" y="{round(top - 4, 2)}" text-anchor="middle" fill="#111111">{y:.3g}</text>'


def _legend(series: Sequence[Series]) -> list[str]:
    return [
        f'<text x="{WIDTH - _RIGHT}" y="{22 + 14 * number}" text-anchor="end" fill="{_INKS[number]}">'
        f"{html(one.name, 40)} ({_DASHES[number][1]})</text>"
        for number, one in enumerate(series)
    ]
