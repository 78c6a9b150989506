"""The state machine of a hall's windows for a test, without a store: commands and presses in.

Only that belongs here; what must follow is in the tests.
"""

from typing import Any

from hall_gateway.keypads import Heard
from hall_gateway.models import COMMANDS, CloseData, DeviceCommand, PressData, ReasonData
from hall_gateway.plan import Plan
from hall_gateway.sessions import Sessions
from hall_gateway.state import Emit, HallState, Outcome

from support.core_hall import NOON, PLAN


class Run:
    """A state machine with a clock, and everything that it has emitted."""

    def __init__(self, plan: Plan = PLAN) -> None:
        self.now = NOON
        self.state = HallState()
        self.sessions = Sessions(plan, self.state)
        self.emits: list[Emit] = []
        self.take(self.sessions.settle(self.now))

    def take(self, outcome: Outcome) -> Outcome:
        self.emits += outcome.emits
        return outcome

    def do(self, name: str, **fields: Any) -> dict[str, Any]:
        command = COMMANDS[name].model_validate({"id": "x", **fields})
        assert not isinstance(command, DeviceCommand)
        return self.take(self.sessions.command(name, command, self.now)).result

    def serve(self, ticket: str = "A001", window: str = "1", served_s: int = 0) -> int:
        self.do("call", window=window, ticket=ticket)
        self.do("start", window=window)
        self.now += served_s * 1000
        self.do("end", window=window)
        return self.state.desired[f"kp-{window}"].rev

    def press(self, session: int | None, key: int = 1, up: int = 0, boot: int = 1) -> Emit:
        return self.presses(session, key, up, boot)[-1]

    def presses(
        self,
        session: int | None,
        key: int,
        up: int,
        boot: int = 1,
        n: int | None = None,
        id: str = "",
        device: str = "kp-1",
    ) -> list[Emit]:
        """What one press leads to; the press itself is told last."""
        data = PressData(key=key, session=session, n=n)
        heard = Heard(boot, up, self.now, id or f"press at {up}")
        return self.take(self.sessions.press(PLAN.devices[device], heard, data)).emits

    def close(
        self, session: int | None, why: str = "end", up: int = 0, device: str = "kp-1"
    ) -> list[Emit]:
        data = CloseData.model_validate({"session": session, "why": why})
        heard = Heard(1, up, self.now)
        keypad = PLAN.devices[device]
        return self.take(self.sessions.close(keypad, heard, data, self.now)).emits

    def stuck(self, key: int, up: int, device: str = "kp-1") -> list[Emit]:
        heard = Heard(1, up, self.now)
        return self.take(self.sessions.stuck(PLAN.devices[device], heard, key)).emits

    def reason(self, data: ReasonData) -> Emit:
        heard = Heard(1, 0, self.now)
        return self.take(self.sessions.reason(PLAN.devices["kp-1"], heard, data)).emits[0]

    def view(self, device: str) -> dict[str, Any]:
        return self.state.desired[device].view

    def types(self) -> list[str]:
        return [emit.type.removeprefix("hall.") for emit in self.emits]

    def last(self, type: str) -> dict[str, Any]:
        return [emit for emit in self.emits if emit.type == f"hall.{type}"][-1].data
