"""What /health says of the gateway's figures, second by second."""

from typing import Any

import pytest
from hall_gateway.health import Watch

SINK = {"position": 5, "waiting": 0, "error": None, "dead": 0, "removed": None}


class Gateway:
    """Figures that a test changes, and a clock that it moves."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.commits = True
        self.figures: dict[str, Any] = {
            "last_commit": 0,
            "store_full": False,
            "brokers": {"devices": self.broker(), "hall": self.broker()},
            "sinks": {"hall": dict(SINK)},
            "settings": {"pending": []},
        }
        self.watch = Watch(lambda: self.now)
        self.watch.judge(self.figures)

    @staticmethod
    def broker() -> dict[str, Any]:
        return {"connected": True, "waiting": 0, "taken": 9, "last_error": ""}

    def after(self, seconds: int) -> tuple[str, list[str]]:
        """The status, and the reasons' codes, so many seconds later."""
        health = self.watch.judge(self.figures)
        for _ in range(seconds):
            self.now += 1
            self.figures["last_commit"] += 1000 * self.commits
            health = self.watch.judge(self.figures)
        return health.status, [reason.code for reason in health.reasons]


def test_all_is_well() -> None:
    gateway = Gateway()
    assert gateway.after(600) == ("ok", [])
    assert gateway.watch.judge(gateway.figures).line.startswith("ok: ")


def test_no_commit_is_no_work() -> None:
    gateway = Gateway()
    gateway.commits = False
    assert gateway.after(14) == ("ok", [])
    assert gateway.after(1) == ("failing", ["no_commit"])
    gateway.commits = True
    assert gateway.after(1) == ("ok", [])


def test_a_clock_that_jumps_is_no_standstill() -> None:
    gateway = Gateway()
    gateway.figures["last_commit"] -= 86_400_000
    assert gateway.after(1) == ("ok", [])


def test_a_full_store_keeps_devices_waiting() -> None:
    gateway = Gateway()
    gateway.figures["store_full"] = True
    assert gateway.after(0) == ("failing", ["store_full"])


def test_without_the_devices_broker_nothing_comes_and_without_the_halls_something_waits() -> None:
    gateway = Gateway()
    for broker in gateway.figures["brokers"].values():
        broker |= {"connected": False, "last_error": "refused"}
    assert gateway.after(29) == ("ok", [])
    assert gateway.after(1) == ("failing", ["devices_broker", "hall_broker"])
    gateway.figures["brokers"]["home_assistant"] = gateway.broker() | {"connected": False}
    assert gateway.after(30)[1][-1] == "home_assistant_broker"
    line = gateway.watch.judge(gateway.figures).line
    assert line.endswith("no connection to Home Assistant's broker: no answer")
    del gateway.figures["brokers"]["home_assistant"]
    gateway.figures["brokers"]["devices"]["connected"] = True
    assert gateway.after(1) == ("degraded", ["hall_broker"])


def test_messages_that_nobody_takes() -> None:
    gateway = Gateway()
    devices = gateway.figures["brokers"]["devices"]
    for _ in range(30):  # busy is not stuck
        devices |= {"waiting": 500, "taken": devices["taken"] + 1}
        assert gateway.after(1) == ("ok", [])
    assert gateway.after(15) == ("failing", ["devices_intake"])


@pytest.mark.parametrize(
    ("change", "seconds", "codes"),
    [
        ({"waiting": 3}, 59, []),
        ({"waiting": 3}, 60, ["sink_still"]),
        ({"waiting": 3, "error": "503"}, 0, ["sink_fails"]),
        ({"dead": 1}, 0, ["dead_letters"]),
        ({"error": "503", "removed": 1}, 60, []),
    ],
)
def test_a_sink_that_is_away_is_no_reason_to_despair(
    change: dict[str, Any], seconds: int, codes: list[str]
) -> None:
    gateway = Gateway()
    gateway.figures["sinks"]["webhook:a"] = SINK | change
    gateway.after(0)
    assert gateway.after(seconds) == ("degraded" if codes else "ok", codes)


def test_settings_that_wait_or_were_refused() -> None:
    gateway = Gateway()
    gateway.figures["settings"] = {"pending": ["store"], "error": "hall.toml:3: no"}
    assert gateway.after(1) == ("degraded", ["settings_pending", "settings_refused"])
    told = gateway.watch.judge(gateway.figures).told()
    assert told["status"] == "degraded"
    assert "store" in str(told["reasons"])


def test_rules_that_were_refused() -> None:
    gateway = Gateway()
    gateway.figures["rule_file"] = {"errors": ["rules.yaml:5: rules[1].when: no"]}
    assert gateway.after(1) == ("degraded", ["rules_refused"])
    gateway.figures["rule_file"] = {"errors": []}
    assert gateway.after(1) == ("ok", [])
