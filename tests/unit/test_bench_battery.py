"""`hall bench battery`: counts of the real firmware, and arithmetic that says what it assumes."""

import json

import pytest
from hall_profiles import ConfigError, load
from hall_tools.bench.battery import (
    DAYS,
    Counts,
    assumptions,
    battery_of,
    count,
    estimate,
    usable_mah,
)
from hall_tools.cli import app
from hall_tools.errors import UserError
from typer.testing import CliRunner

PROFILE = load("wet-floor-battery")
BATTERY = battery_of(PROFILE)
NOTHING = Counts(0, 0, 0, 0, 0, 0, 0, 0, 0)


def test_a_dry_day_has_a_wake_for_each_look_and_a_report_for_each_heartbeat() -> None:
    counts = count(PROFILE, DAYS["dry"])
    assert counts.starts == 86_400 // PROFILE.settings["wake_dry_s"].value
    assert counts.talks == 86_400 // PROFILE.settings["heartbeat_s"].value
    assert (counts.pin_starts, counts.events) == (0, 0)
    assert counts.requests == counts.talks, "one request a wake"


def test_water_wakes_the_chip_and_is_told_and_taken_back() -> None:
    counts = count(PROFILE, DAYS["mopped"])
    assert counts.pin_starts == 3
    assert counts.events == 6, "three times wet, three times dry"
    assert counts.largest_bytes < 1280


def test_the_heartbeat_sets_the_reports() -> None:
    counts = count(PROFILE, DAYS["dry"], heartbeat_s=7200)
    assert counts.talks == 12


def test_an_unknown_setting_is_refused() -> None:
    with pytest.raises(ConfigError, match="wake_s"):
        count(PROFILE, DAYS["dry"], wake_s=1)


def test_asleep_all_day() -> None:
    told = estimate(BATTERY, NOTHING)
    assert told.day_mah == pytest.approx(BATTERY.sleep_ua * 24 / 1000)
    leak = usable_mah(BATTERY) * BATTERY.self_discharge_percent / 100 / 365
    assert told.life_days == pytest.approx(usable_mah(BATTERY) / (told.day_mah + leak))


def test_each_wake_and_report_costs_what_the_profile_says() -> None:
    counts = Counts(100, 0, 50_000, 10, 10, 0, 0, 0, 0)
    told = estimate(BATTERY, counts)
    awake_s = 100 * BATTERY.wake_ms / 1000 + 50
    assert told.wakes_mah == pytest.approx(awake_s * BATTERY.wake_ma / 3600)
    assert told.reports_mah == pytest.approx(10 * BATTERY.radio_mc / 3600)
    assert estimate(BATTERY, counts, dhcp=True).reports_mah > 3 * told.reports_mah


def test_a_dev_board_is_empty_within_a_week() -> None:
    assert estimate(BATTERY, NOTHING, sleep_ua=15_000).life_days < 7


def test_every_figure_of_the_profile_is_told() -> None:
    told = " ".join(assumptions(BATTERY))
    for figure, value in BATTERY.model_dump().items():
        assert str(value) in told, figure


def test_a_device_on_mains_has_no_cells() -> None:
    with pytest.raises(UserError, match="wet-floor-mains: has no battery section"):
        battery_of(load("wet-floor-mains"))


def test_the_command_says_what_it_does_not_know() -> None:
    result = CliRunner().invoke(app, ["bench", "battery", "--json"])
    assert result.exit_code == 0
    told = json.loads(result.stdout)
    assert told["verified_on_hardware"] is False
    lives = told["sensitivity_life_days"]
    assert lives["heartbeat every 15 min"] < lives["heartbeat every 360 min"]
    assert lives["a dev board, asleep at 15 mA"] < 7
    assert set(told["days"]) == {"dry", "mopped", "rainy"}
