"""The demo's comparison of truth with what was received: it must find what is wrong."""

from dataclasses import replace

import pytest
from hall_tools.demo.truth import Comparison, Ledger, Report, compare


def _ledger() -> Ledger:
    """Three people in, one out; two services, one rated 5 after a correction, one not rated."""
    ledger = Ledger()
    for at in (1.0, 1.8, 2.6):
        ledger.note("count.passage.in", "entrance", at=at)
    ledger.note("count.passage.out", "entrance", at=3.5)
    occasion = ledger.occasion("1", "A001", 10.0, window_s=6.0)
    occasion.presses += [(11.0, 4), (12.0, 5)]
    ledger.occasion("1", "A002", 20.0, window_s=6.0)
    return ledger


def _reports() -> list[Report]:
    def report(seq: int, kind: str, *what: str | int, happened: float) -> Report:
        return Report(kind, what, f"device/1a2b3c4d/{seq}", happened, happened + 0.05)

    return [
        report(1, "count.passage.in", "entrance", happened=1.0),
        report(2, "count.passage.in", "entrance", happened=1.81),
        report(3, "count.passage.in", "entrance", happened=2.59),
        report(4, "count.passage.out", "entrance", happened=3.52),
        report(5, "rating.given", "1", "A001", 5, happened=14.0),
        report(6, "rating.none", "1", "A002", happened=26.0),
    ]


def _found(comparison: Comparison) -> tuple[int, int, int]:
    return len(comparison.lost), len(comparison.duplicated), len(comparison.unexpected)


def test_everything_received_is_perfect() -> None:
    comparison = compare(_ledger().facts(), _reports())
    assert _found(comparison) == (0, 0, 0)
    assert len(comparison.pairs) == 6


@pytest.mark.parametrize("missing", range(6))
def test_a_missing_event_is_lost(missing: int) -> None:
    reports = _reports()
    gone = reports.pop(missing)
    comparison = compare(_ledger().facts(), reports)
    assert _found(comparison) == (1, 0, 0)
    assert comparison.lost[0].kind == gone.kind


@pytest.mark.parametrize("again", range(6))
def test_the_same_id_twice_is_duplicated(again: int) -> None:
    reports = _reports()
    reports.append(replace(reports[again], received=30.0))
    comparison = compare(_ledger().facts(), reports)
    assert _found(comparison) == (0, 1, 0)
    assert comparison.duplicated[0].id == reports[again].id


@pytest.mark.parametrize("again", range(6))
def test_a_second_event_for_one_truth_is_duplicated(again: int) -> None:
    reports = _reports()
    reports.append(replace(reports[again], id="device/1a2b3c4d/99"))
    assert _found(compare(_ledger().facts(), reports)) == (0, 1, 0)


def test_a_wrong_mark_is_one_lost_and_one_unexpected() -> None:
    reports = _reports()
    reports[4] = replace(reports[4], what=("1", "A001", 4))
    comparison = compare(_ledger().facts(), reports)
    assert _found(comparison) == (1, 0, 1)
    assert comparison.lost[0].what == ("1", "A001", 5)
    assert comparison.unexpected[0].what == ("1", "A001", 4)


def test_a_wrong_ticket_is_one_lost_and_one_unexpected() -> None:
    reports = _reports()
    reports[5] = replace(reports[5], what=("1", "A003"))
    assert _found(compare(_ledger().facts(), reports)) == (1, 0, 1)


def test_an_event_nobody_caused_is_unexpected() -> None:
    reports = [*_reports(), Report("device.fault", ("keypad-1",), "keypad-1/1/7", 5.0, 5.1)]
    assert _found(compare(_ledger().facts(), reports)) == (0, 0, 1)


def test_an_event_before_its_cause_is_unexpected() -> None:
    reports = _reports()
    reports[3] = replace(reports[3], happened=1.0, received=1.05)
    assert _found(compare(_ledger().facts(), reports)) == (1, 0, 1)


def test_an_event_dated_long_after_its_cause_is_another_one() -> None:
    reports = _reports()
    reports[3] = replace(reports[3], happened=9.0, received=9.05)
    assert _found(compare(_ledger().facts(), reports)) == (1, 0, 1)


def test_totals_that_cancel_out_do_not_hide_an_error() -> None:
    """One passage in counted as out: in + out is right, and yet both are wrong."""
    reports = _reports()
    reports[1] = replace(reports[1], kind="count.passage.out")
    assert _found(compare(_ledger().facts(), reports)) == (1, 0, 1)


def test_the_last_press_that_counts_is_the_rating() -> None:
    occasion = Ledger().occasion("2", "A009", 100.0, window_s=6.0)
    assert occasion.fact().kind == "rating.none"
    occasion.presses += [(101.0, 1), (103.9, 3)]
    assert occasion.fact().what == ("2", "A009", 3)
