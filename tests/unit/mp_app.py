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


for case in (
    an_event_without_memory_is_reported_and_the_role_goes_on,
    an_error_is_no_progress_of_the_link,
    nothing_is_erased_while_somebody_is_at_the_device,
):
    case()
    print("ok", case.__name__)
