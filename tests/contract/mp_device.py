"""A device without its application: the real link and the real journal, its flash a file.

argv[1] is a file of JSON: {"device", "host", "port", "psk": hex or null, "flash": path, "kib": size
of the ring, "timings": {name: ms}, "jitter": false makes every jittered wait the longest}. Lines on
stdin are JSON requests; one line answers each:
{"append": n}: journal n events; {"shows": value}: what state() tells; {"report": true}: everything.
"""

import asyncio
import gc
import json
import os
import random
import sys
import time

from hall.errors import Errors
from hall.journal import Journal
from hall.link import Link, Timings

SECTOR = 4096


class FileFlash:
    """An esp32.Partition in a file: programming only clears bits, and is on disk at return."""

    def __init__(self, path, sectors):
        self._sectors = sectors
        try:
            os.stat(path)
        except OSError:
            with open(path, "wb") as blank:
                for _ in range(sectors):
                    blank.write(b"\xff" * SECTOR)
        self._file = open(path, "r+b")  # noqa: SIM115 - until the process ends

    def readblocks(self, n, buf, off=0):
        self._file.seek(n * SECTOR + off)
        self._file.readinto(buf)

    def writeblocks(self, n, buf, off=0):
        old = bytearray(len(buf))
        self.readblocks(n, old, off)
        self._file.seek(n * SECTOR + off)
        self._file.write(bytes([old[i] & buf[i] for i in range(len(buf))]))
        self._file.flush()

    def ioctl(self, op, arg):
        if op == 4:
            return self._sectors
        if op == 5:
            return SECTOR
        if op == 6:
            self._file.seek(arg * SECTOR)
            self._file.write(b"\xff" * SECTOR)
            self._file.flush()
        return 0


class Clock:
    def __init__(self):
        self._offset = None

    def set(self, unix_ms):
        self._offset = unix_ms - uptime()

    def unix_ms(self):
        return None if self._offset is None else uptime() + self._offset


START = time.ticks_ms()


def uptime():
    return time.ticks_diff(time.ticks_ms(), START)


def say(value):
    print(json.dumps(value))


class Device:
    def __init__(self, config):
        flash = FileFlash(config["flash"], config["kib"] // 4)
        self.clock = Clock()
        try:
            self.journal = Journal(flash, uptime, self.clock.unix_ms)
        except OSError:
            Journal.format(flash, random.randint(1, 0xFFFFFFFF))
            self.journal = Journal(flash, uptime, self.clock.unix_ms)
        self.shows = None
        self.checked_in = 0
        self.limits = []  # of the jittered waits so far, when each is made the longest
        self.errors = Errors(uptime, lambda text: None)
        self.done = {}  # command -> how often it was done
        psk = config["psk"]
        self.link = Link(
            config["device"],
            (config["host"], config["port"]),
            bytes.fromhex(psk) if psk else None,
            self.journal,
            self.clock,
            uptime,
            self.on_desired,
            self.on_command,
            lambda: {"text": self.shows},
            {
                "fw": "0.1.0",
                "profile": "keypad-5",
                "cause": "power_on",
                "update": {"v": "0.1.0", "slot": "a", "s": "idle", "p": 0},
            },
            self.errors,
            random.randint if config["jitter"] else self.longest,
            self.check_in,
            Timings(**config["timings"]),
        )

    def longest(self, low, high):
        self.limits.append(high)
        return high

    def check_in(self):
        self.checked_in += 1

    def on_desired(self, desired):
        if "text" not in desired:
            raise ValueError("text is missing")
        self.shows = desired["text"]

    def on_command(self, do, args):
        self.done[do] = self.done.get(do, 0) + 1
        if do == "selftest":
            return {"lamp": True}
        if do == "config" and args.get("huge"):
            return "x" * 2000
        if do == "reboot":
            return args["missing"]
        return None

    def answer(self, request):
        if "append" in request:
            for n in range(request["append"]):
                last = self.journal.append("press", {"key": n % 5 + 1, "session": None})
            self.link.kick()
            return {"appended": last}
        if "shows" in request:
            self.shows = request["shows"]
            return {}
        link = self.link
        gc.collect()
        return {
            "checked_in": self.checked_in,
            "limits": self.limits,
            "stats": link.stats,
            "errors": self.errors.last,
            "rev": link.rev,
            "down_ms": link.down_ms(uptime()),
            "unix_ms": self.clock.unix_ms(),
            "acked": self.journal.acked,
            "next": self.journal.next,
            "dropped": self.journal.dropped,
            "boot": self.journal.boot,
            "done": self.done,
            "sockets": sockets(),
            "alloc": gc.mem_alloc(),
        }


def sockets():
    """How many file descriptors this process has open."""
    return len(os.listdir("/proc/self/fd"))


async def main():
    with open(sys.argv[1]) as config:
        device = Device(json.load(config))
    asyncio.create_task(device.link.run())
    stdin = asyncio.StreamReader(sys.stdin.buffer)
    while True:
        line = await stdin.readline()
        if not line:
            return
        say(device.answer(json.loads(line)))


asyncio.run(main())
