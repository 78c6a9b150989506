"""What displays and keypads should be, derived from the state of their window.

Here: the desired state of each device (device contract, down/desired) and what a display reported
of it. Pure, `now` is unix ms. Not here: why a window is in its state (sessions.py).

A rev is at least the unix time in seconds, so it stays newer than what a lost store ever sent.
"""

from collections.abc import Mapping
from dataclasses import replace

from hall_gateway.models import ShowCommand
from hall_gateway.plan import Plan, PlannedDevice
from hall_gateway.state import (
    Call,
    Desired,
    Display,
    Emit,
    HallState,
    Json,
    Outcome,
    RefusedError,
    Sign,
    Window,
)
from hall_gateway.wire import rfc3339

TTL_S = 30
"""A call or a text is stale on a display whose link has been down this long (hall.md, 3 and 6)."""

CAUTION_TTL_S = 3600
"""A caution names no ticket, and a floor does not dry because a cable is out: it stands longer."""

WELCOME = "欢迎光临"
"""What an idle display shows that stands at no window."""

KEPT_CALLS = 16
"""Calls remembered for each display, to tell which ticket a late `shown` is about."""


class Views:
    """The devices' desired states in `state`, which it changes in step with what it returns."""

    def __init__(self, plan: Plan, state: HallState) -> None:
        self._plan = plan
        self._state = state

    def settle(self, outcome: Outcome, now: int) -> None:
        """Every device in line with the plan, which may be newer than the store."""
        for device in self._plan.devices.values():
            if device.role == "call_display":
                self._refresh(device, outcome, now)
            elif device.role == "keypad" and device.window is not None:
                desired = self._state.desired.get(device.id)
                # Without a session it was a display's: the id went to another kind of device.
                view = desired.view if desired and "session" in desired.view else {}
                has = (view.get("window"), view.get("free", False), view.get("pin_key"))
                key = self._plan.pin_key if device.reads_staff else None
                if has != (device.window, device.window in self._plan.free, key):
                    self.prompt(device, None, outcome, now)

    def window(self, window: Window, outcome: Outcome, now: int, announce: bool = False) -> None:
        """The displays of `window` follow its new state.

        `announce`: it was called, or called again: shown anew even if it already stands there,
        and in place of any text.
        """
        for device in self._plan.displays(window.id):
            display = self._state.displays.get(device.id)
            if announce and display and display.text is not None:
                outcome.keep(self._state, replace(display, text=None))
            self._refresh(device, outcome, now, announce)

    def text(
        self, device: PlannedDevice, text: str, until: int, outcome: Outcome, now: int
    ) -> None:
        """`text` on a display until unix ms `until`."""
        display = self._state.displays.get(device.id, Display(device.id))
        outcome.keep(self._state, replace(display, text=text, until=until))
        self._refresh(device, outcome, now)

    def tick(self, outcome: Outcome, now: int) -> None:
        """Texts whose time is over give way to the window's state."""
        for display in list(self._state.displays.values()):
            if display.text is not None and display.until <= now:
                outcome.keep(self._state, replace(display, text=None))
                if device := self._plan.devices.get(display.device):
                    self._refresh(device, outcome, now)

    def signs(self, signs: Mapping[str, tuple[Sign, ...]], outcome: Outcome, now: int) -> None:
        """What rules show on displays, by device: just this from now on."""
        for device in self._plan.devices.values():
            if device.role != "call_display":
                continue
            display = self._state.displays.get(device.id, Display(device.id))
            wanted = signs.get(device.id, ())
            if display.signs != wanted:
                outcome.keep(self._state, replace(display, signs=wanted))
                self._refresh(device, outcome, now)

    def show(self, command: ShowCommand, outcome: Outcome, now: int) -> None:
        """A text on the displays of a window of this hall, or on one. Raises RefusedError."""
        if command.window is not None:
            devices = self._plan.displays(command.window)
            if not devices:
                raise RefusedError(f"window {command.window} has no display; name a device instead")
        else:
            device = self._plan.devices.get(command.device or "")
            if device is None or device.role != "call_display":
                known = [d.id for d in self._plan.devices.values() if d.role == "call_display"]
                raise RefusedError(
                    f"device: {command.device} is not a display of this hall; "
                    f"give one of {', '.join(known) or 'none'}"
                )
            devices = [device]
        until = now + command.seconds * 1000
        for device in devices:
            self.text(device, command.text, until, outcome, now)
        outcome.result = {"devices": [device.id for device in devices]}

    def prompt(self, keypad: PlannedDevice, ticket: str | None, outcome: Outcome, now: int) -> int:
        """The keypad asks for a rating of `ticket`, or with None for nothing; returns the rev."""
        session: Json | None = None
        if ticket is not None:
            seconds = self._plan.window_s
            session = {"ticket": ticket, "until": now + seconds * 1000, "window_s": seconds}
        return self.ask(keypad, session, outcome, now)

    def ask(self, keypad: PlannedDevice, session: Json | None, outcome: Outcome, now: int) -> int:
        """The keypad has this session, which may have begun on another; returns its rev."""
        view: Json = {"session": session, "window": keypad.window}
        if keypad.window in self._plan.free:
            view["free"] = True
        if keypad.reads_staff and self._plan.pin_key:
            view["pin_key"] = self._plan.pin_key
        return self._want(keypad, view, outcome, now)

    def inherit(self, display: PlannedDevice, old: Desired, outcome: Outcome, now: int) -> None:
        """The display should be what another, whose place it has, should have been."""
        rev = self._want(display, old.view, outcome, now, above=old.rev)
        self._told(display, old.view, rev, outcome, now)

    def unprompt(self, keypad: PlannedDevice, outcome: Outcome, now: int, session: int = 0) -> None:
        """The keypad asks for nothing any more, if it did (for `session`, when given)."""
        desired = self._state.desired.get(keypad.id)
        if desired and desired.view.get("session") and session in (0, desired.rev):
            self.prompt(keypad, None, outcome, now)

    def applied(self, device: PlannedDevice, rev: int, outcome: Outcome, now: int) -> None:
        """The device says that it is at `rev`; it takes only a newer one. A lost store on a clock
        that is behind may have wanted less: what it wants is wanted again, above `rev`."""
        desired = self._state.desired.get(device.id)
        if desired is None or rev <= desired.rev:
            return
        newer = self._want(device, desired.view, outcome, now, above=rev)
        if device.role == "call_display":
            self._told(device, desired.view, newer, outcome, now)
        rating = self._state.ratings.get((device.id, desired.rev))
        if rating and rating.closed is None:
            # The session goes on under its new rev; the keypad never took the old one.
            outcome.keep(self._state, replace(rating, closed="moved"))
            outcome.keep(self._state, replace(rating, session=newer))

    def newest(self, device: PlannedDevice) -> int:
        """The newest rev that the device was told; 0 when there is none."""
        desired = self._state.desired.get(device.id)
        return desired.rev if desired else 0

    def shown(self, device: PlannedDevice, rev: int) -> Outcome:
        """A display scanned out the call of `rev`: hall.call.shown, once for each announcement."""
        outcome = Outcome()
        display = self._state.displays.get(device.id, Display(device.id))
        if rev <= display.shown:
            return outcome
        outcome.keep(self._state, replace(display, shown=rev))
        call = next((call for call in display.calls if call.rev == rev), None)
        if call and call.first and call.first <= display.shown:
            return outcome
        data: Json = {
            "rev": rev,
            "ticket": call.ticket if call else None,
            "window": call.window if call else device.window,
            "called_at": rfc3339(call.at) if call else None,
        }
        outcome.emits.append(Emit("hall.call.shown", device.subject, data, own=False))
        return outcome

    def _refresh(
        self, device: PlannedDevice, outcome: Outcome, now: int, announce: bool = False
    ) -> None:
        view = self._view(device)
        desired = self._state.desired.get(device.id)
        if desired and desired.view == view and not announce:
            return
        rev = self._want(device, view, outcome, now)
        self._told(device, view, rev, outcome, now, announce)

    def _told(
        self,
        device: PlannedDevice,
        view: Json,
        rev: int,
        outcome: Outcome,
        now: int,
        announce: bool = False,
    ) -> None:
        """Remember which call `rev` is about, and whether it is one that only came back."""
        if view["view"] != "call":
            return
        display = self._state.displays.get(device.id, Display(device.id))
        call = Call(rev, str(view["ticket"]), str(view["window"]), now)
        if display.calls and not announce:
            last = display.calls[-1]
            if (last.ticket, last.window) == (call.ticket, call.window):
                call = replace(call, at=last.at, first=last.first or last.rev)
        calls = (*display.calls, call)[-KEPT_CALLS:]
        outcome.keep(self._state, replace(display, calls=calls))

    def _view(self, device: PlannedDevice) -> Json:
        """A caution gives way to a ticket that is asked to come, and to nothing else; a rule's text
        stands where there would be no more than a name."""
        display = self._state.displays.get(device.id, Display(device.id))
        window = None if device.window is None else self._state.windows[device.window]
        signs = {sign.view: sign for sign in reversed(display.signs)}
        if (sign := signs.get("caution")) and (window is None or window.state != "called"):
            text: Json = {} if sign.text is None else {"text": sign.text}
            return {"view": "caution", **text, "ttl_s": CAUTION_TTL_S}
        if display.text is not None:
            return {"view": "text", "text": display.text, "ttl_s": TTL_S}
        if (sign := signs.get("text")) and (window is None or window.state == "idle"):
            return {"view": "text", "text": sign.text, "ttl_s": TTL_S}
        if window is None:
            return {"view": "idle", "name": WELCOME}
        if window.state == "paused":
            return {"view": "closed"}
        if window.ticket is not None:
            return {"view": "call", "ticket": window.ticket, "window": window.id, "ttl_s": TTL_S}
        return {"view": "idle", "name": self._plan.windows[window.id] or f"{window.id}号窗口"}

    def _want(
        self, device: PlannedDevice, view: Json, outcome: Outcome, now: int, above: int = 0
    ) -> int:
        rev = max(self.newest(device) + 1, above + 1, now // 1000)
        outcome.keep(self._state, Desired(device.id, rev, view))
        return rev
