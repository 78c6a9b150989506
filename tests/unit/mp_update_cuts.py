"""Cuts the power at every flash operation of an update, from its command to what becomes of it.

One run without a cut is logged, operation by operation; then, for each of them, the flash as it was
before it suffers the cut, and devices start on it until all is well. The file system is the one of
MicroPython, LittleFS, and what starts is the firmware's own main.py; time is stood still.
argv: a JSON file of what to install, and what the new application does: confirm or crash. Prints
one JSON object: cuts by what the device was doing, and operations.
"""

import gc
import json
import os
import random
import sys
from binascii import unhexlify

import vfs
from nor_flash import MODES, PowerCut
from update_parts import (
    SIZE,
    Device,
    Flash,
    Link,
    Reset,
    blobs_of,
    formatted,
    hall,
    loop,
    mount,
    order_of,
    there,
    write,
)

BLOCKS = 112

import choose  # noqa: E402 (what it imports is ready now)


class Settled(BaseException):
    """The device has become what it should."""


class BrokenError(BaseException):
    """What must never be. An Exception would be a crash of the application to main.py."""


with open(sys.argv[1]) as file:
    given = json.load(file)
# Of each release: its manifest, and the files of a slot by their path.
releases = {}
for name, files in given["releases"].items():
    releases[name] = {path: unhexlify(content) for path, content in files.items()}
with open(given["main"]) as file:
    main = compile(file.read(), "main.py", "exec")
crashes = sys.argv[2] == "crash"

blobs = blobs_of(releases)
order = order_of(releases["new"])


class Updated(Device):
    def emit(self, kind, data):
        world.told.append(data["s"])


class App:
    """hall.app of whichever release is started."""

    @staticmethod
    def run(folder, start):
        name = whole(folder)
        if name is None:
            raise BrokenError("started in part: " + folder)
        other = "/b" if folder == "/a" else "/a"
        if there(other) and not whole(other):
            raise BrokenError("there in part: " + other)
        world.started.append(name)
        if name == "new":
            world.doing = "first start"
            if crashes:
                raise ValueError("crash")
            hall.trials.confirm(start)
            raise Settled
        world.device = device = Updated(start, Link(blobs), None)
        if start.state.get("reverted"):
            world.doing = "revert"
            hall.trials.tell(device)
            if crashes:
                raise Settled
        world.doing = "update"
        try:
            hall.update.take(device, order)
            loop.run()
        finally:
            world.fetched += device._link.fetched
        raise AssertionError(("the update ended", device.update))


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
        self.device = None
        self.doing = "start"

    def phase(self):
        if self.doing == "update":
            return {"fetch": "download", "wait": "switch"}[self.device.update["s"]]
        return self.doing

    def kept(self):
        """Bytes that were fetched, of files that are whole."""
        link = self.device._link if self.device else None
        if self.doing == "update":
            return link.kept if self.phase() == "download" else link.fetched
        return link.fetched if link else 0

    def start(self):
        """One life of the device: "cut", "reset" or "settled"."""
        sys.modules["choose"] = choose
        sys.path[:] = [".frozen"]
        self.doing = "start"
        try:
            mount(self.flash)
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
        mount(self.flash)
        names = sorted(os.listdir("/"))
        slots = [whole("/a"), whole("/b")]
        with open("/slot.json") as file:
            state = json.load(file)
        vfs.umount("/")
        assert names == ["a", "b", "keys.json", "slot.json"], names
        assert slots == ["old", "new"], slots
        last = (["crash"], ["no_service"]) if crashes else (["staged"],)
        assert self.told[-1:] in last, self.told
        in_service = ("a", 1) if crashes else ("b", 2)
        assert (state.get("slot", "a"), state.get("counter", 0)) == in_service, state
        assert not state.get("trial"), state


def install():
    flash = formatted(BLOCKS)
    for slot, name in (("/a/", "old"), ("/b/", "older")):
        for path, content in releases[name].items():
            write(slot + path, content)
    write("/keys.json", json.dumps({"keys": [given["key"]]}).encode())
    write("/slot.json", b'{"slot":"a","spare":"b","counter":1}')
    vfs.umount("/")
    return flash.again()


random.seed(3)
vfs.umount("/")
flash = install()
before = bytearray(flash.image)
operations = []
world = World(flash)
flash.before_operation = lambda kind, offset, data: operations.append(
    (
        world.phase(),
        len(world.told),
        world.kept(),
        kind,
        offset,
        None if data is None else bytes(data),
    )
)
world.settle()
told = world.told
whole_fetch = world.fetched

cuts = {}
second = resumed = 0
for doing, said, kept, kind, offset, data in operations:
    for mode in MODES:
        flash = Flash(BLOCKS, SIZE, random, before)
        flash.tear(kind, offset, data, mode)
        world = World(flash)
        world.told = told[:said]
        cuts[doing] = cuts.get(doing, 0) + 1
        once = sum(cuts.values()) % 4 > 0
        if not once:
            # And once more, somewhere in what follows.
            flash.cut_after = random.getrandbits(8)
            flash.mode = MODES[second % len(MODES)]
            second += 1
        world.settle()
        if once:
            # No file that was whole is fetched again.
            assert world.fetched <= whole_fetch - kept, (doing, mode, world.fetched, kept)
            resumed += 0 < kept < whole_fetch
    done = Flash(BLOCKS, SIZE, random, b"")
    done.image = before
    done._do(kind, offset, data)
    gc.collect()
cuts["second"] = second
cuts["resumed"] = resumed
cuts["operations"] = len(operations)
print(json.dumps(cuts))
