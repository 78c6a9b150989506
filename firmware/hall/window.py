"""Which journalled events are due to be sent: at most eight unacked, all of them again when the
gateway stays silent, and one `gap` event for what a full ring had to drop.

Pure: it neither sends nor waits. An event leaves the window by the gateway's ack alone (DESIGN.md,
"Device side"); sending one twice is harmless, because the gateway knows it by (epoch, seq).
"""

import json

from .backoff import Backoff

SIZE = 8  # events sent and not yet acked


class Window:
    """journal: hall.journal.Journal. uptime() -> ms since boot. unix_ms() -> int or None.

    An event waits patience_ms for its ack, plus full jitter that doubles from patience_ms to
    last_ms; then the window goes again. randint(a, b) -> a..b.
    """

    def __init__(self, journal, uptime, unix_ms, patience_ms, last_ms, randint):
        self.resend_at = None  # uptime when the window goes again; None: nothing is unacked
        self._journal = journal
        self._uptime = uptime
        self._unix_ms = unix_ms
        self._patience = patience_ms
        self._jitter = Backoff(patience_ms, last_ms, randint)
        self._sent = 0  # the last seq sent in this round

    def restart(self):
        """A new round: everything unacked is due, from the oldest on."""
        self._sent = self._journal.acked
        self.resend_at = None

    def overdue(self, now):
        """Whether the ack stayed out for too long, so that a new round should begin."""
        return self.resend_at is not None and now >= self.resend_at

    def postpone(self, now):
        """Set the time of the next round anew."""
        self.resend_at = now + self._patience + self._jitter.wait_ms()

    def due(self):
        """List of (seq, payload) to send now, in order; sent() is told of each that went out."""
        journal = self._journal
        acked = journal.acked
        after = max(self._sent, acked)
        due = []
        lost = journal.oldest - 1  # up to it, what is unacked was dropped
        if lost > acked:
            acked = lost - 1  # the gap event takes one place for all that it covers
            if after < lost:
                due.append((lost, self._gap_payload(journal.acked + 1, lost)))
                after = lost
        room = acked + SIZE - after
        if room > 0 and after < journal.next - 1:
            for event in journal.peek(after, room):
                due.append((event["seq"], payload_of(event)))
        return due

    def sent(self, seq, now):
        """The event went out. Returns whether it waits for its ack, which may have come already."""
        if seq <= self._journal.acked:
            return False
        self._sent = max(self._sent, seq)
        if self.resend_at is None:
            self.postpone(now)
        return True

    def acked(self, epoch, seq, now):
        """The gateway has everything up to seq. Returns whether some that went out are unacked."""
        journal = self._journal
        if seq > journal.acked:
            journal.ack(epoch, seq)
            self._jitter.reset()
            self.resend_at = None
            if self._sent > seq:
                self.postpone(now)
        return self._sent > journal.acked

    def _gap_payload(self, first, last):
        # Its time may differ when it goes again: the gateway goes by the range alone.
        journal = self._journal
        event = {
            "epoch": journal.epoch,
            "seq": last,
            "boot": journal.boot,
            "up": self._uptime(),
            "t": self._unix_ms(),
            "kind": "gap",
            "data": {"from": first, "to": last},
        }
        return payload_of(event)


def payload_of(event):
    """up/event. Written field by field: an event is the same bytes in every boot, whatever order
    a dict has."""
    return (
        '{"epoch":%d,"seq":%d,"boot":%d,"up":%d,"t":%s,"kind":"%s","data":%s}'
        % (
            event["epoch"],
            event["seq"],
            event["boot"],
            event["up"],
            "null" if event["t"] is None else event["t"],
            event["kind"],
            json.dumps(event["data"], separators=(",", ":")),
        )
    ).encode()
