"""Cuts the power at every flash operation of an update, from its command to what becomes of it.

One run without a cut is logged, operation by operation; then, for each of them, the flash as it was
before it suffers the cut, and devices start on it until all is well. The file system is the one of
MicroPython, LittleFS, and what starts is the firmware's own main.py; time is stood still.
argv: a JSON file of what to install, and what the new application does: confirm or crash. Prints
one JSON object: cuts by what the device was doing, and operations.
"""

import gc
import hashlib
import json
import os
import random
import sys

import vfs
from nor_flash import MODES, NorFlash, PowerCut

BLOCKS = 112
SIZE = 512
UNTIL = 1 << 40


class Reset(BaseException):
    """machine.reset()"""


class Settled(BaseException):
    """The device has become what it should."""


class Loop:
    """asyncio, where nothing ever takes time: a task runs to its end when it is told to."""

    CancelledError = TimeoutError = Reset

    def create_task(self, work):
        self.task = work
        return work

    def current_task(self):
        return self.task

    async def sleep_ms(self, ms):
        pass

    async def wait_for_ms(self, work, ms):
        return await work

    class Event:
        def set(self):
            pass

        clear = set

        async def wait(self):
            """The double of the link answers before it returns."""


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

from binascii import b2a_base64, unhexlify  # noqa: E402

import choose  # noqa: E402
import hall.download  # noqa: E402
import hall.release  # noqa: E402
import hall.rsa  # noqa: E402
import hall.trials  # noqa: E402
import hall.update  # noqa: E402

with open(sys.argv[1]) as file:
    given = json.load(file)
# Of each release: its manifest, and the files of a slot by their path.
releases = {}
for name, files in given["releases"].items():
    releases[name] = {path: unhexlify(content) for path, content in files.items()}
with open(given["main"]) as file:
    main = compile(file.read(), "main.py", "exec")
crashes = sys.argv[2] == "crash"

blobs = {}
for files in releases.values():
    for content in files.values():
        blobs[hashlib.sha256(content).digest().hex()] = content
ordered = releases["new"]["manifest"]
order = {
    "release": hashlib.sha256(ordered).digest().hex(),
    "size": len(ordered),
    "until": UNTIL,
}


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


class Link:
    take = None

    def kick(self):
        asked = json.loads(self.fetch)
        content = blobs[asked["sha256"]]
        data = content[asked["at"] : asked["at"] + 576]
        self.fetched += len(data)
        said = asked["sha256"], asked["at"], len(content), b2a_base64(data)[:-1].decode()
        self.take(('{"sha256":"%s","at":%d,"size":%d,"data":"%s"}' % said).encode())


class Role:
    def quiet(self):
        return True


class Device:
    """What the update uses of app.Device."""

    _config = {"chip": "esp32"}
    _role = Role()

    def __init__(self, start):
        self.start = start
        self.update = {"s": "idle", "p": 0}
        self._parts = {}
        self._link = Link()
        self._link.fetched = 0

    def unix_ms(self):
        return 0

    def link_down_ms(self):
        return 0

    def emit(self, kind, data):
        world.told.append(data["s"])

    def log(self, text):
        pass

    def report(self, text):
        raise AssertionError(text)

    def load(self, name):
        return getattr(hall, name)

    def forget(self, more=()):
        pass

    _asked = None

    def _reset(self, why):
        raise Reset


class App:
    """hall.app of whichever release is started."""

    @staticmethod
    def run(folder, start):
        name = whole(folder)
        assert name is not None, ("started", folder, os.listdir("/"))
        world.started.append(name)
        if name == "new":
            world.doing = "first start"
            if crashes:
                raise ValueError("crash")
            hall.trials.confirm(start)
            raise Settled
        world.device = device = Device(start)
        if start.state.get("reverted"):
            world.doing = "revert"
            hall.trials.tell(device)
            if crashes:
                raise Settled
        world.doing = "update"
        update = hall.update.Update(device)
        update.command(order)
        try:
            loop.task.send(None)
        except StopIteration:
            raise AssertionError(("the update ended", device.update))
        finally:
            world.fetched += device._link.fetched


sys.modules["hall.app"] = App
hall.app = App


