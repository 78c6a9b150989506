"""Which faults come when, drawn from a seed before anything starts.

Here: kinds, targets, moments and lengths. Not here: doing them (faults.py). The same seed, length
and devices give the same plan.
"""

import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal, get_args

LinkKind = Literal[
    "black_hole",
    "delay",
    "reset",
    "cut_mid_packet",
    "slow_reader",
    "repeat",
    "reorder",
]
DeviceKind = Literal[
    "kill_device",
    "power_cut",
    "flash_cut",
    "boot_cut",
    "hang",
    "wifi_off",
]
Kind = (
    LinkKind
    | Literal[
        "kill_gateway",
        "kill_device_broker",
        "upstream_down",
        "upstream_restart",
        "disk_full",
        "clock_jump",
    ]
    | DeviceKind
)

LINK_KINDS: tuple[Kind, ...] = get_args(LinkKind)
DEVICE_KINDS: tuple[Kind, ...] = get_args(DeviceKind)

MEANINGS: dict[Kind, str] = {
    "black_hole": "a link carries nothing; then it goes on, or has forgotten its connections",
    "delay": "every byte of a link comes late",
    "reset": "the connections of a link are reset",
    "cut_mid_packet": "a link ends in the middle of an MQTT packet",
    "slow_reader": "one side of a link reads a few hundred bytes a second",
    "repeat": "the last messages of a link come again, in order, as after a reconnect",
    "reorder": "messages of different topics overtake one another",
    "kill_gateway": "SIGKILL of the gateway",
    "kill_device_broker": "SIGKILL of the devices' broker, which forgets every session",
    "upstream_down": "SIGKILL of the hall system's broker, away for long, its sessions forgotten",
    "upstream_restart": "the hall system's broker ends in order, and comes back with its sessions",
    "disk_full": "the gateway's files may not grow",
    "clock_jump": "the gateway's clock is wrong by minutes, and is set right again",
    "kill_device": "SIGKILL of a device; its RTC memory stays, as at a crash",
    "power_cut": "a device loses its power",
    "flash_cut": "a device loses its power within an operation of its flash",
    "boot_cut": "the same while it starts",
    "hang": "a device's program hangs, and its watchdog bites",
    "wifi_off": "a device's network is gone",
}

GATEWAY_LINKS = ("gateway-devices", "gateway-hall")
HALL_LINK = "hall-system"

FLASH_WAIT_S = 20.0
"""So long a device has for the operations of its flash of which one is to be the last: it journals
something every few seconds."""

_DECK: tuple[Kind, ...] = (
    *LINK_KINDS,
    *LINK_KINDS,
    *LINK_KINDS,
    *DEVICE_KINDS,
    *DEVICE_KINDS,
    *DEVICE_KINDS,
    "flash_cut",
    "flash_cut",
    "flash_cut",
    "kill_gateway",
    "kill_gateway",
    "kill_gateway",
    "kill_gateway",
    "kill_device_broker",
    "kill_device_broker",
    "disk_full",
    "disk_full",
    "clock_jump",
    "clock_jump",
    "upstream_down",
    "upstream_restart",
)

CALM_S = 4.0
"""So long at the beginning, and at the end, no fault begins: the hall gets going, and the last
fault has time to do its work."""

EVERY_S = 2.0
"""A fault begins so often on average."""

REST_S = 1.0
"""What has failed is left alone for so long."""


