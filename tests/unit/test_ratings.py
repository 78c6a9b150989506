"""Which press counts: mashing, stuck keys, short services, runs, calls, and who is never asked.

The windows of a hall and its sessions are in test_sessions.py.
"""

from dataclasses import replace
from typing import Any

import pytest
from hall_gateway.keypads import Heard, memory, tally
from hall_gateway.models import PressData, ReasonData
from hall_gateway.plan import RatingRules
from hall_profiles import load
from hypothesis import given
from hypothesis import strategies as st
from support.core_hall import PLAN
from support.windows import Run

STRICT = replace(PLAN, rules=RatingRules())
FREE = replace(PLAN, free=frozenset("1"))


def told(run: Run) -> list[tuple[str, str]]:
    """What every press came to in the end, in the order of the presses: (press, reason or "")."""
    last: dict[str, str] = {}
    for emit in run.emits:
        if emit.type in ("hall.rating.pressed", "hall.rating.quarantined"):
            last[emit.data["press"]] = emit.data.get("reason", "")
    return list(last.items())


def reasons(run: Run) -> list[str]:
    return [reason for _, reason in told(run)]


def counts(run: Run, device: str = "kp-1") -> dict[str, Any]:
    return tally(memory(run.state, device, 0))


def test_three_presses_in_two_seconds_are_mashing_and_the_first_ones_are_told_again() -> None:
    run = Run()
    session = run.serve()
    assert [e.type for e in run.presses(session, 1, 1000)] == ["hall.rating.pressed"]
    run.presses(session, 2, 1999)
    emits = run.presses(session, 3, 2999)
    assert [(e.own, e.data["key"], e.data["reason"]) for e in emits] == [
        (True, 1, "mashing"),
        (True, 2, "mashing"),
        (False, 3, "mashing"),
    ]
    assert emits[0].data["press"] == "press at 1000"
    [none] = run.close(session, "end", up=31_000)
    assert (none.type, none.data["reason"]) == ("hall.rating.none", "mashing")
    assert none.data["prompted"] is True
    assert counts(run)["quarantined"] == {"mashing": 3}
    assert counts(run)["none"] == {"mashing": 1}


def test_three_presses_in_more_than_two_seconds_are_a_rating_and_its_corrections() -> None:
    run = Run()
    session = run.serve()
    for up, key in ((0, 1), (1000, 2), (2000, 3)):
        run.presses(session, key, up)
    [given_] = run.close(session, "lock", up=3000)
    assert (given_.data["mark"], given_.data["presses"]) == (3, 3)
    assert counts(run) == {
        "since": run.now,
        "pressed": 3,
        "accepted": 1,
        "corrected": 2,
        "quarantined": {},
        "none": {},
        "refused_logins": {},
    }


def test_a_customer_who_presses_when_the_child_is_done_is_heard() -> None:
    run = Run()
    session = run.serve()
    for up in (0, 300, 600, 2600, 4000):
        run.presses(session, 5, up)
    assert reasons(run) == ["mashing"] * 5, "less than 3 s of calm each"
    assert run.press(session, 2, 7000).type == "hall.rating.pressed"
    [given_] = run.close(session, "lock", up=10_000)
    assert given_.data["mark"] == 4


def test_a_child_does_not_take_a_rating_back() -> None:
    run = Run()
    session = run.serve()
    run.press(session, 2, 0)
    for up in (2100, 2500, 2900):
        run.press(session, 5, up)
    assert reasons(run) == ["", "mashing", "mashing", "mashing"]
    [given_] = run.close(session, "lock", up=3000)
    assert given_.data["mark"] == 4


def test_another_hand_cannot_take_a_choice_that_has_stood_for_a_second() -> None:
    run = Run()
    session = run.serve()
    run.press(session, 5, 0)
    for up in (1000, 1200, 1400, 1600):
        run.press(session, 1, up)
    assert reasons(run) == ["", *["mashing"] * 4]
    [given_] = run.close(session, "lock", up=3000)
    assert (given_.data["mark"], given_.data["presses"]) == (1, 1)


