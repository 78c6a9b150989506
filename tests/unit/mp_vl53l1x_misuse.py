"""The model of the VL53L1X in the hands of hosts that use it wrongly; it must tell each.

No argument. stdout, a JSON line for each case: [case, [rule, ...], what else it found].
"""

import json

import vl53l1x
from i2c import Bus
from lane import Lane

# What a ranging of 33 ms in the long mode needs, as the manuals have it.
REGISTERS = (
    (0x30, b"\x11"),
    (0x46, b"\x20"),
    (0x5E, b"\x00\x60\x0f\x00\x6e\x0d"),
    (0x69, b"\xb8"),
    (0x78, b"\x0f\x0d\x0e\x0e"),
    (0x7F, b"\xa7\xf7\x9b"),
)


class Host:
    """A host that knows the chip by its registers; `told` are the rules that it was told."""

    def __init__(self):
        self.now = 0
        self.told = []
        vl53l1x.emit = lambda line, at=None: self.told.append(line["misuse"])
        self.chip = vl53l1x.Vl53l1x(Lane(), 2400, now_us=lambda: self.now)
        self.bus = Bus(4, 5, self.chip)
        self.chip.xshut(1)
        self.now += 2000
        for register, data in REGISTERS:
            self.write(register, data)

    def write(self, register, data):
        self.bus.write(0x29, register.to_bytes(2, "big") + data)

    def read(self, register, count=1):
        into = bytearray(count)
        self.bus.read(0x29, register.to_bytes(2, "big"), into)
        return into

    def wait(self, ms):
        self.now += ms * 1000

    def ready(self):
        return self.chip.gpio1() == 0


def good_single(host):
    for _ in range(3):
        host.write(0x86, b"\x01\x10")
        host.wait(20)
        busy = host.ready()
        host.wait(14)
        result = host.read(0x89, 17)
    return [busy, host.ready(), result[0] & 31, 2380 < (result[13] << 8 | result[14]) < 2420]


def good_timed(host):
    host.write(0x6C, (40 * 0x2F0).to_bytes(4, "big"))
    host.write(0x87, b"\x40")
    streamed = []
    for _ in range(5):
        host.wait(40)
        streamed.append(host.read(0x89, 17)[2])
        host.write(0x86, b"\x01")
    return streamed


def never_cleared(host):
    host.write(0x6C, (40 * 0x2F0).to_bytes(4, "big"))
    host.write(0x87, b"\x40")
    host.wait(100)
    return host.ready()


def started_uncleared(host):
    host.write(0x87, b"\x10")
    host.wait(40)
    host.write(0x87, b"\x10")
    return host.ready()


def read_too_soon(host):
    host.write(0x86, b"\x01\x10")
    host.wait(10)
    host.read(0x89, 17)


def region_while_ranging(host):
    host.write(0x86, b"\x01\x10")
    host.wait(10)
    host.write(0x7F, b"\xe7")
    host.wait(30)


def region_off_the_edge(host):
    host.write(0x7F, bytes([231 + 24, 0xF7]))
    host.write(0x86, b"\x01\x10")
    host.wait(40)
    return host.read(0x89)[0] & 31


def region_too_small(host):
    host.write(0x80, b"\x22")
    host.write(0x86, b"\x01\x10")
    host.wait(40)
    return host.read(0x89)[0] & 31


def budget_too_short(host):
    host.write(0x5E, b"\x00\x08")
    host.write(0x61, b"\x00\x09")
    host.write(0x86, b"\x01\x10")


def budget_lopsided(host):
    host.write(0x5E, b"\x01\xcc")
    host.write(0x86, b"\x01\x10")


def period_too_short(host):
    host.write(0x6C, (20 * 0x2F0).to_bytes(4, "big"))
    host.write(0x87, b"\x40")
    host.wait(34)
    return host.ready()


def not_configured(host):
    host.chip.xshut(0)
    host.chip.xshut(1)
    host.wait(2)
    host.write(0x87, b"\x10")
    host.wait(500)
    return host.chip.gpio1()


def half_a_mode(host):
    host.write(0x69, b"\x38")
    host.write(0x87, b"\x10")


def unknown_mode(host):
    host.write(0x87, b"\x33")


def asked_while_it_boots(host):
    host.chip.xshut(0)
    host.chip.xshut(1)
    try:
        host.read(0xE5)
    except OSError as error:
        asked = error.errno
    host.wait(2)
    return [asked, host.read(0xE5)[0], list(host.read(0x010F, 2))]


def asked_while_shut(host):
    host.chip.xshut(0)
    host.wait(10)
    try:
        host.read(0xE5)
    except OSError as error:
        return error.errno


def another_address(host):
    try:
        host.bus.write(0x2A, b"\x00\xe5")
    except OSError as error:
        return error.errno


CASES = (
    good_single, good_timed, never_cleared, started_uncleared, read_too_soon,
    region_while_ranging, region_off_the_edge, region_too_small, budget_too_short, budget_lopsided,
    period_too_short, not_configured, half_a_mode, unknown_mode, asked_while_it_boots,
    asked_while_shut, another_address,
)  # fmt: skip
for case in CASES:
    host = Host()
    found = case(host)
    print(json.dumps([case.__name__, host.told, found]))
