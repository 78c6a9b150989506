"""The process of a mock board: esp32-mock-bootloader, on what it lacks.

Argument: a JSON object {"chip", "flash": file, "flash_mb", "mac": number, "transport": "socket" or
"pty", "faults"}. It prints its port's name, and is there until it is killed or its stdin ends.

Added to the mock: a flash in a file, of any size, that is erased a sector at a time as the stub
does, just before it is written, and can only turn ones to zeros otherwise; a MAC a board; a session
that lasts as long as its client. Faults, each by its name:

vanish_after: bytes programmed after which the board is unplugged.
mute_after: bytes programmed after which it never answers again.
bad_at: an address that reads 0 whatever is written to it.
silent: it never answers.
noise: it answers, but nobody could understand it.
slow_s: seconds that it takes to write a block of 16 KB.
garble: [seed, rate]: bytes of its answers are damaged, each with this probability.
one_speed: nothing is understood any more after a change of the speed, until the next reset.
"""

import json
import math
import mmap
import os
import pty
import random
import select
import socket
import struct
import sys
import threading
import time
import tty
import zlib
from pathlib import Path
from typing import Any

from esp32_mock_bootloader import protocol, registers, server

_SECTOR = 4096
_SIZE_CODES = {1: 0x14, 2: 0x15, 4: 0x16, 8: 0x17, 16: 0x18}


class NorFlash(server.FlashImage):
    """The flash chip, in a file that others may read meanwhile."""

    def __init__(self, path: Path, faults: dict[str, Any]) -> None:
        with path.open("r+b") as file:
            self.data = mmap.mmap(file.fileno(), 0)
        self.faults = faults
        self.programmed = 0  # since it was plugged in
        self._count = path.with_suffix(".count")
        self._before = self._counted()
        self._at = self._erased = 0
        self._unpacker = zlib.decompressobj()

    def begin_defl(self, payload: bytes) -> None:
        _, _, _, self._at = struct.unpack_from("<IIII", payload)
        self._erased = self._at - self._at % _SECTOR
        self._unpacker = zlib.decompressobj()

    @property
    def mute(self) -> bool:
        return self.programmed >= self.faults.get("mute_after", math.inf)

    def write_defl_block(self, payload: bytes) -> None:
        if self.mute:
            return
        time.sleep(self.faults.get("slow_s", 0))
        (size,) = struct.unpack_from("<I", payload)
        self._write(self._unpacker.decompress(payload[16 : 16 + size]))

    def end_defl(self) -> None:
        pass

    def begin_plain(self, payload: bytes) -> None:
        raise NotImplementedError("hall flash writes packed")

    write_plain_block = erase_all = begin_plain

    def _write(self, content: bytes) -> None:
        left = self.faults.get("vanish_after", math.inf) - self.programmed
        cut = content[: max(0, int(left))] if left < len(content) else content
        while self._erased < self._at + len(cut):
            self.data[self._erased : self._erased + _SECTOR] = b"\xff" * _SECTOR
            self._erased += _SECTOR
        self.data[self._at : self._at + len(cut)] = cut
        self._at += len(cut)
        self.programmed += len(cut)
        if "bad_at" in self.faults:
            self.data[self.faults["bad_at"]] = 0
        self._count.write_bytes(struct.pack("<Q", self._before + self.programmed))
        if len(cut) < len(content):
            os._exit(0)

    def _counted(self) -> int:
        return struct.unpack("<Q", self._count.read_bytes())[0] if self._count.exists() else 0


class Link(server.BootloaderConnection):
    """The wire to the client, with what can be wrong with it."""

    def __init__(self, flash: NorFlash, **transport: Any) -> None:
        super().__init__(**transport)
        self._flash = flash
        self._garbled = "noise" in flash.faults
        seed, self._rate = flash.faults.get("garble", (0, 0))
        self._chance = random.Random(seed)

    def recv(self, size: int) -> bytes:
        chunk = super().recv(size)
        if chunk[2:3] == bytes([protocol.CMD["SYNC"]]) and "one_speed" in self._flash.faults:
            self._garbled = False
        return chunk

    def sendall(self, data: bytes) -> None:
        faults = self._flash.faults
        if "silent" in faults or self._flash.mute:
            return
        super().sendall(b"\x55" * len(data) if self._garbled else self._damaged(data))
        if "one_speed" in faults and data[2:3] == bytes([protocol.CMD["CHANGE_BAUDRATE"]]):
            self._garbled = True

    def _damaged(self, data: bytes) -> bytes:
        if not self._rate:
            return data
        hit = (self._chance.random() < self._rate for _ in data)
        return bytes(
            byte ^ 1 << self._chance.randrange(8) if bad else byte
            for byte, bad in zip(data, hit, strict=True)
        )


def patient(link: Link, stop: threading.Event, buffer: bytearray) -> bytes | None:
    """The client's next packet while flash is read; the mock would give up after 50 ms."""
    while not stop.is_set():
        packet = server._consume_slip_frame(buffer)
        if packet is not None:
            return packet
        try:
            chunk = link.recv(4096)
        except TimeoutError:
            continue
        if not chunk:
            return None
        buffer.extend(chunk)
    return None


def serve_socket(chip: str, flash: NorFlash) -> None:
    listening = socket.create_server(("127.0.0.1", 0))
    print(f"socket://127.0.0.1:{listening.getsockname()[1]}", flush=True)
    while True:
        client, _ = listening.accept()
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        server.handle_client(Link(flash, sock=client), threading.Event(), chip, flash=flash)


def serve_pty(chip: str, flash: NorFlash) -> None:
    """As on a board, opening the port again resets it: a session ends when its client closes."""
    master, slave = pty.openpty()
    tty.setraw(slave)
    print(os.ttyname(slave), flush=True)
    while True:
        # With our own end open too, a closed port could not be told from a quiet one.
        select.select([master], [], [])
        kept = os.dup(slave)
        wire = server.PtyMasterTransport(os.dup(master), kept, track_disconnect=True)
        server.handle_client(Link(flash, pty=wire), threading.Event(), chip, flash=flash)


def end_with_parent() -> None:
    """A test that is killed stops no board; the end of stdin does."""
    sys.stdin.read()
    os._exit(0)


def main() -> None:
    threading.Thread(target=end_with_parent, daemon=True).start()
    spec = json.loads(sys.argv[1])
    size = spec["flash_mb"]
    protocol.MOCK_FLASH_ID = _SIZE_CODES[size] << 16 | 0x4020
    registers.mac_bytes_for_chip = lambda chip: (0x24, 0x0A, 0xC4, 0, 0, spec["mac"])
    # The mock would fall back from the stub to the ROM while its client goes on.
    server._FLASH_END_IDLE_SEC = math.inf
    server._recv_slip_payload = patient
    flash = NorFlash(Path(spec["flash"]), spec["faults"])
    {"socket": serve_socket, "pty": serve_pty}[spec["transport"]](spec["chip"], flash)


if __name__ == "__main__":
    main()
