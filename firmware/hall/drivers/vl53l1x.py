"""ST's VL53L1X time-of-flight sensor above a lane: two regions of its receivers for two beams.

Here: starting the chip, one ranging after the other with the regions in turn, and getting it going
again when it hangs. Not here: what a distance means (roles/people_counter.py).

Each ranging is started by itself: a region that is changed while the chip ranges by its own clock
may or may not hold for the next ranging (sparkfun/SparkFun_VL53L1X_Arduino_Library, pull 41), and a
distance of the wrong zone turns people round.

Sources: data sheet DS12385 (I2C, XSHUT, interrupt), UM2510 (boot state, distance mode, timing
budget, ranging status), UM2555 (regions), UM2600 (zones). What ST says of the configuration is its
published default; most of it has no public meaning.
"""

from time import ticks_add, ticks_diff, ticks_ms

from micropython import const

_ADDRESS = const(0x29)
_MODEL = const(0xEACC)  # model and module type

# Registers, by ST's names.
_VHV_LOOP_BOUND = const(0x0008)  # VHV_CONFIG__TIMEOUT_MACROP_LOOP_BOUND
_VHV_INIT = const(0x000B)  # VHV_CONFIG__INIT
_CONFIGURATION = const(0x002D)  # the first of those that ST's default configuration sets
_PAD_I2C = const(0x002E)  # PAD_I2C_HV__EXTSUP_CONFIG
_PAD_GPIO = const(0x002F)  # GPIO_HV_PAD__CTRL
_GPIO_MUX = const(0x0030)  # GPIO_HV_MUX__CTRL
_GPIO_STATUS = const(0x0031)  # GPIO__TIO_HV_STATUS
_TIMEOUT_A = const(0x005E)  # RANGE_CONFIG__TIMEOUT_MACROP_A
_TIMEOUT_B = const(0x0061)  # RANGE_CONFIG__TIMEOUT_MACROP_B
_ROI_CENTRE = const(0x007F)  # ROI_CONFIG__USER_ROI_CENTRE_SPAD, then size, ..., clear, start
_RESULT = const(0x0089)  # RESULT__RANGE_STATUS and what follows it
_BOOT_STATE = const(0x00E5)  # FIRMWARE__SYSTEM_STATUS
_MODEL_ID = const(0x010F)  # IDENTIFICATION__MODEL_ID

# ST's default configuration of 0x2D to 0x7E: distance mode long, interrupt on each new sample.
_DEFAULT = (
    b"\x00\x00\x00\x01\x02\x00\x02\x08\x00\x08\x10\x01\x01\x00\x00\x00\x00\xff\x00\x0f\x00\x00\x00"
    b"\x00\x00\x20\x0b\x00\x00\x02\x0a\x21\x00\x00\x05\x00\x00\x00\x00\xc8\x00\x00\x38\xff\x01\x00"
    b"\x08\x00\x00\x01\xcc\x0f\x01\xf1\x0d\x01\x68\x00\x80\x08\xb8\x00\x00\x00\x00\x0f\x89\x00\x00"
    b"\x00\x00\x00\x00\x00\x01\x0f\x0d\x0e\x0e\x00\x00\x02"
)
# RANGE_CONFIG__TIMEOUT_MACROP_A and _B that ST publishes for these budgets (ms) in the long mode.
_TIMEOUTS = {
    20: (0x001E, 0x0022),
    33: (0x0060, 0x006E),
    50: (0x00AD, 0x00C6),
    100: (0x01CC, 0x01EA),
}

# ST's ranging status for what the chip says in the five low bits of RESULT__RANGE_STATUS.
_STATUS = (
    b"\xff\xff\xff\x05\x02\x04\x01\x07\x03\x00\xff\xff"
    b"\x09\x0d\xff\xff\xff\xff\x0a\x06\xff\xff\x0b\x0c"
)
_FARTHEST_MM = const(4000)

