"""Whether what comes from a broker is late: no backlog of an honest device is ever a flood."""

from collections import Counter, deque
from collections.abc import Iterator

import pytest
from hall_gateway.marks import EVERY_S, GAP_S, MANY, PATIENCE_S, RARE_S, UNHEARD_S, Marks
from hall_gateway.quarantine import CROWDED, Limits, Quarantine

DEVICES = [f"count-{number}" for number in range(30)]
WINDOW, RESEND_S = 8, 5.0
QUEUE = 64
"""Messages of a device that wait here before the next is crowding."""


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Broker:
    """One queue for the gateway, in the order in which things were said; as (who, what)."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.queue: deque[tuple[str, bytes]] = deque()
        self.marks = Marks(clock)
        self.quarantine = Quarantine(Limits(), clock, lambda: 0)
        self.handled = 0

    def pass_time(self, seconds: int, marking: bool, window: int = WINDOW) -> None:
        """All devices repeat their windows, for no ack comes."""
        for second in range(seconds):
            self.clock.now += 1
            if marking:
                self.mark()
            if second % RESEND_S == 0:
                self.queue.extend((device, b"") for device in DEVICES for _ in range(window))

    def mark(self) -> None:
        if self.marks.due:
            self.queue.append(("mark", self.marks.mark()))

    def drain(self, took_s: float = 0.0) -> None:
        """The gateway takes it all, each message in `took_s`, and each device's queue is full."""
        waiting = Counter[str]()
        while self.queue:
            who, what = self.queue.popleft()
            self.clock.now += took_s
            if who == "mark":
                self.marks.came(what)
                continue
            waiting[who] += 1
            at = self.marks.at
            weight = 0 if at is None else CROWDED if waiting[who] % QUEUE == 0 else 1
            self.handled += self.quarantine.admits(who, weight, at)
            if self.handled % 1000 == 0:
                self.mark()


@pytest.fixture
def broker() -> Iterator[Broker]:
    made = Broker(Clock())
    made.marks.begin(b"one")
    made.mark()
    made.drain()
    yield made
    assert not made.quarantine.held


@pytest.mark.parametrize("took_s", [0.0, 0.000_1, 0.01])
def test_what_was_repeated_while_the_store_took_nothing_is_no_flood(
    broker: Broker, took_s: float
) -> None:
    broker.pass_time(3600, marking=True)
    sent = len([who for who, _ in broker.queue if who != "mark"])
    broker.drain(took_s)
    assert broker.handled == sent > 150_000


@pytest.mark.parametrize("took_s", [0.0, 0.01])
def test_nor_is_what_waited_while_the_gateway_was_away_however_long_it_takes(
    broker: Broker, took_s: float
) -> None:
    broker.pass_time(1800, marking=False)
    broker.marks.begin(b"two")
    broker.drain(took_s)  # far more than a few seconds' worth
    assert broker.handled == 30 * WINDOW * 1800 / RESEND_S


def test_a_whole_journal_of_thirty_devices_at_once_is_no_flood(broker: Broker) -> None:
    for _ in range(1024):
        broker.queue.extend((device, b"") for device in DEVICES)
    broker.drain()
    assert broker.handled == 30 * 1024


def test_a_process_that_stood_still_knows_nothing_until_a_mark_comes_back(broker: Broker) -> None:
    assert broker.marks.at is not None
    broker.clock.now += GAP_S + 1
    assert broker.marks.at is None
    broker.mark()
    assert broker.marks.at is None
    broker.drain()
    assert broker.marks.at == broker.clock.now


def test_a_flood_is_known_while_marks_come_back_and_when_they_are_lost() -> None:
    broker = Broker(Clock())
    broker.marks.begin(b"one")
    broker.mark()
    broker.drain()
    broker.clock.now += EVERY_S
    broker.mark()
    broker.queue.clear()  # the broker's queue was full
    broker.queue.extend(("kp-1", b"") for _ in range(10_000))
    broker.drain()
    assert set(broker.quarantine.held) == {"kp-1"}


def test_marks_of_an_earlier_connection_or_of_others_say_nothing() -> None:
    marks = Marks(Clock())
    marks.begin(b"one")
    old = marks.mark()
    marks.begin(b"two")
    assert marks.due
    new = marks.mark()
    for payload in (old, b"", b"two", b"two x", b"two -1", b"\xff 1", new + b"0" * 5000):
        marks.came(payload)
        if payload != new + b"0" * 5000:
            assert marks.at is None
    marks.came(new)
    assert marks.at is not None


def test_marks_are_few_while_none_comes_back() -> None:
    clock = Clock()
    marks = Marks(clock)
    marks.begin(b"one")
    sent = 0
    for _ in range(24 * 3600):
        clock.now += 1
        if marks.due:
            marks.mark()
            sent += 1
    assert sent <= MANY + 24 * 3600 / RARE_S
    assert sent >= 3600 / PATIENCE_S / MANY


def test_a_broker_that_hands_none_back_is_told_in_the_end_and_limits_hold_all_the_same() -> None:
    clock = Clock()
    marks = Marks(clock)
    marks.begin(b"one")
    clock.now += UNHEARD_S
    assert not marks.deaf
    clock.now += 1
    assert marks.deaf
    assert marks.at == clock.now
