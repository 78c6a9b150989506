"""How long the cells of a battery device last: counted wakes and reports, the profile's currents.

Here: days of wet and dry through the real firmware (mp_battery.py, in MicroPython's unix port), and
the arithmetic from its counts. Not here: any measurement of a current. The figures of the profile
are from data sheets and of others, and no device of ours was measured: an estimate is printed with
all it assumes.

A wake costs `wake_ms` and the counted time awake after it, at `wake_ma`; a report costs `radio_mc`
on top, which has its wake's radio in it and nothing else; the rest of the day is `sleep_ua`.
"""

import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from hall_profiles import Profile, compile_config
from hall_profiles.model import Battery

from hall_tools.errors import UserError
from hall_tools.mpy import firmware_root

DAY_S = 24 * 3600
YEAR_DAYS = 365
_DAYS = 2
"""Of which the last is counted: the first has the power-on."""
_LONGEST_S = 120
_MICROPYTHON = (
    "import sys, micropython_run as m; sys.exit(m.run_main(['micropython', *sys.argv[1:]]))"
)
DEV_BOARD_UA = 15_000
"""A dev board asleep: its regulator, its serial chip and its LED (upy-esp32-experiments)."""

Floor = Sequence[tuple[int, int | None]]
"""From which second of the day on there is water of so many ohms, or none."""

_WATER = 20_000


def _day(*wet: tuple[float, float]) -> Floor:
    """Water from an hour, for so many minutes."""
    floor: list[tuple[int, int | None]] = [(0, None)]
    for hour, minutes in wet:
        began = int(hour * 3600)
        floor += [(began, _WATER), (began + int(minutes * 60), None)]
    return floor


MOPPINGS = ((7.5, 20.0), (13.0, 20.0), (20.0, 20.0))
DAYS: dict[str, Floor] = {
    "dry": _day(),
    "mopped": _day(*MOPPINGS),
    "rainy": _day((7.5, 20.0), (9.0, 240.0), (20.0, 20.0)),
}
WORDS = {
    "dry": "no water all day",
    "mopped": "mopped three times, wet for 20 minutes each",
    "rainy": "mopped twice, and water for 4 hours between",
}
TYPICAL = "mopped"
HEARTBEATS_S = (900, 3600, 6 * 3600, 24 * 3600)
LAZY_S = 3600
"""Between two looks at a dry floor, not the profile's; water wakes the chip all the same."""


@dataclass(frozen=True)
class Counts:
    """Of one day: what the firmware did."""

    starts: int
    pin_starts: int
    awake_ms: int
    talks: int
    requests: int
    events: int
    sent_bytes: int
    received_bytes: int
    largest_bytes: int


@dataclass(frozen=True)
class Estimate:
    """Of one day's counts with some currents: charge in mAh at the chip's supply, life in days."""

    sleep_mah: float
    wakes_mah: float
    reports_mah: float
    life_days: float

    @property
    def day_mah(self) -> float:
        return self.sleep_mah + self.wakes_mah + self.reports_mah


def battery_of(profile: Profile) -> Battery:
    """UserError (EX_USAGE): it is no battery device."""
    if profile.battery is None:
        raise UserError(
            f"{profile.name}: has no battery section, so there is nothing to reckon with; hall "
            "profile list has the device models, wet-floor-battery is one",
            os.EX_USAGE,
        )
    return profile.battery


def count(profile: Profile, floor: Floor, **settings: int) -> Counts:
    """A day of `floor` through the firmware, in some seconds. UserError: it cannot be run here."""
    if importlib.util.find_spec("micropython_run") is None:
        raise UserError(
            "counting needs MicroPython's unix port, published for x86-64 Linux: "
            "pip install 'hallkit[sim]'",
            os.EX_UNAVAILABLE,
        )
    config = compile_config(
        profile,
        device="floor-1",
        hall="bench",
        broker_host="192.168.1.10",
        broker_port=5683,
        settings=settings,
    )
    job = json.dumps({"config": config, "day": list(floor), "days": _DAYS})
    script = Path(__file__).with_name("mp_battery.py")
    done = subprocess.run(
        [sys.executable, "-c", _MICROPYTHON, "-X", "heapsize=16M", str(script)],
        env=os.environ | {"MICROPYPATH": f"{firmware_root()}:.frozen"},
        input=f"{job}\n",
        capture_output=True,
        text=True,
        timeout=_LONGEST_S,
        check=False,
    )
    if done.returncode != 0:
        said = done.stderr or done.stdout
        raise UserError(f"the firmware did not get through the day: {said[-500:]}")
    return Counts(**json.loads(done.stdout.splitlines()[-1]))


def estimate(
    battery: Battery, counts: Counts, *, sleep_ua: int | None = None, dhcp: bool = False
) -> Estimate:
    """What such days cost. `sleep_ua` in place of the profile's; `dhcp`: no static address."""
    awake_s = (counts.starts * battery.wake_ms + counts.awake_ms) / 1000
    asleep_s = max(0.0, DAY_S - awake_s)
    sleep = (sleep_ua or battery.sleep_ua) / 1000 * asleep_s / 3600
    wakes = battery.wake_ma * awake_s / 3600
    reports = counts.talks * (battery.dhcp_mc if dhcp else battery.radio_mc) / 3600
    usable = usable_mah(battery)
    leaks = usable * battery.self_discharge_percent / 100 / YEAR_DAYS
    return Estimate(sleep, wakes, reports, usable / (sleep + wakes + reports + leaks))


def usable_mah(battery: Battery) -> float:
    """What the chip can take at its own voltage, before self-discharge."""
    share = battery.cells_mv / battery.supply_mv * battery.converter_percent / 100
    return battery.capacity_mah * share


def assumptions(battery: Battery) -> list[str]:
    """All that is not counted, in sentences."""
    return [
        f"cells: {battery.capacity_mah} mAh at {battery.cells_mv} mV, through a converter of "
        f"{battery.converter_percent} % to {battery.supply_mv} mV: {usable_mah(battery):.0f} mAh "
        "there; used to the last",
        f"self-discharge: {battery.self_discharge_percent} % a year",
        f"asleep: {battery.sleep_ua} µA, the whole device",
        f"a wake: {battery.wake_ms} ms to the first sample at {battery.wake_ma} mA, and the "
        "counted time after it",
        f"a report: {battery.radio_mc} mC with a static address ({battery.dhcp_mc} mC with DHCP), "
        "whatever its size; each is answered at once: no repetition, no weak signal, no outage",
        "every day is like the one counted, at room temperature, and the firmware is the one here",
    ]


def sensitivity(profile: Profile, base: Counts) -> dict[str, float]:
    """Life in days of the typical day, with one thing changed at a time."""
    battery = battery_of(profile)
    lives: dict[str, float] = {}
    for heartbeat in HEARTBEATS_S:
        counts = count(profile, DAYS[TYPICAL], heartbeat_s=heartbeat)
        lives[f"heartbeat every {heartbeat // 60} min"] = estimate(battery, counts).life_days
    if "wake_dry_s" in profile.settings:
        counts = count(profile, DAYS[TYPICAL], wake_dry_s=LAZY_S)
        name = f"looks at a dry floor every {LAZY_S // 60} min"
        lives[name] = estimate(battery, counts).life_days
    lives["DHCP instead of a static address"] = estimate(battery, base, dhcp=True).life_days
    double = battery.model_copy(update={"wake_ms": 2 * battery.wake_ms})
    lives["a wake that takes twice as long"] = estimate(double, base).life_days
    worse = battery.model_copy(update={"radio_mc": 2 * battery.radio_mc})
    lives["a report that costs twice as much"] = estimate(worse, base).life_days
    board = estimate(battery, base, sleep_ua=DEV_BOARD_UA)
    lives[f"a dev board, asleep at {DEV_BOARD_UA // 1000} mA"] = board.life_days
    return lives


def as_json(profile: Profile, counted: dict[str, Counts], lives: dict[str, float]) -> object:
    """Everything, for `--json`."""
    battery = battery_of(profile)
    days: dict[str, object] = {}
    for name, counts in counted.items():
        told = estimate(battery, counts)
        days[name] = {
            "floor": WORDS[name],
            "counted": asdict(counts),
            "sleep_mah": round(told.sleep_mah, 3),
            "wakes_mah": round(told.wakes_mah, 3),
            "reports_mah": round(told.reports_mah, 3),
            "life_days": round(told.life_days),
        }
    return {
        "profile": profile.name,
        "verified_on_hardware": False,
        "battery": battery.model_dump(),
        "usable_mah": round(usable_mah(battery), 1),
        "assumptions": assumptions(battery),
        "days": days,
        "sensitivity_life_days": {name: round(life) for name, life in lives.items()},
    }