_PIECE = const(32)  # bytes of the configuration in one transaction: 0.8 ms at 400 kHz
_BOOT_MS = const(50)  # 1.2 ms by the data sheet
# So many timings without data, and the chip hangs. The first ranging calibrates and takes longer.
_PATIENCE = const(5)
_FIRST_MS = const(500)
# Of the time between two looks at most so much is the chip's: else the device was busy itself.
_LOOK_MS = const(40)
# How long XSHUT holds the chip: doubled each time, until it has worked for so many rangings.
_OFF_MS = const(20)
_LONGEST_OFF_MS = const(30_000)
_STEADY = const(100)

_OFF = const(0)
_BOOTING = const(1)
_WRITING = const(2)
_RANGING = const(3)


class Vl53l1x:
    """The driver object; `driver` has i2c_hz, roi_width, roi_height, timing_ms (of _TIMEOUTS).

    Zone 0 (a, outer) are the receivers in columns 0 to 7, zone 1 (b, inner) those in 8 to 15
    (UM2555). The lens turns the picture round: zone a looks to where columns 8 to 15 lie.
    """

    def __init__(self, driver, pins, hal):
        self.timing_ms = driver["timing_ms"]
        self.restarts = 0  # of a chip that hung or never came up
        self.signal_kcps = 0  # the light that came back, with the last distance
        if self.timing_ms not in _TIMEOUTS:
            raise ValueError("vl53l1x: timing_ms %d is not 20, 33, 50 or 100" % self.timing_ms)
        self._i2c = hal.i2c(pins["sda"], pins["scl"], driver["i2c_hz"])
        self._ready = hal.input(pins["int"], "low")
        self._enable = hal.output(pins["xshut"], "high")
        self._go = _go_blocks(driver["roi_width"], driver["roi_height"])
        self._writes = self._setup()
        self._result = bytearray(17)
        self._byte = bytearray(1)
        self._zone = None  # of the ranging under way; None: its result is not to be used
        self._next = 0  # of self._writes
        # The pin tells when it goes low, and only then: a broken wire does not.
        self._pin_was_high = False  # since the ranging was started
        self._ask_after = 2  # timings until the register is asked for what the pin did not tell
        self._fault = None
        self._answers = 0
        self._off_ms = _OFF_MS
        self._state = _OFF
        self._until = self._looked_at = ticks_ms()

    def poll(self):
        """(zone, mm, status) of a ranging that has ended, or None: nothing new. To be called often.

        zone 0 or 1; mm 0 to 4000; status 0 = valid, else ST's: 1 sigma (too uncertain), 2 signal
        (too weak), 4 out of bounds, 5 hardware, 7 wrap-around, 13 region, 255 none. At most three
        I2C transactions, none of more than 34 bytes.
        """
        now = ticks_ms()
        away = ticks_diff(now, self._looked_at)
        self._looked_at = now
        if away > _LOOK_MS:
            self._until = ticks_add(self._until, away - _LOOK_MS)
        try:
            if self._state == _RANGING:
                return self._range(now)
            self._start(now)
        except OSError:
            # The bus, or a chip that does not answer: its time runs on. Whether it took the last
            # transaction is unknown, and so is the zone.
            self._zone = None
        if self._state and ticks_diff(now, self._until) > 0:
            self._restart(now, "tof_silent")
        return None

    def fault(self):
        """None, or "tof_silent": no data; "tof_model": another chip answers."""
        return self._fault

    def _start(self, now):
        """One step on the way from the shut chip to its first ranging."""
        if self._state == _OFF:
            if ticks_diff(now, self._until) >= 0:
                self._enable.on()
                self._enter(_BOOTING, now, _BOOT_MS)
        elif self._state == _BOOTING:
            self._read(_BOOT_STATE, self._byte)
            if self._byte[0] & 1:
                both = bytearray(2)
                self._read(_MODEL_ID, both)
                if both[0] << 8 | both[1] != _MODEL:
                    self._restart(now, "tof_model")
                    return
                self._next = 0
                self._enter(_WRITING, now, _FIRST_MS)
        else:
            register, data = self._writes[self._next]
            self._write(register, data)
            self._next += 1
            if register == _ROI_CENTRE:
                # The first ranging is the chip's own, to calibrate.
                self._zone = 0 if self._next == len(self._writes) else None
                self._enter(_RANGING, now, _FIRST_MS)

    def _range(self, now):
        """The result of the ranging that has ended, if one has; then the next one is started."""
        is_low = self._ready.value()
        if not is_low:
            self._pin_was_high = True
        if not (is_low and self._pin_was_high) and not self._overdue(now):
            if ticks_diff(now, self._until) > 0:
                self._restart(now, "tof_silent")
            return None
        result = self._result
        self._read(_RESULT, result)
        if self._next < len(self._writes):
            self._enter(_WRITING, now, _FIRST_MS)
            return None
        zone = self._zone
        self._zone = None
        follows = 1 - zone if zone is not None else 0
        self._write(_ROI_CENTRE, self._go[follows])
        self._zone = follows
        self._enter(_RANGING, now, _PATIENCE * self.timing_ms)
        if zone is None:
            return None
        self._fault = None
        if self._answers < _STEADY:
            self._answers += 1
        else:
            self._off_ms = _OFF_MS
        self.signal_kcps = (result[15] << 8 | result[16]) * 8  # from 1/128 Mcps, as ST rounds it
        raw = result[0] & 0x1F
        mm = result[13] << 8 | result[14]
        if mm > 0x7FFF:
            mm = 0  # a little less than nothing
        return zone, min(mm, _FARTHEST_MM), _STATUS[raw] if raw < len(_STATUS) else 255

    def _overdue(self, now):
        """Whether a sample waits of which the pin has not told, as with a wire that is broken or
        shorted: a pin that is always low would give each result before it is there."""
        if ticks_diff(self._until, now) > (_PATIENCE - self._ask_after) * self.timing_ms:
            return False
        self._read(_GPIO_STATUS, self._byte)
        if self._byte[0] & 1:
            return False
        self._ask_after = 1
        return True

    def _restart(self, now, why):
        self._enable.off()
        self._fault = why
        self.restarts += 1
        self._answers = 0
        self._enter(_OFF, now, self._off_ms)
        self._off_ms = min(2 * self._off_ms, _LONGEST_OFF_MS)

    def _enter(self, state, now, ms):
        self._state = state
        self._pin_was_high = False
        self._until = ticks_add(now, ms)

    def _setup(self):
        """What is written before the first ranging: (register, bytes)."""
        block = bytearray(_DEFAULT)
        # Modules pull I2C and interrupt up to AVDD, not to 1.8 V.
        block[_PAD_I2C - _CONFIGURATION] = 1
        block[_PAD_GPIO - _CONFIGURATION] = 1
        block[_GPIO_MUX - _CONFIGURATION] = 0x11  # a sample pulls the pin low
        a, b = _TIMEOUTS[self.timing_ms]
        for register, timeout in ((_TIMEOUT_A, a), (_TIMEOUT_B, b)):
            block[register - _CONFIGURATION] = timeout >> 8
            block[register - _CONFIGURATION + 1] = timeout & 0xFF
        pieces = range(0, len(block), _PIECE)
        writes = [(_CONFIGURATION + at, bytes(block[at : at + _PIECE])) for at in pieces]
        go = (_ROI_CENTRE, self._go[0])
        # After the first ranging the voltage of the receivers is followed, not searched (UM2510).
        return writes + [go, (_VHV_LOOP_BOUND, b"\x09"), (_VHV_INIT, b"\x00"), go]

    def _read(self, register, into):
        self._i2c.readfrom_mem_into(_ADDRESS, register, into, addrsize=16)

    def _write(self, register, data):
        self._i2c.writeto_mem(_ADDRESS, register, data, addrsize=16)


def _go_blocks(width, height):
    """For each zone what starts a ranging: region, interrupt cleared, one ranging, in this order.

    Nine registers in a row, so one transaction: ROI_CONFIG__USER_ROI_CENTRE_SPAD, its size, five of
    the default configuration, SYSTEM__INTERRUPT_CLEAR, SYSTEM__MODE_START. The centre of an even
    region is above and right of its middle (UM2555); in the upper half of the receivers, column x
    and row y, the number is 128 + 8 * x + y.
    """
    size = height - 1 << 4 | width - 1
    return [bytes((128 + 8 * column + 7, size, 0x9B, 0, 0, 0, 1, 1, 0x10)) for column in (4, 12)]
