"""A report as text: Markdown for people, one line a figure for a spreadsheet.

Here: the two formats, and what they escape. Not here: what stands in which table (tables.py).

Names of clerks, businesses and windows come from outside: in Markdown they stay text, and no
spreadsheet takes one for a formula.
"""

import csv
import io
import re
from collections.abc import Iterator
from typing import Any, cast

from hall_gateway.figures_model import Report, to_json

from hall_tools.report.tables import notes, tables, title
from hall_tools.report.words import Lang, say


def markdown(report: Report, lang: Lang) -> str:
    lines = [f"# {_cell(title(report, lang))}"]
    for table in tables(report, lang):
        lines += ["", f"## {table.title}", "", _line(table.head), _line(["---"] * len(table.head))]
        lines += [_line(row) for row in table.rows]
    lines += ["", f"## {say('notes', lang)}", ""]
    lines += [f"- {note}" for note in notes(report, lang)]
    return "\n".join(lines) + "\n"


def flat_csv(report: Report) -> str:
    """RFC 4180: figure, value. The figures have the names of the JSON, in every language."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(("figure", "value"))
    for name, value in _flat("", to_json(report)):
        writer.writerow((_formula(name), _formula(value) if isinstance(value, str) else value))
    return text.getvalue()


def _line(cells: tuple[str, ...] | list[str]) -> str:
    return "| " + " | ".join(_cell(cell) for cell in cells) + " |"


def _cell(text: str) -> str:
    """A name as text in Markdown, whatever is in it."""
    return re.sub(r"([\\`*_\[\]<>|#])", r"\\\1", text) if text != "---" else text


def _formula(text: str) -> str:
    """A spreadsheet takes a cell that begins like this for a formula."""
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text


_KEYS = ("window", "staff", "business", "hour", "minute", "name")


def _flat(path: str, value: Any) -> Iterator[tuple[str, Any]]:
    """Each figure with its path: windows[1].service.wait.median_ms."""
    if isinstance(value, dict):
        for key, each in cast("dict[Any, Any]", value).items():
            yield from _flat(f"{path}.{key}" if path else str(key), each)
    elif isinstance(value, list | tuple):
        for index, each in enumerate(cast("list[Any]", value)):
            which: Any = index
            if isinstance(each, dict):
                fields = cast("dict[str, Any]", each)
                which = next((fields[key] for key in _KEYS if key in fields), index)
            yield from _flat(f"{path}[{'' if which is None else which}]", each)
    else:
        yield path, value
