"""In the place of a role that this firmware cannot give; only a device that has none loads it."""


class NoRole:
    """In the place of a role that this firmware cannot give: refuses, and says why."""

    PERIOD_MS = 1000
    URGENT = ()

    def __init__(self, why):
        self._why = why

    def step(self, now):
        pass

    def desire(self, desired, now):
        raise ValueError(self._why)

    def quiet(self):
        return True

    def state(self):
        return {"fault": self._why}

    def identify(self, now):
        raise ValueError(self._why)

    def selftest(self):
        return {"role": False}

    # As of a role that sleeps

    def undecided(self):
        return False

    def arm(self):
        return None

    def freeze(self):
        return None

    def thaw(self, kept):
        pass
