"""The account of a run: what counts as lost, doubled, unexpected and in doubt."""

import pytest
from hall_tools.chaos.truth import Deed, Life, compare_arrivals, compare_deeds, flat


def deed(what: str, at: float, seen: float | None = 0.0) -> Deed:
    return Deed("press", what, at, None if seen is None else at + seen)


def life(*times: float) -> Life:
    """Begins and ends in turns."""
    lived = Life()
    for number, time in enumerate(times):
        (lived.ended if number % 2 else lived.began)(time)
    return lived


def test_a_device_lives_from_a_start_to_its_next_end() -> None:
    lived = life(10, 50, 60)
    assert lived.through(10, 49)
    assert lived.through(61, 1000)
    assert not lived.through(9, 20)
    assert not lived.through(40, 51)
    assert not lived.through(55, 70)
    assert not lived.through(20, 70)
    # An end that was told twice, as by a watchdog and by the host, is one.
    lived.ended(50.5)
    assert lived.through(61, 70)
    assert not lived.through(20, 55)


def test_what_a_device_that_lives_was_told_is_in_its_journal() -> None:
    deeds = [deed("a", 10), deed("b", 20), deed("c", 30)]
    found = compare_deeds(deeds, life(0), ["a", "b", "c"])
    assert (found.certain, found.in_doubt, found.lost, found.unexpected) == (3, 0, [], [])
    assert compare_deeds(deeds, life(0), ["a", "c"]).lost == ["press b"]
    assert compare_deeds(deeds, life(0), ["a", "b", "b", "c"]).unexpected == ["record 3: b"]
    assert compare_deeds(deeds, life(0), []).lost == ["press a", "press b", "press c"]
    other = compare_deeds(deeds, life(0), ["a", "x", "c"])
    assert (other.lost, other.unexpected) == (["press b"], ["record 2: x"])


@pytest.mark.parametrize("records", [["a", "b"], ["a"]])
@pytest.mark.parametrize("end", [18.8, 19.5, 21, 22.9])
def test_what_was_done_at_a_death_may_be_there_once(records: list[str | int], end: float) -> None:
    lived = life(0, end, end + 0.5)
    deeds = [deed("a", 10), deed("b", 20)]
    found = compare_deeds(deeds, lived, records)
    assert (found.certain, found.in_doubt) == (1, 1)
    assert (found.lost, found.unexpected) == ([], [])
    assert len(compare_deeds(deeds, lived, ["a", "b", "b"]).unexpected) == 1


def test_what_the_world_did_not_answer_is_in_doubt() -> None:
    deeds = [deed("a", 10), deed("b", 20, None)]
    assert compare_deeds(deeds, life(0), ["a"]).lost == []
    assert compare_deeds(deeds, life(0), ["a", "b"]).unexpected == []


def test_what_a_starved_process_was_told_is_in_doubt() -> None:
    deeds = [deed("a", 10), Deed("press", "b", 20, 20, waited_s=0.4)]
    for records in (["a"], ["a", "b"]):
        found = compare_deeds(deeds, life(0), records)
        assert (found.certain, found.in_doubt, found.starved) == (1, 0, 1)
        assert (found.lost, found.unexpected) == ([], [])


def test_events_are_lost_doubled_and_unexpected() -> None:
    body = b"{}"
    good = compare_arrivals(
        ["kp/1/1", "kp/1/2"],
        {"kp/1/1": body, "gateway/1/1": body},
        {"kp/1/2"},
        {"kp/1/1": [body], "gateway/1/1": [body]},
    )
    assert (good.lost, good.doubled, good.unexpected, good.expected) == ([], [], [], 3)
    bad = compare_arrivals(
        ["kp/1/1", "kp/1/2", "kp/1/3"],
        {"kp/1/1": body, "gateway/1/1": body, "kp/1/3": body, "kp/1/9": body},
        set(),
        {"kp/1/1": [body, b"other"], "kp/1/3": [b"other"], "kp/1/9": [body], "kp/1/8": [body]},
    )
    assert bad.lost == ["kp/1/2", "gateway/1/1"]
    assert bad.doubled == ["kp/1/1: 2 different bodies"]
    assert bad.unexpected == [
        "kp/1/3: another body than was stored",
        "kp/1/9: in no journal",
        "kp/1/8: never stored",
        "kp/1/8: in no journal",
    ]


def test_memory_is_flat_when_the_last_quarter_is_like_the_first() -> None:
    assert flat([70, 74, 73, 72])
    assert flat([70, 200, 70, 80])
    assert not flat([70, 80, 90, 100])
    assert flat([70])
