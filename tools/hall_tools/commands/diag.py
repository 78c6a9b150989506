"""`hall diag`: what a technician with a cable sees of a device, and does to it.

Here: options, output and exit codes. Not here: the device's console (`hall_tools.diag`).
"""

import json
import os
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.live import Live
from typer.core import TyperGroup

from hall_tools.commands.options import HALL_TOML
from hall_tools.diag import report as reports
from hall_tools.diag.calibration import calibrate_dry
from hall_tools.diag.claims import Keys
from hall_tools.diag.console import Console, RefusedError, SilentError, merged
from hall_tools.diag.page import OLD_S, Page
from hall_tools.diag.port import Port
from hall_tools.errors import UserError
from hall_tools.flash.ports import only_board

_EVERY_S = 1.0
_FRAME_S = 0.2
_STREAM_S = 10.0
_SAMPLE_MS = 100
_PROMPT_S = 5.0


class _LiveByDefault(TyperGroup):
    """`hall diag` and `hall diag /dev/ttyUSB0` are `hall diag live ...`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if not args or (args[0] not in self.commands and args[0] != "--help"):
            args = ["live", *args]
        return super().parse_args(ctx, args)


app = typer.Typer(
    cls=_LiveByDefault,
    help="What is wrong with this device? hall diag [PORT] shows it live, over the serial cable.",
)

PortArgument = Annotated[
    str | None,
    typer.Argument(metavar="PORT", help="As /dev/ttyUSB0; without it the one board's port."),
]
ConfigOption = Annotated[
    Path, typer.Option("--config", help="hall.toml; the devices' keys are beside it, in keys/.")
]
ClaimOption = Annotated[
    Path | None,
    typer.Option("--claim-file", metavar="FILE", help="Holds the code on the device's label."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]


@contextmanager
def _console(port: str | None, keys: Keys) -> Generator[Console]:
    opened = Port(port or only_board("hall diag {}").name)
    try:
        yield Console(opened, keys.claim)
    finally:
        opened.close()


@app.command()
def live(
    port: PortArgument = None,
    config: ConfigOption = HALL_TOML,
    claim_file: ClaimOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show the device live until Ctrl-C; with --json once. The default."""
    keys = Keys(config, claim_file)
    with _console(port, keys) as console:
        if as_json or not sys.stdout.isatty():
            told = reports.snapshot(console)
            print(json.dumps(told, ensure_ascii=False, indent=None if as_json else 1))
            return
        try:
            _show(console, Page(console.port.name), keys)
        except KeyboardInterrupt:
            return


def _show(console: Console, page: Page, keys: Keys) -> None:
    asked = streamed = 0.0
    wanted = True  # samples; not any more once they were refused: a wrong claim locks the console
    with Live(page, auto_refresh=False, screen=True) as screen:
        while True:
            now = time.monotonic()
            if now - asked > _EVERY_S:
                asked = now
                try:
                    # Each time: within a second another device may be there, or other firmware.
                    who = console.identify(_EVERY_S)
                    page.answered(who, merged(console.ask("health", patience_s=_EVERY_S)))
                    if wanted and (now - streamed > _STREAM_S or page.sample_age > OLD_S):
                        streamed = now
                        page.note = _stream(console, page, keys)
                        wanted = not page.note
                except SilentError:
                    wanted = True
                except RefusedError as refusal:
                    page.note = str(refusal)
            console.pump(_FRAME_S)
            page.logs = list(console.logs)
            screen.refresh()


def _stream(console: Console, page: Page, keys: Keys) -> str:
    """Begins the sensor's samples, or lets them go on; or says why there are none."""
    try:
        console.watch(_SAMPLE_MS, page.sampled, _EVERY_S)
    except RefusedError as refusal:
        return f"{refusal} {keys.why}".strip()
    return ""


@app.command()
def report(
    port: PortArgument = None,
    out: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Where to; without it {device}-{day}-{time}.json."),
    ] = None,
    config: ConfigOption = HALL_TOML,
    claim_file: ClaimOption = None,
) -> None:
    """Save one file to send to support: all that the device says of itself, and no secret."""
    keys = Keys(config, claim_file)
    with _console(port, keys) as console:
        device = str(console.identify().get("device"))
        text = reports.report(console, keys.secrets(device))
    file = out or Path(time.strftime(f"{device}-%Y%m%d-%H%M%S.json"))
    try:
        file.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UserError(f"{file}: cannot write it: {error.strerror}", os.EX_CANTCREAT) from None
    print(f"{file}: {len(text.encode()):,} bytes; no key, claim or password is in it")


@app.command()
def selftest(
    port: PortArgument = None,
    config: ConfigOption = HALL_TOML,
    claim_file: ClaimOption = None,
    as_json: JsonOption = False,
) -> None:
    """Let the device check itself. Exit code 1 when something is not well."""
    told = _once(port, config, claim_file, "selftest")
    if as_json:
        print(json.dumps(told, ensure_ascii=False))
    else:
        for name, well in sorted(told.items()):
            print(f"{name}: {'ok' if well else 'FAILED'}")
    if not all(told.values()):
        raise typer.Exit(1)


@app.command()
def display(
    port: PortArgument = None, config: ConfigOption = HALL_TOML, claim_file: ClaimOption = None
) -> None:
    """Let the device show itself for 10 s: test pictures, or lamps and buzzer."""
    _once(port, config, claim_file, "display")
    print("look at it: the test lasts 10 s")


