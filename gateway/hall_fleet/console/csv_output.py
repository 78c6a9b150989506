"""A table as a CSV file that a spreadsheet opens as it is meant.

Here: RFC 4180, and what spreadsheets make of it. Not here: what is in the table (pages_*.py).
"""

import csv
import datetime as dt
import math
from collections.abc import Iterable, Sequence
from decimal import Decimal
from io import StringIO

from aiohttp import web

_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
"""A text that begins so is worked out as a formula by spreadsheets (OWASP, "CSV Injection"); theirs
in full width too, where the system's language is Chinese or Japanese."""

Value = str | int | float | Decimal | dt.datetime | dt.date | None


def text(header: Sequence[str], lines: Iterable[Sequence[Value]]) -> str:
    """The file's content, with a byte order mark: Excel takes it for another encoding without."""
    out = StringIO()
    writer = csv.writer(out)
    writer.writerow(header)
    writer.writerows([cell(value) for value in line] for line in lines)
    return "\ufeff" + out.getvalue()


def cell(value: Value) -> str:
    """Numbers as they are, times in RFC 3339 and UTC, nothing for None; an apostrophe before a text
    that would be a formula."""
    match value:
        case None:
            return ""
        case str():
            clean = value.replace("\0", "")
            return f"'{clean}" if clean.startswith(_FORMULA) else clean
        case float():
            return "" if math.isnan(value) else "over 240" if math.isinf(value) else f"{value:g}"
        case dt.datetime():
            return f"{value.astimezone(dt.UTC):%Y-%m-%dT%H:%M:%SZ}"
        case dt.date():
            return value.isoformat()
        case int() | Decimal():
            return str(value)


def response(name: str, header: Sequence[str], lines: Iterable[Sequence[Value]]) -> web.Response:
    """To be saved as `name`, which is plain ASCII."""
    return web.Response(
        body=text(header, lines).encode(),
        content_type="text/csv",
        charset="utf-8",
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )
