"""The plan: what the settings and the device profiles make of a hall."""

from pathlib import Path

import hall_profiles
from hall_gateway.config import load_config
from hall_gateway.core import Core
from hall_gateway.limits import Limits
from hall_gateway.models import KINDS
from hall_gateway.plan import Plan, PlannedDevice, plan_of
from hall_profiles import load
from support.core_hall import PLAN, Clock

SETTINGS = """
hall = "demo"
[store]
path = "hall.db"
[upstream]
[rating]
window_s = 20
[figures]
limit_min = 30
limits = { "过户" = 15 }
[[window]]
id = "1"
name = "综合业务"
[[window]]
id = "2"
[[device]]
id = "kp-1"
profile = "keypad-5"
window = "1"
[[device]]
id = "kp-2"
profile = "keypad-3"
window = "2"
[[device]]
id = "disp-1"
profile = "call-display-p10-64x16"
window = "1"
[[device]]
id = "floor-1"
profile = "wet-floor-mains"
zone = "entrance"
"""


def _settings(folder: Path) -> Path:
    path = folder / "gateway.toml"
    path.write_text(SETTINGS, encoding="utf-8")
    return path


def test_settings_and_profiles_make_a_plan(tmp_path: Path) -> None:
    plan = plan_of(load_config(_settings(tmp_path)))
    assert plan == Plan(
        "demo",
        {"1": "综合业务", "2": ""},
        {
            "kp-1": PlannedDevice("kp-1", load("keypad-5"), "window/1", "1"),
            "kp-2": PlannedDevice("kp-2", load("keypad-3"), "window/2", "2"),
            "disp-1": PlannedDevice("disp-1", load("call-display-p10-64x16"), "window/1", "1"),
            "floor-1": PlannedDevice("floor-1", load("wet-floor-mains"), "zone/entrance"),
        },
        window_s=20,
        limits=Limits({"过户": 15}, 30),
    )


async def test_a_core_opens_from_settings(tmp_path: Path) -> None:
    core = await Core.open(load_config(_settings(tmp_path)), Clock())
    assert sorted(core.desired()) == ["disp-1", "kp-1", "kp-2"]
    await core.close()
    assert (tmp_path / "hall.db").exists()


def test_every_kind_of_every_profile_is_understood() -> None:
    for name in hall_profiles.builtin_names():
        profile = hall_profiles.load(name)
        kinds = {*profile.events, *hall_profiles.COMMON_EVENTS}
        assert kinds <= KINDS[profile.role].keys(), name


def test_who_stands_where() -> None:
    assert [device.id for device in PLAN.displays("1")] == ["disp-1"]
    assert PLAN.displays("3") == []
    keypad = PLAN.keypad("2")
    assert keypad is not None
    assert keypad.id == "kp-2"
    assert PLAN.keypad("3") is None
    assert [keypad.mark(key) for key in (1, 2, 3, 4)] == [4, 3, 2, None]
