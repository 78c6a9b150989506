"""`hall bench fleet`: the back office of many halls under load, or under faults, on this machine.

Here: options, progress, tables. Not here: the measurement (`hall_tools.bench.fleet`), the faults
(`hall_tools.fleet.faults`).
"""

import asyncio
import json
import logging
import os
import sys
from collections.abc import Coroutine
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from hall_tools.bench import tables
from hall_tools.bench.fleet import Fleet, Phase, measure
from hall_tools.bench.fleet_faults import break_it
from hall_tools.bench.fleet_parts import PARTS
from hall_tools.bench.fleet_report import NOTES, targets
from hall_tools.bench.tables import Target
from hall_tools.errors import UserError
from hall_tools.fleet.fault_run import Outcome
from hall_tools.fleet.faults import KINDS, LONG_KINDS
from hall_tools.fleet.places import MOST
from hall_tools.progress import progress
from hall_tools.until_stopped import Result, until_stopped

_FEW_AND_MANY = [50, 200]
_BROKEN = 4
_NAMES = {"gateways": "gateways", "nats": "nats", "workers": "workers", "postgres": "PostgreSQL"}


def fleet(
    halls: Annotated[
        list[int] | None,
        typer.Option("--halls", min=1, max=MOST, help="May be repeated.  [50 and 200]"),
    ] = None,
    seconds: Annotated[
        float, typer.Option("--seconds", min=1, max=600, help="How long a phase is to last.")
    ] = 10.0,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Of the halls' days.")] = 1,
    faults: Annotated[
        bool, typer.Option("--faults", help="Break it instead, and look for what is lost.")
    ] = False,
    minutes: Annotated[
        float, typer.Option("--minutes", min=0.1, max=40, help="With --faults: for so long.")
    ] = 5.0,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Measure a back office of three NATS servers, PostgreSQL and 1, 2 and 4 workers.

    Simulated halls' real gateways (their store and their sink, no firmware) tell backlogs, then
    live. Some minutes for each number of halls, most of it to make the halls' days; some 100 MB of
    memory and 20 MB of disk for each 100 halls, in /tmp. Ends with an error when an event is lost,
    is there twice, or a sum is wrong. Needs Debian's nats-server and postgresql. docs/scale.md
    says what the figures mean.

    With --faults: servers are killed, a disk is emptied, PostgreSQL is killed, workers are killed,
    halls are cut off, by chance and for so many minutes, while halls (4, or --halls) tell their
    days in a hurry.
    """
    if faults:
        _break(halls or [_BROKEN], seed, minutes, as_json)
        return
    measured: list[Fleet] = []
    with progress() as heard:
        for count in halls or _FEW_AND_MANY:
            measured.append(_run(measure(count, seconds, seed, heard)))
    judged = targets(measured)
    if as_json:
        told = {
            "seed": seed,
            "seconds": seconds,
            "cpus": os.cpu_count(),
            "load_average": os.getloadavg(),
            "fleets": [each.as_json() for each in measured],
            "targets": [target.__dict__ for target in judged],
        }
        print(json.dumps(told, ensure_ascii=False))
    else:
        _print(measured, judged)
    if wrong := [line for each in measured for line in each.wrong]:
        raise UserError(f"{len(wrong)} things are wrong: {'; '.join(wrong[:3])}", os.EX_SOFTWARE)


def _break(halls: list[int], seed: int, minutes: float, as_json: bool) -> None:
    # That a hall is cut off is no news here.
    logging.getLogger("hall_gateway").setLevel(logging.ERROR)
    with progress() as heard:
        outcomes = [_run(break_it(count, seed, 60 * minutes, heard)) for count in halls]
    if as_json:
        print(json.dumps([each.as_json() for each in outcomes], ensure_ascii=False))
    else:
        for each in outcomes:
            _print_outcome(each)
    if wrong := [line for each in outcomes for line in each.account.wrong]:
        raise UserError(f"{len(wrong)} things are wrong: {'; '.join(wrong[:3])}", os.EX_SOFTWARE)


def _run(work: Coroutine[Any, Any, Result]) -> Result:
    stopped, result = asyncio.run(until_stopped(work))
    if result is None:
        sys.exit(128 + stopped)
    return result


def _print_outcome(outcome: Outcome) -> None:
    console = Console(width=None if os.isatty(1) else 110, highlight=False)
    table = tables.table(f"{outcome.halls} halls, seed {outcome.seed}", "what")
    table.add_column("how often", justify="right", no_wrap=True)
    for kind, meaning in {**KINDS, **LONG_KINDS}.items():
        table.add_row(meaning, f"{outcome.done.get(kind, 0)}")
    table.add_row(
        "a NATS server that did not get whole by itself, started once more", f"{outcome.again}"
    )
    table.add_row(
        "an event that came when its hall was asked for what NATS had lost", f"{outcome.told_again}"
    )
    console.print(table)
    account = outcome.account
    console.print(
        f"{account.promised:,} events were promised by the halls' stores, {account.stored:,} rows "
        f"are in the record: {account.lost} lost, {account.doubled} doubled, {account.other} rows "
        f"or sums otherwise wrong. All was delivered {outcome.healed_s:.1f} s after the last fault."
    )


def _print(fleets: list[Fleet], judged: list[Target]) -> None:
    console = Console(width=None if os.isatty(1) else 110, highlight=False)
    for table in (_speed(fleets), _bytes(fleets), _live(fleets), tables.judged(judged)):
        console.print(table)
    console.print(tables.machine())
    for note in NOTES:
        console.print(note)


def _speed(fleets: list[Fleet]) -> Table:
    table = tables.table("Into PostgreSQL: CPU microseconds for an event, by part", "what")
    for header in ("halls", "workers", "events/s", *(_NAMES[part] for part in PARTS), "all"):
        table.add_column(header, justify="right", no_wrap=True)
    for header in ("lost", "doubled", "wrong"):
        table.add_column(header, justify="right", no_wrap=True)
    for each in fleets:
        if each.together:
            _row(table, "all at once", each.together)
    for phases in zip(*(each.ingest for each in fleets), strict=True):
        for phase in phases:
            _row(table, "workers alone", phase)
    return table


def _row(table: Table, what: str, phase: Phase) -> None:
    table.add_row(
        what,
        f"{phase.halls}",
        f"{phase.workers}",
        f"{phase.per_s:,.0f}",
        *(f"{phase.cpu_us[part]:,.0f}" for part in PARTS),
        f"{phase.cost_us:,.0f}",
        f"{phase.lost}",
        f"{phase.doubled}",
        f"{phase.other}",
    )


def _bytes(fleets: list[Fleet]) -> Table:
    table = tables.table("Bytes for an event, and MB of memory, all at once", "halls")
    headers = (
        "to NATS",
        "back",
        "stream",
        "WAL",
        "table",
        "events",
        "connected\nin s",
        "CPU ms\na hall",
    )
    for header in (*headers, *(f"{_NAMES[part]}\nMB" for part in PARTS)):
        table.add_column(header, justify="right", no_wrap=True)
    for each in fleets:
        if each.together is None:
            continue
        table.add_row(
            f"{each.halls}",
            f"{each.bytes['wire_out']:,.0f}",
            f"{each.bytes['wire_back']:,.0f}",
            f"{each.bytes['stream']:,.0f}",
            f"{each.together.wal_bytes:,.0f}",
            f"{each.bytes['table']:,.0f}",
            f"{each.promised:,}",
            f"{each.connect_s:.1f}",
            f"{sum(each.connect_ms.values()):.0f}",
            *(f"{each.together.memory_mb[part]:,.0f}" for part in PARTS),
        )
    return table


def _live(fleets: list[Fleet]) -> Table:
    table = tables.table("Live: ms from the customer to the committed row", "halls")
    for header in ("events/s", "events", "p50", "p99", "most", "load late\nby s"):
        table.add_column(header, justify="right", no_wrap=True)
    for each in fleets:
        for one in each.live:
            table.add_row(
                f"{each.halls}",
                f"{one.per_s:g}",
                f"{one.events:,}",
                f"{one.p50:,.1f}",
                f"{one.p99:,.1f}",
                f"{one.most:,.1f}",
                f"{one.late_s:.2f}",
            )
    return table
