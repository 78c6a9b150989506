"""Whether something is wet: fast to say yes, slow to say no.

Here: the verdict on a run of samples, for a floor and for rain alike. Not here: what a sample is.
"""


class Wetness:
    """`wet` is None until it is known: after `need` wet samples of the last `of`, or when every
    sample of `dry_after_ms` was dry. A sample may be neither: between the two thresholds.
    """

    def __init__(self, need, of, dry_after_ms):
        self.wet = None
        self._need = need
        self._window = (1 << of) - 1
        self._dry_after_ms = dry_after_ms
        self._recent = 0  # one bit a sample, newest lowest: set when it was wet
        self._dry_since = None  # when the unbroken run of dry samples began

    def sample(self, wet, dry, now):
        """Takes one sample; whether `wet` changed by it. `now` in ms."""
        self._recent = (self._recent << 1 | wet) & self._window
        if not dry:
            self._dry_since = None
        elif self._dry_since is None:
            self._dry_since = now
        if self.wet is not True and self._wet_samples() >= self._need:
            self.wet = True
            return True
        if (
            self.wet is not False
            and self._dry_since is not None
            and now - self._dry_since >= self._dry_after_ms
        ):
            self.wet = False
            self._recent = 0
            return True
        return False

    def missed(self):
        """A sample that could not be taken might have been wet."""
        self._dry_since = None

    def forget(self):
        """Too many could not be taken: wet ones from before count no more."""
        self._recent = 0

    def undecided(self):
        """Whether the next few samples may say wet."""
        return self.wet is not True and self._recent != 0

    def freeze(self):
        """What thaw() goes on from, as a list for JSON."""
        return [self.wet, self._recent, self._dry_since]

    def thaw(self, kept):
        self.wet, self._recent, self._dry_since = kept

    def _wet_samples(self):
        wet = 0
        bits = self._recent
        while bits:
            wet += bits & 1
            bits >>= 1
        return wet
