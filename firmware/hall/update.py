"""An update: a signed release is fetched into the slot that does not run, and that slot is tried.

Here: the order of the steps, each of which may be the last before the power fails: what is whole on
flash is kept, and the same command goes on from there. Not here: what a manifest says (release.py),
the files (download.py), which slot starts (main.py). Loaded for an update and dropped after it.

`/new` is the slot under construction. It belongs to the release whose whole manifest lies in it;
only when every file that the manifest lists was read back and hashed is it given a slot's name.
"""

import asyncio
import os
from binascii import hexlify
from hashlib import sha256
from time import ticks_diff, ticks_ms

from micropython import const

from .errors import reason

_NEW = const("/new")
_OLD = const("/old")
_KEYS = const("/keys.json")
_MANIFEST = const("/manifest")
_MANIFEST_MAX = const(16 * 1024)
_PIECE = const(512)
_ENOSPC = const(28)

# Flash stops the chip, for some 45 ms where it erases. So after each piece of work this rests so
# many times as long as the piece took, and then until nobody would notice, but not for ever: a role
# that is never quiet still leaves it 2 % of the time.
_RESTS = const(4)
_REST_MAX_MS = const(1000)
_QUIET_MS = const(2000)
_QUIET_LOOK_MS = const(50)
# A restart takes longer, and so waits longer.
_RESTART_QUIET_MS = const(60_000)


class RefusedError(Exception):
    """A release that this device does not take; its text is the code that is told upstream."""


