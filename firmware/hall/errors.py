"""The last errors of the device, whoever met them: for the serial log and the reported state."""

import errno

KEPT = 5
TEXT_MAX = 80  # characters of one


class Errors:
    """uptime() -> ms since boot. log(text) writes a line of the serial log."""

    def __init__(self, uptime, log):
        self.last = []  # [uptime in s, how often, text], newest last
        self._uptime = uptime
        self._log = log

    def report(self, text):
        """Log an error and keep it; one that repeats takes one place."""
        self._log("error: " + text)
        entry = [self._uptime() // 1000, 1, text[:TEXT_MAX]]
        if self.last and self.last[-1][2] == entry[2]:
            entry[1] += self.last.pop()[1]
        self.last.append(entry)
        if len(self.last) > KEPT:
            self.last.pop(0)


def reason(error):
    """One line that names an exception; an OSError by its errno's or mbedTLS's own name."""
    if isinstance(error, OSError) and error.args:
        return errno.errorcode.get(error.errno) or str(error.args[-1])
    text = str(error)
    return type(error).__name__ + (": " + text if text else "")
