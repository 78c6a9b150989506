"""`hall sim`: run a device without hardware.

Here: options, lines from and to the terminal. Not here: the device (`hall_tools.sim`) and its
simulated hardware (firmware/sim).
"""

import asyncio
import contextlib
import json
import os
import re
import signal
import socket
import threading
import time
from pathlib import Path
from typing import Annotated, Any, Literal, cast

import typer
from hall_profiles import ConfigError, ProfileError, compile_config, load

from hall_tools.errors import UserError
from hall_tools.sim import SimDevice

app = typer.Typer(no_args_is_help=True, help="Devices in simulation: real firmware, no hardware.")

_CLAIM = re.compile(r"[0-9a-fA-F]{32}")
_PSK = re.compile(r"(?:[0-9a-fA-F]{2}){16,64}")


@app.callback()
def _sim() -> None:  # pyright: ignore[reportUnusedFunction] (typer: keeps `run` a subcommand)
    pass


@app.command()
def run(
    profile: Annotated[str, typer.Argument(help="A built-in profile's name, or a file.")],
    device: Annotated[str, typer.Option(help="The device's id, as kp-1.")],
    broker: Annotated[str, typer.Option(metavar="HOST:PORT", help="The hall's MQTT broker.")],
    hall: Annotated[str, typer.Option(help="The hall's id.")] = "demo",
    psk: Annotated[
        str | None, typer.Option(metavar="HEX", help="Key of 16 to 64 bytes: TLS-PSK.")
    ] = None,
    claim: Annotated[
        str | None, typer.Option(metavar="HEX", help="16 bytes: opens the device's console.")
    ] = None,
    state: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Where the flash chip is kept; without it in ~/.local/state/hallkit/sim.",
        ),
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="Another value for a setting."),
    ] = None,
) -> None:
    """Run the firmware of PROFILE as one process, hardware simulated below the drivers.

    The world is told by JSON lines on stdin:

    {"press": 5}: a finger on key 5; "ms" and "bounce_ms" if you like.

    {"cross": "in"}, {"cross": "out"}, {"turn_back": "in"}: a body in the doorway.

    {"sensor": "hangs"}, {"sensor": "gone"}, {"sensor": "back"}: a counter's distance sensor, radar.

    {"wet_ohms": 40000}: the water on the floor; also mends a broken probe.

    {"probe": "open"}, {"probe": "short"}: a cut cable, a shorted one.

    {"wifi": "off"}, {"wifi": "on"}, {"power": "cut"}, {"power": "on"}: the access point, the mains.

    {"hang_ms": 20000}: the program hangs, and the watchdog bites.

    What the device shows and does comes as JSON lines, between the lines of its serial log.

    {"serial": "/dev/pts/7"}: the port for hall diag and mpremote, as if a cable were plugged in.

    Ctrl-C switches it off; the end of stdin does not.
    """
    if psk is not None and not _PSK.fullmatch(psk):
        raise UserError("--psk: not 32 to 128 hex digits", os.EX_USAGE)
    if claim is not None and not _CLAIM.fullmatch(claim):
        raise UserError("--claim: not 32 hex digits", os.EX_USAGE)
    host, port = _address(broker)
    try:
        config = compile_config(
            load(profile),
            device=device,
            hall=hall,
            broker_host=host,
            broker_port=port,
            tls="none" if psk is None else "psk",
            settings=_settings(settings or []),
        )
    except (ProfileError, ConfigError) as error:
        raise UserError(str(error)) from None
    wifi = [["simulated", "simulated"]]
    ident = {"device": device, "psk": psk, "claim": claim, "wifi": wifi}
    folder = state if state is not None else _state_folder(hall, device)
    asyncio.run(_run(SimDevice(config, ident, folder)))


def _address(broker: str) -> tuple[str, int]:
    """Numeric address and port: the firmware does no look-up of names."""
    host, colon, port = broker.rpartition(":")
    if not colon or not host or not port.isascii() or not port.isdigit():
        raise UserError(f"--broker {broker}: not HOST:PORT, as 127.0.0.1:1883", os.EX_USAGE)
    if not 1 <= int(port) <= 65535:
        raise UserError(f"--broker {broker}: port {port} is not 1 to 65535", os.EX_USAGE)
    try:
        return socket.gethostbyname(host), int(port)
    except OSError as error:
        raise UserError(
            f"--broker {broker}: host {host} has no IPv4 address: {error.strerror}", os.EX_NOHOST
        ) from None


def _settings(pairs: list[str]) -> dict[str, object]:
    values: dict[str, object] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals or not re.fullmatch(r"-?[0-9]+", value):
            raise UserError(f"--set {pair}: not NAME=VALUE with a whole number", os.EX_USAGE)
        values[name] = int(value)
    return values


def _state_folder(hall: str, device: str) -> Path:
    base = os.environ.get("XDG_STATE_HOME") or str(Path.home() / ".local" / "state")
    return Path(base) / "hallkit" / "sim" / hall / device


async def _run(device: SimDevice) -> None:
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for each in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(each, stop.set)
    lines: asyncio.Queue[bytes] = asyncio.Queue()
    threading.Thread(target=_read_stdin, args=(loop, lines), daemon=True).start()
    tasks: list[asyncio.Task[Any]] = []
    try:
        await device.start()
        moment = time.monotonic_ns() // 1000
        print(json.dumps({"t_us": moment, "serial": device.port}), flush=True)
        tasks = [asyncio.create_task(_print(device)), asyncio.create_task(_obey(device, lines))]
        stopping = asyncio.create_task(stop.wait())
        await asyncio.wait([stopping, *tasks], return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
    finally:
        await device.stop()
        for task in tasks[1:]:
            task.cancel()
        # The printer ends by itself, after the device's last line.
        for task in tasks:
            with contextlib.suppress(asyncio.CancelledError, BrokenPipeError):
                await task


def _read_stdin(loop: asyncio.AbstractEventLoop, lines: asyncio.Queue[bytes]) -> None:
    """In a thread, because a regular file or /dev/null cannot be awaited.

    Read without sys.stdin: its lock, held by this thread, would be in the way at exit.
    """
    rest = b""
    with contextlib.suppress(RuntimeError):  # the loop is closed: nobody listens any more
        while chunk := os.read(0, 4096):
            *complete, rest = (rest + chunk).split(b"\n")
            for line in complete:
                loop.call_soon_threadsafe(lines.put_nowait, line)


async def _print(device: SimDevice) -> Literal["stopped"]:
    async for line in device.lines():
        if "log" in line:
            print(line["log"], flush=True)
        else:
            print(json.dumps(line, separators=(",", ":"), ensure_ascii=False), flush=True)
    return "stopped"


async def _obey(device: SimDevice, lines: asyncio.Queue[bytes]) -> None:
    while True:
        line = await lines.get()
        try:
            power = _power(line)
            if power:
                await device.send(power)
            else:
                await device.send_raw(line + b"\n")
        except ConnectionError as error:
            moment = time.monotonic_ns() // 1000
            print(json.dumps({"t_us": moment, "error": str(error)}), flush=True)


def _power(line: bytes) -> dict[str, Any] | None:
    """The line when it is for the mains switch, which is outside the device."""
    try:
        told: object = json.loads(line)
    except ValueError:
        return None
    if isinstance(told, dict) and told in ({"power": "cut"}, {"power": "on"}):
        return cast("dict[str, Any]", told)
    return None
