"""`hall bench eye`: each of its promises can be broken, and is then told.

Frames of the firmware's own display are spoilt on their way from the player to the eye.
"""

import struct
from collections.abc import Callable
from typing import Any

import pytest
from hall_panel.firmware import Player
from hall_profiles import load
from hall_tools.bench.eye import faults, still_faults, timeline
from hall_tools.bench.timeline import MS, Stall, Timeline
from hall_tools.gallery import preview_config

P10, F375 = "call-display-p10-64x16", "call-display-f375-64x32"
PERIOD_MS = 10


def config(name: str) -> dict[str, Any]:
    return preview_config(load(name))


Entry = list[int]
Spoil = Callable[[list[Entry], "Wires"], None]
CLOCKS, REST = 0xFFFFFFFE, 0xFFFFFFFF


class Wires:
    """Entries of a log that do something to this panel."""

    def __init__(self, config: dict[str, Any]) -> None:
        pins, driver = config["pins"], config["driver"]
        hub08 = driver["name"] == "hub08"
        self.enable = enable = 1 << pins["en" if hub08 else "oe"]
        self.latch = 1 << pins["stb" if hub08 else "lat"]
        self.on = [0, enable] if driver["oe_active"] == "high" else [enable, 0]
        self.off = self.on[::-1]
        self.data = 1 << pins["r" if driver["name"] == "hub12" else "r1"]

    def rows(self, entries: list[Entry]) -> list[int]:
        """Where the light goes on."""
        return [at for at, entry in enumerate(entries) if entry == self.on]


def entries_of(log: bytes) -> list[Entry]:
    words = list(struct.unpack(f"<{len(log) // 4}I", log))[1:]
    entries: list[Entry] = []
    while words:
        size = 2 + words[1] if words[0] == CLOCKS else 2
        entries.append(words[:size])
        words = words[size:]
    return entries


def spoilt(name: str, spoil: Spoil) -> Timeline:
    """A display whose player does not play what the native one did."""
    shown = timeline(config(name))
    spoil_player(shown.display.player, spoil, Wires(config(name)))
    return shown


def spoil_player(player: Player, spoil: Spoil, wires: Wires) -> None:
    whole = player.frame

    def frame(program: bytearray, description: Any) -> None:
        whole(program, description)
        entries = entries_of(player.log)
        spoil(entries, wires)
        words = [word for entry in entries for word in entry]
        player.log = player.log[:4] + struct.pack(f"<{len(words)}I", *words)

    player.frame = frame


def as_it_is(entries: list[Entry], wires: Wires) -> None:
    pass


def light_stays_on_over_the_address(entries: list[Entry], wires: Wires) -> None:
    row = wires.rows(entries)[1]
    select = max(at for at in range(row) if entries[at] == wires.off) + 1
    entries[select - 1], entries[select] = entries[select], entries[select - 1]


def light_comes_before_the_latch_is_back(entries: list[Entry], wires: Wires) -> None:
    row = wires.rows(entries)[1]
    # select and latch, end of the latch pulse, dead time, light
    entries.insert(row - 2, entries.pop(row))


def light_comes_between_address_and_latch(entries: list[Entry], wires: Wires) -> None:
    select = wires.rows(entries)[1] - 3
    clear, set_ = entries[select]
    assert set_ & wires.latch
    address = [clear, set_ ^ wires.latch]
    entries[select : select + 1] = [address, wires.on, wires.off, [0, wires.latch]]


def data_moves_under_the_clock(entries: list[Entry], wires: Wires) -> None:
    first = next(at for at, entry in enumerate(entries) if entry[0] == CLOCKS)
    entries[first + 1 : first + 1] = [[wires.data, 0], [0, wires.data]]


def no_dead_time(entries: list[Entry], wires: Wires) -> None:
    del entries[wires.rows(entries)[1] - 1]


def longer(percent: int) -> Spoil:
    def row_longer(entries: list[Entry], wires: Wires) -> None:
        end = entries.index(wires.off, wires.rows(entries)[1])
        pairs = sum(entry[1] for entry in entries[wires.rows(entries)[1] + 1 : end])
        entries.insert(end, [REST, pairs * percent // 100])

    return row_longer


def held_up_in_a_row(entries: list[Entry], wires: Wires) -> None:
    entries.insert(wires.rows(entries)[1] + 1, [REST, 50_000])  # 5 ms


def no_end(entries: list[Entry], wires: Wires) -> None:
    assert entries.pop() == wires.off


def a_wrong_dot(entries: list[Entry], wires: Wires) -> None:
    clocks = next(entry for entry in entries if entry[0] == CLOCKS)
    clocks[2 + 7] ^= wires.data


def a_row_left_out(entries: list[Entry], wires: Wires) -> None:
    row = wires.rows(entries)[1]
    for entry in entries[row + 1 : entries.index(wires.off, row)]:
        if entry[0] == CLOCKS:  # each stores the level of all outputs
            entry[2:] = [level ^ wires.enable for level in entry[2:]]
    del entries[row]


def every_second_frame_left_out() -> Spoil:
    frames = 0

    def leave_out(entries: list[Entry], wires: Wires) -> None:
        nonlocal frames
        frames += 1
        if frames % 2:
            del entries[1:]

    return leave_out


def kinds(shown: Timeline) -> set[str]:
    """Which promises are broken, by a word of each."""
    span = shown.run(400)
    words = "\n".join([*faults(span), *still_faults(span, 0, PERIOD_MS)])
    known = {
        "picture": "seen otherwise than they were drawn",
        "spread": "row brightness spread",
        "address": "address while lit: ",
        "latch": "latch while lit: ",
        "dead time": "dead time: ",
        "data": "data under clock: ",
        "left lit": "did not end dark",
        "cap": "a row was lit for",
        "ghost": "had light that should have none",
        "gap": "a row was dark for",
    }
    broken = {name for name, text in known.items() if text in words}
    assert len(broken) == len(words.splitlines())
    return broken


SPOILT: list[tuple[Spoil, set[str]]] = [
    (as_it_is, set()),
    (light_stays_on_over_the_address, {"address", "latch"}),
    (light_comes_before_the_latch_is_back, {"latch", "dead time"}),
    (light_comes_between_address_and_latch, {"dead time", "ghost"}),
    (data_moves_under_the_clock, {"data"}),
    (no_dead_time, {"dead time"}),
    (longer(1), set()),
    (longer(3), {"spread"}),
    (longer(100), {"spread", "cap"}),
    (held_up_in_a_row, {"spread", "cap"}),
    (no_end, {"left lit", "spread", "cap"}),
    (a_wrong_dot, {"picture"}),
    (a_row_left_out, {"picture", "spread", "gap"}),
]


@pytest.mark.parametrize(("spoil", "broken"), SPOILT, ids=[spoil.__name__ for spoil, _ in SPOILT])
@pytest.mark.parametrize("name", [P10, F375])
def test_a_spoilt_frame_breaks_its_promises(name: str, spoil: Spoil, broken: set[str]):
    assert kinds(spoilt(name, spoil)) == broken


def test_a_frame_that_is_not_played_is_missed():
    assert kinds(spoilt(P10, every_second_frame_left_out())) == {"picture", "gap"}


@pytest.mark.parametrize(
    ("took_ms", "told_ms", "broken"),
    [(20, 20, 0), (40, 20, 1), (5, 20, 1)],
)
def test_a_gap_that_no_stall_explains_is_told(took_ms: int, told_ms: int, broken: int):
    span = timeline(config(P10)).run(400, [Stall(100 * MS - 1, took_ms * MS)])
    assert len(list(still_faults(span, told_ms, PERIOD_MS))) == broken
