"""RTC memory after a deep sleep, as the parts of a device that sleeps go on from it.

Runs in MicroPython and in CPython. Given bytes, says whether they were taken, and raises what is
wrong with a reader: anything that it does not say it raises, or an assertion. Whatever was kept,
and had a CRC that is right: the device samples, asks for the gateway in time, and sleeps again.
"""

import json

import mp_stage as stage
from hall import battery, napper, oscore, reported
from hall.clock import Clock
from hall.errors import Errors
from hall.journal import Journal
from hall.roles.wet_floor import WetFloor

SETTINGS = {"sample_ms": 1000, "wet_ohms": 30_000, "dry_ohms": 60_000, "escalate_s": 600}
SETTINGS.update({"wet_samples": 3, "of_samples": 5, "dry_after_s": 60, "heartbeat_s": 3600})
SETTINGS.update({"wake_dry_s": 600, "wake_wet_s": 60})
CONFIG = {"role": "wet_floor", "settings": SETTINGS}
CONFIG["gateway"] = {"host": "10.0.0.1", "port": 5683}
KEYS = {"secret": "22" * 16, "salt": "33" * 8, "id": "01", "gateway_id": "", "start": 8}
ABOUT = {"fw": "0", "profile": "p", "cause": "deep_sleep", "update": {"s": "idle"}}
SILENT_MS = 4 * 3_600_000  # at most so long it does not even try to reach the gateway
AWAKE_MS = 60_000
NOON = 1_790_000_000_000


class SleptError(Exception):
    """The chip sleeps."""


class Chip:
    """hal_sleep, of a chip that has slept for ten minutes."""

    def __init__(self, memory):
        self.memory = memory
        self.now = 0
        self.clock = 700_000
        self.slept = None
        self.by_pin = False

    def kept(self):
        return self.memory

    def remember(self, state):
        if len(state) > 1295:
            raise ValueError("RTC memory has no room for %d bytes" % len(state))
        self.memory = state

    def uptime_ms(self):
        return self.now

    def clock_ms(self):
        return self.clock

    def went_on(self, uptime):
        self.now = uptime

    def woken_by_pin(self):
        return self.by_pin

    def partition(self, label):
        assert label == "ident"
        return _Ident()

    def deep_sleep(self, length, armed):
        self.slept = length
        raise SleptError


class _Ident:
    """An identity whose keys have been used."""

    def readblocks(self, block, buffer, offset=0):
        buffer[:] = bytes(len(buffer))


class _Wifi:
    """No network is there."""

    def __init__(self):
        self.tries = 0

    async def join(self, place, static_ip):
        if place:
            number, channel = place
            assert type(number) is int and type(channel) is int
        self.tries += 1
        return False

    def off(self):
        pass


class _Probe:
    end_ohms = 100_000

    def __init__(self, ohms, fault):
        self._ohms, self._fault = ohms, fault
        self.raw_uv = (1_000_000, 1_000_000)
        self._flips = 0

    def measure(self):
        self._flips += 1  # a converter is never still
        self.raw_uv = (1_000_000 + self._flips, 1_000_000)
        return self._ohms, self._fault

    def arm(self):
        return (1, 0), {2: 1, 3: 0}


class _Context:
    """What app.py gives the role."""

    kept = {}

    def __init__(self, journal):
        self._journal = journal

    def emit(self, kind, data):
        self._journal.append(kind, data)


class _Loop:
    """In asyncio's place: time goes by as it is slept."""

    chip = None

    async def sleep_ms(self, ms):
        assert 0 <= ms < AWAKE_MS, ms
        self.chip.now += ms


loop = _Loop()
napper.asyncio, reported.gc = loop, stage.Heap
FLASH = stage.new_flash()
stage.new_journal(stage.EPOCH, FLASH).reserve(64)
IMAGE = bytes(FLASH.image)


def woken(chip, ohms=100_000, fault=None):
    """(the napper of a start after a deep sleep, whether it went on from what was kept),
    composed as compose.py and sleeper.py do it."""
    loop.chip = chip
    clock = Clock(chip.uptime_ms)
    state = battery.remembered(chip)
    if state:
        battery.go_on(state, chip, clock)
    journal = Journal(
        stage.new_flash(image=IMAGE), chip.uptime_ms, clock.unix_ms, state and state["boot"]
    )
    lines = []
    errors = Errors(chip.uptime_ms, lines.append)
    role = WetFloor(SETTINGS, _Probe(ohms, fault), _Context(journal))
    wifi = _Wifi()
    made = battery.make_napper(
        chip,
        CONFIG,
        {"device": "d-1", "oscore": KEYS},
        state,
        state is not None,
        journal,
        clock,
        role,
        wifi,
        errors,
        lambda _line: None,
        ABOUT,
        desire=role.desire,
        command=stage.desk.command,
        randint=lambda low, high: high,
        busy=lambda: False,
        confirm=lambda: None,
        check_in=lambda: None,
    )
    return made, state is not None and not any("not understood" in line for line in lines)


def life(chip, ohms=100_000, fault=None):
    """From a wake to the next sleep; whether it went on from what was kept."""
    made, went_on = woken(chip, ohms, fault)
    assert 0 <= made._numbers.next <= made._numbers.end < 1 << 32
    oscore._piv(made._numbers.next)
    began = chip.now
    task = made.run()
    chip.slept = None
    while chip.slept is None:
        try:
            task.send(None)
        except SleptError:
            break
        assert chip.now - began < AWAKE_MS, "it does not sleep"
    task.close()
    assert type(chip.slept) is int and napper.LEAST_MS <= chip.slept <= 600_000, chip.slept
    assert min(made._talk_at, made._retry_at) - chip.now <= SILENT_MS
    assert max(made._talk_at, made._retry_at) - chip.now <= SILENT_MS
    json.dumps(made._post._state(made.rev))
    return went_on


def slept(data):
    """RTC memory, woken by the time or by water; and the life after that one."""
    taken = False
    for by_pin, ohms, fault in ((False, 100_000, None), (True, 20_000, None), (False, 0, "short")):
        chip = Chip(data)
        chip.by_pin = by_pin
        taken |= life(chip, ohms, fault)
        chip.clock += chip.slept
        assert life(chip, ohms, fault), "it does not know itself again"
    return taken


def seeds():
    """What is kept after a life over a dry floor, a wet one, and a probe that is at fault."""
    kept = []
    for ohms, fault in ((100_000, None), (20_000, None), (0, "short")):
        chip = Chip(b"")
        life(chip, ohms, fault)
        chip.clock += 600_000
        life(chip, ohms, fault)
        kept.append(chip.memory)
    more = json.loads(kept[0])
    more.update({"unix": NOON, "place": [0, 6], "rev": 7})
    return kept + [json.dumps(more).encode()]


TARGETS = {"device-slept": slept}
