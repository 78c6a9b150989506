"""`hall demo`: a whole hall on this machine, to look at or to check.

Here: options, progress and exit codes. Not here: the hall (hall_tools.demo).
"""

import asyncio
import json
import os
import signal
import sys
import time
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any

import typer

from hall_tools.demo.hall import Hall, open_hall
from hall_tools.demo.report import make_report, problems
from hall_tools.demo.screen import Screen
from hall_tools.errors import UserError
from hall_tools.until_stopped import until_stopped

PROGRESS_S = 5.0


def demo(
    headless: Annotated[
        bool, typer.Option("--headless", help="Log lines instead of the live screen.")
    ] = False,
    seconds: Annotated[
        float | None,
        typer.Option(min=1, help="How long the hall is open; without it until Ctrl-C."),
    ] = None,
    seed: Annotated[int, typer.Option(help="The same seed gives the same customers.")] = 1,
    console: Annotated[
        bool,
        typer.Option("--console", help="Start the manager's page with --headless, too."),
    ] = False,
    report: Annotated[
        Path | None,
        typer.Option(help="Write what was true and what was received there, as JSON."),
    ] = None,
    picture: Annotated[
        Path | None, typer.Option(hidden=True, help="Write the last screen there, as SVG.")
    ] = None,
) -> None:
    """Run a whole hall: real firmware in simulated devices, gateway, broker, queue system, people.

    With --seconds the exit code is 0 only when the hall system received exactly what happened.
    """
    if seconds is None and (report or headless):
        raise UserError("--headless and --report need --seconds: when is it over?", os.EX_USAGE)
    if not headless and not sys.stdout.isatty() and not picture:
        raise UserError("no terminal for the live screen; add --headless --seconds 60", os.EX_USAGE)
    if report and not report.parent.is_dir():
        raise UserError(f"{report.parent}: no such folder for the report", os.EX_CANTCREAT)
    stopped, result = asyncio.run(
        until_stopped(_run(headless, console or not (headless or picture), seconds, seed, picture))
    )
    if stopped:
        _log(
            "stopped before closing time: nothing was compared" + (", no report" if report else "")
        )
        as_meant = seconds is None and stopped == signal.SIGINT
        sys.exit(os.EX_OK if as_meant else 128 + stopped)
    assert result is not None
    if report:
        text = json.dumps(result, ensure_ascii=False, indent=2) + "\n"
        report.write_text(text, encoding="utf-8")
    _tell(result)
    sys.exit(1 if problems(result) else os.EX_OK)


async def _run(
    headless: bool, console: bool, seconds: float | None, seed: int, picture: Path | None
) -> dict[str, Any]:
    started_at = time.time()
    _log("starting gateway, broker and seven devices")
    async with open_hall(console) as hall:
        _log(f"the hall is open after {hall.ready_s:.1f} s")
        if hall.console:
            _log(f"the manager's page (address, name, password): {hall.console}")
        screen = Screen(hall, seed, seconds)
        show = _log_progress(hall, seconds) if headless else screen.run()
        showing = asyncio.create_task(show)
        try:

            def closing() -> None:
                if picture:
                    screen.save(picture)
                if headless:
                    _log("closing time: waiting for what is under way")

            await hall.run(seed, seconds, closing)
            comparison = await hall.drain()
        finally:
            showing.cancel()
            await asyncio.gather(showing, return_exceptions=True)
        return make_report(
            seconds=seconds or 0.0,
            seed=seed,
            versions={"hallkit": version("hallkit"), "firmware": hall.firmware},
            started_at=started_at,
            ready_s=hall.ready_s,
            facts=hall.ledger.facts(),
            reports=hall.inbox.reports,
            comparison=comparison,
            failures=hall.failures,
            latencies=hall.latencies.figures(),
        )


async def _log_progress(hall: Hall, seconds: float | None) -> None:
    start = time.monotonic()
    while True:
        await asyncio.sleep(PROGRESS_S)
        counts, open_s = hall.inbox.counts, time.monotonic() - start
        when = "closing" if hall.hours.closing else f"{open_s:3.0f} of {seconds:g} s"
        _log(
            f"{when}: {counts['call.shown']} calls shown, {counts['service.ended']} services ended,"
            f" {counts['rating.given']} ratings, {counts['rating.none']} none,"
            f" {sum(hall.inbox.quarantined().values())} quarantined,"
            f" {counts['count.passage.in']} in, {counts['count.passage.out']} out,"
            f" {counts['floor.wet']} wet, {counts['floor.dry']} dry"
        )


def _tell(result: dict[str, Any]) -> None:
    for problem in problems(result):
        _log(problem)
    truth, received = (sum(result[side].values()) for side in ("truth", "received"))
    _log(
        f"{truth} facts, {received} events received:"
        f" {result['lost']} lost, {result['duplicated']} duplicated,"
        f" {result['unexpected']} unexpected"
    )
    for name, figures in result["latency_ms"].items():
        spread = ", ".join(f"{key} {value:g}" for key, value in figures.items())
        _log(f"{name}: {spread}")


def _log(text: str) -> None:
    print(f"hall: {text}", file=sys.stderr, flush=True)
