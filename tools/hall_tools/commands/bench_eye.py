"""`hall bench eye`: what a person sees of a display, also when the device has other things to do.

Here: options, progress, tables. Not here: the displays' time and the promises (`hall_tools.bench`).
"""

import json
import os
from typing import Annotated

import typer
from hall_panel.waveform import STORE_NS
from hall_profiles import Profile, ProfileError, load
from rich import box
from rich.console import Console
from rich.table import Table

from hall_tools.bench.eye import (
    MOST_SPREAD,
    SCANNED,
    STALLS_MS,
    Seen,
    broken_promises,
    displays,
    watch,
)
from hall_tools.errors import UserError
from hall_tools.progress import progress


def eye(
    profile: Annotated[
        str | None,
        typer.Option("--profile", help="A display's profile, by name or file. Default: all."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Look at every display that the controller has to scan: all views, and stalls of the device.

    Half a minute. The firmware's own display and refresh run on a simulated clock, before a model
    of the panel and of an eye. docs/benchmarks.md says what the figures mean.

    Exit code: 0 when all is seen as it should be, 70 when not.
    """
    seen: list[Seen] = []
    with progress() as heard:
        for display in [_display(profile)] if profile else displays():
            heard(f"looking at {display.name}")
            try:
                seen.append(watch(display))
            except ValueError as error:
                raise UserError(f"{display.name}: {error}") from None
    if as_json:
        print(json.dumps(_result(seen), ensure_ascii=False))
    else:
        _print(seen)
    broken = [
        f"{display.profile}: {words}" for display in seen for words in broken_promises(display)
    ]
    if broken:
        raise UserError("not as it should be:\n" + "\n".join(broken), os.EX_SOFTWARE)


def _display(name: str) -> Profile:
    try:
        profile = load(name)
    except ProfileError as error:
        raise UserError(str(error)) from None
    if profile.driver.name not in SCANNED:
        names = ", ".join(display.name for display in displays())
        raise UserError(f"{name}: no panel that a controller has to scan; right: one of {names}")
    return profile


def _result(seen: list[Seen]) -> dict[str, object]:
    return {
        "store_ns": STORE_NS,
        "most_spread": MOST_SPREAD,
        "displays": [display.as_json() for display in seen],
    }


def _print(seen: list[Seen]) -> None:
    console = Console(width=None if os.isatty(1) else 100, highlight=False)
    console.print(_light(seen))
    console.print(
        "frame, busy: estimates, from the one published time of a store on an ESP32, "
        f"{STORE_NS} ns. While a frame is played, the processor does nothing else.\n"
        "row lit: the share of the time that each row is lit. row spread: how far rows differ in "
        f"it; {MOST_SPREAD:.0%} may be.\n"
    )
    console.print(_pictures(seen))
    console.print(
        "steps: turns of the refresh, over all views and stalls. wrong: after which the eye had "
        "seen another picture than the one that was drawn.\n"
        "rules broken: address, latch or data moved when they must not, or no dead time. "
        "left lit: frames that did not end dark.\n"
    )
    on_chips = [display for display in seen if display.stalls]
    if on_chips:
        console.print(_stalls(on_chips))
        console.print(
            "longest dark: that any row had no light, when something else held up the refresh for "
            "so long, again and again, between frames.\n"
            "lit at most: the largest share of any 100 ms that a row was lit. cap: what it may be, "
            "by the brightness. A panel stands 1/4 or 1/16, by its scan."
        )


def _light(seen: list[Seen]) -> Table:
    table = _table(
        "Light", "bright-\nness", "refresh\nHz", "frame\nms", "busy", "row\nlit", "row\nspread"
    )
    for display in seen:
        steady, figures = display.steady, display.steady.figures
        table.add_row(
            display.profile,
            f"{display.brightness} %",
            f"{figures.refresh_hz:.0f}",
            f"{steady.frame_ms:.2f}" if display.stalls else "-",
            f"{steady.busy:.0%}" if display.stalls else "-",
            f"{figures.duty:.2%}",
            f"{max(span.figures.spread for span in display.spans()):.1%}",
        )
    return table


def _pictures(seen: list[Seen]) -> Table:
    table = _table("Pictures", "steps", "wrong", "rules\nbroken", "left\nlit")
    for display in seen:
        spans = display.spans()
        table.add_row(
            display.profile,
            str(sum(span.steps for span in spans)),
            str(sum(span.wrong for span in spans)),
            str(max(span.figures.broken.total() for span in spans)),
            str(sum(span.left_lit for span in spans)),
        )
    return table


def _stalls(seen: list[Seen]) -> Table:
    lengths = [f"{ms} ms" for ms in STALLS_MS]
    table = _table("Longest dark in ms, by stall", "none", *lengths, "lit at\nmost", "cap")
    for display in seen:
        spans = [display.steady, *display.stalls.values()]
        table.add_row(
            display.profile,
            *(f"{span.figures.longest_gap_ms:.1f}" for span in spans),
            f"{max(span.figures.stress for span in spans):.2%}",
            f"{display.steady.cap:.2%}",
        )
    return table


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD)
    table.add_column("profile", no_wrap=True)
    for header in columns:
        table.add_column(header, justify="right", no_wrap=True)
    return table
