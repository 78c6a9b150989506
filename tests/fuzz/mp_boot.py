"""/slot.json and /config.json as boot.py, main.py and choose.py read them, start after start.

Runs in MicroPython and in CPython. Given bytes, says whether they were taken, and raises what is
wrong with a reader: anything that it does not say it raises, or an assertion. Not here: the
flash and its cuts, and main.py's last lines (tests/unit/mp_starting*.py).
"""

import io
import json
import sys

import choose
from hall import release, safe, trials

STATE = "/slot.json"
FOLDERS = (("a", "b", "safe"), ("b", "safe"))
STARTS = 20  # in which each that is there has had its turn: 3 of a trial, 5 of each folder
_POWER_ON, _WATCHDOG, _DEEP_SLEEP = 1, 3, 4


class ResetError(Exception):
    """machine.reset()"""


class Chip:
    """What the scripts use of machine, os, micropython and time; `files` are on its flash."""

    PWRON_RESET, WDT_RESET, DEEPSLEEP_RESET = _POWER_ON, _WATCHDOG, _DEEP_SLEEP

    def __init__(self):
        self.files = {}
        self.there = ()
        self.cause = _POWER_ON
        self.waited = 0

    def open(self, path, mode="r"):
        if mode == "w":
            return _Written(self, path)
        if path not in self.files:
            raise OSError(2)
        return io.StringIO(str(self.files[path], "utf-8"))

    def listdir(self, _path):
        return list(self.there)

    def rename(self, old, new):
        self.files[new] = self.files.pop(old)

    def reset_cause(self):
        return self.cause

    def reset(self):
        raise ResetError

    def RTC(self):  # noqa: N802
        return self

    def memory(self):
        return b""

    def kbd_intr(self, char):
        assert char == -1

    def sleep(self, seconds):
        self.waited = seconds

    class Timer:
        ONE_SHOT = 0

        def __init__(self, number):
            pass

        def init(self, mode, period, callback):
            pass

        def deinit(self):
            pass


class _Written:
    """A file that is there as soon as it is closed."""

    def __init__(self, chip, path):
        self._chip = chip
        self._path = path
        self._content = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._chip.files[self._path] = self._content

    def write(self, text):
        self._content += text.encode()


class Device:
    """What trials.py uses of app.Device."""

    def __init__(self, start):
        self.start = start
        self.update = {"s": "idle", "v": "0.1.0"}
        self.events = []

    def emit(self, kind, data):
        self.events.append(json.dumps(data))

    def log(self, text):
        pass


chip = Chip()
scope = {}


def set_up(folder):
    """Takes boot.py and main.py out of `folder`, without what they do beside reading."""
    with open(folder + "/boot.py") as file:
        boot = file.read()
    with open(folder + "/main.py") as file:
        main = file.read()
    reads = boot[boot.index("try:") :]
    scope.update({"open": chip.open, "json": json, "os": chip, "machine": chip, "time": chip})
    scope.update({"micropython": chip, "sys": sys, "QUICK": 5, "LONGEST_S": 60})
    scope["print"] = lambda *_: None
    scope["boot"] = compile(reads, "boot.py", "exec")
    start = main[main.index("class Start") : main.index("\ntry:")]
    exec('STATE = "%s"\n%s' % (STATE, start), scope)
    choose.machine = choose.os = chip
    choose.open = chip.open


def _start():
    """One start, as far as the application."""
    chip.waited = 0
    exec(scope["boot"], scope)
    assert 0 <= chip.waited <= 60
    start = scope["Start"]()
    choose.begin(start, STATE)
    assert start.slot in chip.there, (start.slot, chip.there)
    json.dumps(start.state)
    return start


def slot(data):
    """/slot.json, and /config.json as far as boot.py reads it: whatever they say, each folder has
    its turn, and what works is confirmed."""
    taken = False
    for folders in FOLDERS:
        for cause in (_POWER_ON, _WATCHDOG, _DEEP_SLEEP):
            chip.files = {STATE: data, "/config.json": data}
            chip.there, chip.cause = folders, cause
            start = _start()
            taken = taken or start.state["slot"] == "b"
            _goes_well(start)
        chip.files = {STATE: data}
        _goes_wrong(folders)
    return taken


def _goes_wrong(folders):
    """Everything fails, for ever."""
    chip.cause = _POWER_ON
    ran, known = [], ()
    for _ in range(STARTS):
        start = _start()
        ran.append(start.slot)
        known = known or [start.state[name] for name in ("slot", "spare")]
        if start.slot == "safe":
            assert 3_600_000 <= safe.wait_ms(start.state["rounds"]) <= 6 * 3_600_000
            trials.again(start)
    assert "safe" in ran, ran
    assert any(name in ran for name in known if name in folders) or not set(known) & set(folders)
    assert len(chip.files[STATE]) <= 160, chip.files[STATE]


def _goes_well(start):
    """The application works, and tells what was given up; then it tries another."""
    device = Device(start)
    if start.trial:
        try:
            start.late(None)
        except ResetError:
            start = device.start = _start()
    release.open = chip.open
    trials.settle(device)
    if start.state.get("reverted"):
        raise AssertionError("it was not told")
    name = trials.free(start)
    assert name in ("a", "b") and (name != start.slot or start.slot == "safe")
    trials.try_slot(start, name, "0.2.0", 9)
    json.loads(chip.files[STATE])
    chip.cause = _POWER_ON
    again = _start()
    assert again.trial == (name in chip.there)


TARGETS = {"device-slot": slot}
