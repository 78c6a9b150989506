"""Says when a floor is wet and when it has dried, from the resistance between two electrodes.

Here: the thresholds in time, the faults, calibration on a dry floor, and what people do about a wet
one. Wet needs few samples, because someone may slip; dry needs every sample of a long time, because
a floor that dries in patches is still slippery. Not here: how ohms are measured, and who is told.
"""

from .. import ration
from ..debounce import Debounce
from ..form import fits
from .wetness import Wetness

FAULT_SAMPLES = 3  # as many in a row make a fault, and as many good ones end it
# A converter is never still: so many readings without the least change are no readings. Noise of
# one step would have to miss all of them.
FROZEN_SAMPLES = 50
MAX_KOHM = 9_999  # an event has room for four digits
MAX_OHMS = 100_000_000  # drier than any floor
# A press so soon after the last one belongs to its visit. From the last one and not the first, or a
# button that is broken, or that children play with, would put off the escalation for ever.
VISIT_MS = 600_000
BUTTON_MS = 100
CALIBRATION_SAMPLES = 16
# Of freeze(), as form.fits() has it.
_WETNESS = ["nb", "i", "ni"]
_READINGS = ["ni", "nt", "nt", "i", ("n", ["i", "i"]), "i"]
_FROZEN = [_WETNESS, _WETNESS, _READINGS, ["i", "i", "ni", "i"], ["nt", "i"]]
CALIBRATION_SPREAD = 20  # the samples lie within a twentieth, or somebody is mopping