class Update:
    """One at a time. `device` is the app.Device: its `updating`, of the reported state, is kept
    here, and its updated() is called at the end."""

    def __init__(self, device):
        self._device = device
        self._task = None
        self._release = None  # its id, SHA-256 of the manifest in hex; None: give up
        self._version = ""
        self._slot = ""
        self._buffer = memoryview(bytearray(_PIECE))
        self.since = 0  # ticks when this piece of work began

    def command(self, args):
        """Takes the args of the command `update`. ValueError: refused, and why."""
        wanted = args.get("release")
        size = args.get("size")
        until = args.get("until")
        if wanted is not None or len(args) != 1:
            if type(wanted) is not str or len(wanted) != 64:
                raise ValueError("release must be 64 hex digits, or null")
            if type(size) is not int or not 0 < size <= _MANIFEST_MAX:
                raise ValueError("size must be 1 to %d" % _MANIFEST_MAX)
            if type(until) is not int:
                raise ValueError("until must be unix ms")
            if self._device.start.trial:
                raise ValueError("trial: this start is one")
        self._until = until
        if wanted and wanted == self._release:
            return
        if self._task:
            self._task.cancel()
        self._release = wanted
        self._size = size
        self._task = asyncio.create_task(self._run(self._task))

    async def _run(self, before):
        device = self._device
        try:
            if before:
                try:
                    await before
                except asyncio.CancelledError:
                    pass
            self.since = ticks_ms()
            if self._release is None:
                await self._remove(_NEW)
                await self._remove(_OLD)
                self._say("idle")
                return
            self._say("fetch")
            self._version = ""
            await self._install()
        except RefusedError as refused:
            self._refuse(str(refused))
        except Exception as error:
            device.report("update: " + reason(error))
            full = isinstance(error, MemoryError) or error.args[:1] == (_ENOSPC,)
            self._refuse("space" if full else "fault")
        finally:
            device._link.on_chunk = None
            if self._task is asyncio.current_task():
                device.updated()

    def _say(self, what, percent=0):
        self._device.updating["s"] = what
        self._device.updating["p"] = percent

    def _refuse(self, code):
        self._device.log("update: refused: " + code)
        self._say(code)
        self._device.emit("update", {"s": code, "v": self._version})

    # The steps

    async def _install(self):
        device = self._device
        start = device.start
        if await self._is("/" + start.slot):
            self._say("confirmed")
            return
        if self.size(_KEYS) is None:
            raise RefusedError("no_key")
        running = start.state["slot"] if start.slot == "safe" else start.slot
        self._slot = "/a" if running == "b" else "/b"
        await self._remove(_OLD)
        if not await self._is(_NEW):
            await self._remove(_NEW)
            if await self._is(self._slot):
                self._free()
                os.rename(self._slot, _NEW)  # the power failed between two names
            else:
                await self._download(None)
        counter = await self._accept(start)
        device.forget()
        await self._download(self.clear)
        device.forget()
        self._say("wait", 100)
        await self.clear()
        await self._until_quiet(_RESTART_QUIET_MS)
        self.in_time(True)
        # From here to the restart nothing else runs, and nothing waits.
        self._free()
        os.rename(_NEW, self._slot)
        device.emit("update", {"s": "staged", "v": self._version})
        self._free(counter)
        device._reset("update " + self._version)

    async def _is(self, folder):
        """Whether the release that is asked for is the one in that folder."""
        return await self.same(folder + _MANIFEST, self._size, self._release)

    async def _download(self, clear):
        from .download import Download

        download = Download(self, self._device, _NEW)
        if clear:
            await download.files(clear)
        else:
            await download.manifest(self._release, self._size)

    async def _accept(self, start):
        from . import release

        # For whoever is told that it was refused; it counts when it was verified.
        self._version = release.of_slot(_NEW)[0]
        least = max(start.state["counter"], release.of_slot("/" + start.slot)[1])
        chip = self._device._config["chip"].encode()
        found = await release.accept(_NEW + _MANIFEST, _KEYS, chip, least, self.rest)
        self._version, counter = found
        return counter

    def _free(self, counter=None):
        """Nothing falls back to the slot any more; with a counter, it is tried."""
        from . import trials

        if counter is None:
            trials.free(self._device.start)
        else:
            trials.try_slot(self._device.start, self._slot[1:], self._version, counter)

    async def clear(self):
        """A slot is whole or not there: its name goes first."""
        if self.size(self._slot) is not None:
            self._free()
            os.rename(self._slot, _OLD)
            await self._remove(_OLD)

    # Pieces of work

    def size(self, path):
        """In bytes, of a folder 0; None: it is not there."""
        try:
            return os.stat(path)[6]
        except OSError:
            return None

    async def same(self, path, size, digest):
        """Whether a file is there and has this size and SHA-256 in hex."""
        return self.size(path) == size and await self.read(path) == digest

    async def read(self, path, copy=None):
        """SHA-256 in hex of a file, which is copied meanwhile if there is a path for that."""
        digest = sha256()
        buffer = self._buffer
        new = open(copy, "wb") if copy else None  # noqa: SIM115 (closed below)
        try:
            with open(path, "rb") as file:
                count = file.readinto(buffer)
                while count:
                    digest.update(buffer[:count])
                    if new:
                        new.write(buffer[:count])
                    await self.rest()
                    count = file.readinto(buffer)
        finally:
            if new:
                new.close()
        return hexlify(digest.digest()).decode()

    async def _remove(self, path):
        if self.size(path) is None:
            return
        for name in os.listdir(path):
            name = path + "/" + name
            if os.stat(name)[0] & 0x4000:
                await self._remove(name)
            else:
                os.remove(name)
            await self.rest()
        os.rmdir(path)

    # Time

    def in_time(self, certain=False):
        """RefusedError: it is too late; with `certain` also when nobody knows."""
        now = self._device.unix_ms()
        if certain if now is None else now > self._until:
            raise RefusedError("late")

    async def rest(self):
        """To be awaited between pieces of work."""
        took = ticks_diff(ticks_ms(), self.since)
        await asyncio.sleep_ms(min(_RESTS * took, _REST_MAX_MS))
        await self._until_quiet(_QUIET_MS)
        self.since = ticks_ms()

    async def _until_quiet(self, longest):
        for _ in range(longest // _QUIET_LOOK_MS):
            if self._device._role.quiet():
                return
            await asyncio.sleep_ms(_QUIET_LOOK_MS)
