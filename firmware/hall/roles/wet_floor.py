"""Says when a floor is wet and when it has dried, from the resistance between two electrodes.

Here: the thresholds in time. Wet needs few samples, because someone may slip; dry needs every
sample of a long time, because a floor that dries in patches is still slippery. Not here: how ohms
are measured, and who is told.
"""

FAULT_SAMPLES = 3  # as many in a row make a fault, and as many good ones end it
MAX_KOHM = 99_999  # an event has room for five digits


class WetFloor:
    """Events: wet {"ohms"}, dry {"ohms"}, and fault probe_short, probe_open or probe_range (kohm).

    When a fault is over, the event of the floor's state is sent again: a fault is ended by it.
    After a start the floor is neither until it is found wet, or dry for as long as it takes: an
    alert from before a restart is taken back by an event, never by silence.
    """

    PERIOD_MS = 100

    def __init__(self, settings, probe, ctx):
        self._probe = probe
        self._ctx = ctx
        self._sample_ms = settings["sample_ms"]
        self._wet_ohms = settings["wet_ohms"]
        self._dry_ohms = settings["dry_ohms"]
        self._wet_samples = settings["wet_samples"]
        self._dry_after_ms = int(settings["dry_after_s"] * 1000)
        self._window = (1 << settings["of_samples"]) - 1
        self._recent = 0  # one bit a sample, newest lowest: set when it was wet
        self._ohms = None
        self._wet = None  # not known yet
        self._dry_since = None  # when the unbroken run of dry samples began
        self._fault = None
        self._suspect = None  # the kind of the last sample: a fault's name or None
        self._run = 0  # samples of that kind in a row
        self._next = 0

    def step(self, now):
        if now < self._next:
            return
        self._next = now + self._sample_ms
        ohms, fault = self._probe.measure()
        if fault == self._suspect:
            self._run += 1
        else:
            self._suspect = fault
            self._run = 1
        if fault is None:
            # In steps of a tenth: noise is not worth a report to the gateway.
            if self._ohms is None or abs(ohms - self._ohms) * 10 > self._ohms:
                self._ohms = ohms
            self._good(ohms, now)
        else:
            self._dry_since = None
            self._bad(ohms, fault)

    def desire(self, desired, now):
        raise ValueError("a wet-floor sensor has no desired state")

    def quiet(self):
        """Whether nobody would notice if the chip stood still for a moment."""
        return True

    def state(self):
        return {"ohms": self._ohms, "wet": self._wet, "fault": self._fault}

    def identify(self, now):
        raise ValueError("a wet-floor sensor has no lamp and no buzzer")

    def selftest(self):
        return {"probe": self._probe.measure()[1] is None}

    def sense(self):
        """A reading of its own, beside those that count: for a technician who watches."""
        ohms, fault = self._probe.measure()
        forward, backward = self._probe.raw_uv
        return {
            "raw": {"forward_uv": forward, "backward_uv": backward, "ohms": ohms, "fault": fault},
            "filtered": self.state(),
        }

    def _good(self, ohms, now):
        self._recent = (self._recent << 1 | (ohms < self._wet_ohms)) & self._window
        if ohms <= self._dry_ohms:
            self._dry_since = None
        elif self._dry_since is None:
            self._dry_since = now
        changed = self._judge(now)
        recovered = self._fault is not None and self._run >= FAULT_SAMPLES
        if changed or recovered:
            self._fault = None
            if self._wet is not None:
                self._ctx.emit("wet" if self._wet else "dry", {"ohms": ohms})

    def _judge(self, now):
        """Whether the floor's state changed with this sample."""
        if self._wet is not True and self._wet_samples_seen() >= self._wet_samples:
            self._wet = True
            return True
        if (
            self._wet is not False
            and self._dry_since is not None
            and now - self._dry_since >= self._dry_after_ms
        ):
            self._wet = False
            self._recent = 0
            return True
        return False

    def _wet_samples_seen(self):
        wet = 0
        bits = self._recent
        while bits:
            wet += bits & 1
            bits >>= 1
        return wet

    def _bad(self, ohms, fault):
        if self._run >= FAULT_SAMPLES and fault != self._fault:
            self._fault = fault
            self._recent = 0
            value = min(ohms // 1000, MAX_KOHM)
            self._ctx.emit("fault", {"code": "probe_" + fault, "value": value})
