"""`hall fleet up`: a whole back office on this machine, to try or to check.

Here: options, output and exit codes. Not here: what runs (hall_tools.fleet.trial).
"""

import asyncio
import json
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.panel import Panel

from hall_tools.errors import UserError
from hall_tools.fleet.postgres_folder import remove
from hall_tools.fleet.trial import USER, Trial
from hall_tools.fleet.trial_figures import figures, judge
from hall_tools.until_stopped import until_stopped

PROGRESS_S = 5.0
MOST_HALLS = 200
"""What two processor cores simulate beside the servers."""


def up(
    folder: Annotated[
        Path | None,
        typer.Option(
            "--dir",
            metavar="FOLDER",
            help="Where everything lies, and goes on the next time; without it, nothing is kept.",
        ),
    ] = None,
    halls: Annotated[
        int, typer.Option(min=0, max=MOST_HALLS, help="Simulated halls that send to it.")
    ] = 0,
    headless: Annotated[
        bool, typer.Option("--headless", help="Log lines only, and the end by --seconds.")
    ] = False,
    seconds: Annotated[
        float | None, typer.Option(min=1, help="How long it runs; without it until Ctrl-C.")
    ] = None,
    seed: Annotated[int, typer.Option(help="The same seed gives the same customers.")] = 1,
    report: Annotated[
        Path | None,
        typer.Option(help="Write what the halls told and what was recorded there, as JSON."),
    ] = None,
) -> None:
    """Run a whole back office here: three nats-servers, PostgreSQL, two workers, the console.

    It listens on this machine only. What ends by itself is started again. With --seconds the exit
    code is 0 only when the record has exactly what the simulated halls told.
    """
    if seconds is None and (report or headless):
        raise UserError("--headless and --report need --seconds: when is it over?", os.EX_USAGE)
    if report and not report.parent.is_dir():
        raise UserError(f"{report.parent}: no such folder for the report", os.EX_CANTCREAT)
    with _folder(folder) as place:
        run = _run(place, halls, seed, seconds, headless)
        stopped, result = asyncio.run(until_stopped(run, lambda: _log("ending, in order")))
    if stopped:
        _log("stopped" + ("" if seconds is None else ": nothing was compared"))
        sys.exit(os.EX_OK if seconds is None and stopped == signal.SIGINT else 128 + stopped)
    assert result is not None
    if report:
        text = json.dumps(result, ensure_ascii=False, indent=2) + "\n"
        report.write_text(text, encoding="utf-8")
    sys.exit(os.EX_OK if result["true"] else 1)


@contextmanager
def _folder(wanted: Path | None) -> Generator[Path]:
    if wanted is not None:
        yield wanted
        return
    place = Path(tempfile.mkdtemp(prefix="hall-fleet-"))
    try:
        yield place
    finally:
        remove(place / "postgres")
        shutil.rmtree(place, ignore_errors=True)


async def _run(
    folder: Path, halls: int, seed: int, seconds: float | None, headless: bool
) -> dict[str, Any]:
    restarts: list[str] = []

    def say(text: str) -> None:
        if " ended (" in text:
            restarts.append(text)
        _log(text)

    async with Trial(folder, halls, seed, say) as trial:
        _show(trial, headless)
        progress = asyncio.create_task(_progress(trial))
        try:
            await asyncio.sleep(seconds) if seconds else await asyncio.Event().wait()
            result: dict[str, Any] = {
                "versions": {"hallkit": version("hallkit")},
                "seconds": seconds,
                "halls": len(trial.numbers),
                "ended_by_themselves": restarts,
                "true": True,
            }
            if trial.halls is not None:
                _log("closing the halls: waiting until they have delivered everything")
                await trial.stop_halls()
                judgement = await judge(trial.postgres, trial.truth)
                result |= {"true": judgement.true, **judgement.as_json()}
                _tell(result)
        finally:
            progress.cancel()
            await asyncio.gather(progress, return_exceptions=True)
    return result


def _tell(result: dict[str, Any]) -> None:
    _log(
        f"{result['told']:,} events told, {result['recorded']:,} recorded: {result['lost']} lost, "
        f"{result['unexpected']} unexpected, {result['refused']} refused, "
        f"{result['undelivered']} not delivered"
    )


async def _progress(trial: Trial) -> None:
    while True:
        await asyncio.sleep(PROGRESS_S)
        now = await figures(trial.postgres)
        if now is not None:
            _log(str(now))


def _show(trial: Trial, headless: bool) -> None:
    """The addresses; where a password stands, it stands once, and on a terminal or pipe only."""
    keys, folder = trial.layout.keys, trial.layout.folder
    login = trial.password or "as it was printed at the first start"
    rows = {
        "Console": f"http://127.0.0.1:{trial.ports.console}/",
        "  log in as": USER,
        "  password": login,
        "NATS": ", ".join(node.url for node in trial.nats.nodes),
        "PostgreSQL": f"psql '{trial.postgres.dsn('hall_bi')}'",
        "Metrics": ", ".join(f"http://127.0.0.1:{port}/metrics" for port in trial.ports.workers),
        "Halls": f"{len(trial.numbers)} simulated" if trial.numbers else "none yet",
        "  another": f"hall fleet hall add --dir {folder} HALL   (its key: {keys}/halls/)",
        "Logs": f"{folder}/*.log",
        "End": "Ctrl-C",
    }
    lines = [f"{name:<12} {value}" for name, value in rows.items()]
    if headless or not sys.stdout.isatty():
        print("\n".join(lines), flush=True)
        return
    text = "\n".join(lines)
    console = Console(highlight=False, soft_wrap=True)
    console.print(Panel.fit(text, title="Hallkit: the back office of many halls"), markup=False)


def _log(text: str) -> None:
    print(f"hall: {text}", file=sys.stderr, flush=True)
