"""What an installer is told when a board cannot be flashed: each fault, and what to do about it."""

import errno
import getpass
import itertools
import os
import pty
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import serial
from hall_tools.errors import UserError
from hall_tools.flash import advice, ports
from hall_tools.flash.board import Board
from hall_tools.flash.ports import Port
from hall_tools.flash.start import Started, started


def test_no_permission(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """As root every port may be opened, so the system's answer is put in pyserial's place."""
    port = tmp_path / "ttyUSB0"
    port.touch()

    def refuse(*_: object, **__: object) -> None:
        raise serial.SerialException(errno.EACCES, f"could not open port {port}")

    monkeypatch.setattr(serial, "serial_for_url", refuse)
    with pytest.raises(advice.BoardError) as told:
        Board(Port(str(port)))
    group = port.group()
    assert f"sudo usermod -aG {group} {getpass.getuser()}, then log out" in str(told.value)
    assert told.value.exit_code == os.EX_NOPERM


@pytest.mark.parametrize(
    ("name", "meaning"),
    [
        ("nothing://x", "no port: invalid URL"),
        ("socket://127.0.0.1:1", "cannot be opened: "),
        ("/dev/null", "this is no serial port; right: one as /dev/ttyUSB0"),
        ("/etc/passwd", "this is no serial port"),
        ("/tmp", "this is no serial port"),
    ],
)
def test_what_is_no_port(name: str, meaning: str) -> None:
    with pytest.raises(advice.BoardError, match=f"^{name}: {meaning}"):
        Board(Port(name))


@pytest.mark.parametrize(
    ("reason", "meaning"),
    [
        # In esptool 5.6's words.
        (
            "Failed to connect to Espressif device: Wrong boot mode detected (0x13)! The chip "
            "needs to be in download mode.\nFor troubleshooting steps visit: https://…",
            "it runs its program and does not listen; hold the board's BOOT key",
        ),
        (
            "Failed to connect to ESP32: Download mode successfully detected, but getting no sync "
            "reply: The serial TX path seems to be down.",
            "it waits for us but hears nothing",
        ),
        ("Failed to connect to Espressif device: No serial data received.", "does not answer"),
        (
            "Failed to connect to ESP32: Invalid head of packet (0x61): Possible serial noise or "
            "corruption.",
            "garbled",
        ),
        ("Unexpected chip ID value 99.", "no connection: Unexpected chip ID value 99; hold"),
    ],
)
def test_no_connection(reason: str, meaning: str) -> None:
    told = str(advice.not_connected("/dev/ttyUSB0", reason))
    assert told.startswith("/dev/ttyUSB0: ")
    assert meaning in told
    assert "\n" not in told


def usb(device: str, vid: int | None = 0x10C4, **more: Any) -> SimpleNamespace:
    return SimpleNamespace(
        device=device, vid=vid, location=more.get("location"), serial_number=more.get("serial")
    )


def test_ports_that_are_boards(monkeypatch: pytest.MonkeyPatch) -> None:
    listed = [
        usb("/dev/ttyUSB10", location="1-1.2"),
        usb("/dev/ttyUSB2"),
        usb("/dev/ttyS0", vid=None),
        usb("/dev/ttyACM0", vid=0x1546),  # a receiver
        usb("/dev/ttyACM1", vid=0x303A, serial="24:0A:C4:00:00:01"),
    ]
    monkeypatch.setattr(ports.list_ports, "comports", lambda: listed)
    assert ports.boards() == [
        Port("/dev/ttyACM1", "", "24:0a:c4:00:00:01"),
        Port("/dev/ttyUSB2"),
        Port("/dev/ttyUSB10", "1-1.2"),
    ]
    with pytest.raises(
        UserError, match=r"3 boards found: .*ttyUSB10 \(USB socket 1-1\.2\).*--port /dev/ttyACM1"
    ):
        ports.only_board("hall flash --port {}")
    monkeypatch.setattr(ports.list_ports, "comports", lambda: listed[:1])
    assert ports.only_board("hall flash --port {}").name == "/dev/ttyUSB10"
    monkeypatch.setattr(ports.list_ports, "comports", lambda: listed[2:4])
    with pytest.raises(UserError, match=r"no board found: .* a cable that carries data"):
        ports.only_board("hall flash --port {}")


class Wire:
    """A serial port on which a board starts: a pty, and what it says."""

    def __init__(self, said: bytes) -> None:
        self._board, other = pty.openpty()
        self.port = serial.Serial(os.ttyname(other), timeout=0.2)
        os.close(other)
        self._writer = threading.Thread(target=os.write, args=(self._board, said))

    def watch(self, clock: Any = None) -> Started | None:
        self._writer.start()
        try:
            return started(self.port, "/dev/ttyUSB0", *([clock] if clock else []))
        finally:
            self._writer.join()
            self.port.close()
            os.close(self._board)


BOOT = (
    b"ets Jul 29 2019 12:21:46\r\n\r\nrst:0x1 (POWERON_RESET),boot:0x13 (SPI_FAST_FLASH_BOOT)\r\n"
)


START = BOOT + b"\x00\xfe[412] start: version 0.1.0, cause power_on \r\n"
VERSION = "version 0.1.0, cause power_on"


def test_a_start_is_seen_until_the_gateway_answers() -> None:
    said = START + b"[700] wifi: joined hall\r\n[950] confirmed: this start counts as healthy\r\n"
    seen = Wire(said).watch()
    assert seen
    assert seen == (VERSION, True, "wifi: joined hall")
    assert seen.words() == f"started ({VERSION}) and joined the hall"


@pytest.mark.parametrize(
    ("said", "trouble"),
    [
        (b"", ""),
        (b"[9000] wifi: hall not joined, status 201\r\n", "wifi: hall not joined, status 201"),
        (
            b"[700] wifi: joined hall\r\n[3700] error: TCP connect: EHOSTUNREACH\r\n",
            "TCP connect: EHOSTUNREACH",
        ),
    ],
)
def test_a_start_without_a_gateway(said: bytes, trouble: str) -> None:
    times = itertools.count(0.0, 2.0)
    seen = Wire(START + said).watch(lambda: next(times))
    assert seen
    assert seen == (VERSION, False, trouble)
    assert f"has not answered it{f' ({trouble})' if trouble else ''}; it goes on" in seen.words()


@pytest.mark.parametrize(
    ("said", "meaning"),
    [
        (b"rst:0x1 (POWERON_RESET),boot:0x3 (DOWNLOAD_BOOT)\r\nwaiting for download\r\n", "BOOT"),
        (BOOT * 5, "it starts over and over; is its supply strong enough"),
        (
            BOOT + b"[412] start: version 0.1.0, cause power\r\n[500] stopped: ident: no psk\r\n",
            "flashed and started, but it cannot work: ident: no psk",
        ),
    ],
)
def test_a_start_that_fails(said: bytes, meaning: str) -> None:
    with pytest.raises(advice.BoardError, match=meaning):
        Wire(said).watch()


def test_a_board_that_says_nothing() -> None:
    times = iter(range(100))
    assert Wire(b"").watch(lambda: float(next(times)) * 5) is None
