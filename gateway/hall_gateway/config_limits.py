"""How much one device may send before it is not listened to for a while.

Here: the table and its defaults' reasons in a line. Not here: what follows (quarantine.py, where
the defaults are worked out).
"""

from pydantic import Field

from hall_gateway import quarantine
from hall_gateway.config_base import Settings


class LimitsConfig(Settings):
    """Of each device by itself. An honest one never meets the defaults."""

    per_second: int = Field(
        default=quarantine.PER_S, ge=1, le=10_000, description="messages a second, 1 to 10000"
    )
    burst: int = Field(
        default=quarantine.BURST,
        ge=100,
        le=1_000_000,
        description="messages at once, 100 to 1000000; a full journal and an update are 2845",
    )
    nonsense: int = Field(
        default=quarantine.NONSENSE,
        ge=1,
        le=10_000,
        description="messages that make no sense, within 10 minutes, 1 to 10000",
    )
    calm_s: int = Field(
        default=quarantine.CALM_S,
        ge=1,
        le=quarantine.MOST_CALM_S,
        description="how long a device is not listened to the first time, s, 1 to 3600",
    )

    def limits(self) -> quarantine.Limits:
        return quarantine.Limits(self.per_second, self.burst, self.nonsense, self.calm_s)