def whole(folder):
    """The name of the release that fills this folder, file by file; None: none does."""
    for name, files in releases.items():
        try:
            for path, content in files.items():
                with open(folder + "/" + path, "rb") as file:
                    if file.read() != content:
                        break
            else:
                return name
        except OSError:
            pass
    return None


class World:
    def __init__(self, flash):
        self.flash = flash
        self.told = []
        self.started = []
        self.fetched = 0
        self.doing = "start"

    def phase(self):
        if self.doing == "update":
            return {"fetch": "download", "wait": "switch"}[self.device.update["s"]]
        return self.doing

    def start(self):
        """One life of the device: "cut", "reset" or "settled"."""
        sys.modules["choose"] = choose
        sys.path[:] = [".frozen"]
        self.doing = "start"
        try:
            vfs.mount(vfs.VfsLfs2(self.flash, readsize=32, progsize=32, lookahead=32), "/")
            exec(main, {})
        except Settled:
            return "settled"
        except Reset:
            return "reset"
        except PowerCut:
            return "cut"
        finally:
            try:
                vfs.umount("/")
            except (OSError, PowerCut):
                pass
            self.flash = self.flash.again()
        raise AssertionError("main.py ended")

    def settle(self):
        for _ in range(12):
            if self.start() == "settled":
                self.check()
                return
        raise AssertionError(("it does not settle", self.started, self.told))

    def check(self):
        vfs.mount(vfs.VfsLfs2(self.flash, readsize=32, progsize=32, lookahead=32), "/")
        there = sorted(os.listdir("/"))
        slots = [whole("/a"), whole("/b")]
        vfs.umount("/")
        assert there == ["a", "b", "keys.json", "slot.json"], there
        assert slots == ["old", "new"], slots
        assert self.told[-1] in (("crash", "no_service") if crashes else ("staged",)), self.told


def again(self):
    """The same cells, with power; this object is dead."""
    other = Flash(self.blocks, self.size, self.random, b"")
    other.image = self.image
    other.before_operation = self.before_operation
    self.dead = True
    return other


Flash.again = again


def install():
    flash = Flash(BLOCKS, SIZE, random)
    vfs.VfsLfs2.mkfs(flash, readsize=32, progsize=32, lookahead=32)
    vfs.mount(vfs.VfsLfs2(flash, readsize=32, progsize=32, lookahead=32), "/")
    for slot, name in (("/a/", "old"), ("/b/", "older")):
        for path, content in releases[name].items():
            path = slot + path
            at = path.find("/", 1)
            while at > 0:
                if not there(path[:at]):
                    os.mkdir(path[:at])
                at = path.find("/", at + 1)
            with open(path, "wb") as file:
                file.write(content)
    with open("/keys.json", "w") as file:
        json.dump({"keys": [given["key"]]}, file)
    with open("/slot.json", "w") as file:
        file.write('{"slot":"a","spare":"b","counter":1}')
    vfs.umount("/")
    return flash.again()


def there(path):
    try:
        os.stat(path)
        return True
    except OSError:
        return False


random.seed(3)
vfs.umount("/")
flash = install()
before = bytearray(flash.image)
operations = []
world = World(flash)
flash.before_operation = lambda kind, offset, data: operations.append(
    (world.phase(), len(world.told), kind, offset, None if data is None else bytes(data))
)
world.settle()
told = world.told
whole_fetch = world.fetched

cuts = {}
second = resumed = 0
for doing, said, kind, offset, data in operations:
    for mode in MODES:
        flash = Flash(BLOCKS, SIZE, random, before)
        flash.tear(kind, offset, data, mode)
        world = World(flash)
        world.told = told[:said]
        cuts[doing] = cuts.get(doing, 0) + 1
        if sum(cuts.values()) % 4 == 0:
            # And once more, somewhere in what follows.
            flash.cut_after = random.getrandbits(8)
            flash.mode = MODES[second % len(MODES)]
            second += 1
        world.settle()
        resumed += world.fetched < whole_fetch
    done = Flash(BLOCKS, SIZE, random, b"")
    done.image = before
    done._do(kind, offset, data)
    gc.collect()
cuts["second"] = second
cuts["resumed"] = resumed
cuts["operations"] = len(operations)
print(json.dumps(cuts))
