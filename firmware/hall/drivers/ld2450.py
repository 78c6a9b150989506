"""Hi-Link's LD2450, a 24 GHz radar that follows up to three people and tells where each is.

Here: its frames, found again after noise. Not here: what a way past the radar means
(roles/people_counter.py). Ten frames a second of 30 bytes, at 256000 baud 8N1 (HLK-LD2450 serial
communication protocol V1.03, section 2.3):

    AA FF 03 00, then for each target x, y, speed, gate (u16, low byte first), then 55 CC

A number's highest bit is its sign: set is plus, clear is minus. No target is eight zeros. There is
no checksum: a target beyond the radar's reach is the only other sign of a spoilt frame.
"""

from time import ticks_diff, ticks_ms

BAUD = 256_000
_HEAD = b"\xaa\xff\x03\x00"
_TAIL = b"\x55\xcc"
_FRAME = 30
_KEPT = 8 * _FRAME
_REACH_MM = 8_000  # six metres, and room for error
_SILENT_MS = 3_000  # it takes two seconds from power-on to its first frame
_LOOK_MS = 200  # the most that counts between two looks: else the device was busy itself


class Ld2450:
    """The driver object. x is aside of the radar's axis, plus to its right; y is away from it."""

    timing_ms = 100

    def __init__(self, driver, pins, hal):
        self._uart = hal.uart(pins["tx"], pins["rx"], BAUD)
        self._came = bytearray(4 * _FRAME)
        self._buffer = b""
        self._looked_at = ticks_ms()
        self._silent_ms = 0
        self.bad = 0  # frames that did not end as one, or told of somebody beyond its reach

    def poll(self):
        """A tuple of 0 to 3 targets (x_mm, y_mm, speed_cm_s), or None: no new frame.

        x -8000 to 8000, y 0 to 8000, the speed along the line to the radar. The oldest frame first,
        one a call; never waits.
        """
        now = ticks_ms()
        away = ticks_diff(now, self._looked_at)
        self._looked_at = now
        self._silent_ms = min(self._silent_ms + min(away, _LOOK_MS), _SILENT_MS)
        if self._uart.any():
            count = self._uart.readinto(self._came)
            if count:
                # What babbles faster than it is looked at must not fill the heap.
                self._buffer = self._buffer[-_KEPT:] + self._came[:count]
        frame = self._next_frame()
        if frame is None:
            return None
        self._silent_ms = 0
        there = [frame[at : at + 8] for at in range(4, 28, 8)]
        targets = tuple([_target(each) for each in there if any(each)])
        for x, y, _ in targets:
            if not (-_REACH_MM <= x <= _REACH_MM and 0 <= y <= _REACH_MM):
                self.bad += 1
                return None
        return targets

    def fault(self):
        """None, or "radar_silent": no frame for 3 s."""
        return "radar_silent" if self._silent_ms == _SILENT_MS else None

    def _next_frame(self):
        """The first whole frame in the buffer, taken out with all that is in front of it."""
        while True:
            begin = self._buffer.find(_HEAD)
            if begin < 0:
                # A head may have begun in the last bytes.
                self._buffer = self._buffer[-len(_HEAD) + 1 :]
                return None
            frame = self._buffer[begin : begin + _FRAME]
            if len(frame) < _FRAME:
                self._buffer = self._buffer[begin:]
                return None
            if frame[-2:] == _TAIL:
                self._buffer = self._buffer[begin + _FRAME :]
                return frame
            self.bad += 1
            # The next frame may have begun within this one.
            self._buffer = self._buffer[begin + 1 :]


def _target(data):
    return (
        _signed(data[0] | data[1] << 8),
        _signed(data[2] | data[3] << 8),
        _signed(data[4] | data[5] << 8),
    )


def _signed(raw):
    return raw - 0x8000 if raw & 0x8000 else -raw
