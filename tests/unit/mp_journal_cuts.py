"""Cuts the power at every flash operation of a workload, in every mode, and again while recovering.

Before each operation the flash is forked, the fork suffers the cut, and a fresh Journal is mounted
on it and held against the truth; the original goes on. Prints one JSON object. Argument: the seed.
"""

import json
import random
import sys

from hall.journal import Journal, UnformattedError
from journal_truth import Truth
from nor_flash import MODES, NorFlash

# 7 records a sector, 14 to 21 events in the ring: every roll-over is a few appends away.
BLOCKS = 4
SIZE = 512
EPOCH = 0xC0FFEE01

DOINGS = ("format", "append", "roll_over", "ack", "flush", "reserve", "mount", "second")
cuts = dict.fromkeys(DOINGS, 0)


class Clock:
    def __init__(self):
        self.up = 0

    def __call__(self):
        self.up += 7
        return self.up


class World:
    """One flash, its journal, and the truth; `depth` is how many cuts may follow one another."""

    def __init__(self, flash, truth, depth):
        self.flash = flash
        self.truth = truth
        self.depth = depth
        self.doing = "mount"
        flash.before_operation = self.cut if depth else None

    def cut(self, kind, offset, data):
        if self.depth == 1:
            cuts["second"] += 1
            self.fork(kind, offset, data, MODES[cuts["second"] % len(MODES)], 0)
            return
        doing = self.doing
        if doing != "mount" and (kind == "erase" or offset % SIZE == 0):
            doing = "roll_over"  # a sector is erased, or gets its header
        for mode in MODES:
            cuts[doing] += 1
            # Every third recovery is cut too, in each mode in turn: all would take minutes.
            turn = (sum(cuts.values()) - cuts["second"]) % 3
            self.fork(kind, offset, data, mode, 1 if turn == 0 else 0)

    def fork(self, kind, offset, data, mode, depth):
        flash = self.flash.fork(kind, offset, data, mode)
        World(flash, self.truth.copy(), depth).recover()

    def mount(self):
        self.doing = "mount"
        self.flash.power_on()
        self.journal = Journal(self.flash, lambda: self.truth.next * 1000, lambda: None)
        self.truth.check(self.journal)

    def append(self, count=1):
        self.doing = "append"
        for _ in range(count):
            data = {"key": random.getrandbits(3), "session": random.getrandbits(29)}
            self.truth.append(self.journal, "press", data, self.truth.next * 1000, None)

    def ack(self, seq):
        self.doing = "ack"
        self.truth.ack(self.journal, seq)

    def flush(self):
        self.doing = "flush"
        self.truth.flush_ack(self.journal)

    def reserve(self):
        self.doing = "reserve"
        self.truth.reserve(self.journal, 64)

    def prepare(self):
        self.doing = "roll_over"
        self.journal.prepare()

    def recover(self):
        """What a device does after a cut: mounts, journals its boot, sends, hears acks, goes on."""
        self.mount()
        self.append()
        if self.depth:
            self.ack(self.truth.oldest + 2)
            self.prepare()
            self.reserve()
            self.append(3)
            self.flush()
        self.mount()


def workload(world):
    world.mount()
    world.append(5)
    world.reserve()
    world.mount()
    world.append(50)  # overflows unacked, and the record of what is reserved with them
    world.prepare()
    world.mount()
    for _ in range(25):  # a link at work: acks come a little behind
        world.append(3)
        world.ack(world.truth.next - 3)
        world.prepare()
        world.reserve()
    world.flush()
    world.mount()
    world.append(2)
    world.ack(world.truth.next - 1)
    for _ in range(30):  # every event acked and recorded, through roll-overs
        world.append()
        world.ack(world.truth.next - 1)
        world.flush()
    for _ in range(8):  # a device that restarts all the time
        world.mount()
        world.reserve()
        world.append(2)
    world.append(45)
    world.ack(world.truth.next - 2)  # far enough to be recorded at once
    world.mount()
    world.append(9)


def format_cuts(flash, old):
    """Cut a format at every operation: the old journal, none if there was none, or the new one."""

    def cut(kind, offset, data):
        for mode in MODES:
            cuts["format"] += 1
            fork = flash.fork(kind, offset, data, mode)
            try:
                journal = Journal(fork, lambda: 0)
            except UnformattedError:
                assert old is None, "the format left neither the old nor the new"
                Journal.format(fork, EPOCH)
                journal = Journal(fork, lambda: 0)
            if old and journal.epoch == old.epoch:
                old.copy().check(journal)
            else:
                Truth(EPOCH).check(journal)

    flash.before_operation = cut
    Journal.format(flash, EPOCH)
    flash.before_operation = None
    Truth(EPOCH).check(Journal(flash, lambda: 0))


random.seed(int(sys.argv[1]))
flash = NorFlash(BLOCKS, SIZE, random)
format_cuts(flash, None)

flash = NorFlash(BLOCKS, SIZE, random)
Journal.format(flash, EPOCH - 1)
world = World(flash, Truth(EPOCH - 1), 2)
workload(world)
cuts["operations"] = flash.operations
flash.before_operation = None
world.mount()
world.append(3)
format_cuts(flash, world.truth)

print(json.dumps(cuts))
