"""`hall bench`: what things cost, in figures that anyone can count again.

Here: options, progress, tables. Not here: the measurements (`hall_tools.bench`).
"""

import json
import os
from typing import Annotated

import typer
from rich import box
from rich.console import Console
from rich.table import Table

from hall_tools.bench.counting import Count
from hall_tools.bench.race import ROUNDS
from hall_tools.bench.report import (
    LEAST_TIMES,
    MOST_INSTRUCTIONS,
    MOST_STORES,
    DisplayFigures,
    Report,
    measure,
)
from hall_tools.commands import (
    bench_battery,
    bench_chaos,
    bench_eye,
    bench_fleet,
    bench_gateway,
    bench_people,
)
from hall_tools.progress import progress

app = typer.Typer(
    no_args_is_help=True,
    help="What the firmware, the gateway and the back office cost, and what a person sees of it.",
)
app.command()(bench_eye.eye)
app.command()(bench_people.people)
app.command("battery")(bench_battery.battery_life)
app.command()(bench_gateway.gateway)
app.command()(bench_gateway.week)
app.command()(bench_chaos.chaos)
app.command()(bench_fleet.fleet)


@app.command()
def refresh(
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Count and time the refresh of every display that the controller has to scan.

    Half a minute. Needs Debian's qemu-user, clang-22 and llvm-22, and MicroPython's unix port
    (hallkit[sim]). docs/benchmarks.md says what the figures mean.
    """
    with progress() as heard:
        report = measure(lambda what: heard(f"measuring: {what}"))
    if as_json:
        print(json.dumps(report.as_json(), ensure_ascii=False))
    else:
        _print(report)


def _print(report: Report) -> None:
    console = Console(width=None if os.isatty(1) else 100, highlight=False)
    console.print(_displays(report.displays))
    console.print(
        "Instructions and stores: for one pixel clock, counted in the machine code that ships. "
        "Xtensa: ESP32, -S2, -S3; RISC-V: ESP32-C3, -C6. "
        f"Targets: at most {MOST_INSTRUCTIONS} and {MOST_STORES}.\n"
        f"Time of a frame in MicroPython's unix port on this machine, medians of {ROUNDS} rounds. "
        f"Target: bytecode takes at least {LEAST_TIMES} times as long as native.\n"
    )
    console.print(_yardsticks(report))
    console.print(
        "Our own restatements of the ideas, counted in the same way; not those libraries' code. "
        "memw: the wait for the bus that compilers put before a volatile store on Xtensa; without "
        "it, as our own core stores."
    )


def _displays(all_: list[DisplayFigures]) -> Table:
    table = Table(title="Refresh of a display", title_justify="left", box=box.SIMPLE_HEAD)
    table.add_column("profile")
    table.add_column("picture")
    for header in (
        "Xtensa\ninstr / stores",
        "RISC-V\ninstr / stores",
        "native\nus",
        "native : viper\n: bytecode",
    ):
        table.add_column(header, justify="right", no_wrap=True)
    for figures in all_:
        race = figures.race
        table.add_row(
            figures.display.profile,
            figures.picture,
            _count(figures.counts["xtensawin"]),
            _count(figures.counts["rv32imc"]),
            f"{race.native_us:.2f}",
            f"1 : {race.viper:.1f} : {race.bytecode:.0f}",
        )
    return table


def _yardsticks(report: Report) -> Table:
    title = "The same count of other libraries' inner loops"
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD)
    table.add_column("idea")
    table.add_column("whose")
    table.add_column("lines", justify="right", no_wrap=True)
    for header in ("Xtensa\ninstr / stores", "without\nmemw", "RISC-V\ninstr / stores"):
        table.add_column(header, justify="right", no_wrap=True)
    own = report.displays[0].counts
    table.add_row(
        "all outputs as a word, then clock up; unrolled",
        "Hallkit",
        "8",
        _count(own["xtensawin"]),
        f"{own['xtensawin'].instructions:.2f}",
        _count(own["rv32imc"]),
        end_section=True,
    )
    for figures in report.yardsticks:
        table.add_row(
            figures.yardstick.idea,
            figures.yardstick.libraries,
            str(figures.yardstick.lines),
            _count(figures.counts["xtensawin"]),
            f"{figures.unserialized.instructions:.2f}",
            _count(figures.counts["rv32imc"]),
        )
    return table


def _count(count: Count) -> str:
    return f"{count.instructions:.2f} / {count.stores:.2f}"
