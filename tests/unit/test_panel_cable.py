"""A panel on its cable: which dot is where, when a row is lit, and which rules a store breaks."""

import random
import re
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import pytest
from hall_panel.cable import DEAD_NS, Broken, Flash, Panel
from hall_panel.layout import Layout
from hall_panel.waveform import CLEAR, OUT, SET, Clocks, Pair, Store, parts, stores
from support.panel_player import CLOCKS, PINS, REST, Player, driver, log, random_planes

PIN = {name: 1 << pin for name, pin in PINS["hub12"].items()}


class Cable:
    """Stores on the cable of a P10, 50 ns each."""

    def __init__(self) -> None:
        self.panel = Panel(driver("hub12", 32, 16), PINS["hub12"])
        self.ns = 0

    def put(self, register: int, *lines: str) -> None:
        self.panel.store(Store(self.ns, register, sum(PIN[line] for line in lines)))
        self.ns += 50

    def pair(self, clear: str = "", set: str = "") -> None:
        self.put(CLEAR, *clear.split())
        self.put(SET, *set.split())

    def clock(self, *lines: str) -> None:
        self.put(OUT, *lines)
        self.put(SET, "clk")

    def latch(self) -> None:
        self.pair(set="lat")
        self.pair(clear="lat")

    def wait(self, ns: int) -> None:
        self.ns += ns

    def broken(self) -> dict[str, int]:
        return {rule: times for rule, times in asdict(self.panel.broken).items() if times}


# Where dots are: each line is a fact of the panels' documentation, not a formula.


@pytest.mark.parametrize(
    ("fields", "x", "y", "part", "clock"),
    [
        # freetronics/DMD: of eight columns the rows s+12, s+8, s+4, s, from the farthest column on.
        (driver("hub12", 32, 16), 0, 12, 0, 0),
        (driver("hub12", 32, 16), 7, 12, 0, 7),
        (driver("hub12", 32, 16), 0, 8, 0, 8),
        (driver("hub12", 32, 16), 0, 0, 0, 24),
        (driver("hub12", 32, 16), 8, 15, 0, 32),
        (driver("hub12", 64, 16), 63, 0, 0, 255),
        (driver("hub12", 64, 32), 0, 12, 0, 0),
        (driver("hub12", 64, 32), 63, 16, 0, 511),
        (driver("hub12", 64, 32, storeys="bottom_first"), 0, 28, 0, 0),
        (driver("hub12", 64, 32, storeys="bottom_first"), 63, 0, 0, 511),
        # Kubik F3.75: one bit a column, the upper 16 rows on R1, the lower on R2.
        (driver("hub08", 64, 16), 63, 15, 0, 63),
        (driver("hub08", 64, 32), 0, 15, 0, 0),
        (driver("hub08", 64, 32), 0, 16, 1, 0),
        (driver("hub75", 128, 32), 127, 31, 1, 127),
        (driver("hub75", 64, 64), 0, 0, 0, 0),
        (driver("hub75", 64, 64), 0, 63, 1, 64),
        (driver("hub75", 64, 64, storeys="bottom_first"), 0, 32, 0, 0),
        (driver("hub75", 64, 64, storeys="bottom_first"), 0, 31, 1, 64),
    ],
)
def test_where_a_dot_stands(fields: dict[str, Any], x: int, y: int, part: int, clock: int) -> None:
    assert Layout(fields).position(x, y) == (part, clock)


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        (driver("hub12", 32, 16) | {"name": "keys"}, "driver keys: not a scanned panel"),
        (driver("hub12", 32, 24), "driver hub12: no display of 32 x 24 dots"),
        (driver("hub08", 64, 48), "driver hub08: no display of 64 x 48 dots"),
        (driver("hub75", 64, 16), "driver hub75: no display of 64 x 16 dots"),
        (driver("hub75", 60, 32), "driver hub75: no display of 60 x 32 dots"),
        (driver("hub12", 32, 16, row_order=[0, 1, 2, 2]), "row_order: must have each of 0 to 3"),
    ],
)
def test_a_display_that_cannot_be_is_refused(fields: dict[str, Any], error: str) -> None:
    with pytest.raises(ValueError, match=re.escape(error)):
        Panel(fields, PINS["hub12"])


@pytest.mark.parametrize("change", [{"clk": 32}, {"r": -1}, {"oe": None}])
def test_a_pin_that_no_register_has_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"pins: (clk|r|oe) is (32|-1|None), a scanned panel's"):
        Panel(driver("hub12", 32, 16), {**PINS["hub12"], **change})


