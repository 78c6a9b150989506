"""The real application on the simulated board, a part at a time: argv[1] is what to do.

Prints what is to be checked; an assertion that fails ends it.
"""

import asyncio
import sys

import board

board.current = board.Board(sys.argv[1], sys.argv[2])

from hall import app  # noqa: E402


class Journal:
    """Finds no memory for an event; counts how often it was asked to prepare."""

    prepared = 0

    def append(self, kind, data):
        raise MemoryError("allocating 64 bytes")

    def prepare(self):
        self.prepared += 1


class Link:
    def down_ms(self, now):
        return 0


class Role:
    is_quiet = False

    def quiet(self):
        return self.is_quiet


class Start:
    slot = "a"
    trial = False
    state = {"turn": 0, "attempts": 0}


class Timer:
    stopped = False

    def deinit(self):
        self.stopped = True


def device():
    device = app.Device("/a", Start())
    device._journal = Journal()
    device._link = Link()
    device._role = Role()
    return device


def an_event_without_memory_is_reported_and_the_role_goes_on():
    it = device()
    it.emit("press", {"key": 1})
    assert it._errors.last[-1][2] == "press lost: MemoryError: allocating 64 bytes"


def an_error_is_no_progress_of_the_link():
    it = device()
    it.report("the role failed")
    assert "link" not in it.supervisor._seen


def nothing_is_erased_while_somebody_is_at_the_device():
    it = device()
    turns = []

    async def turn(ms):
        turns.append(it._journal.prepared)
        it._role.is_quiet = len(turns) == 3
        if len(turns) == 5:
            raise asyncio.CancelledError

    app.asyncio.sleep_ms = turn
    try:
        asyncio.run(it._keep_house())
    except asyncio.CancelledError:
        pass
    assert turns == [0, 0, 0, 1, 1], turns


def what_ends_the_application_is_recorded_before_the_reset():
    def ends(slot, start):
        raise MemoryError("allocating 9 bytes")

    app.Device, kept = ends, app.Device
    try:
        app.run("/a", Start())
        raise AssertionError("it went on")
    except MemoryError:
        pass  # main.py resets the chip
    finally:
        app.Device = kept
    assert b"MemoryError: allocating 9 bytes" in board.current.power.memory()


def a_trial_needs_an_answer_and_a_minute_without_a_failure():
    it = device()
    it.start.trial = True
    it.start.state = {"trial": ["b", "0.2.0", 7, 2], "slot": "a", "turn": 0, "counter": 0}
    it.start.timer = Timer()
    it.start.save = lambda: True
    now = [59_000]
    app.hal.uptime_ms, uptime = lambda: now[0], app.hal.uptime_ms
    answered = [1]
    it._link.down_ms = lambda now: answered[0]
    try:
        it._confirm_start()
        now[0] = 61_000
        it._confirm_start()  # the gateway has never answered
        answered[0] = 0
        it.supervisor.failed_at = 30_000
        it._confirm_start()
        assert not it._confirmed
        now[0] = 91_000
        it._confirm_start()
    finally:
        app.hal.uptime_ms = uptime
    assert it._confirmed
    assert (it.start.state["slot"], it.start.state["counter"]) == ("b", 7)
    assert it.start.timer.stopped


for case in (
    what_ends_the_application_is_recorded_before_the_reset,
    a_trial_needs_an_answer_and_a_minute_without_a_failure,
    an_event_without_memory_is_reported_and_the_role_goes_on,
    an_error_is_no_progress_of_the_link,
    nothing_is_erased_while_somebody_is_at_the_device,
):
    case()
    print("ok", case.__name__)
