"""What a run found, as numbers and words.

Here: the figures and the verdict. Not here: how they are found (account.py), and how they are shown
(hall_tools.commands.bench_chaos).
"""

from dataclasses import asdict, dataclass, field
from typing import Any

from hall_tools.chaos.plan import Plan
from hall_tools.chaos.truth import flat


@dataclass
class Healing:
    """`missed`: what did not become as it should, in words; `seconds` from the last fault's end
    until every device was online and served, every journal empty, and nothing came any more."""

    seconds: float = 0.0
    missed: list[str] = field(default_factory=list[str])


@dataclass
class Report:
    """One run. The lists say in words what is wrong; all of them empty: nothing is."""

    plan: Plan
    devices: int
    ran_s: float
    done: dict[str, int]
    idle: dict[str, int]
    packets: dict[str, int]
    """What was done to single MQTT packets."""
    starts: dict[str, int]
    """How often each part was started."""
    resets: dict[str, int]
    """How often devices reset themselves, by how."""
    journalled: int
    """Events that were whole on a flash chip."""
    received: int
    """Different events that the hall system received, the gateway's own too."""
    again: int
    """How often one of them came again with the same bytes."""
    certain: int
    in_doubt: int
    starved: int
    """Deeds while this machine left a device without a processor."""
    promised: int
    """What the gateway said `ok` to, each of which is an event."""
    refused: int
    asked_again: int
    online: int
    healing: Healing
    resident_mb: list[float]
    """The most of the gateway, in each quarter."""
    lost: list[str]
    doubled: list[str]
    unexpected: list[str]
    problems: list[str]
    """What parts said of themselves that no fault explains."""

    @property
    def wrong(self) -> list[str]:
        """Everything that should not be, in words; empty when the run is a good one."""
        found = [f"lost: {each}" for each in self.lost]
        found += [f"doubled: {each}" for each in self.doubled]
        found += [f"unexpected: {each}" for each in self.unexpected]
        found += [f"not healed: {each}" for each in self.healing.missed]
        found += self.problems
        if self.online < self.devices:
            found.append(f"only {self.online} of {self.devices} devices are online")
        if not flat(self.resident_mb):
            told = ", ".join(f"{each:.0f}" for each in self.resident_mb)
            found.append(f"the gateway's memory grows: {told} MB")
        return found

    def as_json(self) -> dict[str, Any]:
        """All of it, the plan with every fault."""
        told = asdict(self)
        told["plan"]["faults"] = [fault.told() for fault in self.plan.faults]
        return {**told, "good": not self.wrong}
