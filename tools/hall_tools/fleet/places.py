"""The halls of a simulated company: their ids, names, classes, and what stands in them.

Here: everything that is the same each time for the n-th hall. Not here: what happens there
(hall_days.py), its gateway (halls.py).
"""

import random
from dataclasses import dataclass
from functools import cache
from typing import Literal

from hall_gateway.limits import PAYMENT_MIN, Limits
from hall_gateway.occupancy import OccupancyRules
from hall_gateway.plan import Plan, PlannedDevice
from hall_profiles import Profile, load

from hall_tools.fleet.customers import Habits

HallClass = Literal["A", "B", "C", "D"]

MOST = 9999

_TOWNS = (
    *("城东", "城西", "城南", "城北", "开发区", "新区", "高铁站", "大学城", "老街", "河口"),
    *("东湖", "西山", "南郊", "北郊", "青石", "白塔", "柳林", "桃源", "龙门", "云岭"),
    *("金沙", "银杏", "双桥", "三合", "五里", "七星", "八角", "九龙", "石桥", "竹园"),
)
_BUSINESS = ("综合业务", "电费缴纳", "新装增容", "过户更名", "企业客户", "咨询引导")
_CLERKS = ("王芳", "李明", "赵强", "陈静", "刘洋", "孙丽")
_WINDOWS: dict[HallClass, int] = {"A": 6, "B": 4, "C": 3, "D": 2}
_CUSTOMERS: dict[HallClass, int] = {"A": 320, "B": 200, "C": 120, "D": 60}


@dataclass(frozen=True)
class Place:
    """One hall; `served` are the windows that a queue system calls to, with who sits there."""

    hall: str
    name: str
    hall_class: HallClass
    plan: Plan
    served: dict[str, str]
    habits: Habits


def hall_id(number: int) -> str:
    """Of the hall `number`, from 1 to MOST."""
    return f"hall-{number:04}"


def hall_name(number: int) -> str:
    """As people call it."""
    town = _TOWNS[(number - 1) % len(_TOWNS)]
    again = (number - 1) // len(_TOWNS)
    return f"{town}{f'{again + 1} ' if again else ''}供电营业厅"


def hall_class(number: int) -> HallClass:
    """In a company most halls are small."""
    return random.Random(number).choices(("A", "B", "C", "D"), (1, 3, 4, 2))[0]


def place(number: int) -> Place:
    """The hall `number`, from 1 to MOST: the same each time."""
    if not 1 <= number <= MOST:
        raise ValueError(f"there are halls 1 to {MOST}, not {number}")
    chance = random.Random(number * 7919)
    kind = hall_class(number)
    served = {str(n): _CLERKS[n - 1] for n in range(1, _WINDOWS[kind] + 1)}
    habits = Habits(
        customers=round(_CUSTOMERS[kind] * chance.uniform(0.7, 1.3)),
        presses=chance.uniform(0.4, 0.75),
        content=chance.uniform(0.7, 1.6),
        service_s=chance.uniform(180, 420),
    )
    return Place(
        hall_id(number), hall_name(number), kind, _plan(number, list(served)), served, habits
    )


def _plan(number: int, served: list[str]) -> Plan:
    """A display and a keypad at each window, one window where nobody asks, two doors, a floor."""
    free = str(len(served) + 1)
    devices = [
        *(PlannedDevice(f"disp-{w}", _model("call-display-p10-64x16"), _at(w), w) for w in served),
        *(PlannedDevice(f"kp-{w}", _model("keypad-5"), _at(w), w) for w in served),
        PlannedDevice(f"kp-{free}", _model("keypad-3"), _at(free), free),
        PlannedDevice("door", _model("people-counter-beams"), "zone/entrance"),
        PlannedDevice("vip", _model("people-counter-beams"), "zone/vip"),
        PlannedDevice("floor", _model("wet-floor-mains"), "zone/entrance"),
    ]
    windows = {w: _BUSINESS[int(w) - 1] for w in served}
    return Plan(
        hall_id(number),
        {**windows, free: "自助"},
        {device.id: device for device in devices},
        free=frozenset({free}),
        occupancy=OccupancyRules(areas=frozenset({"vip"})),
        limits=Limits(dict(PAYMENT_MIN)),
    )


def _at(window: str) -> str:
    return f"window/{window}"


@cache
def _model(profile: str) -> Profile:
    """Each is read once, however many halls there are."""
    return load(profile)
