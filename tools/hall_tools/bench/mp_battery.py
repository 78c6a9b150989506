# pyright: basic, reportMissingImports=false, reportAttributeAccessIssue=false
"""The firmware of a battery device through days of wet and dry, with a clock that jumps over sleep.

Runs in MicroPython. Here: a chip, a radio and a gateway that answers at once, as far as the
application looks at them; counting starts, time awake and datagrams. Not here: what any of it costs
(battery.py), and the real chip, radio and gateway, which tests have.

stdin: a line of JSON {"config", "day": [[second, ohms of water or null], ...], "days"}. stdout: a
line of JSON, the counts of the last day.
"""

import asyncio
import json
import sys

from hall import battery, build, cbor, clock, coap, errors, journal, oscore
from hall.drivers import probe

DAY_MS = 24 * 3600 * 1000
WAKES_BELOW_OHMS = 88_000  # the comparator of the profile
_REAL_SLEEP = asyncio.sleep_ms
_SUPPLY_UV, _SERIES, _END = 3_300_000, 47_000, 470_000
_SECTOR = 4096


class AsleepError(Exception):
    """Deep sleep: the end of this life of the program."""


class World:
    """Time in ms since power came, and what lies on the floor."""

    def __init__(self, day):
        self.now = 0
        self.noise = 0
        self._day = day

    def ohms(self):
        """Of the line: the water, with the end resistor in parallel."""
        second = self.now % DAY_MS // 1000
        water = None
        for since, found in self._day:
            if since <= second:
                water = found
        return _END if water is None else water * _END // (water + _END)

    def next_water(self, end):
        """When the comparator wakes the chip, or `end`."""
        began = self.now
        try:
            while self.now < end:
                if self.ohms() < WAKES_BELOW_OHMS:
                    return self.now
                self.now += 1000
        finally:
            self.now = began
        return end


class Block:
    """A partition: what is programmed stays until it is erased."""

    def __init__(self, sectors):
        self._data = bytearray(b"\xff" * (sectors * _SECTOR))

    def readblocks(self, number, buffer, offset=0):
        at = number * _SECTOR + offset
        buffer[:] = self._data[at : at + len(buffer)]

    def writeblocks(self, number, buffer, offset=None):
        at = number * _SECTOR + (offset or 0)
        for place in range(len(buffer)):
            self._data[at + place] &= buffer[place]

    def ioctl(self, operation, argument):
        if operation == 4:
            return len(self._data) // _SECTOR
        if operation == 5:
            return _SECTOR
        if operation == 6:
            at = argument * _SECTOR
            self._data[at : at + _SECTOR] = b"\xff" * _SECTOR
        return 0


class Pin:
    def __init__(self):
        self.high = False

    def on(self):
        self.high = True

    def off(self):
        self.high = False


class Adc:
    """The probe's line, driven by `pins`."""

    def __init__(self, world, pins):
        self._world = world
        self._pins = pins

    def read_uv(self):
        self._world.noise = (self._world.noise * 5 + 3) % 16  # a converter is never still
        a, b = self._pins
        over = _SUPPLY_UV * self._world.ohms() // (self._world.ohms() + _SERIES)
        return (over if a.high else _SUPPLY_UV - over if b.high else 0) + 800 * self._world.noise


class Hal:
    """hal.py's functions, and its pins."""

    def __init__(self, world):
        self._world = world
        self._pins = []
        self._blocks = {"jrnl": Block(16), "ident": Block(2)}
        self._kept = b""
        self._began = 0
        self._by_pin = False

    def begin(self):
        self._began = self._world.now
        self._pins = []

    def uptime_ms(self):
        return self._world.now - self._began

    def clock_ms(self):
        return self._world.now

    def went_on(self, uptime):
        self._began = self._world.now - uptime

    def kept(self):
        return self._kept

    def remember(self, state):
        self._kept = state

    def woken_by_pin(self):
        return self._by_pin

    def partition(self, label):
        return self._blocks[label]

    def deep_sleep(self, length, armed):
        end = self._world.now + length
        woken = self._world.next_water(end) if armed else end
        self._by_pin = woken < end
        self._world.now = woken
        raise AsleepError

    def output(self, pin, active):
        self._pins.append(Pin())
        return self._pins[-1]

    def adc(self, pin):
        return Adc(self._world, self._pins)


class Wifi:
    """Joins at once."""

    async def join(self, place, static_ip):
        return True

    def place(self):
        return [0, 6]

    def off(self):
        pass


