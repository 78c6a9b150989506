"""An update: a signed release is fetched into the slot that does not run, and that slot is tried.

Here: the order of the steps, each of which may be the last before the power fails: what is whole on
flash is kept, and the same command goes on from there. Not here: what a manifest says (release.py),
the files (download.py), which slot starts (main.py). Loaded for an update and dropped after it, as
those are for their steps: the heap has no room for all of them.
"""

import asyncio
from time import ticks_diff, ticks_ms

from micropython import const

from .errors import reason

_MANIFEST_MAX = const(16 * 1024)
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


def take(device, args):
    """The result of the command `update` with these args. ValueError: it is refused, and why."""
    try:
        if args:
            if device._config["transport"] == "coap":
                raise ValueError("battery: a device that sleeps is updated over the cable")
            update = device._parts.get("update") or Update(device)
            update.command(args)
            device._parts["update"] = update
        return {"state": device.update}
    finally:
        _drop(device)


def _drop(device):
    """Unless there is an update, this module goes back to the heap, or the role starts again."""
    if device._parts.get("update"):
        return
    if device._asked:
        device._reset("update is over")
    device.forget(("update",))


class Update:
    """One at a time. `device` is the app.Device: its `update`, of the reported state, is kept
    here, and so is this, among its parts, while it lasts."""

    def __init__(self, device):
        self._device = device
        self._task = None
        self._release = None  # its id, SHA-256 of the manifest in hex; None: give up
        self._version = ""
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
                await self._build().give_up()
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
            device._link.take = None
            if self._task is asyncio.current_task():
                device._parts["update"] = None
                _drop(device)

    def _say(self, what, percent=0):
        self._device.update["s"] = what
        self._device.update["p"] = percent

    def _refuse(self, code):
        self._device.log("update: refused: " + code)
        self._say(code)
        self._device.emit("update", {"s": code, "v": self._version})

    # The steps

    async def _install(self):
        """Each step finds on flash what the one before has left there."""
        device = self._device
        # A module that is loaded holds the loop for long, and so does counting free blocks.
        await self.rest()
        if await self._build().begin(self._release, self._size):
            self._say("confirmed")
            return
        device.forget()
        await self.rest()
        counter = await self._accept()
        device.forget()
        await self.rest()
        build = self._build()
        await self.rest()
        await build.files()
        self._say("wait", 100)
        await build.clear()
        await self._until_quiet(_RESTART_QUIET_MS)
        self.in_time(True)
        # From here to the restart nothing else runs, and nothing waits.
        build.take_place(self._version, counter)
        device._reset("update " + self._version)

    def _build(self):
        return self._device.load("download").Download(self, self._device)

    async def _accept(self):
        release = self._device.load("release")
        start = self._device.start
        # For whoever is told that it was refused; it counts when it was verified.
        self._version = release.of_slot("/new")[0]
        least = max(start.state["counter"], release.of_slot("/" + start.slot)[1])
        chip = self._device._config["chip"].encode()
        self._version, counter = await release.accept(chip, least, self.rest)
        return counter

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
