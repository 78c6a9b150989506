"""The events window and the reconnect waits: pure modules of the firmware, run in CPython.

hypothesis plays a journal that fills, overflows and is acked in any order, and a connection that
breaks, against a gateway that takes what comes.
"""

from __future__ import annotations

import json
from typing import Any

from hall_firmware.hall.backoff import Backoff
from hall_firmware.hall.window import SIZE, Window, payload_of
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

EPOCH = 0xA1B2C3D4
PATIENCE = 5000
LAST = 30000


class RamJournal:
    """The journal's interface, the ring a dict."""

    def __init__(self) -> None:
        self.epoch = EPOCH
        self.boot = 1
        self.acked = 0
        self.next = 1
        self.kept: dict[int, dict[str, Any]] = {}

    @property
    def oldest(self) -> int:
        return min((seq for seq in self.kept if seq > self.acked), default=self.next)

    def append(self, up: int) -> None:
        self.kept[self.next] = {
            "epoch": EPOCH,
            "seq": self.next,
            "boot": self.boot,
            "up": up,
            "t": None,
            "kind": "press",
            "data": {"key": 1, "session": None},
        }
        self.next += 1

    def drop(self, count: int) -> None:
        for seq in sorted(self.kept)[:count]:
            del self.kept[seq]

    def ack(self, epoch: int, seq: int) -> bool:
        assert epoch == EPOCH
        assert self.acked < seq < self.next
        self.acked = seq
        return True

    def peek(self, after: int, count: int) -> list[dict[str, Any]]:
        assert count > 0
        return [self.kept[seq] for seq in sorted(self.kept) if seq > after][:count]


class AnyOrder(RuleBasedStateMachine):
    """Whatever happens, the gateway ends with every event or with the gap that names it."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0
        self.journal = RamJournal()
        self.window = Window(
            self.journal, lambda: self.now, lambda: None, PATIENCE, LAST, lambda low, _high: low
        )
        self.window.restart()
        self.taken: dict[int, bytes] = {}
        self.covered = 0
        self.in_flight: set[int] = set()

    @rule(count=st.integers(1, 20))
    def journal_events(self, count: int) -> None:
        for _ in range(count):
            self.journal.append(self.now)

    @rule(count=st.integers(1, 30))
    def overflow(self, count: int) -> None:
        self.journal.drop(count)

    @rule(lost=st.sets(st.integers(0, 7)))
    def send(self, lost: set[int]) -> None:
        """Send what is due; some of it never arrives."""
        for place, (seq, payload) in enumerate(self.window.due()):
            self.window.sent(seq, self.now)
            self.in_flight.add(seq)
            if place not in lost:
                self.take(seq, payload)

    def take(self, seq: int, payload: bytes) -> None:
        event = json.loads(payload)
        assert event["seq"] == seq
        if event["kind"] == "gap":
            if event["data"]["from"] <= self.covered + 1:
                self.covered = max(self.covered, event["data"]["to"])
        else:
            assert self.taken.setdefault(seq, payload) == payload
        while self.covered + 1 in self.taken:
            self.covered += 1

    @precondition(lambda self: self.covered > self.journal.acked)
    @rule(part=st.floats(0, 1))
    def ack(self, part: float) -> None:
        """The gateway's ack, perhaps of an earlier mark."""
        behind = self.covered - self.journal.acked
        seq = self.journal.acked + max(1, int(behind * part))
        self.window.acked(EPOCH, seq, self.now)

    @rule()
    def ack_again(self) -> None:
        self.window.acked(EPOCH, self.journal.acked, self.now)

    @rule(ms=st.integers(1, 40000))
    def time_passes(self, ms: int) -> None:
        self.now += ms
        if self.window.overdue(self.now):
            self.window.restart()

    @rule()
    def the_connection_breaks(self) -> None:
        self.window.restart()
        self.in_flight.clear()

    @invariant()
    def at_most_eight_are_unacked(self) -> None:
        lost = self.journal.oldest - 1
        live = {seq for seq in self.in_flight if seq > self.journal.acked and seq >= lost}
        assert len(live) <= SIZE

    @invariant()
    def a_ring_that_is_acked_is_left_alone(self) -> None:
        if self.journal.acked == self.journal.next - 1:
            assert self.window.due() == []

    @invariant()
    def what_is_unacked_goes_again(self) -> None:
        due = self.window.due()
        unacked = self.journal.acked < self.journal.next - 1
        assert not unacked or due or self.window.resend_at is not None

    def teardown(self) -> None:
        for _ in range(1000):
            if self.journal.acked == self.journal.next - 1:
                break
            self.send(set())
            if self.covered > self.journal.acked:
                self.window.acked(EPOCH, self.covered, self.now)
            self.time_passes(LAST + PATIENCE)
        assert self.journal.acked == self.journal.next - 1
        # The ring was emptied from outside: its last events may be gone without a later one.
        for seq in self.journal.kept:
            assert self.taken[seq] == payload_of(self.journal.kept[seq])


TestAnyOrder = AnyOrder.TestCase
TestAnyOrder.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)


def test_an_event_is_written_field_by_field() -> None:
    event = {
        "data": {"key": 5},
        "kind": "press",
        "t": 1763700000123,
        "up": 42,
        "boot": 3,
        "seq": 7,
        "epoch": EPOCH,
    }
    assert payload_of(event) == (
        b'{"epoch":2712847316,"seq":7,"boot":3,"up":42,"t":1763700000123,'
        b'"kind":"press","data":{"key":5}}'
    )


def test_a_window_waits_longer_each_time_until_an_ack_comes() -> None:
    journal = RamJournal()
    journal.append(0)
    journal.append(0)
    window = Window(journal, lambda: 0, lambda: None, PATIENCE, LAST, lambda _low, high: high)
    window.restart()
    waits: list[int] = []
    for _ in range(5):
        for seq, _payload in window.due():
            window.sent(seq, 0)
        assert window.resend_at is not None
        waits.append(window.resend_at)
        window.restart()
    assert waits == [10000, 15000, 25000, 35000, 35000]
    for seq, _payload in window.due():
        window.sent(seq, 0)
    assert window.acked(EPOCH, 1, 0) is True
    assert window.resend_at == 10000
    assert window.acked(EPOCH, 2, 0) is False
    assert window.resend_at is None


def test_an_ack_that_came_before_the_event_was_told_as_sent_leaves_nothing_to_wait_for() -> None:
    journal = RamJournal()
    journal.append(0)
    window = Window(journal, lambda: 0, lambda: None, PATIENCE, LAST, lambda _low, high: high)
    window.restart()
    ((seq, _payload),) = window.due()
    window.acked(EPOCH, seq, 0)
    assert window.sent(seq, 0) is False
    assert window.resend_at is None


def test_backoff_doubles_up_to_its_limit_and_starts_anew() -> None:
    asked: list[tuple[int, int]] = []

    def randint(low: int, high: int) -> int:
        asked.append((low, high))
        return high // 2

    backoff = Backoff(1000, 60000, randint)
    assert [backoff.wait_ms() for _ in range(8)] == [
        500,
        1000,
        2000,
        4000,
        8000,
        16000,
        30000,
        30000,
    ]
    assert asked[0] == (0, 1000), "full jitter: from nothing to the limit"
    assert asked[-1] == (0, 60000)
    backoff.reset()
    assert backoff.wait_ms() == 500
