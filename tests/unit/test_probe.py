"""The probe on a converter that reads nothing near the ends of the supply, in MicroPython."""

import json
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from hall_profiles import compile_config, load
from hall_profiles.drivers import Probe
from support import micropython

SCRIPT = Path(__file__).with_name("mp_probe.py")
FLOORS = ["wet-floor-battery", "wet-floor-mains"]
Seen = dict[str, tuple[int, str | None]]


def measure(name: str, folder: Path, settings: list[dict[str, int]]) -> list[Seen]:
    """What a probe of this profile finds of each state of the floor, once with each settings."""
    config: dict[str, Any] = compile_config(
        load(name), device="fl-1", hall="demo", broker_host="127.0.0.1", broker_port=1883
    )
    flash = folder / "flash.bin"
    flash.touch()
    done = micropython.run(
        SCRIPT,
        str(flash),
        str(folder / "rtc.bin"),
        path=[micropython.modules(), micropython.simulation()],
        stdin=json.dumps({"config": config, "settings": settings}) + "\n",
    )
    return [json.loads(line) for line in done.output.splitlines()]


def faults(seen: Seen) -> dict[str, str | None]:
    return {state: fault for state, (_, fault) in seen.items()}


ALL_TOLD_APART = {
    "new": None,
    "dry": None,
    "bone_dry": None,
    "wet": None,
    "drenched": None,
    "cut": "open",
    "short": "short",
    "healed": None,
}


@pytest.mark.parametrize("name", FLOORS)
def test_dry_wet_cut_and_shorted_are_told_apart(name: str, tmp_path: Path) -> None:
    profile = load(name)
    driver = profile.driver
    assert isinstance(driver, Probe)
    values = {key: setting.value for key, setting in profile.settings.items()}
    (seen,) = measure(name, tmp_path, [values])
    assert faults(seen) == ALL_TOLD_APART
    # The end resistor is in parallel with the water.
    for state, water in (("dry", 5_000_000), ("bone_dry", 1_000_000_000), ("drenched", 5_000)):
        right = 1 / (1 / water + 1 / driver.end_ohms)
        assert seen[state][0] == pytest.approx(right, rel=0.02)
    assert seen["wet"][0] < values["wet_ohms"]
    assert seen["dry"][0] > values["dry_ohms"]
    # The profile's check refuses by these what no probe can do.
    assert (seen["short"][0], seen["cut"][0]) == pytest.approx(driver.reach(), rel=0.01)


@pytest.mark.parametrize("name", FLOORS)
def test_they_are_told_apart_with_every_setting_at_either_end(name: str, tmp_path: Path) -> None:
    settings = load(name).settings
    thresholds = ("short_ohms", "wet_ohms", "dry_ohms", "open_ohms")
    ends = [
        dict(zip(thresholds, values, strict=True))
        for values in product(*((settings[key].min, settings[key].max) for key in thresholds))
    ]
    tries = [each for each in ends if each["wet_ohms"] < each["dry_ohms"]]
    for each, seen in zip(tries, measure(name, tmp_path, tries), strict=True):
        assert faults(seen) == ALL_TOLD_APART, each
        assert seen["wet"][0] < each["wet_ohms"], each
        assert seen["dry"][0] > each["dry_ohms"], each
