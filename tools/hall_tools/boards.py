"""A list of boards as a CSV file, for a whole box of them.

Here: the file's columns. Not here: what happens to the boards (enrolment.py).
"""

import csv
import os
from collections.abc import Mapping
from pathlib import Path

from hall_tools.enrolment import Board
from hall_tools.errors import UserError
from hall_tools.registry import Place

COLUMNS = ("device", "profile", "window", "zone")


def read_boards(path: Path, profile: str | None, place: Place | None) -> list[Board]:
    """The boards of a CSV file with a line of headings; `profile` and `place` hold for the rows
    that have none. Raises UserError, naming the line."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}", os.EX_NOINPUT) from None
    except UnicodeDecodeError:
        raise UserError(f'{path}: not UTF-8; in a spreadsheet, save it as "CSV UTF-8"') from None
    rows = csv.DictReader(text.splitlines(), restkey="", restval="", strict=True)
    try:
        return _boards(path, rows, profile, place)
    except csv.Error as error:
        where = f"{path}:{rows.line_num + 1}"  # of what comes after the last that could be read
        raise UserError(f"{where}: not CSV: {error}; is a quotation mark missing?") from None


def _boards(
    path: Path, rows: "csv.DictReader[str]", profile: str | None, place: Place | None
) -> list[Board]:
    names = [name.strip() for name in rows.fieldnames or ()]
    unknown = [name for name in names if name not in COLUMNS]
    if "device" not in names or unknown or len(set(names)) < len(names):
        raise UserError(
            f"{path}:1: the headings are {','.join(names) or 'missing'}; right: device, and any "
            "of profile, window, zone, each once, with commas between"
        )
    rows.fieldnames = names
    filled = (row for row in rows if any(row.values()))  # spreadsheets leave rows of commas
    boards = [_board(f"{path}:{rows.line_num}", row, profile, place) for row in filled]
    if not boards:
        raise UserError(f"{path}: has no board in it, only headings")
    return boards


def _board(
    where: str, row: Mapping[str, str | list[str]], profile: str | None, place: Place | None
) -> Board:
    if "" in row:
        raise UserError(f"{where}: has more values than there are headings")
    values = {name: str(value).strip() for name, value in row.items()}
    window, zone = values.get("window"), values.get("zone")
    if window and zone:
        raise UserError(f"{where}: a device stands at a window or in a zone; give one of them")
    if window or zone:
        place = Place(window or None, zone or None)
    named = values.get("profile") or profile
    if not values["device"]:
        raise UserError(f"{where}: device is empty")
    if named is None:
        raise UserError(f"{where}: {values['device']} has no profile; add it, or give --profile")
    if place is None:
        raise UserError(f"{where}: {values['device']} has neither window nor zone; give one")
    return Board(values["device"], named, place)
