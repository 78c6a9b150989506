"""What a sleeping device believes and keeps, and that no flood of datagrams keeps it awake."""

import asyncio
import itertools
import json
from types import SimpleNamespace
from typing import Any

import pytest
from hall_firmware.hall import coap
from hall_firmware.hall.napper import COUNTED, FRUITLESS, Napper
from hall_firmware.hall.piv import Numbers


class Chip:
    """A hal whose RTC memory has room for `room` bytes; `by_pin`: what ended the last sleep."""

    def __init__(self, room: int = 1801) -> None:
        self.by_pin = False
        self.kept = b""
        self.slept: list[tuple[int, Any]] = []
        self._room = room

    def uptime_ms(self) -> int:
        return 20_000

    def clock_ms(self) -> int:
        return 0

    def woken_by_pin(self) -> bool:
        return self.by_pin

    def remember(self, state: bytes) -> None:
        if len(state) > self._room:
            raise ValueError("no room")
        self.kept = state

    def deep_sleep(self, length: int, armed: Any) -> None:
        self.slept.append((length, armed))


class Anything:
    """Parts that have nothing to say here. `undone`: events that wait."""

    next = end = boot = 1
    depth = 0
    rev = None
    URGENT = ("wet",)

    def __init__(self) -> None:
        self.last: list[Any] = []

    def report(self, text: str) -> None:
        self.last.append([0, 1, text])

    def unix_ms(self) -> None:
        return None

    def arm(self) -> str:
        return "armed"

    def freeze(self) -> list[int]:
        return []

    def thaw(self, kept: Any) -> None:
        assert kept == []

    def flush_ack(self) -> None:
        pass

    def peek(self, after: int, count: int) -> list[dict[str, str]]:
        return [{"kind": "wet"}]


def napper_on(chip: Chip, parts: Anything, by_pin: bool | None = None) -> Any:
    """The device's next life: after a power-on (None), or woken by the pin or the time."""
    settings = {"wake_dry_s": 600, "wake_wet_s": 60, "heartbeat_s": 3600}
    stats = dict.fromkeys(COUNTED.split(), 0)
    made: Any = Napper(
        chip,
        settings,
        ("192.0.2.1", 5683),
        None,
        wifi=None,
        journal=parts,
        clock=parts,
        numbers=parts,
        post=parts,
        role=parts,
        errors=parts,
        log=lambda _: None,
        stats=stats,
        randint=lambda low, _: low,
        busy=lambda: False,
        confirm=lambda: None,
        check_in=lambda: None,
    )
    made._talk_at = 10_000_000
    if by_pin is not None:
        chip.by_pin = by_pin
        made.thaw(json.loads(chip.kept))
    return made


def lives(chip: Chip, parts: Anything, wakes: str) -> list[str | None]:
    """What it is woken by after a power-on and after each of `wakes` (p pin, t time)."""
    chip.slept.clear()
    for by_pin in (None, *(wake == "p" for wake in wakes)):
        napper_on(chip, parts, by_pin)._sleep(20_000)
    assert all(length == (600_000 if armed else 60_000) for length, armed in chip.slept)
    return [armed for _, armed in chip.slept]


def test_a_pin_that_is_stuck_does_not_empty_the_battery() -> None:
    parts = Anything()
    believed = lives(Chip(), parts, "p" * FRUITLESS + "tttt")
    assert believed == ["armed"] * FRUITLESS + [None] * 5
    assert [text for _, _, text in parts.last] == [
        "wake: the pin says water where the probe finds none"
    ]


def test_drops_now_and_then_are_no_stuck_pin() -> None:
    assert None not in lives(Chip(), Anything(), "pptpptpptppt")


def test_it_is_believed_again_once_there_is_news() -> None:
    chip, parts = Chip(), Anything()
    assert lives(chip, parts, "p" * FRUITLESS)[-1] is None
    napper = napper_on(chip, parts, by_pin=False)
    parts.next = 2  # an event: it is wet
    napper._look(20_000)
    napper._sleep(20_000)
    assert chip.slept[-1][1] == "armed"


def test_the_words_of_errors_give_way_to_the_numbers() -> None:
    """Without its numbers in RTC memory a device may not send anything."""
    parts = Anything()
    whole = Chip()
    napper_on(whole, parts).remember()
    room = len(whole.kept)
    parts.report("\x07" * 80)
    short = Chip(room)
    napper_on(short, parts).remember()
    assert json.loads(short.kept) == json.loads(whole.kept)
    with pytest.raises(ValueError, match="no room"):
        napper_on(Chip(room - 1), parts).remember()


@pytest.mark.parametrize(
    ("reserved", "kept", "believed"),
    [
        (128, (70, 128), (70, 128)),
        (128, (70, 192), (0, 0)),  # of a journal that is gone
        (128, (80, 64), (0, 0)),
        (None, (70, 128), (0, 0)),
        (128, None, (0, 0)),
    ],
)
def test_numbers_that_the_journal_knows_nothing_of(
    reserved: int | None, kept: tuple[int, int] | None, believed: tuple[int, int]
) -> None:
    numbers: Any = Numbers(SimpleNamespace(reserved=reserved), None, lambda: None, kept)
    assert (numbers.next, numbers.end) == believed


def test_datagrams_without_end_do_not_keep_the_radio_on(monkeypatch: pytest.MonkeyPatch) -> None:
    async def rest(_: int) -> None: ...

    monkeypatch.setattr(asyncio, "sleep_ms", rest, raising=False)
    clock, checks = itertools.count(), itertools.count()
    client: Any = object.__new__(coap.Client)
    client._uptime = lambda: now if (now := next(clock)) < 1000 else pytest.fail("no end")
    client._check_in = lambda: now if (now := next(checks)) < 1000 else pytest.fail("no end")
    client._receive = lambda: b"\xff"
    client._stats = {"malformed": 0}
    assert asyncio.run(client._answer(1, b"", 100)) is None
    assert next(checks) == client._stats["malformed"] > 90