def test_two_lines_on_one_pin_are_refused() -> None:
    with pytest.raises(ValueError, match="pins: b is 17, which another line of the panel has"):
        Panel(driver("hub12", 32, 16), {**PINS["hub12"], "b": PINS["hub12"]["a"]})


# When a row is lit.


def test_light_lasts_from_the_store_that_lights_to_the_one_that_darkens() -> None:
    cable = Cable()
    for _ in range(127):
        cable.clock("r")  # dark: data is low for light
    cable.clock()
    cable.latch()
    cable.pair(set="a")
    cable.wait(DEAD_NS)
    cable.put(CLEAR)
    lit = cable.ns
    cable.put(SET, "oe")
    cable.wait(12_345)
    cable.put(CLEAR, "oe")
    (flash,) = cable.panel.take(cable.ns)
    levels = [PIN["r"]] * 127 + [0]
    assert flash == Flash(
        lit, lit + 50 + 12_345, 1, b"".join(n.to_bytes(4, "little") for n in levels)
    )
    assert cable.broken() == {}
    assert cable.panel.take(cable.ns + 1000) == []


def test_a_row_that_is_left_lit_stays_lit() -> None:
    cable = Cable()
    cable.put(SET, "oe")
    first, second = cable.panel.take(1000), cable.panel.take(5000)
    assert [(flash.start_ns, flash.end_ns) for flash in first + second] == [(0, 1000), (1000, 5000)]


def test_no_time_is_no_flash() -> None:
    cable = Cable()
    cable.put(SET, "oe")
    assert cable.panel.take(0) == []
    assert len(cable.panel.take(1)) == 1
    assert cable.panel.take(1) == []


def test_a_latch_takes_the_dots_as_its_pulse_begins() -> None:
    low = driver("hub12", 32, 16, lat_active="low")
    for fields, begin, end in ((driver("hub12", 32, 16), SET, CLEAR), (low, CLEAR, SET)):
        panel = Panel(fields, PINS["hub12"])
        idle = PIN["lat"] if begin == CLEAR else 0
        panel.clocks(Clocks(0, 0, memoryview(log([idle] * 128)).cast("I")[1:]))
        panel.store(Store(0, begin, PIN["lat"]))
        for _ in range(128):
            panel.store(Store(0, OUT, PIN["r"] | PIN["lat"] ^ idle))
            panel.store(Store(0, SET, PIN["clk"]))
        panel.store(Store(0, end, PIN["lat"]))
        panel.store(Store(1000, OUT, idle | PIN["oe"]))
        (flash,) = panel.take(2000)
        assert all(_dots(flash))


def test_outputs_are_idle_before_the_first_store() -> None:
    panel = Panel(driver("hub12", 32, 16, lat_active="low", oe_active="low"), PINS["hub12"])
    assert panel.take(1000) == []
    for _ in range(128):
        panel.store(Store(1000, SET, PIN["clk"]))
        panel.store(Store(1000, CLEAR, PIN["clk"]))
    panel.store(Store(1000, CLEAR, PIN["lat"]))
    panel.store(Store(2000, CLEAR, PIN["oe"]))
    assert all(_dots(panel.take(3000)[0]))


def test_what_is_shifted_shows_only_when_it_is_latched() -> None:
    cable = Cable()
    cable.put(SET, "oe")
    for _ in range(128):
        cable.clock("oe")
    assert not any(octet for octet in _dots(cable.panel.take(cable.ns)[-1]))
    cable.pair(set="lat")
    assert all(_dots(cable.panel.take(cable.ns)[-1]))


def _dots(flash: Flash) -> list[bool]:
    words = [flash.data[at : at + 4] for at in range(0, len(flash.data), 4)]
    return [not int.from_bytes(word, "little") & PIN["r"] for word in words]


def test_an_address_that_moves_while_lit_lights_the_other_row_with_the_same_data() -> None:
    cable = Cable()
    cable.put(SET, "oe")
    cable.pair(set="b")
    cable.put(CLEAR, "oe")
    first, ghost = cable.panel.take(cable.ns)
    assert (first.step, ghost.step, first.data == ghost.data) == (0, 2, True)
    assert (ghost.start_ns, ghost.end_ns) == (100, 150)


# The rules.


def _address_while_lit(cable: Cable) -> None:
    cable.pair(set="oe")
    cable.pair(set="a")


def _latch_while_lit(cable: Cable) -> None:
    cable.pair(set="oe")
    cable.pair(set="lat")


def _dead_time(cable: Cable) -> None:
    cable.latch()
    cable.pair(set="oe")


def _data_under_clock(cable: Cable) -> None:
    cable.put(OUT, "clk", "r")
    cable.put(CLEAR, "r")


