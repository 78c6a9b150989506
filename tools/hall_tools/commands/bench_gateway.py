"""`hall bench gateway`: the gateway beside ThingsBoard's and a mosquitto bridge, on this machine.

Here: options, progress, tables. Not here: the measurements (`hall_tools.bench.gateway`).
"""

import asyncio
import json
import os
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from hall_tools.bench import gateway as bench
from hall_tools.bench import gateway_week, tables
from hall_tools.bench.gateway import Figures
from hall_tools.bench.gateway_report import NOTES, Summary, summary, targets
from hall_tools.bench.gateway_week import Week
from hall_tools.bench.tables import Target
from hall_tools.errors import UserError
from hall_tools.progress import progress


def gateway(
    system: Annotated[
        list[str] | None,
        typer.Option("--system", help="hallkit, thingsboard or bridge; may be repeated.  [all]"),
    ] = None,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Of all randomness.")] = 1,
    rounds: Annotated[
        int, typer.Option("--rounds", min=1, max=20, help="Of each system, in turns.")
    ] = 3,
    quick: Annotated[
        bool, typer.Option("--quick", help="Few events and kills: whether it works.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Measure the gateway beside ThingsBoard's IoT Gateway and a mosquitto bridge.

    About five minutes for a round of all three, on a machine that does nothing else. Needs
    mosquitto; ThingsBoard's is measured when make build/peers has installed it. Everything is on
    this machine, and leaves nothing behind. docs/benchmarks.md says what the figures mean.
    """
    names, without = bench.chosen(system or [])
    size = bench.QUICK if quick else bench.FULL
    rounds = 1 if quick else rounds
    measured: dict[str, list[Figures]] = {name: [] for name in names}
    with progress() as heard:
        for number in range(rounds):
            for name in names:
                of = f"round {number + 1} of {rounds}: "
                figures = asyncio.run(
                    bench.measure(name, size, seed + number, lambda what, of=of: heard(of + what))
                )
                measured[name].append(figures)
    summaries = {name: summary(figures) for name, figures in measured.items()}
    judged = targets(summaries)
    if as_json:
        told = {
            "seed": seed,
            "quick": quick,
            "cpus": os.cpu_count(),
            "load_average": os.getloadavg(),
            "systems": {name: each.as_json() for name, each in summaries.items()},
            "targets": [target.__dict__ for target in judged],
            "left_out": without,
        }
        print(json.dumps(told, ensure_ascii=False))
    else:
        _print(summaries, judged, without)


def week(
    seed: Annotated[int, typer.Option("--seed", min=0, help="Of all randomness.")] = 1,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Put a busy hall's week through the gateway's core and store, on a moved clock.

    A few minutes: 2,000 tickets a day at eight windows, 20 devices, the shipped rules, and two
    sinks, one of them away for a day. Ends with an error when anything was lost, doubled or out of
    order, or the store did not keep to its bound.
    """
    with progress(gateway_week.Size().days) as heard:
        told = asyncio.run(gateway_week.run(gateway_week.Size(), seed, heard))
    if as_json:
        print(json.dumps({"seed": seed, **told.as_json()}, ensure_ascii=False))
    else:
        _print_week(told)
    if told.problems:
        raise UserError("; ".join(told.problems), os.EX_SOFTWARE)


def _print_week(told: Week) -> None:
    console = Console(width=None if os.isatty(1) else 100, highlight=False)
    table = tables.table(f"A busy week, the store bounded to {told.max_mb} MB", "day")
    for header in ("events\ntold", "waiting for\nwho was away", "rows\nforgotten"):
        table.add_column(header, justify="right", no_wrap=True)
    for header in ("store\nMB", "resident\nMB"):
        table.add_column(header, justify="right", no_wrap=True)
    for day in told.days:
        table.add_row(
            f"{day.day}",
            f"{day.events:,}",
            f"{day.waiting:,}",
            f"{day.forgotten:,}",
            f"{day.store_mb:.1f}",
            f"{day.rss_mb:.1f}",
        )
    console.print(table)
    console.print(
        f"{told.tickets:,} tickets, {told.passages:,} passages, {told.presses:,} presses; "
        f"{told.delivered:,} events were told, to both sinks the same in the same order. "
        f"Resident memory since the second day: {told.grown_mb:+.1f} MB, of this process, which "
        "also plays the hall."
    )


def _print(summaries: dict[str, Summary], judged: list[Target], without: str | None) -> None:
    console = Console(width=None if os.isatty(1) else 110, highlight=False)
    each = [one.figures for one in summaries.values()]
    rounds = next(iter(summaries.values())).rounds
    title = "Event to hall system, ms" + (f": medians of {rounds} rounds" if rounds > 1 else "")
    ours = summaries["hallkit"].figures if "hallkit" in summaries else None
    console.print(_latencies(title, each, ours))
    console.print(_drains("Backlogs, memory, and what is lost in kills", each))
    if judged:
        console.print(tables.judged(judged))
    if without is not None:
        console.print(f"Not measured: {without}.\n")
    console.print(tables.machine())
    for note in NOTES:
        console.print(note)


def _latencies(title: str, all_: list[Figures], ours: Figures | None) -> Table:
    table = tables.table(title, "system")
    for header in ("events/s", "p50", "p99", "p99\nby ours", "bytes/event", "CPU", "lost"):
        table.add_column(header, justify="right", no_wrap=True)
    last = list(all_[0].latencies)[-1]
    for rate in all_[0].latencies:
        for figures in all_:
            latency = figures.latencies[rate]
            table.add_row(
                figures.system,
                f"{rate:,}",
                f"{latency.p50:.1f}",
                f"{latency.p99:.1f}",
                "-" if ours is None else f"{latency.p99 / ours.latencies[rate].p99:.1f}",
                f"{latency.bytes_per_event:,.0f}",
                f"{100 * latency.cpu_share:.0f} %",
                f"{latency.lost:,}",
                end_section=figures is all_[-1] and rate != last,
            )
    return table


def _drains(title: str, all_: list[Figures]) -> Table:
    table = tables.table(title, "system")
    headers = (
        *("intake\n/s", "outbox\n/s", "through\n/s", "lost"),
        *("resident\nMB", "most\nMB", "kills", "sent", "lost", "again"),
    )
    for header in headers:
        table.add_column(header, justify="right", no_wrap=True)
    for figures in all_:
        drains = (figures.intake, figures.outbox, figures.through)
        table.add_row(
            figures.system,
            *("-" if drain is None else f"{drain:,.0f}" for drain in drains),
            f"{figures.lost_in_drains:,}",
            f"{figures.rss_mb:.0f}",
            f"{figures.rss_most_mb:.0f}",
            f"{figures.kills}",
            f"{figures.sent:,}",
            f"{figures.lost:,}",
            f"{figures.again:,}",
        )
    return table