def test_two_keys_at_once_do_not_take_a_rating_that_was_there_before() -> None:
    run = Run()
    session = run.serve()
    run.press(session, 5, 0)
    run.presses(session, 1, 2500, id="left")
    run.presses(session, 2, 2500, n=2, id="right")
    assert told(run) == [("press at 0", ""), ("left", "mashing"), ("right", "mashing")]
    [given_] = run.close(session, "lock", up=3000)
    assert given_.data["mark"] == 1


def test_a_key_down_beside_one_that_was_held_for_a_second_does_not_count_alone() -> None:
    run = Run()
    session = run.serve()
    run.press(session, 5, 0)
    run.presses(session, 1, 1200, n=2)
    assert reasons(run) == ["", "mashing"]


def test_a_key_that_a_mashing_left_stuck_takes_no_earlier_press_of_it() -> None:
    run = Run()
    session = run.serve()
    run.press(session, 5, 0)
    for up, key in ((1100, 4), (1300, 5)):
        run.press(session, key, up)
    assert run.stuck(5, 6300) == []
    [given_] = run.close(session, "lock", up=6300)
    assert given_.data["mark"] == 1


def test_a_stuck_key_leaves_the_choice_before_it() -> None:
    run = Run()
    session = run.serve()
    run.press(session, 5, 0)
    run.press(session, 1, 1500)
    run.stuck(1, 6500)
    assert reasons(run) == ["", "stuck_key"]
    [given_] = run.close(session, "lock", up=6500)
    assert given_.data["mark"] == 1


def test_a_start_forgets_uptimes_though_a_new_journal_counts_boots_from_1_again() -> None:
    run = Run()
    session = run.serve()
    for up in (1000, 1100):
        run.press(session, 1, up)
    run.take(run.sessions.restarted(PLAN.devices["kp-1"], Heard(1, 10, run.now)))
    assert run.press(session, 2, 1200).type == "hall.rating.pressed"


def test_two_keys_at_once_are_mashing_both() -> None:
    run = Run()
    session = run.serve()
    run.presses(session, 1, 5000)
    run.presses(session, 2, 5300, n=2)
    assert reasons(run) == ["mashing", "mashing"]
    run.presses(session, 4, 9000)
    [given_] = run.close(session, "lock", up=12_000)
    assert given_.data["mark"] == 2


def test_presses_before_the_session_make_a_mashing_of_the_first_in_it() -> None:
    run = Run()
    run.presses(None, 1, 0)
    run.presses(None, 1, 500)
    session = run.serve()
    run.presses(session, 1, 900)
    assert reasons(run) == ["out_of_session", "out_of_session", "mashing"]


def test_a_stuck_key_does_not_count() -> None:
    run = Run()
    session = run.serve()
    run.press(session, 3, 1000)
    [quarantined] = run.stuck(3, 6000)
    assert (quarantined.own, quarantined.data["reason"]) == (True, "stuck_key")
    assert quarantined.data["press"] == "press at 1000"
    assert run.press(session, 1, 8000).type == "hall.rating.pressed"
    [given_] = run.close(session, "lock", up=11_000)
    assert given_.data["mark"] == 5


def test_a_key_stuck_outside_a_session_spoils_nothing_else() -> None:
    run = Run()
    run.press(None, 3, 1000)
    session = run.serve()
    run.press(session, 3, 4000, boot=2)
    assert run.stuck(3, 6000) == []
    run.close(session, "lock")
    assert run.last("rating.given")["mark"] == 3


@pytest.mark.parametrize(("served_s", "counts_"), [(19, False), (20, True)])
def test_a_short_service_is_prompted_and_not_rated(served_s: int, counts_: bool) -> None:
    run = Run(STRICT)
    session = run.serve(served_s=served_s)
    assert run.view("kp-1")["session"]["ticket"] == "A001"
    press = run.press(session, 5, 1000)
    assert press.data.get("reason") == (None if counts_ else "service_too_short")
    [verdict] = run.close(session, "lock")
    assert verdict.type == ("hall.rating.given" if counts_ else "hall.rating.none")
    assert verdict.data.get("reason") == (None if counts_ else "service_too_short")