def _data_with_clock(cable: Cable) -> None:
    cable.put(OUT, "clk")


def _same_register(cable: Cable) -> None:
    cable.put(SET)


BREAKS = (
    _address_while_lit,
    _latch_while_lit,
    _dead_time,
    _data_under_clock,
    _data_with_clock,
    _same_register,
)


@pytest.mark.parametrize("rule", BREAKS)
def test_each_rule_is_counted_alone(rule: Callable[[Cable], None]) -> None:
    cable = Cable()
    cable.clock("r")
    cable.pair(clear="clk")
    rule(cable)
    assert cable.broken() == {rule.__name__[1:]: 1}
    assert cable.panel.broken.total() == 1


def test_each_rule_has_its_test() -> None:
    assert {rule.__name__[1:] for rule in BREAKS} == set(asdict(Broken()))


def test_moving_in_the_very_store_that_lights_or_darkens_is_moving_while_lit() -> None:
    cable = Cable()
    cable.put(SET, "oe", "a")
    cable.wait(1000)
    cable.put(CLEAR, "oe", "a")
    assert cable.broken() == {"address_while_lit": 2, "dead_time": 1}


def test_dead_time_counts_from_the_last_move_of_address_or_latch() -> None:
    for wait, broken in ((DEAD_NS - 50, {}), (DEAD_NS - 51, {"dead_time": 1})):
        cable = Cable()
        cable.put(CLEAR)
        cable.put(SET, "a")
        cable.wait(wait)
        cable.put(OUT, "a", "oe")
        assert cable.broken() == broken


def test_data_falls_with_the_clock_and_moves_while_it_is_low() -> None:
    cable = Cable()
    for lines in ((), ("r",), ("r",), ()):
        cable.clock(*lines)
    cable.pair(clear="clk")
    cable.pair(set="r")
    cable.pair(clear="r")
    assert cable.broken() == {}


def test_a_rest_stores_to_clear_and_to_set() -> None:
    cable = Cable()
    cable.put(CLEAR)
    cable.panel.rest()
    assert cable.broken() == {"same_register": 1}
    cable.put(SET)
    assert cable.broken() == {"same_register": 2}


def test_clocks_store_to_out_and_to_set() -> None:
    cable = Cable()
    run = Clocks(0, 0, memoryview(log([0])).cast("I"))
    cable.put(OUT)
    cable.panel.clocks(run)
    assert cable.broken() == {"same_register": 1}
    cable.panel.clocks(run)
    cable.put(SET)
    assert cable.broken() == {"same_register": 2}


# Many clocks at once are the same as one by one.


@pytest.mark.parametrize("fields", [driver("hub12", 32, 16), driver("hub75", 64, 32)])
@pytest.mark.parametrize("seed", range(4))
def test_clocks_at_once_are_as_clocks_one_by_one(fields: dict[str, Any], seed: int) -> None:
    player = Player(fields, lit=1 + 30 * seed)
    assert _same(fields, player.pins, player.frame(random_planes(fields, seed))) == Broken()


@pytest.mark.parametrize("seed", range(20))
def test_so_they_are_when_they_break_every_rule(seed: int) -> None:
    chance = random.Random(seed)
    lines = list(PIN.values())
    entries: list[int] = []
    for _ in range(60):
        if chance.random() < 0.5:
            steady = sum(chance.sample(lines, 2))
            levels = [
                steady if chance.random() < 0.9 else sum(chance.sample(lines, 3))
                for _ in range(chance.randrange(1, 20))
            ]
            entries += [CLOCKS, len(levels), *levels]
        else:
            entries += [sum(chance.sample(lines, 2)), sum(chance.sample(lines, 2))]
        if chance.random() < 0.3:
            entries += [REST, chance.randrange(20)]
    assert _same(driver("hub12", 32, 16), PINS["hub12"], log(entries)) != Broken()


def _same(fields: dict[str, Any], pins: dict[str, int], octets: bytes) -> Broken:
    at_once, one_by_one = Panel(fields, pins), Panel(fields, pins)
    end = 0
    for part in parts(octets):
        if isinstance(part, Clocks):
            at_once.clocks(part)
        elif isinstance(part, Pair):
            at_once.store(Store(part.ns, CLEAR, part.clear))
            at_once.store(Store(part.ns + 50, SET, part.set))
        end = part.end_ns
    for store in stores(octets, 1 << pins["clk"]):
        one_by_one.store(store)
    assert at_once.take(end) == one_by_one.take(end)
    assert at_once.broken == one_by_one.broken
    return at_once.broken
