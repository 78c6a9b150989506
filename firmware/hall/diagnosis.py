"""What the serial console shows and does: the device, as a technician asks for it.

Here: every field, and the commands on the parts. Not here: lines and permission (console.py), and
what a part does. Everything is given as small objects, piece by piece: a whole report in one would
need more heap than a device in trouble has left.
"""

import gc
import json
import os
import sys
from binascii import crc32

from micropython import const

_EVENTS = const(8)  # of the journal, in one answer
# Of health, in the order in which they are told.
PARTS = ("start", "heap", "wifi", "link", "journal", "files", "role", "last")
JOURNAL = (("boot", "depth", "oldest", "next", "acked"), ("epoch", "dropped", "lost", "torn"))


class Diagnosis:
    """`hal`: the module. `version`: of the application; `slot` its folder; `cause` and `note`: of
    the last start. `command(do, args)`: a command of down/cmd. `leave()`: to the prompt.

    `parts`: dict of config, journal, role, link and wifi, as far as they have been composed: the
    device that cannot work is the one that is asked most.
    """

    def __init__(self, hal, parts, version, slot, cause, errors, clock, command, leave):
        self._hal = hal
        self._part = parts.get
        self._version = version
        self._slot = slot
        self._cause = cause
        self._errors = errors
        self._clock = clock
        self._command = command
        self._leave = leave
        self._least = gc.mem_free()

    def who(self, session):
        """`session`: what the console says of itself."""
        config = self._part("config") or {}
        yield {name: config.get(name) for name in ("device", "profile", "role", "chip")}
        core = ".".join([str(part) for part in sys.implementation.version[:3]])
        yield {"fw": self._version, "core": core, "slot": self._slot}
        yield session

    def health(self, console):
        """Everything that anybody with a cable may see: no secret is in it. A part that cannot be
        told says why in "failed"; the others are told all the same."""
        self.watch_heap()
        yield {"console": console}
        for name in PARTS:
            try:
                yield from getattr(self, "_" + name)(self._part(name))
            except Exception as error:
                yield {"failed": {name: "%s: %s" % (type(error).__name__, error)}}

    def watch_heap(self):
        """To be called now and then: the least free heap that it sees is told."""
        self._least = min(self._least, gc.mem_free())

    def _start(self, _):
        now = self._hal.uptime_ms()
        yield {"up_s": now // 1000, "unix_ms": self._clock.unix_ms()}
        cause, note = self._cause
        attempts, trial = _attempts()
        yield {"start": {"cause": cause, "note": note, "attempts": attempts, "trial": trial}}

    def _heap(self, _):
        heap = {"free": gc.mem_free(), "least": self._least, "taken": gc.mem_alloc()}
        heap["system"] = self._hal.idf_heap()
        yield {"heap": heap}

    def _wifi(self, wifi):
        if wifi:
            yield {"wifi": wifi.state()}

    def _link(self, link):
        if link:
            yield {"link": {"down_ms": link.down_ms(self._hal.uptime_ms()), "rev": link.rev}}
            for name, count in sorted(link.stats.items()):
                if count:
                    yield {"link": {name: count}}

    def _journal(self, journal):
        if journal:
            for names in JOURNAL:
                yield {"journal": {name: getattr(journal, name) for name in names}}

    def _files(self, _):
        files = os.statvfs("/")
        yield {"files": {"free": files[0] * files[3], "of": files[0] * files[2]}}
        with open("/config.json", "rb") as file:
            yield {"config_crc": "%08x" % crc32(file.read())}

    def _role(self, role):
        if role:
            yield {"shows": role.state()}

    def _last(self, _):
        for name, errors in (("errors", self._errors.last), ("before", self._errors.before)):
            for at_s, times, text in errors:
                yield {name: [{"at_s": at_s, "times": times, "text": text}]}

    def do(self, command, args):
        """The pieces of a guarded command's result. ValueError: it is refused, and why."""
        if command == "events":
            return self._events(args)
        if command == "config":
            return (self._command(command, args),) if args else self._config()
        if command == "repl":
            self._leave()
            return ()
        do = {"selftest": "selftest", "reboot": "reboot", "display": "identify"}.get(command)
        if not do:
            raise ValueError("unknown command")
        if do != "reboot" and not self._part("role"):
            raise ValueError("this device has stopped, see errors in health")
        return (self._command(do, {}),)

    def sample(self):
        """One reading of the sensor, raw and as the role takes it. ValueError: there is none."""
        sense = getattr(self._part("role"), "sense", None)
        if sense is None:
            raise ValueError("this device has no sensor")
        sample = sense()
        sample["up_ms"] = self._hal.uptime_ms()
        return sample

    def _events(self, args):
        after = args.get("after")
        if type(after) is not int or after < 0:
            raise ValueError("after must be a seq")
        journal = self._part("journal")
        if not journal:
            raise ValueError("this device has no journal")
        for _ in range(_EVENTS):
            found = journal.peek(after, 1)
            if not found:
                return
            after = found[0]["seq"]
            yield found[0]

    def _config(self):
        config = self._part("config")
        if not config:
            raise ValueError("this device has no config")
        for name, value in config.items():
            if type(value) is dict:
                for field in value:
                    yield {name: {field: value[field]}}
            else:
                yield {name: value}


def _attempts():
    """Starts since the last healthy one, and how many more a slot on trial has, or None; as
    choose.py counts them."""
    try:
        with open("/slot.json") as file:
            state = json.load(file)
        trial = state.get("trial")
        return state.get("attempts", 0), trial and trial[3]
    except (OSError, ValueError, AttributeError):
        return None, None
