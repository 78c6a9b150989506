"""The demo's result: truth beside what was received, as JSON and as an exit code.

Here: what the report says and when a run counts as perfect. Not here: the matching (truth.py).
"""

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from hall_tools.demo.latency import summary
from hall_tools.demo.truth import Comparison, Fact, Report

SCHEMA = 2
"""Version of the report's shape."""

MINIMUM_A_MINUTE = {
    "call.shown": 12,
    "service.ended": 12,
    "rating.given": 10,
    "rating.quarantined.mashing": 3,
    "rating.quarantined.out_of_session": 1,
    "count.passage.in": 10,
    "count.passage.out": 10,
    "floor.wet": 1,
    "floor.dry": 1,
    "floor.attended": 1,
    "rain.started": 1,
    "rain.ended": 1,
}
"""What a run of a minute has to show, so that a perfect score means something."""


def make_report(
    *,
    seconds: float,
    seed: int,
    versions: Mapping[str, str],
    started_at: float,
    ready_s: float,
    facts: Sequence[Fact],
    reports: Sequence[Report],
    comparison: Comparison,
    failures: Sequence[str],
    latencies: Mapping[str, Mapping[str, float]],
) -> dict[str, Any]:
    """The report as JSON. `started_at` is unix s; `seconds` how long the hall was open."""
    received = Counter(report.kind for report in reports)
    minutes = int(seconds // 60)
    minimum = {kind: least * minutes for kind, least in MINIMUM_A_MINUTE.items()}
    return {
        "schema": SCHEMA,
        "versions": dict(versions),
        "seconds": round(seconds, 1),
        "seed": seed,
        "started_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(started_at)),
        "ready_s": round(ready_s, 2),
        "truth": _sorted(Counter(fact.kind for fact in facts)),
        "received": _sorted(received),
        "lost": len(comparison.lost),
        "duplicated": len(comparison.duplicated),
        "unexpected": len(comparison.unexpected),
        "details": {
            "lost": [_fact(fact) for fact in comparison.lost],
            "duplicated": [_report(report) for report in comparison.duplicated],
            "unexpected": [_report(report) for report in comparison.unexpected],
        },
        "failures": list(failures),
        "minimum": {
            kind: {"least": least, "received": received[kind], "ok": received[kind] >= least}
            for kind, least in minimum.items()
        },
        "latency_ms": {**_to_hall(comparison), **latencies},
        "latency_notes": {
            "press_to_hall_ms": "from the key's first contact to hall.rating.pressed at the hall"
            " system's client",
            "press_to_rating_ms": "from the last press that counts to hall.rating.given; includes"
            " the 3 s in which a customer may correct, or what of it is left when the next ticket"
            " is called",
            "call_to_display_ms": "from the call command to the ticket on the panel",
            "press_to_lamp_ms": "from the key's first contact to its lamp alone",
        },
    }


def problems(report: Mapping[str, Any]) -> list[str]:
    """Why a run was not perfect, one line each; empty when it was."""
    found = [str(failure) for failure in report["failures"]]
    for list_name in ("lost", "duplicated", "unexpected"):
        for each in report["details"][list_name]:
            what = " ".join(str(part) for part in each["what"])
            found.append(f"{list_name}: {each['kind']} {what}")
    for kind, check in report["minimum"].items():
        if not check["ok"]:
            found.append(f"too few: {kind} {check['received']}, at least {check['least']} expected")
    return found


def _to_hall(comparison: Comparison) -> dict[str, dict[str, float]]:
    figures = {"press_to_hall_ms": "rating.pressed", "press_to_rating_ms": "rating.given"}
    samples = {
        name: [report.received - fact.at for fact, report in comparison.pairs if fact.kind == kind]
        for name, kind in figures.items()
    }
    return {name: summary(times) for name, times in samples.items() if times}


def _sorted(counts: Counter[str]) -> dict[str, int]:
    return dict(sorted(counts.items()))


def _fact(fact: Fact) -> dict[str, Any]:
    return {"kind": fact.kind, "what": list(fact.what), "at": round(fact.at, 3)}


def _report(report: Report) -> dict[str, Any]:
    return {
        "kind": report.kind,
        "what": list(report.what),
        "id": report.id,
        "happened": round(report.happened, 3),
        "received": round(report.received, 3),
    }
