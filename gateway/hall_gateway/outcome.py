"""What a step of the state machine leads to.

Here: the value objects that sessions.py and ratings.py hand back. Not here: who carries them out
(ingest.py) and how a CloudEvent is written (events.py).
"""

from dataclasses import dataclass, field

from hall_gateway.state import HallState, Json, Kept


@dataclass(frozen=True)
class Emit:
    """A CloudEvent to publish, before it has an id and a time.

    `own`: the gateway itself originates it, under its own identity; otherwise it is the device
    event that is being handled, under the device's.
    """

    type: str
    subject: str
    data: Json
    own: bool = True


@dataclass
class Outcome:
    """One step: what to publish, what changed, and what to answer."""

    emits: list[Emit] = field(default_factory=list[Emit])
    kept: list[Kept] = field(default_factory=list[Kept])
    result: Json = field(default_factory=dict[str, object])

    def keep(self, state: HallState, kept: Kept) -> None:
        """`kept` becomes current, and goes to the store with the step."""
        state.put(kept)
        self.kept.append(kept)
