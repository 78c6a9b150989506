"""A VL53L1X as its data sheet and manuals describe it, byte by byte; written without the driver.

Here: XSHUT and boot, registers, rangings in both modes, the interrupt, and what becomes of a host
that uses it wrongly. Each rule that is broken is told once as {"misuse": rule}. Not here: the bus
(`i2c`) and who walks below (`lane`).

Sources: DS12385 (I2C, boot, field of view, reach), UM2356 and UM2510 (modes, timing, status),
UM2555 (the receivers' numbers). Times come from the chip's own clock: a macro period is 2304
periods of the laser, which is 2 x (register + 1) periods of 64 times the oscillator.
"""

import random

from micropython import const
from moment import now_us
from report import emit

_ADDRESS = const(0x29)
_BOOT_US = const(1_200)  # DS12385, section 3.5: at most
_OSCILLATOR = const(0xBCCC)  # 11.8 MHz in 4.12 bits
_MACRO = const(2304)
_FIELD_MM = const(167)  # half of the 19 degrees of one side, 1 m below: at a shoulder under 2.4 m
_REACH_MM = const(4000)
_NOISE_MM = const(8)

# Sequence steps (register 0x81) and what they take, us. The first three are those of ST's full
# driver; with the fifth ST's published settings fill their published budgets.
_STEPS = ((0x01, 980), (0x02, 1448), (0x08, 2100), (0x10, 9400))
_RANGE_STEP = const(0x80)
# ST's registers for the two distance modes: periods, valid phase, windows, initial phases.
_MODES = {
    (0x0F, 0x0D, 0xB8, 0x0F, 0x0D, 0x0E, 0x0E): ("long", 4000, 20_000),
    (0x07, 0x05, 0x38, 0x07, 0x05, 0x06, 0x06): ("short", 1300, 15_000),
}
_SINGLE = const(0x10)
_TIMED = const(0x40)
_STOP = const(0x00)
# RESULT__RANGE_STATUS
_GOOD = const(9)
_WEAK = const(4)
_BAD_REGION = const(13)


