"""Which devices are kept out, and when they are let in again."""

from hall_gateway.devices_mqtt import LEAVES
from hall_gateway.keys import UP
from hall_gateway.quarantine import CROWDED, MOST_CALM_S, NONSENSE_S, Limits, Quarantine

JOURNAL = 1024
"""More than a journal of 64 KiB in slots of 64 bytes can hold."""
UPDATE = -(-1024 * 1024 // 576)
"""Pieces of 1 MiB."""


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def quarantine(clock: Clock, limits: Limits | None = None) -> Quarantine:
    return Quarantine(limits or Limits(), clock, lambda: round(clock.now * 1000))


def test_a_full_journal_and_an_update_at_any_speed_are_no_flood() -> None:
    clock = Clock()
    kept = quarantine(clock)
    assert all(kept.admits("kp-1") for _ in range(JOURNAL + UPDATE))
    for _ in range(3600):  # and then as many as people can make, for an hour
        clock.now += 1
        assert all(kept.admits("kp-1") for _ in range(20))
    assert not kept.held
    assert not kept.dropped


def test_what_is_too_much_is_dropped_and_only_of_who_sends_it() -> None:
    clock = Clock()
    kept = quarantine(clock)
    admitted = sum(kept.admits("kp-1") for _ in range(100_000))
    assert admitted == 3000
    assert kept.dropped == {"kp-1": 97_000}
    assert kept.admits("count-1")
    held = {"code": "flooding", "since": 100_000, "until": 160_000, "spell": 1}
    assert kept.figures() == {"kp-1": held}


def test_a_crowd_counts_for_more_and_a_backlog_for_nothing() -> None:
    kept = quarantine(Clock())
    assert all(kept.admits("kp-1", 0) for _ in range(50_000))
    assert sum(kept.admits("kp-1", CROWDED) for _ in range(1000)) == 3000 // CROWDED


def test_who_is_calm_is_let_in_again_and_who_is_not_waits_twice_as_long() -> None:
    clock = Clock()
    kept = quarantine(clock, Limits(burst=100, calm_s=60))
    waited: list[float] = []
    for _ in range(10):
        while kept.admits("kp-1"):
            pass
        assert kept.release() == []
        wait_s = kept.wait_s()
        assert wait_s is not None
        waited.append(wait_s)
        clock.now += wait_s
        assert kept.release() == ["kp-1"]
        assert kept.wait_s() is None
    assert waited[:3] == [60, 120, 240]
    assert waited[-1] == MOST_CALM_S
    clock.now += MOST_CALM_S + 1
    while kept.admits("kp-1"):
        pass
    assert kept.held["kp-1"].spell == 1


def test_nonsense_is_forgiven_in_time() -> None:
    clock = Clock()
    changes: list[str] = []
    kept = Quarantine(Limits(nonsense=20), clock, lambda: 0, lambda: changes.append("changed"))
    for _ in range(200):
        kept.nonsense("kp-1")
        clock.now += NONSENSE_S / 20
    assert not kept.held
    kept.nonsense("kp-1", 30)
    assert kept.held["kp-1"].code == "nonsense"
    assert changes == ["changed"]


def test_what_was_seen_at_once_is_not_counted_again() -> None:
    kept = quarantine(Clock(), Limits(nonsense=20))
    for _ in range(15):
        kept.seen("kp-1")
    kept.found("kp-1", 15)
    kept.found("kp-1", 20)
    assert not kept.held
    kept.found("kp-1", 21)
    assert kept.held
    assert kept.held["kp-1"].code == "nonsense"
    kept.found("kp-1", 5)  # a commit that failed took its counts back
    kept.found("kp-1", 6)


def test_the_broker_lets_devices_say_what_the_gateway_listens_to() -> None:
    assert set(UP) == LEAVES
