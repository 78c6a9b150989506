"""A UART of the chip with a radar on it, as `machine` has it. Not here: the bytes (`ld2450`)."""

import board


class UART:
    """A port that only hears, as nothing here listens to the chip; 8N1."""

    def __init__(self, id, baudrate, *, tx, rx, rxbuf=256, timeout=0, timeout_char=0):
        if not 0 <= id < (3 if board.current.pads.chip == "esp32" else 2):
            raise ValueError("UART(%d) does not exist" % id)
        self._baud = baudrate
        pins = board.current.pins
        wired = board.current.radar is not None and (tx.id, rx.id) == (pins["tx"], pins["rx"])
        self._radar = board.current.radar if wired else None

    def any(self):
        return len(self._radar.waiting(self._baud)) if self._radar else 0

    def readinto(self, buf):
        """How many bytes it took; None when there were none."""
        if not self._radar:
            return None
        came = self._radar.waiting(self._baud)[: len(buf)]
        buf[: len(came)] = came
        self._radar.taken(len(came))
        return len(came) or None