@app.command()
def sensor(
    port: PortArgument = None,
    config: ConfigOption = HALL_TOML,
    claim_file: ClaimOption = None,
    seconds: Annotated[
        float | None, typer.Option(min=0.1, help="How long; without it until Ctrl-C.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Print what the sensor reads, raw and as the device takes it, ten times a second."""

    def told(sample: dict[str, Any]) -> None:
        text = json.dumps(sample, ensure_ascii=False)
        print(text if as_json else _plain(sample), flush=True)

    with _console(port, Keys(config, claim_file)) as console:
        end = time.monotonic() + (seconds or float("inf"))
        try:
            while time.monotonic() < end:
                console.watch(_SAMPLE_MS, told)
                again = min(end, time.monotonic() + _STREAM_S)
                while time.monotonic() < again:
                    console.pump(min(_FRAME_S, max(0.0, again - time.monotonic())))
            console.unwatch()
        except KeyboardInterrupt:
            console.unwatch()


def _plain(sample: dict[str, Any]) -> str:
    parts = [f"{sample.get('up_ms', 0) / 1000:.1f} s"]
    for kind in ("raw", "filtered"):
        values = sample.get(kind, {})
        parts.append(f"{kind}: " + " ".join(f"{n}={v}" for n, v in sorted(values.items())))
    return "  ".join(parts)


@app.command()
def events(
    port: PortArgument = None,
    config: ConfigOption = HALL_TOML,
    claim_file: ClaimOption = None,
    last: Annotated[int, typer.Option(min=1, max=2000, help="How many at most.")] = 32,
    as_json: JsonOption = False,
) -> None:
    """List the last events in the device's journal, also those that the gateway has."""
    with _console(port, Keys(config, claim_file)) as console:
        journal = merged(console.ask("health")).get("journal", {})
        found = reports.events(console, max(0, journal.get("next", 1) - 1 - last), last)
    if as_json:
        print(json.dumps({"journal": journal, "events": found}, ensure_ascii=False))
        return
    for event in found:
        waits = "waits" if event["seq"] > journal.get("acked", 0) else "taken"
        data = json.dumps(event["data"], ensure_ascii=False)
        print(f"{event['seq']:>8}  {waits}  boot {event['boot']}  {event['kind']} {data}")
    print(f"{journal.get('depth', 0)} wait for the gateway, {journal.get('dropped', 0)} dropped")


@app.command()
def config(
    port: PortArgument = None, config: ConfigOption = HALL_TOML, claim_file: ClaimOption = None
) -> None:
    """Print the config that the device runs on, as JSON; it holds no key."""
    told = _once(port, config, claim_file, "config")
    print(json.dumps(told, ensure_ascii=False, indent=1, sort_keys=True))


@app.command()
def calibrate(
    port: PortArgument = None,
    config: ConfigOption = HALL_TOML,
    claim_file: ClaimOption = None,
    as_json: JsonOption = False,
) -> None:
    """Tell a floor sensor that the floor under its probe is dry now; it measures what that reads.

    The device keeps it until it is flashed again.
    """
    with _console(port, Keys(config, claim_file)) as console:
        dry_ohms = calibrate_dry(console)
        device = console.who["device"]
    if as_json:
        print(json.dumps({"device": device, "dry_ohms": dry_ohms}))
    else:
        print(f"{device}: calibrated, its dry floor reads {dry_ohms:,} Ω")


@app.command()
def reboot(
    port: PortArgument = None, config: ConfigOption = HALL_TOML, claim_file: ClaimOption = None
) -> None:
    """Restart the device, and wait until it answers again."""
    with _console(port, Keys(config, claim_file)) as console:
        before = merged(console.ask("health"))
        wait_s = merged(console.ask("reboot")).get("in_ms", 0) / 1000
        console.pump(wait_s)
        began = time.monotonic()
        while True:
            health = merged(console.ask("health", patience_s=15))
            if health["up_s"] < before["up_s"] or health["start"] != before["start"]:
                break
            if time.monotonic() - began > 15:
                raise UserError("it answers, but has not started again", os.EX_TEMPFAIL)
    print(f"started again, cause {health['start']['cause']}")


@app.command()
def repl(
    port: PortArgument = None, config: ConfigOption = HALL_TOML, claim_file: ClaimOption = None
) -> None:
    """Stop the device's application and give its MicroPython prompt, for mpremote.

    It starts again by itself 10 minutes later, or with machine.reset().
    """
    with _console(port, Keys(config, claim_file)) as console:
        try:
            console.ask("repl")
        except SilentError:
            # When its answer was lost: who is at the prompt answers no more.
            if not _prompted(console):
                raise
        end = time.monotonic() + _PROMPT_S
        while not _prompted(console):
            if time.monotonic() > end:
                raise UserError("it agreed, but no prompt came; ask again", os.EX_TEMPFAIL)
            console.pump(_FRAME_S)
        name = console.port.name
    print(f"the prompt is at {name}; now: mpremote connect {name} resume")


def _prompted(console: Console) -> bool:
    return any("prompt: " in text for text in console.logs)


def _once(port: str | None, config: Path, claim_file: Path | None, command: str) -> dict[str, Any]:
    with _console(port, Keys(config, claim_file)) as console:
        return merged(console.ask(command))
