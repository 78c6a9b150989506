"""What an update (firmware/hall/update.py) uses of the device around it, where nothing takes time.

Here: an event loop that runs a task to its end, a gateway that answers at once, and the flash that
both tests of updates put their files on. It runs in MicroPython. Not here: what is to hold. To be
imported before anything of `hall`, which gets these in the place of asyncio, machine and time.
"""

import hashlib
import json
import os
import random
import sys
from binascii import b2a_base64

import vfs
from nor_flash import NorFlash

SIZE = 512
UNTIL = 1 << 40


class Reset(BaseException):
    """machine.reset()"""


class Task:
    """A coroutine that runs when the loop does; cancelled, it ends where it would wait."""

    cancelled = False

    def __init__(self, work):
        self.work = work

    def cancel(self):
        self.cancelled = True

    def __iter__(self):
        """`await` of a task before, which has ended."""
        return iter(())


class Loop:
    """asyncio: tasks run one after the other, each in one go."""

    class CancelledError(BaseException):
        pass

    class TimeoutError(Exception):
        pass

    class Event:
        is_set = False

        def set(self):
            self.is_set = True

        def clear(self):
            self.is_set = False

        async def wait(self):
            """The gateway answers before a request returns, or not at all."""
            if not self.is_set:
                raise Loop.TimeoutError

    def __init__(self):
        self.tasks = []
        self.running = None
        self.waited = []  # how long for each answer, in ms

    def create_task(self, work):
        self.tasks.append(Task(work))
        return self.tasks[-1]

    def current_task(self):
        return self.running

    async def sleep_ms(self, ms):
        if self.running.cancelled:
            raise Loop.CancelledError

    async def wait_for_ms(self, work, ms):
        self.waited.append(ms)
        return await work

    def run(self):
        """Until every task has ended."""
        while self.tasks:
            self.running = self.tasks.pop(0)
            try:
                self.running.work.send(None)
            except (StopIteration, Loop.CancelledError):
                continue
            raise AssertionError("it waits")


class Machine:
    PWRON_RESET, HARD_RESET, WDT_RESET, DEEPSLEEP_RESET = range(1, 5)

    def reset_cause(self):
        return self.PWRON_RESET

    def reset(self):
        raise Reset

    class RTC:
        def memory(self):
            return b""

    class Timer:
        ONE_SHOT = 0

        def __init__(self, number):
            pass

        def init(self, mode, period, callback):
            pass

        def deinit(self):
            pass


class Time:
    """A start that failed waits before the next."""

    @staticmethod
    def sleep(seconds):
        pass

    @staticmethod
    def ticks_ms():
        return 0

    @staticmethod
    def ticks_diff(a, b):
        return a - b


loop = Loop()
sys.modules["asyncio"] = loop
sys.modules["machine"] = Machine()
sys.modules["time"] = Time

import hall.download  # noqa: E402
import hall.release  # noqa: E402
import hall.rsa  # noqa: E402
import hall.trials  # noqa: E402
import hall.update  # noqa: E402


class Flash(NorFlash):
    """Fast where flash is blank, as it is nearly always; and dead things stay dead: each start
    has an object of its own, as files that were never closed write when they are collected."""

    def writeblocks(self, block, buffer, offset=None):
        start = self._span(block, buffer, offset)
        if self.image[start : start + len(buffer)] == b"\xff" * len(buffer):
            self._alive()
            self._operation("program", start, buffer)
        else:
            super().writeblocks(block, buffer, offset)

    def _do(self, kind, offset, data):
        end = offset + (self.size if data is None else len(data))
        if data is None:
            self.image[offset:end] = b"\xff" * self.size
        elif self.image[offset:end] == b"\xff" * len(data):
            self.image[offset:end] = data
        else:
            super()._do(kind, offset, data)

    def ioctl(self, request, argument):
        if request in (1, 2, 3):
            return 0
        return super().ioctl(request, argument)

    def again(self):
        """The same cells, with power; this object is dead."""
        other = Flash(self.blocks, self.size, self.random, b"")
        other.image = self.image
        other.before_operation = self.before_operation
        self.dead = True
        return other


def mount(flash):
    vfs.mount(vfs.VfsLfs2(flash, readsize=32, progsize=32, lookahead=32), "/")


def formatted(blocks):
    """A flash with an empty file system, mounted."""
    flash = Flash(blocks, SIZE, random)
    vfs.VfsLfs2.mkfs(flash, readsize=32, progsize=32, lookahead=32)
    mount(flash)
    return flash


def there(path):
    try:
        os.stat(path)
        return True
    except OSError:
        return False


def write(path, content):
    """A file, and the folders that it is in."""
    at = path.find("/", 1)
    while at > 0:
        if not there(path[:at]):
            os.mkdir(path[:at])
        at = path.find("/", at + 1)
    with open(path, "wb") as file:
        file.write(content)


def blobs_of(releases):
    """What a gateway has of `releases` ({name: {path: content}}), by SHA-256 in hex."""
    found = {}
    for files in releases.values():
        for content in files.values():
            found[hashlib.sha256(content).digest().hex()] = content
    return found


def order_of(files, until=UNTIL):
    """The args of the command for the release with these files."""
    manifest = files["manifest"]
    ident = hashlib.sha256(manifest).digest().hex()
    return {"release": ident, "size": len(manifest), "until": until}


class Link:
    """app.Link with a gateway behind it that answers at once, as answer() says."""

    take = None

    def __init__(self, blobs):
        self.blobs = blobs
        self.fetched = 0  # bytes
        self.kept = 0  # of them, of files that were closed

    def kick(self):
        asked = json.loads(self.fetch)
        if asked["at"] == 0:
            self.kept = self.fetched
        self.answer(asked["sha256"], asked["at"])

    def answer(self, digest, at):
        content = self.blobs[digest]
        self.say(digest, at, len(content), content[at : at + 576])

    def say(self, digest, at, size, data):
        self.fetched += len(data)
        data = b2a_base64(data)[:-1].decode()
        said = '{"sha256":"%s","at":%d,"size":%d,"data":"%s"}'  # in this order
        self.take((said % (digest, at, size, data)).encode())


class Role:
    def quiet(self):
        return True


class Device:
    """What the update uses of app.Device. `told` gets what it tells the hall."""

    _role = Role()
    _asked = None
    now = 0

    def __init__(self, start, link, told):
        self.start = start
        self.update = {"s": "idle", "p": 0}
        self._config = {"chip": "esp32", "transport": "mqtt"}
        self._parts = {}
        self._link = link
        self.told = told

    def unix_ms(self):
        return self.now

    def link_down_ms(self):
        return 0

    def emit(self, kind, data):
        self.told.append(data)

    def log(self, text):
        pass

    def report(self, text):
        raise AssertionError(text)

    def load(self, name):
        return getattr(hall, name)

    def forget(self, more=()):
        pass

    def _reset(self, why):
        raise Reset