class Gateway:
    """A coap.Client whose gateway takes everything; counts datagrams. `context` is the device's."""

    def __init__(self, counts, context, unix_ms):
        self._counts = counts
        self._context = context
        self._unix_ms = unix_ms

    def __call__(self, *arguments):
        return self

    def close(self):
        pass

    async def request(self, mid, token, code, options, payload):
        sent = coap.encode(coap.CON, code, mid, token, options, payload)
        value = options[0][1]
        piv = value[1 : 1 + (value[0] & 7)]
        context = self._context
        nonce, aad = context._nonce(context._sender, piv), context._aad(piv)
        plain = oscore._open(context.sender_key, nonce, aad, payload)
        _, content = coap.decode_body(plain[1:])
        said = cbor.loads(content)
        report = said["state"]["journal"]
        seqs = [event["seq"] for event in said["events"]]
        ack = {"epoch": report["epoch"], "seq": max(max(seqs, default=0), report["acked"])}
        ack["now"] = self._unix_ms()
        inner = b"\x44" + coap.encode_body([(coap.CONTENT_FORMAT, b"\x3c")], cbor.dumps(ack))
        sealed = oscore._seal(context.recipient_key, nonce, aad, inner)
        answer = coap.encode(coap.ACK, 0x44, mid, token, [(coap.OSCORE, b"")], sealed)
        self._counts["requests"] += 1
        self._counts["events"] += len(seqs)
        self._counts["sent_bytes"] += len(sent)
        self._counts["received_bytes"] += len(answer)
        self._counts["largest_bytes"] = max(self._counts["largest_bytes"], len(sent))
        return 0x44, [(coap.OSCORE, b"")], sealed


class Device:
    """The application of app.py, as far as a battery device has it."""

    def __init__(self, config, world):
        keys = {"secret": "01" * 16, "salt": "02" * 8, "id": "a1b2", "gateway_id": "00"}
        self._who = {"device": config["device"], "oscore": keys}
        names = ("secret", "salt", "id", "gateway_id")
        self._context = oscore.Context(*[bytes.fromhex(keys[name]) for name in names])
        self._config = config
        self._world = world
        self._hal = Hal(world)
        self.counts = {}
        self.kept = {}
        self.forget()
        journal.Journal.format(self._hal.partition("jrnl"), 0xBEEF)
        self._powered = True

    def forget(self):
        names = "starts pin_starts awake_ms talks requests events sent_bytes received_bytes"
        for name in (names + " largest_bytes").split():
            self.counts[name] = 0

    def live(self):
        """One start, until it sleeps."""
        hal, world = self._hal, self._world
        hal.begin()
        began = world.now
        time = clock.Clock(hal.uptime_ms)
        state = None if self._powered else battery.remembered(hal)
        woken = state is not None
        if woken:
            battery.go_on(state, hal, time)
        self._powered = False
        log = lambda text: None  # noqa: E731
        troubles = errors.Errors(hal.uptime_ms, log)
        boot = state["boot"] if woken else None
        block = hal.partition("jrnl")
        self._journal = journal.Journal(block, hal.uptime_ms, time.unix_ms, boot)
        role = build.make_role(self._config, hal, self, "")
        update = {"v": "0.1.0", "slot": "a", "s": "idle", "p": 0}
        profile = self._config["profile"]
        about = {"fw": "0.1.0", "profile": profile, "cause": "deep_sleep", "update": update}
        coap.Client = Gateway(self.counts, self._context, lambda: 1_700_000_000_000 + world.now)
        napper = battery.make_napper(
            hal,
            self._config,
            self._who,
            state,
            woken,
            self._journal,
            time,
            role,
            Wifi(),
            troubles,
            log,
            about,
            desire=None,
            command=None,
            randint=lambda a, b: (a + b) // 2,
            busy=lambda: False,
            confirm=lambda: None,
            check_in=lambda: None,
        )
        tries = napper.stats["tries"]
        awake = napper.stats["awake_ms"]
        try:  # noqa: SIM105 (it has no contextlib)
            asyncio.run(napper.run())
        except AsleepError:
            pass
        if world.now == began:
            raise RuntimeError("time does not pass")
        self.counts["starts"] += 1
        self.counts["pin_starts"] += hal.woken_by_pin()
        self.counts["talks"] += napper.stats["tries"] - tries
        self.counts["awake_ms"] += napper.stats["awake_ms"] - awake
        if napper.stats["failures"]:
            raise RuntimeError(f"a try failed: {troubles.last}")

    # The role's context

    def emit(self, kind, data):
        self._journal.append(kind, data)

    def keep(self):
        pass


def main():
    job = json.loads(sys.stdin.readline())
    world = World(job["day"])

    async def sleep_ms(length):
        world.now += length
        await _REAL_SLEEP(0)

    asyncio.sleep_ms = sleep_ms
    probe.sleep_us = lambda us: None
    device = Device(job["config"], world)
    last = (job["days"] - 1) * DAY_MS
    while world.now < last:
        device.live()
    device.forget()
    while world.now < last + DAY_MS:
        device.live()
    print(json.dumps(device.counts))


main()
