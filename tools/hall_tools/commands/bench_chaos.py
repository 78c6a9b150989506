"""`hall bench chaos`: a hall in which everything fails, and whether anything of it was lost.

Here: options, progress, tables. Not here: the run (`hall_tools.chaos`).
"""

import asyncio
import json
import os
from typing import Annotated

import typer
from rich import box
from rich.console import Console
from rich.table import Table

from hall_tools.bench import tables
from hall_tools.chaos.places import LEAST, PLACES
from hall_tools.chaos.plan import MEANINGS, Plan, plan
from hall_tools.chaos.report import Report
from hall_tools.chaos.run import run
from hall_tools.errors import UserError
from hall_tools.progress import progress
from hall_tools.sim import check_unix_port

_SHOWN = 20


def chaos(
    minutes: Annotated[
        float, typer.Option("--minutes", min=0.5, max=600, help="For so long things fail.")
    ] = 2.0,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Of the plan and the people.")] = 1,
    devices: Annotated[
        int, typer.Option("--devices", min=LEAST, max=len(PLACES), help="In the hall.")
    ] = len(PLACES),
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Let everything in a simulated hall fail by plan, heal it, and look for what was lost.

    Real firmware, the real gateway, mosquitto for the devices and for the hall system, and a proxy
    of our own on every link. Ends with an error when an event was lost or doubled, a device did not
    come back, or the gateway's memory grew. Needs mosquitto and the simulation (hallkit[sim]).
    docs/benchmarks.md says what is done and what the figures mean.
    """
    check_unix_port()
    places = PLACES[:devices]
    drawn = plan(seed, minutes * 60, [place.device for place in places])
    console = Console(width=None if os.isatty(1) else 110, highlight=False)
    if not as_json:
        _print_plan(console, drawn)
    with progress() as heard:
        report = asyncio.run(run(drawn, places, heard))
    if as_json:
        print(json.dumps(report.as_json(), ensure_ascii=False))
    else:
        _print(console, report)
    if report.wrong:
        shown = "; ".join(report.wrong[:3])
        raise UserError(f"{len(report.wrong)} things are wrong: {shown}", os.EX_SOFTWARE)


def _print_plan(console: Console, drawn: Plan) -> None:
    counts = drawn.counts()
    console.print(
        f"Seed {drawn.seed}: {len(drawn.faults)} faults in {drawn.seconds:g} s, of "
        f"{len(counts)} kinds. The same seed, length and devices give the same plan."
    )


def _print(console: Console, report: Report) -> None:
    console.print(_faults(report))
    console.print(_figures(report))
    for each in report.wrong[:_SHOWN]:
        console.print(f"WRONG  {each}", style="red")
    if len(report.wrong) > _SHOWN:
        console.print(f"and {len(report.wrong) - _SHOWN} more; --json has them all")


def _faults(report: Report) -> Table:
    table = tables.table("Faults", "kind")
    table.add_column("what failed")
    for header in ("planned", "done", "nothing\nto fail"):
        table.add_column(header, justify="right", no_wrap=True)
    planned = report.plan.counts()
    for kind, meaning in MEANINGS.items():
        if planned[kind]:
            done, idle = report.done.get(kind, 0), report.idle.get(kind, 0)
            table.add_row(kind, meaning, str(planned[kind]), str(done), str(idle or ""))
    return table


def _figures(report: Report) -> Table:
    table = Table(title="The account", title_justify="left", box=box.SIMPLE, show_header=False)
    table.add_column("what", no_wrap=True)
    table.add_column("how much", justify="right", no_wrap=True)
    table.add_column("which means")
    memory = "  ".join(f"{each:.0f}" for each in report.resident_mb)
    starts = "  ".join(f"{name} {count}" for name, count in report.starts.items())
    rows = (
        ("deeds", f"{report.certain:,}", "presses, passages, floods: certain to be journalled"),
        ("in doubt", f"{report.in_doubt:,}", "the same within 3 s of a device's death: may be"),
        (
            "starved",
            f"{report.starved:,}",
            "while this machine was too busy to simulate the device",
        ),
        ("promised", f"{report.promised:,}", "commands with the reply ok, each an event"),
        ("journalled", f"{report.journalled:,}", "events that were whole on a flash chip"),
        ("received", f"{report.received:,}", "events at the hall system, the gateway's own too"),
        ("again", f"{report.again:,}", "came again with the same id and bytes, as is allowed"),
        ("lost", f"{len(report.lost):,}", "true and not received"),
        ("doubled", f"{len(report.doubled):,}", "one id with two bodies, or one deed with two ids"),
        ("unexpected", f"{len(report.unexpected):,}", "received and not true"),
        ("online", f"{report.online} of {report.devices}", "devices at the end"),
        ("healed in", f"{report.healing.seconds:.0f} s", "everybody served, every journal empty"),
        ("memory", f"{memory} MB", "the most of the gateway, in each quarter"),
        ("starts", "", starts),
        ("resets", f"{sum(report.resets.values())}", "of devices, by their watchdogs"),
    )
    for row in rows:
        table.add_row(*row)
    return table
