"""A device in simulation, from its host side: one MicroPython process a device.

Here: starting the interpreter on a device's flash file, its world's lines in and out, and what a
mains switch and a reset do to it. Not here: what is on the flash (`hall_tools.deploy`), nor what
the simulated hardware does (firmware/sim).
"""

import asyncio
import contextlib
import ctypes
import fcntl
import importlib.util
import json
import os
import signal
import sys
import time
from collections import deque
from collections.abc import AsyncIterator
from pathlib import Path
from typing import IO, Any, Self, cast

from hall_tools import deploy, mpy
from hall_tools.errors import UserError
from hall_tools.image.vfs import SCANNED
from hall_tools.onlooker import Onlooker
from hall_tools.simline import SerialLine

# About 160 KB of 64-bit words for the firmware, about what an ESP32 gives an application with its
# 32-bit words, and what the simulated world takes beside it.
_HEAP = 192 * 1024
FLASH = "flash.bin"
"""The flash chip in a device's folder."""
_STARTS_AGAIN = ("reset", "sleep", "wake")
"""What a device says last when its process ends, and another has to begin."""
_CUT_HEAP = 2048
"""What firmware/sim/cuts.py takes of the heap, which no chip has."""
_CUT = {"t_us", "cut", "op", "address"}
"""What a device says last when power is gone within the flash chip's work."""
_LINES_KEPT = 10_000
_LONGEST_LINE = 256 * 1024
_LOG_SHOWN = 200


def check_unix_port() -> None:
    """Raises UserError when this machine cannot run the simulation."""
    if importlib.util.find_spec("micropython_run") is None:
        raise UserError(
            "the simulation needs MicroPython's unix port, published for x86-64 Linux: "
            "pip install 'hallkit[sim]'",
            os.EX_UNAVAILABLE,
        )


def heap(config: dict[str, Any]) -> int:
    """Bytes of the heap of a simulated device, with the log of its panel's stores, which no chip
    has (firmware/sim/tap.py): a word for each pixel clock of each scan, and some."""
    driver = config["driver"]
    if driver["name"] not in SCANNED:
        return _HEAP
    lines = 1 if driver["name"] == "hub12" or driver["height"] < 32 else 2
    clocks = driver["width"] * driver["height"] // driver["scan"] // lines
    return _HEAP + 4 * (clocks + driver["scan"] * clocks)


