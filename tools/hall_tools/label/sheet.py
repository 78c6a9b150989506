"""Sheets of labels as they are sold, and pages of them as a PDF.

Here: where the labels are on a sheet. Not here: what is on a label (picture.py).

A page is a picture of 600 dpi, black and white: what the printer would make of anything else too.
"""

import io
from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image

from hall_tools.label.content import Label
from hall_tools.label.picture import DPI, WHITE, draw, pixels

A4_MM = (210.0, 297.0)


@dataclass(frozen=True)
class Sheet:
    """A sheet of A4. All lengths are mm; `pitch` is from one label to the next, `padding` what a
    label leaves free at its edges, for a printer that is a little off."""

    columns: int
    rows: int
    size: tuple[float, float]
    pitch: tuple[float, float]
    first: tuple[float, float]
    padding: float


SHEETS = {
    # Avery Zweckform 3474 and the common 24 of A4: no gaps, and edges that no printer reaches.
    "a4-24": Sheet(3, 8, (70.0, 37.0), (70.0, 37.0), (0.0, 0.5), 4.5),
    "a4-21": Sheet(3, 7, (63.5, 38.1), (66.0, 38.1), (7.25, 15.15), 2.5),  # Avery L7160
    "a4-65": Sheet(5, 13, (38.1, 21.2), (40.6, 21.2), (4.75, 10.7), 1.2),  # Avery L7651
}


def picture(label: Label, sheet: Sheet) -> bytes:
    """One label of a sheet's size as a PNG that knows its resolution."""
    content = io.BytesIO()
    draw(label, *sheet.size, sheet.padding).save(content, "PNG", dpi=(DPI, DPI))
    return content.getvalue()


def pages(labels: Sequence[Label], sheet: Sheet) -> bytes:
    """The labels as a PDF of A4 pages, row by row."""
    count = sheet.columns * sheet.rows
    made = [_page(labels[at : at + count], sheet) for at in range(0, len(labels), count)]
    content = io.BytesIO()
    made[0].save(content, "PDF", resolution=DPI, save_all=True, append_images=made[1:])
    return content.getvalue()


def _page(labels: Sequence[Label], sheet: Sheet) -> Image.Image:
    page = Image.new("1", (pixels(A4_MM[0]), pixels(A4_MM[1])), WHITE)
    for index, label in enumerate(labels):
        row, column = divmod(index, sheet.columns)
        x = sheet.first[0] + column * sheet.pitch[0]
        y = sheet.first[1] + row * sheet.pitch[1]
        page.paste(draw(label, *sheet.size, sheet.padding), (pixels(x), pixels(y)))
    return page