class Vl53l1x:
    """`lane` is what it looks at from `height` mm; columns 0 to 7 see the outer half of it."""

    def __init__(self, lane, height, now_us=now_us):
        self._lane = lane
        self._height = height
        self._now = now_us
        self._told = set()
        self._on_at = None
        self.hung = False
        self.gone = False
        self.noisy = False  # its line is too short for it
        self._forget()

    # The wires

    def xshut(self, level):
        """The level of XSHUT: low takes the supply from everything that can remember."""
        if not level:
            self._on_at = None
            self.hung = False
        elif self._on_at is None:
            self._forget()
            self._on_at = self._now()

    def gpio1(self):
        """The level of the interrupt line, with the module's pull-up."""
        self._pass_time()
        mux = self._registers[0x30]
        if self._on_at is None or mux & 0x0F != 1:
            return 1
        active_low = mux >> 4 & 1
        return active_low ^ 1 if self._pending else active_low

    def called(self, address):
        """Whether the address is acknowledged: a start, or a repeated one."""
        self._pass_time()
        up = self._on_at is not None and self._now() - self._on_at >= _BOOT_US
        if address != _ADDRESS or self.gone or not up:
            return False
        self._index_bytes = 2
        return True

    def take(self, byte):
        """A byte that the host writes: two of the index, then registers one after the other."""
        if self._index_bytes:
            self._index = (self._index << 8 | byte) & 0xFFFF
            self._index_bytes -= 1
            return True
        self._set(self._index, byte)
        self._index += 1
        return True

    def give(self):
        """The byte that the host reads; the index goes on by one."""
        index = self._index
        self._index = index + 1
        if 0x89 <= index <= 0x9A and not self._pending:
            self._misused("result read while no sample was ready")
        if index == 0x31:
            return self.gpio1() | self._registers[0x31] & 0xFE
        return self._registers[index] if index < len(self._registers) else 0

    def stop(self):
        pass

    # The registers

    def _forget(self):
        """All registers as after power on, as far as a host can know them."""
        self._registers = registers = bytearray(0x112)
        registers[0x06:0x08] = bytes((_OSCILLATOR >> 8, _OSCILLATOR & 0xFF))
        registers[0x30] = 1
        registers[0x7F] = 199
        registers[0x80] = 0xFF
        registers[0xDE:0xE0] = b"\x02\xf0"
        registers[0xE5] = 3
        registers[0x10F:0x112] = b"\xea\xcc\x10"
        self._index = self._index_bytes = 0
        self._pending = False
        self._mode = _STOP
        self._ends = None  # when the ranging under way is over, us
        self._region = None  # (centre, size) as the ranging began
        self._streamed = 0

    def _word(self, index):
        return self._registers[index] << 8 | self._registers[index + 1]

    def _set(self, index, value):
        if 0x7F <= index <= 0x80 and self._ends is not None:
            self._misused("region written during a ranging")
        if index == 0x86:
            if value & 1:
                self._pending = False
        elif index == 0x87:
            self._start(value)
        elif index < len(self._registers):
            self._registers[index] = value

    def _start(self, mode):
        if mode == _STOP:
            self._mode = _STOP
            self._ends = None
            return
        if mode not in (_SINGLE, _TIMED):
            self._misused("mode 0x%02x" % mode)
            return
        if self._ends is not None:
            self._misused("started during a ranging")
        if self._pending:
            self._misused("started with the interrupt not cleared")
        self._mode = mode
        self._range(self._now())

    def _range(self, begins):
        """A ranging begins: what is set now holds to its end."""
        self._begins = begins
        self._region = (self._registers[0x7F], self._registers[0x80])
        duration = self._duration_us()
        self._ends = None if duration is None else begins + duration

    # Rangings

    def _duration_us(self):
        """How long the sequence takes as it is set; None: it never ends."""
        steps = self._registers[0x81]
        if not steps & _RANGE_STEP or self._registers[0x46] != 0x20:
            self._misused("no ranging step, or no interrupt for a new sample")
            return None
        if self._distance_mode() is None:
            self._misused("neither ST's long nor its short distance mode")
            return None
        fixed = sum([us for bit, us in _STEPS if steps & bit])
        phases = [
            self._phase_us(timeout, period) for timeout, period in ((0x5E, 0x60), (0x61, 0x63))
        ]
        total = int(fixed + sum(phases))
        least = self._distance_mode()[2]
        if total < least * 9 // 10:
            self._misused("timing budget %d us, and this mode needs %d" % (total, least))
        if abs(phases[0] - phases[1]) > max(phases) / 5:
            self._misused("timeouts A and B are for different budgets")
        return total

    def _phase_us(self, timeout, period):
        value = self._word(timeout)
        macro_periods = ((value & 0xFF) << (value >> 8)) + 1
        pll_mhz = 64 * self._word(0x06) / 4096
        return macro_periods * _MACRO * 2 * (self._registers[period] + 1) / pll_mhz

    def _distance_mode(self):
        registers = self._registers
        told = tuple([registers[at] for at in (0x60, 0x63, 0x69, 0x78, 0x79, 0x7A, 0x7B)])
        return _MODES.get(told)

    def _period_us(self):
        """Between two starts in the timed mode."""
        period = self._word(0x6C) << 16 | self._word(0x6E)
        clock = self._word(0xDE) & 0x3FF
        return period * 1000 // clock

    def _pass_time(self):
        """Ends the rangings whose time has come, and begins those that follow by themselves."""
        now = self._now()
        while self._ends is not None and self._ends <= now and not self.hung:
            ended = self._ends
            self._ends = None
            if self._pending:
                self._misused("a sample was lost: interrupt not cleared")
            self._measure(ended)
            self._pending = True
            if self._mode == _TIMED:
                period = self._period_us()
                if period < ended - self._begins:
                    self._misused("inter-measurement period shorter than the ranging")
                self._range(max(self._begins + period, ended))

    def _measure(self, ended):
        columns = _columns(*self._region)
        if columns is None:
            self._misused("region beyond the receivers, or smaller than 4 x 4")
            self._result(_BAD_REGION, 0xFFFF, 0)
            return
        low, high = [(column - 8) * _FIELD_MM // 8 for column in columns]
        middle = (self._begins + ended) // 2
        mm = self._height - self._lane.height(low, high, middle)
        mm += random.randint(-_NOISE_MM, _NOISE_MM)
        reach = min(self._distance_mode()[1], _REACH_MM)
        # Light falls with the square of the distance: 8 Mcps from a metre away.
        signal = min(int(8 * 128 * 1_000_000 / max(mm, 50) ** 2), 0xFFFF)
        if mm > reach:
            self._result(_WEAK, random.randint(0, reach), signal)
        else:
            self._result(_GOOD, mm, signal)

    def _result(self, status, mm, signal):
        self._streamed = self._streamed + 1 if self._streamed < 255 else 128
        registers = self._registers
        registers[0x89] = status
        registers[0x8B] = self._streamed
        for index, word in ((0x96, mm), (0x98, signal)):
            registers[index] = word >> 8 & 0xFF
            registers[index + 1] = word & 0xFF

    def _misused(self, rule):
        if rule not in self._told:
            self._told.add(rule)
            emit({"misuse": "vl53l1x: " + rule})


def _columns(centre, size):
    """The columns of a region, the second one excluded; None: the region is illegal.

    UM2555: 128 is the upper left receiver, numbers go down the columns; the lower half counts down
    from 127 in the same manner. The centre of an even side is above and right of the middle.
    """
    width, height = (size & 15) + 1, (size >> 4) + 1
    if centre >= 128:
        x, y = (centre - 128) // 8, (centre - 128) % 8
    else:
        x, y = (127 - centre) // 8, 8 + (127 - centre) % 8
    left, top = x - width // 2, y - (height - 1) // 2
    inside = left >= 0 and left + width <= 16 and top >= 0 and top + height <= 16
    return (left, left + width) if inside and min(width, height) >= 4 else None