class SimDevice:
    """One simulated device: real firmware in the unix port, hardware simulated below the drivers.

    `folder` holds what outlives the process: `flash.bin` (the flash chip) and `rtc.bin` (RTC
    memory). It is created when missing; the journal in it is kept when the configuration changes.
    `config` is what `hall_profiles.compile_config` made; `ident` is the content of the ident
    partition: {"device", "psk": hex or None, "claim": hex or missing, "wifi": [[ssid, password],
    ...]}; None runs the flash that is there, see flashed().

    A reset of the device starts the interpreter again by itself, as a chip does. So does the end of
    deep sleep, {"sleep": ms}; while it lasts another process is the RTC and the world, and takes
    lines from {"asleep": ms} until {"wake": "timer" or "pin"}.
    """

    def __init__(self, config: dict[str, Any], ident: dict[str, Any] | None, folder: Path) -> None:
        self.config = config
        self.ident = ident
        self.folder = folder
        self.dropped = 0
        """Lines that nobody took in time: at most 10,000 wait for lines()."""
        self.cut: str | None = None
        """From the next start on, whether power may be cut within the flash chip's work: "0" when
        the world says {"cut": n, "how": how}, or "12 torn" (firmware/sim/cuts.py)."""
        self._said: deque[dict[str, Any]] = deque(maxlen=_LINES_KEPT)
        self._spoke = asyncio.Event()
        self._stopped = False
        self._switched_off = asyncio.Event()
        self._process: asyncio.subprocess.Process | None = None
        self._life: asyncio.Task[None] | None = None
        self._lock: IO[str] | None = None
        self._onlooker: Onlooker | None = None
        self._line: SerialLine | None = None

    @classmethod
    def flashed(cls, folder: Path) -> Self:
        """The device on `folder`/flash.bin, a whole chip that was flashed like a board's.

        It is run as it is; its MicroPython stays unused. Raises UserError: it is no such chip.
        """
        return cls(deploy.config_on(folder / FLASH), None, folder)

    @property
    def is_on(self) -> bool:
        """Whether the device has power (it may be starting again at this moment)."""
        return self._life is not None and not self._life.done()

    @property
    def pid(self) -> int | None:
        """The interpreter's process id; None while the device is off or between two lives."""
        return self._process.pid if self._process is not None else None

    @property
    def port(self) -> str:
        """The device's serial port, as /dev/pts/7, from start() to stop(): its console and log."""
        if self._line is None:
            raise ConnectionError(f"{self.config['device']} is not started")
        return self._line.port

    async def start(self) -> None:
        """Writes the flash when the firmware, config or ident changed, then switches power on.

        Raises UserError when the firmware has no driver or transport for this profile, when the
        folder is in use by another device, or when this machine cannot run the simulation.
        """
        check_unix_port()
        await asyncio.to_thread(self._prepare)
        self._line = SerialLine(self._log, self._interrupt)
        await self.power_on()

    async def send(self, line: dict[str, Any]) -> None:
        """Gives the world one line: {"press": 5}, {"cross": "in"}, {"wet_ohms": 40000} and so on.

        {"power": "cut"} and {"power": "on"} are done here, by power_cut() and power_on(). A line
        for a device that is off or just starting again raises ConnectionError: nobody can press a
        key on a dead keypad and be counted.
        """
        power = line.get("power")
        if power == "cut":
            await self.power_cut()
        elif power == "on":
            await self.power_on()
        else:
            await self.send_raw(json.dumps(line).encode() + b"\n")

    async def send_raw(self, line: bytes) -> None:
        """One line for the world as it is, sense or nonsense; errors as of send()."""
        process = self._process
        if process is None or process.stdin is None or process.returncode is not None:
            raise ConnectionError(f"{self.config['device']} is off")
        process.stdin.write(line)
        await process.stdin.drain()

    async def lines(self) -> AsyncIterator[dict[str, Any]]:
        """What the device shows and does, one dict a line, across resets, until stop().

        Simulated hardware gives the objects of the simulation contract (each has "t_us", the
        host's time.monotonic() in microseconds). A line of the serial log comes as {"log": text},
        a process that has ended for good as {"off": exit code}. There is one stream; take it once.
        """
        while True:
            while self._said:
                yield self._said.popleft()
            if self._stopped:
                return
            self._spoke.clear()
            await self._spoke.wait()

    async def kill(self) -> None:
        """SIGKILL at this very moment; RTC memory stays. The device is off until power_on()."""
        self._switched_off.set()
        if self._process is not None and self._process.returncode is None:
            self._process.kill()
        if self._life is not None:
            # What it said until this moment is still read.
            await self._life

    async def power_cut(self) -> None:
        """Mains gone at this very moment: SIGKILL, and RTC memory is lost. Off until power_on()."""
        await self.kill()
        self._rtc.unlink(missing_ok=True)

    async def power_on(self) -> None:
        """Starts the interpreter on the flash as it is; nothing when the device is on already."""
        if not self.is_on:
            self._switched_off.clear()
            await self._spawn()
            self._life = asyncio.create_task(self._live())

    async def stop(self) -> None:
        """Switches off and waits until the process is gone; lines() ends. Safe to call twice."""
        if self._lock is not None:  # without it the folder is another device's
            await self.power_cut()
            self._lock.close()
            self._lock = None
        if self._line is not None:
            self._line.close()
            self._line = None
        self._stopped = True
        self._spoke.set()

    @property
    def _rtc(self) -> Path:
        return self.folder / "rtc.bin"

    def _prepare(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        lock = (self.folder / "lock").open("w")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.close()
            raise UserError(
                f"{self.folder}: another simulated device runs on this folder; "
                "stop it or use another --state",
                os.EX_TEMPFAIL,
            ) from None
        self._lock = lock
        if self.ident is not None:
            deploy.deploy(self.folder / FLASH, self.config, self.ident)
        mpy.write_tree(mpy.simulation(), self.folder / "sim")

    async def _spawn(self) -> None:
        if self.config["driver"]["name"] in SCANNED:
            self._onlooker = Onlooker(self.config)
        assert self._line is not None
        terminal = self._line.power_on()
        self._process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "hall_tools.interpreter", str(os.getpid()), str(terminal)),
            *("-X", f"heapsize={heap(self.config) + (_CUT_HEAP if self.cut else 0)}"),
            *("-m", "start"),
            *(FLASH, "rtc.bin"),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            # Relative names: the interpreter dies of an argument of more than 255 bytes.
            cwd=self.folder,
            env=os.environ | {"MICROPYPATH": "sim:.frozen", "HALL_SIM_CUT": self.cut or ""},
            limit=_LONGEST_LINE,
            pass_fds=(terminal,),
            # Ctrl-C at a terminal is for the host, which switches its devices off itself.
            start_new_session=True,
        )
        os.close(terminal)

    async def _live(self) -> None:
        """Reads what this life of the device says, and begins the next one after a reset."""
        while True:
            reset, exit_code = await self._read_to_end()
            if reset is not None:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(reset.get("ms", 0) / 1000):
                        await self._switched_off.wait()
            if reset is None or self._switched_off.is_set():
                self._say({"off": exit_code})
                return
            await self._spawn()
            if self._switched_off.is_set() and self._process is not None:
                self._process.kill()

    async def _read_to_end(self) -> tuple[dict[str, Any] | None, int]:
        """The reset that ended the process, if one did, and its exit code."""
        process = self._process
        assert process is not None
        assert process.stdin is not None
        assert process.stdout is not None
        reset = None
        async for raw in process.stdout:
            if not raw.strip():
                continue
            line = _parse(raw)
            if not line.keys().isdisjoint(_STARTS_AGAIN):
                reset = line
            elif line.keys() == _CUT:
                self._rtc.unlink(missing_ok=True)
            self._say(self._see(line) if "scan" in line else line)
        exit_code = await process.wait()
        if self._line is not None:
            self._line.power_off()
        if self._onlooker:
            self._say(self._see({"t_us": time.monotonic_ns() // 1000, "scan": {"dark": True}}))
        process.stdin.close()
        self._process = None
        return reset, exit_code

    def _see(self, line: dict[str, Any]) -> dict[str, Any] | None:
        assert self._onlooker is not None
        try:
            return self._onlooker.see(line)
        except ValueError as error:
            return {"t_us": line["t_us"], "error": str(error)}

    def _interrupt(self) -> bool:
        """Ctrl-C has come: whether the interpreter takes it as one now (micropython.kbd_intr).

        The unix port does so by handling SIGINT or not. The process stands still meanwhile: without
        its handler the signal would end it.
        """
        if self.pid is None:
            return False
        try:
            os.kill(self.pid, signal.SIGSTOP)
            os.waitid(os.P_PID, self.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)
            status = Path(f"/proc/{self.pid}/status").read_text(encoding="utf-8")
            caught = int(status.partition("SigCgt:")[2].split()[0], 16)
            taken = bool(caught >> (signal.SIGINT - 1) & 1)
            if taken:
                # To the thread of the application, as the watchdog has one too: glibc's tgkill.
                ctypes.CDLL(None).tgkill(self.pid, self.pid, signal.SIGINT)
            os.kill(self.pid, signal.SIGCONT)
        except (OSError, IndexError):  # it has just ended
            return False
        return taken

    def _log(self, raw: bytes) -> None:
        text = raw.decode("utf-8", "replace").rstrip("\r")
        if text.strip():
            self._say({"log": text})

    def _say(self, line: dict[str, Any] | None) -> None:
        if line is None:
            return
        self.dropped += len(self._said) == _LINES_KEPT
        self._said.append(line)
        self._spoke.set()


def _parse(raw: bytes) -> dict[str, Any]:
    text = raw.decode("utf-8", "replace").rstrip("\r\n")
    if text.startswith('{"t_us":'):
        try:
            return cast("dict[str, Any]", json.loads(text))
        except ValueError:
            text = text[:_LOG_SHOWN]  # cut off by the end of the process
    return {"log": text}
