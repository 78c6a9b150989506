"""`hall bench people`: how well the people counters count, in simulation.

Here: options, progress, tables. Not here: the trials (`hall_tools.bench.people`).
"""

import json
import os
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from hall_tools.bench import tables
from hall_tools.bench.people import HEIGHTS, OURS, ROODE, ST, STEPS, TUNED, Row, measure
from hall_tools.people.score import Score
from hall_tools.progress import progress

_SENSORS = {"beams": "Two beams", "ld2450": "LD2450 radar, 2 m inside"}


def people(
    seed: Annotated[int, typer.Option("--seed", min=0, help="Of all randomness.")] = 1,
    trials: Annotated[
        int, typer.Option("--trials", min=1, max=10_000, help="Of each scenario.")
    ] = 60,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Count simulated people with every sensor, beside two published ways to count.

    A minute and a half with 60 trials on one idle core; long scenarios get fewer. The tracker was
    tuned on seeds 1000 to 1999, so any other seed is one it has not seen. docs/counting.md says
    what the figures mean, and that they say nothing about a real doorway.
    """
    with progress(STEPS) as heard:
        rows = measure(seed, trials, heard)
    if as_json:
        told = {
            "seed": seed,
            "tuned_on_this_seed": seed in TUNED,
            "trials": trials,
            "rows": [row.as_json() for row in rows],
        }
        print(json.dumps(told, ensure_ascii=False))
    else:
        _print(rows, seed)


def _print(rows: list[Row], seed: int) -> None:
    console = Console(width=None if os.isatty(1) else 120, highlight=False)
    for height in HEIGHTS:
        title = f"VL53L1X at {height} m"
        console.print(_compared(title, [row for row in rows if row.height == height]))
    for sensor, title in _SENSORS.items():
        console.print(_alone(title, [row for row in rows if row.sensor == sensor]))
    console.print(
        "recall: passages that were said of those that were true, in/out; an event of the same "
        "direction within 2 s says it.\n"
        "false: other events, per 100 trials. wrong: missed and false together, per 100 passages "
        "(per 100 trials where nobody passes).\n"
        "prec.: share of what was said that was true. net: in minus out, as said minus as true, "
        "per 100 trials."
    )
    tuned = f"{TUNED.start} to {TUNED.stop - 1}"
    if seed in TUNED:
        console.print(f"Seed {seed} is one of those that the tracker was tuned on ({tuned}).")
    else:
        console.print(f"Seed {seed} was not used for tuning; seeds {tuned} were.")
    console.print("All of it is simulated: no claim about a real doorway follows from it.")


def _compared(title: str, rows: list[Row]) -> Table:
    table = _table(
        title,
        *("n", "recall:\nHallkit", "\nST", "\nRoode"),
        *("false:\nHallkit", "\nST", "\nRoode"),
        *("wrong:\nHallkit", "\nST", "\nRoode", "\nprec.", "\nnet"),
    )
    for row in rows:
        ours, st, roode = (row.scores[name] for name in (OURS, ST, ROODE))
        table.add_row(
            row.scenario,
            str(ours.trials),
            *(_recall(score) for score in (ours, st, roode)),
            *(f"{score.false_per_100():.1f}" for score in (ours, st, roode)),
            *(f"{score.wrong_per_100():.1f}" for score in (ours, st, roode)),
            _share(ours.precision()),
            f"{100 * ours.net / ours.trials:+.0f}",
        )
    return table


def _alone(title: str, rows: list[Row]) -> Table:
    table = _table(title, "n", "recall", "false", "prec.", "net")
    for row in rows:
        score = row.scores[OURS]
        table.add_row(
            row.scenario,
            str(score.trials),
            _recall(score),
            f"{score.false_per_100():.1f}",
            _share(score.precision()),
            f"{100 * score.net / score.trials:+.0f}",
        )
    return table


def _table(title: str, *columns: str) -> Table:
    table = tables.table(title, "scenario")
    for header in columns:
        table.add_column(header, justify="right", no_wrap=True)
    return table


def _recall(score: Score) -> str:
    parts = (score.found_in, score.true_in), (score.found_out, score.true_out)
    shown = [f"{found / true:.2f}" if true else "-" for found, true in parts]
    return "/".join(shown) if score.true else "-"


def _share(share: float | None) -> str:
    return "-" if share is None else f"{share:.2f}"
