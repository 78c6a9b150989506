"""The device: composed from its config, then run for ever.

Here: what its parts share, the commands, and the tasks between them. Not here: which parts there
are (compose.py), and what any of them does. When something is missing or makes no sense (a driver,
a config) the device says so wherever it still can, and does not restart for it.
"""

import asyncio
import gc
import sys
import time

from micropython import const

from . import hal, kept
from .clock import Clock
from .console import Console
from .diagnosis import Diagnosis
from .errors import Errors, words
from .supervisor import Supervisor

VERSION = "0.1.0"

_WATCHDOG_MS = const(10_000)
# A prompt that nobody feeds the watchdog from ends so long after it began.
_PROMPT_MS = const(600_000)

_HEALTHY_MS = const(60_000)
_HOUSEKEEPING_MS = const(250)
_HEAP_MS = const(10_000)
_REBOOT_MS = const(1000)
_LOADING = const(8 * 1024)
# The heap that an update needs, with what a role may want meanwhile; and what it is ordered with at
# a start that has no role because there was less.
_UPDATE_ROOM = const(24 * 1024)
LEAN = "/update.json"
KEPT = "/kept.json"

# What is needed once: when the device is composed, its code goes back to the heap.
_ONCE = (
    "build",
    "compose",
    "config",
    "download",
    "ident",
    "release",
    "rsa",
    "safe",
    "trials",
    "drivers.cable",
    "drivers.hub08",
    "drivers.hub12",
    "drivers.hub75",
)


