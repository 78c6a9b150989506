"""The last errors of the device, whoever met them: for the serial log and the reported state.

They outlive a reset, whatever caused it, in RTC memory: each is put there when it is met, because
what ends a device may be the next thing that happens.
"""

import errno
import json
from binascii import crc32

KEPT = 5
TEXT_MAX = 80  # characters of one
PACKED_MAX = 504  # bytes of RTC memory, for all that is kept


class Errors:
    """uptime() -> ms since boot. log(text) writes a line of the serial log. keep(bytes) takes what
    the next start is given as `kept`."""

    def __init__(self, uptime, log, keep=lambda kept: None, kept=b""):
        self.last = []  # [uptime in s, how often, text], newest last
        self.before = _unpacked(kept)  # the same of the starts before this one
        self._uptime = uptime
        self._log = log
        self._keep = keep

    def report(self, text):
        """Log an error and keep it; one that repeats takes one place."""
        self._log("error: " + text)
        entry = [self._uptime() // 1000, 1, text[:TEXT_MAX]]
        if self.last and self.last[-1][2] == entry[2]:
            entry[1] += self.last.pop()[1]
        self.last.append(entry)
        if len(self.last) > KEPT:
            self.last.pop(0)
        self._keep(_packed((self.before + self.last)[-KEPT:]))


def _packed(entries):
    text = json.dumps(entries).encode()
    while len(text) > PACKED_MAX - 4:
        entries.pop(0)
        text = json.dumps(entries).encode()
    return crc32(text).to_bytes(4, "big") + text


def _unpacked(kept):
    text = kept[4:]
    return json.loads(text) if kept[:4] == crc32(text).to_bytes(4, "big") and text else []


def reason(error):
    """One line that names an exception; an OSError by its errno's or mbedTLS's own name."""
    if isinstance(error, OSError) and error.args:
        return errno.errorcode.get(error.errno) or str(error.args[-1])
    text = str(error)
    return type(error).__name__ + (": " + text if text else "")


def words(error):
    """One line for a technician: what a config, a part or the flash said, as they said it."""
    if isinstance(error, KeyError):
        return "config: %s is missing" % error
    if isinstance(error, (ValueError, OSError)):
        return str(error)
    return "%s: %s" % (type(error).__name__, error)