def test_silence_after_a_short_service_is_a_timeout() -> None:
    run = Run(STRICT)
    session = run.serve(served_s=5)
    run.close(session)
    assert run.last("rating.none")["reason"] == "timeout"


def rate(run: Run, after_ms: int, key: int = 1, staff: str | None = "王芳") -> str:
    """A service of a clerk's, rated so long after the prompt; the verdict's type or reason."""
    run.do("staff", window="1", staff=staff)
    session = run.serve(served_s=300)
    run.now += after_ms
    run.press(session, key, run.now % 2**40)
    verdict = run.close(session, "lock")[-1]
    run.now += 60_000
    return verdict.data.get("reason", "given")


def test_a_run_of_fast_best_marks_counts_no_more_from_the_fifth_on() -> None:
    run = Run(STRICT)
    assert [rate(run, 1000) for _ in range(6)] == ["given"] * 4 + ["fast_best_run"] * 2
    assert rate(run, 1000, staff="李强") == "given", "another clerk"
    assert rate(run, 1000) == "fast_best_run", "the run goes on"
    assert rate(run, 1000, key=2) == "given", "not the best mark"
    assert [rate(run, 1000) for _ in range(5)] == ["given"] * 4 + ["fast_best_run"]
    assert rate(run, 3000) == "given", "not fast"
    assert rate(run, 1000) == "given"
    assert counts(run)["quarantined"] == {"fast_best_run": 4}


def test_logging_out_is_no_way_around_a_run() -> None:
    run = Run(STRICT)
    assert [rate(run, 1000, staff=None) for _ in range(5)] == ["given"] * 4 + ["fast_best_run"]
    assert rate(run, 1000) == "given", "a clerk who is known"


def test_a_clerk_who_logs_in_after_the_start_is_rated_too() -> None:
    run = Run()
    run.do("call", window="1", ticket="A001")
    run.do("start", window="1")
    run.do("staff", window="1", staff="王芳")
    run.do("end", window="1")
    session = run.state.desired["kp-1"].rev
    run.press(session)
    run.close(session, "lock")
    assert run.last("service.ended")["staff"] == run.last("rating.given")["staff"] == "王芳"


def test_a_press_after_the_next_call_is_not_the_last_customers() -> None:
    run = Run()
    session = run.serve()
    run.now += 5000
    run.do("call", window="1", ticket="A002")
    run.now += 2000
    assert run.press(session, 5, 7000).type == "hall.rating.pressed", "the news is on its way"
    run.now += 1
    assert run.press(session, 1, 9500).data["reason"] == "next_call"
    run.close(session, "next", up=10_000)
    assert run.last("rating.given")["mark"] == 1
    assert run.press(None, 1, 12_000).data["reason"] == "next_call"
    assert run.press(None, 1, 40_000).data["reason"] == "out_of_session"


def test_a_call_that_ends_a_service_leaves_it_unprompted_and_says_so() -> None:
    run = Run()
    run.do("call", window="1", ticket="A001")
    run.do("start", window="1")
    run.do("call", window="1", ticket="A002")
    none = run.last("rating.none")
    assert (none["ticket"], none["reason"], none["prompted"]) == ("A001", "next_call", False)
    assert counts(run)["none"] == {"next_call": 1}


def test_where_nobody_asks_a_press_is_a_rating() -> None:
    run = Run(FREE)
    run.do("staff", window="1", staff="王芳")
    assert run.press(None, 1, 1000).type == "hall.rating.pressed"
    run.press(None, 4, 3999)
    assert run.press(None, 2, 4000).data["reason"] == "locked"
    [given_] = run.close(None, "lock", up=4000)
    expected = {"mark": 2, "ticket": None, "session": None, "staff": "王芳", "presses": 2}
    assert {name: given_.data[name] for name in expected} == expected
    assert run.press(None, 1, 8999).data["reason"] == "too_soon"
    assert run.press(None, 1, 11_000).type == "hall.rating.pressed"
    assert counts(run)["accepted"] == 1


