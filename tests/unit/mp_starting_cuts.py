"""boot.py, main.py and choose.py, start after start (support/slot_chip.py), with power cuts.

Arguments: the folder of the three, and a seed. Prints what it counted as JSON.
"""

import json
import random
import sys

from hall import trials
from nor_flash import PowerCut
from slot_chip import (
    Chip,
    Machine,
    counts,
    crashes,
    hangs,
    is_cut_off,
    is_stuck,
    put,
    sleeps,
    tries_again,
    updates,
    waits,
    works,
)

MODES = (0, 1, 2, 3)  # of nor_flash; LittleFS promises nothing about bits that waver
CHIPS, STARTS = 5, 200


def every_cut_leaves_the_state_as_before_or_as_after():
    def nothing(it):
        pass

    def on_trial_for_the_last_time(it):
        it.does["a"] = updates("b", crashes)
        it.starts(4)

    def in_safe_mode(it):
        it.does["a"] = crashes
        it.starts(10)

    def with_something_to_tell(it):
        on_trial_for_the_last_time(it)
        it.does["a"] = crashes
        it.start()

    def tells(start):
        trials.confirm(start)
        trials.told(start)

    for before, slot, does in (
        (nothing, "a", works),
        (nothing, "a", crashes),
        (nothing, "a", updates("b")),
        (on_trial_for_the_last_time, "a", works),
        (in_safe_mode, "safe", tries_again),
        (in_safe_mode, "safe", updates("b")),
        (with_something_to_tell, "a", tells),
        (lambda it: on_trial_into(it, works), "b", works),
        (lambda it: on_trial_into(it, waits), "b", waits),
        (lambda it: on_trial_into(it, crashes), "b", crashes),
    ):
        it = Chip("a", "safe")
        before(it)
        it.does[slot] = does
        forks = []  # of each operation, one for each mode

        def fork(kind, offset, data, it=it, forks=forks):
            forks.append([it.flash.fork(kind, offset, data, mode) for mode in MODES])

        it.flash.before_operation = fork
        it.start()
        it.flash.before_operation = None
        states = [Chip(flash=each[0]).state() for each in forks] + [it.state()]
        assert states[0] != states[-1], (slot, does)
        for number, each in enumerate(forks):
            for flash in each:
                counts["cuts"] += 1
                after = Chip(flash=flash)
                state = after.state()
                assert state in states[number : number + 2], (number, state, states)
                assert after.start() is not None, state


def on_trial_into(it, then):
    it.does["a"] = updates("b", then)
    it.start()


GOOD = (works, works, sleeps)
BAD = (crashes, hangs, is_stuck, is_cut_off)


class Truth:
    """What has to hold over all starts of one chip, whatever happens."""

    def __init__(self):
        self.it = Chip("a", "safe")
        self.counter = 0
        self.tries = 0  # starts on the present trial
        self.unfit = set()  # slots that were never in service
        self.releases = 0
        self.good = True  # whether a slot may work at present

    def start(self, cut):
        """One start, in which any application does anything; the power may fail at any write."""
        it = self.it
        for slot in it.does:
            it.does[slot] = self.anything
        if cut:
            it.flash.cut_after, it.flash.mode = random.randrange(60), random.choice(MODES)
        try:
            ran = it.start()
            assert ran is not None
        except PowerCut:
            counts["cuts"] += 1
            it.cause, it.memory = Machine.PWRON_RESET, b""
            # The one that is dead stays so: files that were open on it are closed some time.
            it.flash = it.flash.fork("erase", 0, None, 0)
        it.flash.cut_after = None
        state = it.state()
        assert state is None or type(state) is dict
        counter = (state or {}).get("counter", 0)
        assert counter >= self.counter, (counter, self.counter)
        self.counter = counter

    def anything(self, start):
        if start.trial:
            self.tries += self.it.cause != Machine.DEEPSLEEP_RESET
            assert self.tries <= 3, self.tries
        else:
            assert start.slot not in self.unfit, (start.slot, self.unfit)
        gone = trials.reverted(start)
        if gone:
            counts["reverted"] += 1
            trials.told(start)
        if start.slot == "safe":
            counts["safe"] += 1
        does = random.choice(GOOD + BAD if self.good or start.slot == "safe" else BAD)
        if start.trial and random.randrange(4) == 0:
            does = waits
        elif start.slot == "safe" and random.randrange(3) == 0:
            counts["again"] += 1
            does = tries_again
        elif not start.trial and self.good and random.randrange(4) == 0:
            does = self.update
        if start.trial and does is works:
            counts["confirmed"] += 1
            self.unfit.discard(start.slot)
        self.it.memory = b""
        does(start)

    def update(self, start):
        trials.confirm(start)
        slot = trials.free(start)
        assert slot != start.slot
        self.unfit.add(slot)
        put(slot)
        self.releases += 1
        self.tries = 0
        trials.try_slot(start, slot, "0.0.%d" % self.releases, self.releases)
        Machine().reset()

    def ends_well(self):
        """From here on, whatever it was: it comes to safe mode when all else fails, and from there
        to whatever works, without an end in between."""
        it = Chip(flash=self.it.flash.fork("erase", 0, None, 0))
        it.cause = Machine.HARD_RESET
        it.does = {"a": crashes, "b": hangs, "safe": works}
        ran = it.starts(24)
        assert ran.endswith("ssss"), ran
        it.does = {"a": works, "b": works, "safe": tries_again}
        ran = it.starts(4)
        assert ran[-2:] in ("aa", "bb"), ran
        assert "attempts" not in it.state()


def whatever_happens_a_whole_slot_or_safe_mode_starts():
    for _ in range(CHIPS):
        truth = Truth()
        for number in range(STARTS):
            truth.start(cut=number % 2)
            if number % 20 == 19:
                truth.ends_well()
                truth.good = random.choice((True, False))


random.seed(int(sys.argv[2]))
every_cut_leaves_the_state_as_before_or_as_after()
whatever_happens_a_whole_slot_or_safe_mode_starts()
print(json.dumps(counts))
