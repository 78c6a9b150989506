"""`hall show`: what a call display would look like, without one.

Here: options into a desired state, and what is printed. Not here: how the picture comes about
(`hall_panel`: the firmware's own display, its stores, and an eye in front of the panel).
"""

import json
import os
import re
from datetime import datetime
from enum import Enum
from pathlib import Path
from typing import Annotated, Any

import typer
from hall_panel.digits_png import Digits
from hall_panel.picture import Picture
from hall_panel.preview import Preview, as_png, preview
from hall_profiles import (
    PayloadError,
    Profile,
    ProfileError,
    builtin_names,
    load,
    validate_desired,
)
from hall_profiles.model import View as FieldsOfView
from rich.console import Console
from rich.text import Text

from hall_tools import dots, gallery
from hall_tools.errors import UserError


class View(str, Enum):  # noqa: UP042 (typer shows the values of a str enum)
    """Those of the desired state, and `wait`, which a display shows by itself."""

    CALL = "call"
    IDLE = "idle"
    CLOSED = "closed"
    TEXT = "text"
    CAUTION = "caution"
    TEST = "test"
    WAIT = "wait"


def show(
    profile: Annotated[
        str | None, typer.Option("--profile", help="A call display's profile, by name or file.")
    ] = None,
    view: Annotated[
        View | None, typer.Option("--view", help="Default: what the other options are for.")
    ] = None,
    ticket: Annotated[str | None, typer.Option("--ticket", help="The number called: A015.")] = None,
    window: Annotated[str | None, typer.Option("--window", help="Where to go: 3.")] = None,
    name: Annotated[
        str | None, typer.Option("--name", help="The window's name, when idle.")
    ] = None,
    text: Annotated[str | None, typer.Option("--text", help="Any text.")] = None,
    at: Annotated[
        str | None, typer.Option("--at", metavar="HH:MM", help="The hall's time. Default: now.")
    ] = None,
    after: Annotated[
        float,
        typer.Option("--after", min=0, max=3600, help="Seconds since the view began, as it moves."),
    ] = 0,
    png: Annotated[
        Path | None, typer.Option("--png", help="Write a PNG instead of drawing here.")
    ] = None,
    all_views: Annotated[
        Path | None,
        typer.Option(
            "--all-views", metavar="DIR", help="Write PNGs of all views, of all displays or one."
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Show what a call display would look like.

    The firmware's own display draws the view, and the picture is what an eye sees of the signals
    that it would send to the panel.

        hall show --profile call-display-f375-64x32 --ticket A015 --window 3
    """
    fields = {"ticket": ticket, "window": window, "name": name, "text": text}
    given = {field: value for field, value in fields.items() if value is not None}
    if all_views:
        if given or view or at or after or png:
            raise UserError("--all-views takes no other option but --profile", os.EX_USAGE)
        _write_all(all_views, [_display(profile)] if profile else gallery.displays(), as_json)
        return
    display = _display(profile)
    shown = _preview(display, _desired(display, view, given), at, after)
    if png:
        _write(png, as_png(shown.picture))
    if as_json:
        print(json.dumps(_result(display, shown, png), ensure_ascii=False))
        return
    if png:
        print(f"{png}: {png.stat().st_size:,} bytes")
    else:
        console = Console(highlight=False)
        console.print(_drawn(shown.picture, console.width))
    _print_notes(shown)


def _display(name: str | None) -> Profile:
    known = [each for each in builtin_names() if load(each).role == "call_display"]
    names = ", ".join(known)
    if name is None:
        raise UserError(f"--profile is missing; right: one of {names}", os.EX_USAGE)
    try:
        profile = load(name)
    except ProfileError as error:
        raise UserError(str(error)) from None
    if profile.role != "call_display":
        raise UserError(f"{name} is no call display; right: one of {names}")
    return profile


def _desired(display: Profile, view: View | None, given: dict[str, str]) -> dict[str, Any] | None:
    """The desired state of these options. UserError: the view and they do not go together."""
    wanted = view.value if view else _inferred(given)
    if wanted != View.WAIT.value and wanted not in display.views:
        raise UserError(f"{display.name} has no view {wanted}; right: {', '.join(display.views)}")
    takes = display.views.get(wanted) or FieldsOfView()
    missing = [f"--{field}" for field in takes.needs if field not in given]
    if missing:
        raise UserError(f"view {wanted} needs {' and '.join(missing)}", os.EX_USAGE)
    extra = [f"--{field}" for field in given if field not in (*takes.needs, *takes.may)]
    if extra:
        raise UserError(f"view {wanted} does not take {' and '.join(extra)}", os.EX_USAGE)
    if wanted == View.WAIT.value:
        return None
    desired = {"rev": 1, "view": wanted, **given}
    try:
        validate_desired(display, desired)
    except PayloadError as error:
        raise UserError(str(error)) from None
    return desired


def _inferred(given: dict[str, str]) -> str:
    for field, view in (("ticket", "call"), ("window", "call"), ("text", "text"), ("name", "idle")):
        if field in given:
            return view
    views = ", ".join(view.value for view in View)
    raise UserError(
        "nothing to show; right: --ticket and --window, --text, --name, "
        f"or --view with one of {views}",
        os.EX_USAGE,
    )


def _preview(
    display: Profile, desired: dict[str, Any] | None, at: str | None, after: float
) -> Preview:
    config = gallery.preview_config(display)
    try:
        return preview(
            config,
            desired,
            unix_ms=gallery.unix_ms(config, _minute(at)),
            after_ms=round(after * 1000),
        )
    except ValueError as error:
        raise UserError(f"{display.name}: {error}") from None


def _minute(at: str | None) -> int:
    """The minute of the day."""
    if at is None:
        now = datetime.now().astimezone()
        return now.hour * 60 + now.minute
    parts = re.fullmatch(r"([01]?\d|2[0-3]):([0-5]\d)", at)
    if not parts:
        raise UserError(f"--at {at} is no time of day; right: 00:00 to 23:59", os.EX_USAGE)
    return int(parts[1]) * 60 + int(parts[2])


def _result(display: Profile, shown: Preview, png: Path | None) -> dict[str, object]:
    picture = shown.picture
    return {
        "profile": display.name,
        "view": shown.view,
        **_picture(picture),
        "missing": shown.missing,
        "moves": shown.moves,
        "png": str(png) if png else None,
    }


def _picture(picture: Picture | Digits) -> dict[str, object]:
    """As in the lines of a simulated device."""
    if isinstance(picture, Digits):
        return {"segments": list(picture.segments)}
    return {"panel": picture.panel()}


def _drawn(picture: Picture | Digits, columns: int) -> Text:
    """The picture for a terminal of so many columns. Without colours it is still readable."""
    if isinstance(picture, Digits):
        return dots.segments(picture.segments)
    draw = dots.half_blocks if picture.width <= columns else dots.braille
    return draw(picture.dots())


def _print_notes(shown: Preview) -> None:
    if shown.moves:
        print("It moves: --after SECONDS shows it later.")
    if shown.missing:
        characters = "1 character is" if shown.missing == 1 else f"{shown.missing} characters are"
        print(f"{characters} not in the display's font and drawn as a box.")


def _write_all(folder: Path, displays: list[Profile], as_json: bool) -> None:
    written: list[str] = []
    for display in displays:
        try:
            pictures = list(gallery.pictures(display))
        except ValueError as error:
            raise UserError(f"{display.name}: {error}") from None
        for name, content in pictures:
            _write(folder / name, content)
            written.append(str(folder / name))
            if not as_json:
                print(f"{folder / name}: {len(content):,} bytes")
    if as_json:
        print(json.dumps(written, ensure_ascii=False))


def _write(path: Path, content: bytes) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    except OSError as error:
        raise UserError(f"{path}: cannot be written: {error.strerror}", os.EX_CANTCREAT) from None