def run(slot, start):
    """Returns when a technician asked for the prompt. `slot`: the folder of this application;
    `start`: what main.py says of this start, and is told of it (main.Start)."""
    try:
        device = Device(slot, start)
        device.load("compose").compose(device)
        device.forget()
        device.log("heap: %d bytes free" % gc.mem_free())
        # Loading is over (boot.py): from here on garbage is short-lived.
        gc.threshold(gc.mem_free() // 4)
        asyncio.run(device.supervisor.run())
    except Exception as error:
        hal.note(words(error))  # main.py resets the chip
        raise
    device.leave()


class Device:
    """Everything between the chip and the hall, and the context (`ctx`) that a role is given."""

    def __init__(self, slot, start):
        self._slot = slot
        self.start = start
        self._confirmed = False
        state = "trial" if start.trial else "idle"
        self.update = {"v": VERSION, "slot": start.slot, "s": state, "p": 0}
        self._reboot_at = None
        self._before_reset = lambda: None
        self._kick = lambda: None  # until there is a link
        self._cause, note = hal.boot_cause()
        kept = hal.rtc_errors if self._cause != "deep_sleep" else b""  # a wake has them still
        self._errors = Errors(hal.uptime_ms, self.log, hal.keep_errors, kept)
        self.report = self._errors.report
        watchdog = hal.watchdog(_WATCHDOG_MS)
        self.supervisor = Supervisor(watchdog, hal.uptime_ms, self.report, self._reset)
        self._clock = Clock(hal.uptime_ms)
        self.unix_ms = self._clock.unix_ms
        self._terminal = hal.Terminal()
        self._parts = {}
        shown = Diagnosis(
            hal,
            self._parts,
            VERSION,
            slot,
            (self._cause, note),
            self._errors,
            self._clock,
            self._command,
            self.supervisor.stop,
        )
        self._watch_heap = shown.watch_heap
        self._console = Console(self._terminal, shown, hal.uptime_ms, self.checks_in("console"))
        self.log("start: version %s, cause %s %s" % (VERSION, self._cause, note or ""))
        if note:
            self.report("last reset: " + note)

    def records(self, config, journal, learnt, asked):
        """It has a memory: from now on events are kept. `asked`: what LEAN says, or nothing."""
        self._config, self._journal, self.kept, self._asked = config, journal, learnt, asked
        self._before_reset = journal.flush_ack

    def plays(self, role):
        """It has its role, or one that stands in for it."""
        self._parts["role"] = self._role = role

    def talks(self, link):
        """It has a way to the gateway."""
        self._parts["link"] = self._link = link

    def leave(self):
        """Hands over to the prompt, for so long; then the watchdog brings the device back."""
        try:
            self._before_reset()
        except OSError as error:
            self.log("error: " + str(error))
        hal.watchdog(_PROMPT_MS)
        self._terminal.interruptible(True)
        self.log("prompt: machine.reset() starts the device again")

    # The role's context

    def emit(self, kind, data):
        """Journals an event now; one that cannot be journalled is reported, never raised."""
        try:
            self._journal.append(kind, data)
        except (ValueError, OSError, MemoryError) as error:
            self.report("%s lost: %s" % (kind, words(error)))
        self._kick()

    def keep(self):
        """Writes `kept`, a dict of what a role has learnt here. OSError: the flash is full."""
        kept.save(KEPT, self.kept)

    def link_down_ms(self):
        """0 while the gateway answers, else ms since it last did; above any ttl if it never has."""
        return self._link.down_ms(hal.uptime_ms())

    def desire(self, desired):
        """The role is to show this. ValueError: it makes no sense."""
        self._role.desire(desired, hal.uptime_ms())

    def checks_in(self, name):
        """What the task of that name is given to say that it makes progress."""
        return lambda: self.supervisor.check_in(name)

    def log(self, text):
        """One line of the serial log."""
        print("[%d] %s" % (hal.uptime_ms(), text))

    def about(self):
        """What the reported state says of the start."""
        return {
            "fw": VERSION,
            "profile": self._config["profile"],
            "cause": self._cause,
            "update": self.update,
        }

    def reboots_soon(self):
        """Whether a reboot was asked for; safe mode's own, in hours, is none."""
        return self._reboot_at is not None and self._reboot_at - hal.uptime_ms() <= _REBOOT_MS

    # Parts

    def _reset(self, why):
        self.log("reset: " + why)
        try:
            self._before_reset()
        except OSError as error:
            self.log("error: " + str(error))
        hal.reset(why)

    def _command(self, do, args):
        if do == "identify":
            self._role.identify(hal.uptime_ms())
            return {}
        if do == "selftest":
            checks = self._role.selftest()
            checks["journal"] = self._journal.torn == 0
            return checks
        if do == "reboot":
            self._reboot_at = hal.uptime_ms() + _REBOOT_MS
            return {"in_ms": _REBOOT_MS}
        if do == "login":
            reader = getattr(self._role, "reader", None)
            if not reader:
                raise ValueError("login: this device has no reader")
            reader.answer(args.get("ok") is True, hal.uptime_ms())
            return {}
        if do == "update":
            gc.collect()
            if args.get("release") and gc.mem_free() < _UPDATE_ROOM and not self._asked:
                # The role and an update are too much together: a start without the role is next.
                kept.save(LEAN, args)
                self._reboot_at = hal.uptime_ms() + _REBOOT_MS
                return {"state": self.update}
            return self.load("update").take(self, args)
        # What is left of downlink.COMMANDS: config.
        if args:
            configure = getattr(self._role, "configure", None)
            if not configure:
                raise ValueError("config can only be read here, without args")
            return configure(args)
        names = ("profile", "profile_version", "role", "settings")
        return {name: self._config.get(name) for name in names}

    def load(self, name):
        """A module that is to be forgotten, in one piece of the heap as far as there is one."""
        gc.collect()
        usual = gc.threshold()
        gc.threshold(_LOADING)
        try:
            return getattr(__import__("hall." + name), name)
        except MemoryError:
            self.forget((name,))  # half of it is worse than nothing
            raise
        finally:
            gc.threshold(usual)
            gc.collect()

    def forget(self, parts=()):
        """What was needed once goes back to the heap."""
        for name in _ONCE + parts:
            package, _, name = ("hall." + name).rpartition(".")
            if sys.modules.pop(package + "." + name, None):
                delattr(sys.modules[package], name)
        gc.collect()

    # Tasks

    async def _run_role(self):
        role = self._role
        # In ticks: after 12 days each calculation with the uptime takes heap.
        due = time.ticks_ms()
        while True:
            role.step(hal.uptime_ms())
            self.supervisor.check_in("role")
            now = time.ticks_ms()
            due = time.ticks_add(due, role.PERIOD_MS)
            if time.ticks_diff(due, now) < 0:
                due = now  # a step that came late is not made up for
            await asyncio.sleep_ms(time.ticks_diff(due, now))

    def _reboot_when_asked(self):
        if self._reboot_at is not None and hal.uptime_ms() >= self._reboot_at:
            if self.start.slot == "safe":
                from . import trials

                trials.again(self.start)
            self._reset("command")

    async def _keep_house(self):
        heap_at = 0
        while True:
            self.supervisor.check_in("house")
            now = hal.uptime_ms()
            self._reboot_when_asked()
            if now >= heap_at:
                self._watch_heap()  # walks through all of it: not each time
                heap_at = now + _HEAP_MS
            if now > _HEALTHY_MS or self.link_down_ms() == 0:
                self._confirm_start()
            if self._role.quiet():
                self._journal.prepare()  # may stop the chip for longer than a press lasts
            await asyncio.sleep_ms(_HOUSEKEEPING_MS)

    def _confirm_start(self):
        """This start counts as healthy; one on trial once the gateway has answered it, and a minute
        has passed without a failure."""
        if self._confirmed:
            return
        if self.start.trial:
            well = hal.uptime_ms() - self.supervisor.failed_at > _HEALTHY_MS
            if not well or self.link_down_ms() > 0:
                return
        self._confirmed = True
        from . import trials

        trials.settle(self)
        self.forget()
