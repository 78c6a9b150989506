"""The demo's report: what counts as perfect, and its percentiles."""

from typing import Any

import pytest
from hall_tools.demo.latency import summary
from hall_tools.demo.report import make_report, problems
from hall_tools.demo.truth import Comparison, Ledger, Report, compare


def _report(
    ledger: Ledger, reports: list[Report], seconds: float = 10, failures: tuple[str, ...] = ()
) -> dict[str, Any]:
    facts = ledger.facts()
    comparison: Comparison = compare(facts, reports)
    return make_report(
        seconds=seconds,
        seed=7,
        versions={"hallkit": "0.1.0"},
        started_at=0.0,
        ready_s=1.0,
        facts=facts,
        reports=reports,
        comparison=comparison,
        failures=failures,
        latencies={},
    )


@pytest.fixture
def ledger() -> Ledger:
    ledger = Ledger()
    ledger.note("rating.pressed", "keypad-1", 5, at=2.0)
    return ledger


PRESSED = Report("rating.pressed", ("keypad-1", 5), "keypad-1/1/1", 2.02, 2.08)


def test_a_perfect_run_has_no_problems(ledger: Ledger) -> None:
    report = _report(ledger, [PRESSED])
    assert problems(report) == []
    assert report["truth"] == report["received"] == {"rating.pressed": 1}
    assert report["latency_ms"]["press_to_hall_ms"] == pytest.approx(
        {"n": 1, "p50": 80, "p90": 80, "p99": 80, "max": 80}
    )


def test_each_error_is_said_in_a_line(ledger: Ledger) -> None:
    wrong = Report("rating.pressed", ("keypad-1", 4), "keypad-1/1/2", 2.02, 2.08)
    report = _report(ledger, [wrong, wrong], failures=("A001 never appeared on display-1",))
    assert (report["lost"], report["duplicated"], report["unexpected"]) == (1, 1, 1)
    assert problems(report) == [
        "A001 never appeared on display-1",
        "lost: rating.pressed keypad-1 5",
        "duplicated: rating.pressed keypad-1 4",
        "unexpected: rating.pressed keypad-1 4",
    ]


def test_a_minute_with_too_little_in_it_is_a_problem(ledger: Ledger) -> None:
    found = problems(_report(ledger, [PRESSED], seconds=60))
    assert "too few: rating.given 0, at least 10 expected" in found
    assert "too few: floor.dry 0, at least 1 expected" in found
    assert "too few: rating.quarantined.mashing 0, at least 3 expected" in found


def test_percentiles_are_samples_that_occurred() -> None:
    samples = [n / 1000 for n in range(1, 101)]
    assert summary(samples) == {"n": 100, "p50": 50, "p90": 90, "p99": 99, "max": 100}
