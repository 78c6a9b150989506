"""Charts as shapes: where each column stands, and the scale beside it.

Here: pure geometry, in the units of the chart's own view box. Not here: what is shown
(pages_figures.py), and how it is drawn (templates/charts.html). A chart is drawn on the server: it
needs no script, prints sharply, and its numbers stand in a table beside it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

WIDTH, HEIGHT = 640, 210
_LEFT, _RIGHT, _TOP, _BOTTOM = 44, 8, 12, 26
_GAP = 0.28
"""Of a category's width, between its columns and the next ones'."""

_STEPS = (1, 2, 2.5, 5, 10)
_LINES = 4
_MAX_LABELS = 13


@dataclass(frozen=True)
class Series:
    """Values of one kind, one for each category; None where there is none."""

    name: str
    values: Sequence[float | None]


@dataclass(frozen=True)
class Column:
    """A column; `text` says which it is, and how much."""

    x: float
    y: float
    width: float
    height: float
    series: int
    text: str


@dataclass(frozen=True)
class Mark:
    """A line of the scale, or a category under the axis."""

    at: float
    text: str


@dataclass(frozen=True)
class Chart:
    """Columns over categories. `series` are the names, for the key."""

    columns: list[Column]
    scale: list[Mark]
    categories: list[Mark]
    series: list[str]
    left: float = _LEFT
    right: float = WIDTH - _RIGHT
    bottom: float = HEIGHT - _BOTTOM
    width: int = WIDTH
    height: int = HEIGHT


def columns(categories: Sequence[str], series: Sequence[Series], unit: str = "") -> Chart | None:
    """Columns side by side, for each category; None when there is nothing to show."""
    values = [value for each in series for value in each.values if value is not None]
    if not categories or not values:
        return None
    step = nice_step(max(values) / _LINES)
    top = step * max(1, -(-max(values) // step))
    span, rise = WIDTH - _LEFT - _RIGHT, HEIGHT - _TOP - _BOTTOM
    each = span / len(categories)
    width = each * (1 - _GAP) / len(series)
    drawn: list[Column] = []
    for place, name in enumerate(categories):
        for number, one in enumerate(series):
            value = one.values[place]
            if value is None:
                continue
            height = rise * value / top
            x = _LEFT + each * (place + _GAP / 2) + width * number
            text = f"{name} {one.name}: {number_text(value)}{unit}"
            y = HEIGHT - _BOTTOM - height
            drawn.append(
                Column(round(x, 2), round(y, 2), round(width, 2), round(height, 2), number, text)
            )
    lines = [step * count for count in range(int(top / step) + 1)]
    scale = [
        Mark(round(HEIGHT - _BOTTOM - rise * line / top, 2), number_text(line)) for line in lines
    ]
    every = -(-len(categories) // _MAX_LABELS)
    labels = [
        Mark(round(_LEFT + each * (place + 0.5), 2), name)
        for place, name in enumerate(categories)
        if place % every == 0
    ]
    return Chart(drawn, scale, labels, [one.name for one in series])


def nice_step(least: float) -> float:
    """The smallest step of 1, 2, 2.5 or 5 times a power of ten that is at least `least`, and at
    least 1 where whole things are counted by it."""
    size = 1.0
    while size * 10 < least:
        size *= 10
    while size > least and size > 0.1:
        size /= 10
    return next(size * step for step in _STEPS if size * step >= least)


def number_text(value: float) -> str:
    """A number without a needless fraction."""
    return f"{value:g}" if abs(value - round(value)) > 1e-9 else str(round(value))
