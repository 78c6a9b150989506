"""`hall bench battery`: how long the cells of a battery device last, and all that this assumes.

Here: options and output. Not here: counting and reckoning (hall_tools.bench.battery).
"""

import json
import os
from typing import Annotated

import typer
from hall_profiles import ProfileError, load
from rich import box
from rich.console import Console
from rich.table import Table

from hall_tools.bench import battery
from hall_tools.bench.battery import DAYS, TYPICAL, WORDS, YEAR_DAYS, Counts
from hall_tools.commands.options import JsonOption
from hall_tools.errors import UserError
from hall_tools.progress import progress


def battery_life(
    profile: Annotated[
        str, typer.Option("--profile", help="A battery device's profile, or a file.")
    ] = "wet-floor-battery",
    as_json: JsonOption = False,
) -> None:
    """Estimate how long the cells of a battery device last.

    Runs days of wet and dry through the device's firmware in MicroPython's unix port, with a clock
    that jumps over sleep, and counts wakes, reports and bytes. What each costs is the profile's,
    from data sheets and measurements of others: no hardware was measured.
    """
    try:
        found = load(profile)
    except ProfileError as error:
        raise UserError(str(error)) from None
    battery.battery_of(found)
    with progress() as heard:
        counted: dict[str, Counts] = {}
        for name, floor in DAYS.items():
            heard(f"a day: {WORDS[name]}")
            counted[name] = battery.count(found, floor)
        heard("what changes it")
        lives = battery.sensitivity(found, counted[TYPICAL])
    if as_json:
        print(json.dumps(battery.as_json(found, counted, lives), ensure_ascii=False))
        return
    console = Console(width=None if os.isatty(1) else 100, highlight=False)
    cells = battery.battery_of(found)
    table = Table("a day", box=box.SIMPLE_HEAD)
    for head in ("wakes", "by water", "reports", "bytes each", "events", "mAh", "life"):
        table.add_column(head, justify="right")
    for name, counts in counted.items():
        told = battery.estimate(cells, counts)
        table.add_row(
            WORDS[name],
            str(counts.starts),
            str(counts.pin_starts),
            str(counts.talks),
            f"{counts.sent_bytes // max(counts.requests, 1)}",
            str(counts.events),
            f"{told.day_mah:.2f}",
            _life(told.life_days),
        )
    console.print(table)
    typical = battery.estimate(cells, counted[TYPICAL])
    console.print(
        f"Of a day {WORDS[TYPICAL]}: asleep {typical.sleep_mah:.2f} mAh, wakes "
        f"{typical.wakes_mah:.2f} mAh, reports {typical.reports_mah:.2f} mAh. The largest datagram "
        f"had {max(counts.largest_bytes for counts in counted.values())} bytes.\n"
    )
    changed = Table("with one thing changed", box=box.SIMPLE_HEAD)
    changed.add_column("life", justify="right")
    for name, life in lives.items():
        changed.add_row(name, _life(life))
    console.print(changed)
    console.print("Counted: wakes, reports, bytes, time awake. Assumed:")
    for line in battery.assumptions(cells):
        console.print(f"- {line}")
    console.print("\nUnverified on hardware: no current of this device has been measured.")


def _life(days: float) -> str:
    if days < 2 * YEAR_DAYS / 12:
        return f"{days:.0f} days"
    if days < 2 * YEAR_DAYS:
        return f"{days / YEAR_DAYS * 12:.0f} months"
    return f"{days / YEAR_DAYS:.1f} years"