def test_where_nobody_asks_mashing_is_no_rating_and_no_none() -> None:
    run = Run(FREE)
    for up in (0, 400, 800, 1500):
        run.press(None, 5, up)
    assert reasons(run) == ["mashing"] * 4
    assert run.close(None, "lock", up=3000) == []
    assert run.press(None, 2, 4500).type == "hall.rating.pressed"
    run.close(None, "lock", up=7500)
    assert run.last("rating.given")["mark"] == 4


def test_a_rating_that_a_power_cut_left_open_is_given_at_the_next_start() -> None:
    run = Run(FREE)
    run.press(None, 1, 1000)
    run.take(run.sessions.restarted(PLAN.devices["kp-1"], Heard(2, 10, run.now)))
    assert run.last("rating.given")["mark"] == 5
    assert run.press(None, 2, 500, boot=2).type == "hall.rating.pressed"


def test_a_reason_without_a_bad_rating_is_kept_apart() -> None:
    run = Run()
    session = run.serve()
    heard_at = run.press(session, 1, 1000)
    assert heard_at.type == "hall.rating.pressed"
    run.close(session, "lock")
    emit = run.reason(ReasonData(key=1, session=session))
    assert (emit.type, emit.data["reason"]) == ("hall.rating.quarantined", "no_rating")


def test_a_reason_is_told_with_its_rating_and_once() -> None:
    keypad = replace(PLAN.devices["kp-1"], profile=load("keypad-4"))
    run = Run(replace(PLAN, devices={**PLAN.devices, "kp-1": keypad}))
    session = run.serve()
    heard = Heard(1, 1000, run.now, "kp-1/0000beef/1")
    run.sessions.press(keypad, heard, PressData(key=4, session=session))
    run.close(session, "lock")
    [emit] = run.sessions.reason(keypad, heard, ReasonData(key=2, session=session)).emits
    assert (emit.type, emit.own) == ("hall.rating.reason", False)
    expected = {"session": session, "ticket": "A001", "mark": 2, "key": 2, "reason": "等候太久"}
    assert {name: emit.data[name] for name in expected} == expected
    [emit] = run.sessions.reason(keypad, heard, ReasonData(key=3, session=session)).emits
    assert (emit.type, emit.data["reason"]) == ("hall.rating.quarantined", "no_rating")


@given(
    gaps=st.lists(st.sampled_from([100, 999, 1000, 1001, 1999, 2000, 3000, 3500]), max_size=12),
    keys=st.lists(st.integers(1, 5), min_size=13, max_size=13),
)
def test_mashing_is_what_one_sentence_says(gaps: list[int], keys: list[int]) -> None:
    """Independently: a press belongs to a mashing when it is one of three within 2 s, or follows
    one that does within 3 s, but the first of three does not when it stood alone for 1 s; what is
    left in 3 s from the first of it decides."""
    run = Run()
    session = run.serve()
    ups = [0]
    for gap in gaps:
        ups.append(ups[-1] + gap)
    mashing: list[bool] = [False] * len(ups)
    for index in range(len(ups)):
        if index > 1 and ups[index] - ups[index - 2] < 2000:
            stood = ups[index - 1] - ups[index - 2] >= 1000
            mashing[index - 2] |= not stood
            mashing[index - 1 : index + 1] = [True] * 2
        elif index and mashing[index - 1] and ups[index] - ups[index - 1] < 3000:
            mashing[index] = True
    for up, key in zip(ups, keys, strict=False):
        run.presses(session, key, up)
    left = [index for index in range(len(ups)) if not mashing[index]]
    seen = [index for index, reason in enumerate(reasons(run)) if reason != "mashing"]
    # A press after the lock is locked, and so cannot be told again as mashing.
    locked = [index for index, reason in enumerate(reasons(run)) if reason == "locked"]
    assert set(left) <= set(seen)
    assert set(seen) - set(left) <= set(locked)
    verdict = run.close(session, "lock", up=ups[-1] + 3000)[-1]
    counting = [index for index, reason in enumerate(reasons(run)) if not reason]
    if counting:
        assert verdict.data["key"] == keys[counting[-1]]
        assert ups[counting[-1]] - ups[counting[0]] < 3000
    else:
        assert verdict.data["reason"] == "mashing"
