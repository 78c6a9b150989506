"""A chip that starts boot.py, main.py and choose.py as they are, on a flash with LittleFS; all else
is faked. It runs in MicroPython; argv[1] is the folder of the three.

Here: the chip, and what an application on it may do. Not here: what is to hold of its starts. To be
imported last: from then on the device's flash is all there is.
"""

import json
import os
import random
import sys

import vfs
from hall import trials
from nor_flash import NorFlash

BLOCKS, SIZE = 20, 1024  # a file of 128 bytes lies in its directory, as with blocks of 4096
counts = {"starts": 0, "cuts": 0, "confirmed": 0, "reverted": 0, "safe": 0, "again": 0}


def source(name):
    with open(sys.argv[1] + "/" + name) as file:
        return compile(file.read(), name, "exec")


BOOT, MAIN = source("boot.py"), source("main.py")
CHOOSE = source("choose.py")
sys.path[:] = [""]
vfs.umount("/")


class Reset(BaseException):
    """The chip resets: nothing runs any further."""


class Nothing:
    """A package that cannot be imported from."""


class Timer:
    ONE_SHOT = 0

    def __init__(self, number):
        assert number == 0

    def init(self, *, mode, period, callback):
        assert (mode, period) == (Timer.ONE_SHOT, 30 * 60 * 1000)
        chip.late = callback

    def deinit(self):
        chip.late = None


class Machine:
    """`machine`, and with it all else that boot.py and main.py import of the port."""

    PWRON_RESET, HARD_RESET, WDT_RESET, DEEPSLEEP_RESET, SOFT_RESET = 1, 2, 3, 4, 5
    Timer = Timer

    def reset(self):
        chip.cause = Machine.HARD_RESET
        raise Reset

    def reset_cause(self):
        return chip.cause

    def RTC(self):  # noqa: N802
        return self

    def memory(self):
        return chip.memory

    def WDT(self, timeout):  # noqa: N802
        chip.bench.append(timeout)

    def const(self, value):
        return value

    def kbd_intr(self, char):
        chip.bench.append(char)

    def sleep(self, seconds):
        chip.waited += seconds

    def threshold(self, size):
        pass

    def print_exception(self, error):
        chip.said.append(error)


class Disk:
    """A flash with what LittleFS asks of a block device beside the rest."""

    def __init__(self, flash):
        self.flash = flash
        self.readblocks, self.writeblocks = flash.readblocks, flash.writeblocks

    def ioctl(self, op, arg):
        return 0 if op in (1, 2, 3) else self.flash.ioctl(op, arg)


class Chip:
    """A board with the folders of `slots`; `does` maps a folder to what its application does."""

    app = None

    def __init__(self, *slots, flash=None):
        self.flash = flash or NorFlash(BLOCKS, SIZE, random)
        self.cause = Machine.PWRON_RESET
        self.memory = b""
        self.does = {"a": works, "b": works, "safe": works}
        self.path = []
        self.ran = []
        self.said = []  # exceptions that main.py showed
        self.bench = []  # what was done for whoever sits at the prompt
        self.late = None  # what the timer calls
        self.waited = 0
        if not flash:
            vfs.VfsLfs2.mkfs(Disk(self.flash))
            self.files(lambda: [os.mkdir("/" + name) for name in slots])

    def files(self, do):
        """What do() returns, which works on the flash's files."""
        vfs.mount(Disk(self.flash), "/")
        try:
            return do()
        finally:
            vfs.umount("/")

    def write(self, path, content):
        def do():
            with open(path, "w") as file:
                file.write(content)

        self.files(do)

    def state(self):
        """/slot.json; None without one."""

        def do():
            try:
                with open("/slot.json") as file:
                    return json.load(file)
            except OSError:
                return None

        return self.files(do)

    def start(self):
        """One start, and what the folder that ran did; that folder, or None. A cut goes through."""
        global chip
        chip = self
        counts["starts"] += 1
        self.late = self.running = self.wrong = None
        self.waited = 0
        self.path = []
        machine = Machine()
        machine.path, machine.modules = self.path, sys.modules
        names = dict.fromkeys(("machine", "micropython", "time", "gc", "sys"), machine)
        names["hall"], names["choose"] = Nothing(), Nothing()
        names["hall"].app = self
        choose = names["choose"]
        for name in names:
            names[name], sys.modules[name] = sys.modules.get(name), names[name]
        scope = {"__name__": "choose"}
        exec(CHOOSE, scope)
        choose.begin = scope["begin"]
        try:
            self.files(self._scripts)
        except Reset:
            pass
        finally:
            for name in names:
                sys.modules.pop(name, None)
                if names[name]:
                    sys.modules[name] = names[name]
        if self.wrong:
            raise self.wrong
        return self.running

    def _scripts(self):
        for code in (BOOT, MAIN):
            exec(code, {"__name__": "__main__"})

    def run(self, folder, start):
        """app.run(). An assertion that fails in it is no crash of the application's."""
        try:
            self._run(folder, start)
        except AssertionError as error:
            self.wrong = error
            raise

    def _run(self, folder, start):
        assert "choose" not in sys.modules  # its code is no part of what stays
        assert folder == "/" + start.slot == self.path[0], (folder, start.slot, self.path)
        assert start.slot in os.listdir("/"), start.slot
        self.running = start.slot
        self.trial = start.trial
        self.ran.append(start.slot)
        self.does[start.slot](start)

    def starts(self, number):
        """What ran at so many starts, a letter each."""
        return "".join([(self.start() or "-")[0] for _ in range(number)])


# What an application may do


def works(start):
    trials.confirm(start)


def crashes(start):
    raise RuntimeError("no such thing")


def hangs(start):
    chip.cause = Machine.WDT_RESET
    raise Reset


def is_stuck(start):
    """The supervisor has seen it, and said so."""
    note = b"role: no progress in 5001 ms"
    chip.memory = b"HK" + bytes([len(note)]) + note + b"whatever the application keeps"
    Machine().reset()


def is_cut_off(start):
    """The supply goes before it was confirmed."""
    chip.cause = Machine.PWRON_RESET
    chip.memory = b""
    raise Reset


def waits(start):
    """For a gateway that never answers: the half hour goes by."""
    chip.late(None)
    raise AssertionError("it was not reset")


def sleeps(start):
    chip.cause = Machine.DEEPSLEEP_RESET
    raise Reset


def tries_again(start):
    """What safe mode does when its hours are over."""
    trials.confirm(start)
    trials.again(start)
    Machine().reset()


def interrupted(start):
    raise KeyboardInterrupt


def put(slot):
    """Another version in the place of that slot, as an update puts it there."""
    there = os.listdir("/")
    if "old" in there:
        os.rmdir("/old")
    if "new" not in there:
        os.mkdir("/new")
    if slot in there:
        os.rename("/" + slot, "/old")
        os.rmdir("/old")
    os.rename("/new", "/" + slot)


def updates(slot, then=crashes):
    """Puts another version into the free slot, which is `slot`, and starts it on trial."""

    def do(start):
        trials.confirm(start)
        assert trials.free(start) == slot, slot
        put(slot)
        trials.try_slot(start, slot, "0.2.0", 7)
        chip.does[slot] = then
        chip.memory = b""
        Machine().reset()

    return do


def on_trial(then, own=works):
    """A chip whose slot b is on trial from the next start on."""
    made = Chip("a", "safe")
    made.does["a"] = updates("b", then)
    made.start()
    made.does["a"] = own
    return made
