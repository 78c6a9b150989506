"""The demo's judge of presses: the rule, told from fingers alone."""

import pytest
from hall_tools.demo.judge import AFTER_S, BEFORE_S, Judge, Verdict
from hall_tools.demo.truth import Ledger, Occasion

WINDOW_S = 8.0
MARKS = [5, 4, 3, 2, 1]
PRESSED = Verdict(None)


@pytest.fixture
def judge() -> Judge:
    return Judge(WINDOW_S, MARKS)


def _asked(judge: Judge, at: float) -> Occasion:
    occasion = Ledger().occasion("1", "A001", at, WINDOW_S)
    judge.asks(occasion)
    return occasion


def _press(judge: Judge, key: int, at: float) -> Verdict:
    return judge.touched(key, at, at + 0.15)


def test_the_last_press_within_3_s_of_the_first_is_the_rating(judge: Judge) -> None:
    occasion = _asked(judge, 0.0)
    assert [_press(judge, key, at) for key, at in ((5, 1.0), (2, 3.9))] == [PRESSED, PRESSED]
    assert _press(judge, 1, 4.1) == Verdict("out_of_session")
    assert occasion.fact().what == ("1", "A001", 4)


def test_nobody_asks(judge: Judge) -> None:
    assert _press(judge, 1, 1.0) == Verdict("out_of_session")
    occasion = _asked(judge, 10.0)
    assert _press(judge, 1, 18.1) == Verdict("out_of_session")
    assert occasion.fact().kind == "rating.none"


def test_after_a_call_that_took_an_open_session(judge: Judge) -> None:
    _asked(judge, 0.0)
    judge.called(2.0)
    assert _press(judge, 1, 9.9) == Verdict("next_call")
    assert _press(judge, 1, 15.0) == Verdict("out_of_session")


def test_a_call_after_the_lock_takes_nothing(judge: Judge) -> None:
    _asked(judge, 0.0)
    _press(judge, 1, 1.0)
    judge.called(5.0)
    assert _press(judge, 1, 6.0) == Verdict("out_of_session")


def test_the_third_press_in_2_s_spoils_the_two_before(judge: Judge) -> None:
    occasion = _asked(judge, 0.0)
    found = [_press(judge, key, at) for key, at in ((1, 1.0), (2, 1.9), (3, 2.9), (4, 4.0))]
    assert found == [PRESSED, PRESSED, Verdict("mashing", (1, 2)), Verdict("mashing")]
    assert occasion.presses == []
    assert judge.calm_s(4.0) == pytest.approx(3.0 + AFTER_S)
    assert _press(judge, 5, 7.1) == PRESSED
    assert occasion.fact().what == ("1", "A001", 1)


def test_two_keys_at_once_are_both_mashing(judge: Judge) -> None:
    occasion = _asked(judge, 0.0)
    assert judge.touched(4, 1.0, 1.6) == PRESSED
    assert judge.touched(2, 1.3, 1.9) == Verdict("mashing", (4,))
    assert occasion.fact().kind == "rating.none"


def test_a_choice_before_a_mashing_stands(judge: Judge) -> None:
    occasion = _asked(judge, 0.0)
    _press(judge, 1, 1.0)
    for at in (3.1, 3.3):
        _press(judge, 5, at)
    assert _press(judge, 5, 3.5) == Verdict("mashing", (5, 5))
    assert occasion.fact().what == ("1", "A001", 5)


def test_a_choice_that_stood_for_a_second_is_no_part_of_a_mashing_after_it(judge: Judge) -> None:
    occasion = _asked(judge, 0.0)
    told = [_press(judge, key, at) for key, at in ((5, 1.0), (1, 2.1), (1, 2.4))]
    assert told == [PRESSED, PRESSED, Verdict("mashing", (1,))]
    assert occasion.fact().what == ("1", "A001", 1)


def test_nobody_presses_a_third_time_where_a_first_may_have_stood(judge: Judge) -> None:
    for at in (1.0, 2.1):
        _press(judge, 1, at)
    assert judge.unsure_s(2.4) == pytest.approx(0.6 + AFTER_S)


def test_a_mashing_where_nobody_asks_reaches_into_the_session(judge: Judge) -> None:
    for at in (1.0, 1.4, 1.8):
        assert _press(judge, 1, at) == Verdict("out_of_session")
    _asked(judge, 2.0)
    assert _press(judge, 2, 3.0) == Verdict("mashing")


def test_who_would_press_at_the_edge_of_a_rule_waits_until_it_is_past(judge: Judge) -> None:
    _asked(judge, 0.0)
    _press(judge, 1, 1.0)
    assert judge.unsure_s(1.5) == 0
    assert judge.unsure_s(4.0 - BEFORE_S + 0.1) == pytest.approx(BEFORE_S - 0.1 + AFTER_S)
    assert judge.unsure_s(4.0 + AFTER_S) == 0
    assert judge.alone_s(2.0) == pytest.approx(2.0 + AFTER_S)