@dataclass(frozen=True)
class Fault:
    """`at` and `lasts` in s since the run's begin. `how` and `n` say more, as faults.py reads
    them: an operation of the flash, a way to end, a rate, an offset."""

    at: float
    kind: Kind
    target: str
    lasts: float
    how: str = ""
    n: int = 0

    @property
    def needs(self) -> set[str]:
        """What must not fail in another way meanwhile."""
        match self.kind:
            case "clock_jump":
                return {"clock"}
            case "kill_gateway" | "disk_full":
                return {"gateway"}
            case "upstream_down" | "upstream_restart":
                return {"upstream", f"link {HALL_LINK}", "link gateway-hall"}
            case "kill_device_broker":
                return {"device-broker"}
            case kind if kind in LINK_KINDS:
                return {f"link {self.target}"}
            case _:
                return {self.target}

    def told(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class Plan:
    """`faults` in the order in which they begin; all are over by `seconds`."""

    seed: int
    seconds: float
    faults: tuple[Fault, ...]

    def counts(self) -> Counter[Kind]:
        return Counter(fault.kind for fault in self.faults)


def plan(seed: int, seconds: float, devices: Sequence[str]) -> Plan:
    """Every kind comes about as often as in the deck; a run of two minutes sees nearly all."""
    rng = random.Random(f"chaos {seed}")
    free: dict[str, float] = {}
    faults: list[Fault] = []
    deck: list[Kind] = []
    at = CALM_S
    while at < seconds - CALM_S:
        if not deck:
            deck = rng.sample(_DECK, len(_DECK))
            if not faults:  # first one of each kind
                firsts = rng.sample(sorted(set(_DECK)), len(set(_DECK)))
                deck = [*deck, *reversed(firsts)]
        fault = _draw(rng, deck.pop(), round(at, 2), seconds, devices)
        begins = max([fault.at, *(free.get(need, 0.0) for need in fault.needs)])
        if begins <= at + EVERY_S and begins + fault.lasts <= seconds:
            fault = replace(fault, at=round(begins, 2))
            faults.append(fault)
            for need in fault.needs:
                free[need] = fault.at + fault.lasts + REST_S
        else:
            deck.insert(len(deck) // 2, fault.kind)  # some other time
        at += rng.uniform(0.2, 2 * EVERY_S - 0.2)
    return Plan(seed, seconds, tuple(sorted(faults, key=lambda each: each.at)))


def _draw(
    rng: random.Random, kind: Kind, at: float, seconds: float, devices: Sequence[str]
) -> Fault:
    device = rng.choice(devices)
    link = rng.choice((device, *GATEWAY_LINKS, HALL_LINK))
    side = rng.choice(("up", "down"))
    # What lasts is part of the run's length, or a short run would be one fault.
    long_s = _seconds(rng, min(25.0, seconds / 20), min(90.0, seconds / 8))
    match kind:
        case "black_hole":
            how = rng.choice(("resumes", "forgotten"))
            return Fault(at, kind, link, _seconds(rng, 1, min(40, seconds / 8)), how)
        case "delay":
            return Fault(at, kind, link, _seconds(rng, 2, 15), n=rng.randrange(50, 1500))
        case "slow_reader":
            lasts = _seconds(rng, 3, min(40, seconds / 8))
            return Fault(at, kind, link, lasts, side, rng.randrange(100, 1000))
        case "reset":
            return Fault(at, kind, link, 0.0)
        case "cut_mid_packet":
            return Fault(at, kind, link, _seconds(rng, 2, 5), side)
        case "repeat" | "reorder":
            return Fault(at, kind, link, _seconds(rng, 2, 8), side, rng.randrange(1, 9))
        case "kill_gateway":
            return Fault(at, kind, "gateway", _seconds(rng, 0, 5))
        case "kill_device_broker":
            return Fault(at, kind, "device-broker", _seconds(rng, 0, 8))
        case "upstream_down":
            return Fault(at, kind, "upstream", long_s)
        case "upstream_restart":
            return Fault(at, kind, "upstream", _seconds(rng, 0, 5))
        case "disk_full":
            return Fault(at, kind, "gateway", _seconds(rng, 3, min(30, seconds / 10)))
        case "clock_jump":
            minutes = rng.choice((-1, 1)) * rng.randrange(2, 50)
            lasts = _seconds(rng, 3, min(60, seconds / 8))
            return Fault(at, kind, "clock", lasts, n=minutes * 60_000)
        case "flash_cut":
            how = rng.choice(("before", "torn", "after"))
            return Fault(at, kind, device, FLASH_WAIT_S, how, rng.randrange(1, 4))
        case "boot_cut":
            how = rng.choice(("before", "torn", "after"))
            return Fault(at, kind, device, _seconds(rng, 6, 9), how, rng.randrange(1, 12))
        case "hang":
            return Fault(at, kind, device, 14.0, n=13_000)
        case "kill_device" | "power_cut":
            return Fault(at, kind, device, _seconds(rng, 0, 6))
        case "wifi_off":
            return Fault(at, kind, device, _seconds(rng, 2, min(25, seconds / 8)))


def _seconds(rng: random.Random, low: float, high: float) -> float:
    return round(rng.uniform(low, max(low, high)), 2)
