"""A tap on a panel's cable: what was stored to its lines, for whoever watches on the host.

Here: the log of a frame's stores, and which frames are told of. The lines:
- {"scan": {"log": base64}}: a frame that differs from the one before, or the first after dark. The
  log is that of firmware/native/port.h; in front of it the level of all outputs after the frame;
- {"scan": {"dark": true}}: no frame has been played for 200 ms.
Not here: what a panel makes of the stores; that eye is the host's (gateway/hall_panel).
"""

import time
from array import array
from binascii import crc32

from report import emit, emit_bytes

# Shorter gaps flicker, longer ones are seen as a dark panel: the dark half of a slow blink is one.
_DARK_US = 200_000


class Tap:
    """The cable of one panel."""

    def __init__(self, pads):
        self._pads = pads
        self._description = None
        self._log = None
        self._began_us = self._frame_us = 0
        self._told = None  # the CRC of the frame that is seen; None: the panel is dark

    def open(self, description):
        """The log for what is stored now, by that description, with all outputs' levels in front.

        It is made once, as the panel is: later the heap has no piece so large.
        """
        if description is not self._description:
            # The firmware's, which is there by now.
            from hall.drivers.description import log_bytes

            self._log = array("I", bytes(log_bytes(description)))
            self._description = description
        self._began_us = time.ticks_us()
        self._log[0] = self._pads.out & 0xFFFFFFFF
        return self._log

    def close(self):
        """The outputs have the levels in the log."""
        self._pads.out = self._pads.out >> 32 << 32 | self._log[0]

    def played(self, words):
        """The first `words` of the log are the stores of a frame."""
        self.close()
        began = self._began_us
        self.tick(began)
        self._frame_us = began
        stores = memoryview(self._log)[:words]
        seen = crc32(stores)
        if seen != self._told:
            self._told = seen
            emit_bytes("scan", "log", stores, began)

    def tick(self, now):
        """To be called some times a second: without frames the panel goes dark."""
        if self._told is not None and now - self._frame_us > _DARK_US:
            self._told = None
            emit({"scan": {"dark": True}}, self._frame_us + _DARK_US)