class WetFloor:
    """Events: wet {"ohms"}, dry {"ohms"}, escalate {"minutes"}, and fault probe_short, probe_open,
    probe_range or probe_frozen (kohm).

    When a fault is over, the event of the floor's state is sent again: a fault is ended by it. A
    probe that comes and goes tells its faults now and then (ration.py); state() has each.
    After a start the floor is neither until it is found wet, or dry for as long as it takes: an
    alert from before a restart is taken back by an event, never by silence.

    escalate: the floor has been wet for so many minutes, and for `escalate_s` nobody came; again
    after each further `escalate_s`. `button` (None, or pressed while `.value()`) is the cleaner's:
    attended {} says that somebody is there, which starts that time anew and nothing else. The floor
    stays wet until it is dry. Each time it becomes wet a visit begins anew.

    `rain` (None, or raining while `.value()`) is a sensor outside the door: rain {"on"}.

    `ctx.kept`: dict that survives a restart after `ctx.keep()`; of it `dry_ohms` is this role's.
    """

    PERIOD_MS = 100

    def __init__(self, settings, probe, ctx, button=None, rain=None):
        self._probe = probe
        self._ctx = ctx
        self._button = button
        self._rain_pin = rain
        self._sample_ms = settings["sample_ms"]
        self._wet_ohms = settings["wet_ohms"]
        self._dry_ohms = settings["dry_ohms"]
        self._escalate_ms = settings["escalate_s"] * 1000
        need, of = settings["wet_samples"], settings["of_samples"]
        self._floor = Wetness(need, of, settings["dry_after_s"] * 1000)
        self._rain = Wetness(need, of, settings["dry_after_s"] * 1000)
        self._debounce = Debounce(1, BUTTON_MS)
        self._ohms = None
        self._fault = None
        self._told = None  # the fault that the last event spoke of, if that was one
        self._faults = ration.of_faults()
        self._suspect = None  # the kind of the last sample: a fault's name or None
        self._run = 0  # samples of that kind in a row
        self._raw = None
        self._same = 0  # samples in a row that read as the one before them
        self._last = 0  # the last good sample's ohms
        self._next = 0
        self._wet_at = 0
        self._escalate_at = 0
        self._visited = None  # when the button was last pressed

    def step(self, now):
        if self._button and self._debounce.step(self._button.value(), now):
            self._attend(now)
        if now < self._next:
            return
        self._next = now + self._sample_ms
        ohms, fault = self._measure()
        if fault == self._suspect:
            self._run += 1
        else:
            self._suspect = fault
            self._run = 1
        if fault is None and self._same:
            pass  # the same to the last step may be no reading at all, and makes no floor wet
        elif fault is None:
            self._last = ohms = self._corrected(ohms)
            # In steps of a tenth: noise is not worth a report to the gateway.
            if self._ohms is None or abs(ohms - self._ohms) * 10 > self._ohms:
                self._ohms = ohms
            self._good(ohms, now)
        else:
            self._floor.missed()
            self._bad(ohms, fault, now)
        if self._floor.wet and now >= self._escalate_at:
            # Of several that are due, as after a long sleep, one is told.
            late_ms = now - self._escalate_at
            self._escalate_at = now + self._escalate_ms - late_ms % self._escalate_ms
            self._ctx.emit("escalate", {"minutes": (now - self._wet_at) // 60_000})
        if self._rain_pin:
            raining = self._rain_pin.value()
            if self._rain.sample(raining, not raining, now):
                self._ctx.emit("rain", {"on": self._rain.wet})

    def desire(self, desired, now):
        raise ValueError("a wet-floor sensor has no desired state")

    # For a device that sleeps between its samples (napper.py)

    URGENT = ("wet", "escalate", "fault")

    def freeze(self):
        """All that a sample leaves behind, as a list for JSON; its times are those of step()."""
        return [
            self._floor.freeze(),
            self._rain.freeze(),
            [self._ohms, self._fault, self._suspect, self._run, self._raw, self._same],
            [self._wet_at, self._escalate_at, self._visited, self._last],
            [self._told, self._faults.due],
        ]

    def thaw(self, kept):
        """Goes on from freeze(). ValueError: that is from another version; nothing has changed."""
        if not fits(kept, _FROZEN):
            raise ValueError("the role's part has another form")
        floor, rain, readings, times, told = kept
        self._floor.thaw(floor)
        self._rain.thaw(rain)
        self._ohms, self._fault, self._suspect, self._run, raw, self._same = readings
        self._raw = raw and tuple(raw)
        self._wet_at, self._escalate_at, self._visited, self._last = times
        self._told, self._faults.due = told

    def undecided(self):
        """Whether a few samples more, now, may make an event."""
        suspected = self._suspect != self._fault and self._run < FAULT_SAMPLES
        return suspected or self._floor.undecided() or self._rain.undecided()

    def arm(self):
        """What wakes a chip that sleeps, as of Probe.arm(). None: only the time, because water
        lies on the probe, or may, and direct current through it would eat the electrodes."""
        well = self._suspect is None and self._fault is None
        dry = self._last > self._dry_ohms and self._floor.wet is not True
        return self._probe.arm() if well and dry else None

    def configure(self, args):
        """{"calibrate": "dry"}: what the probe reads now is a dry floor. ValueError: it is not.
        OSError: the flash does not take it; all is as before."""
        if args != {"calibrate": "dry"}:
            raise ValueError('all that can be set is {"calibrate": "dry"}')
        readings = [self._probe.measure() for _ in range(CALIBRATION_SAMPLES)]
        # A frozen converter is only found over time.
        for _, fault in [(0, self._fault)] + readings:
            if fault:
                raise ValueError("the probe is at fault: " + fault)
        low, high = min(readings)[0], max(readings)[0]
        if (high - low) * CALIBRATION_SPREAD > high:
            raise ValueError("readings from %d to %d ohm: is somebody mopping?" % (low, high))
        if low <= self._wet_ohms:
            raise ValueError("%d ohm is wet: dry the floor under the probe first" % low)
        kept = self._ctx.kept
        before = kept.get("dry_ohms")
        kept["dry_ohms"] = low
        try:
            self._ctx.keep()
        except OSError:
            kept["dry_ohms"] = before
            raise
        return {"dry_ohms": low}

    def quiet(self):
        """Whether nobody would notice if the chip stood still for a moment."""
        return True

    def state(self):
        shown = {
            "ohms": self._ohms,
            "wet": self._floor.wet,
            "fault": self._fault,
            "dry_ohms": self._ctx.kept.get("dry_ohms"),
        }
        if self._rain_pin:
            shown["rain"] = self._rain.wet
        return shown

    def identify(self, now):
        raise ValueError("a wet-floor sensor has no lamp and no buzzer")

    def selftest(self):
        return {"probe": self._measure()[1] is None}

    def sense(self):
        """A reading of its own, beside those that count: for a technician who watches."""
        ohms, fault = self._probe.measure()
        forward, backward = self._probe.raw_uv
        raw = {"forward_uv": forward, "backward_uv": backward, "ohms": ohms, "fault": fault}
        if self._button:
            raw["button"] = self._button.value()
        if self._rain_pin:
            raw["rain"] = self._rain_pin.value()
        return {"raw": raw, "filtered": self.state()}

    def _measure(self):
        ohms, fault = self._probe.measure()
        raw = self._probe.raw_uv
        self._same = self._same + 1 if raw == self._raw else 0
        self._raw = raw
        # The ends of what the converter reads are still: those are the other faults.
        if fault is None and self._same >= FROZEN_SAMPLES:
            fault = "frozen"
        return ohms, fault

    def _corrected(self, ohms):
        """The reading on a floor that conducts nothing when dry. What a calibrated one conducts
        takes the place of the end resistor alone."""
        dry = self._ctx.kept.get("dry_ohms")
        if not dry:
            return ohms
        end = self._probe.end_ohms
        over = dry * end + ohms * (dry - end)
        return min(ohms * dry * end // over, MAX_OHMS) if over > 0 else MAX_OHMS

    def _good(self, ohms, now):
        changed = self._floor.sample(ohms < self._wet_ohms, ohms > self._dry_ohms, now)
        if changed and self._floor.wet:
            self._wet_at = now
            self._escalate_at = now + self._escalate_ms
            self._visited = None
        if changed or self._run >= FAULT_SAMPLES:
            self._fault = None
        ended = self._told is not None and self._fault is None
        if changed or ended:
            self._told = None
            if self._floor.wet is not None:
                self._ctx.emit("wet" if self._floor.wet else "dry", {"ohms": ohms})

    def _bad(self, ohms, fault, now):
        if self._run >= FAULT_SAMPLES and fault != self._fault:
            self._fault = fault
            self._floor.forget()
        if fault == self._fault and fault != self._told and self._faults.take(now):
            self._told = fault
            value = min(ohms // 1000, MAX_KOHM)
            self._ctx.emit("fault", {"code": "probe_" + fault, "value": value})

    def _attend(self, now):
        if not self._debounce.stable:
            return
        visit = self._visited is None or now - self._visited >= VISIT_MS
        self._visited = now
        if visit:
            self._escalate_at = now + self._escalate_ms
            self._ctx.emit("attended", {})
