"""The windows of a hall as a state machine: commands and time in, what follows out.

Here: what each command means at a window, when a rating session opens, and what displays and
keypads should be. Pure: no I/O, no clock, no randomness; `now` is unix ms. Not here: the rules of
a rating (ratings.py), storing and publishing an Outcome (effects.py).

A window is idle, called (a ticket is asked to come), serving, or paused:

    idle --call--> called --start--> serving --end--> idle     a completed service is rated
    called --recall--> called        called --no_show--> idle
    called, serving --call--> called                           the last one ended by next_call
    called, serving --transfer--> idle                         and called at the other window
    idle --pause--> paused --resume--> idle                    with a ticket: once it is done with
"""

from collections.abc import Callable
from dataclasses import replace
from typing import ClassVar

from hall_gateway import ratings, tickets, windows
from hall_gateway.keypads import Heard
from hall_gateway.logins import login
from hall_gateway.models import (
    CallCommand,
    CancelCommand,
    CloseData,
    PressData,
    ReasonData,
    SessionCommand,
    ShowCommand,
    ShownData,
    StaffCommand,
    TakeCommand,
    TransferCommand,
    WindowCommand,
)
from hall_gateway.plan import Plan, PlannedDevice
from hall_gateway.replaced import take_over
from hall_gateway.state import Emit, HallState, Json, Outcome, Rating, RefusedError, Window
from hall_gateway.verdicts import never_opened
from hall_gateway.views import Views
from hall_gateway.windows import attended, doing, emptied, service, status


class Sessions:
    """The state machine over `state`, which it changes in step with what it returns."""

    def __init__(self, plan: Plan, state: HallState) -> None:
        self._plan = plan
        self._state = state
        self._views = Views(plan, state)

    def settle(self, now: int) -> Outcome:
        """What devices should be, in line with the plan, which may be newer than the store."""
        outcome = Outcome()
        for window in self._plan.windows:
            if window not in self._state.windows:
                outcome.keep(self._state, Window(window))
        take_over(self._plan, self._state, self._views, outcome, now)
        self._views.settle(outcome, now)
        return outcome

    def command(self, name: str, command: SessionCommand, now: int) -> Outcome:
        """What `name` leads to; the result is the window as it is then.

        Raises RefusedError; then nothing has changed.
        """
        outcome = Outcome()
        match command:
            case TakeCommand():
                return tickets.take(self._state, command, self._plan.occupancy.clock, now)
            case CancelCommand():
                return tickets.cancel(self._state, command, now)
            case ShowCommand():
                if command.window is not None:
                    self._window(command.window)
                self._views.show(command, outcome, now)
            case CallCommand():
                self._call(command, outcome, now)
            case TransferCommand():
                self._transfer(command, outcome, now)
            case StaffCommand():
                window = replace(self._window(command.window), staff=command.staff)
                self._becomes(window, outcome, now)
            case WindowCommand():
                step = self._steps[name]
                step(self, self._window(command.window), outcome, now)
        if not outcome.result and command.window is not None:
            outcome.result = status(self._state.windows[command.window])
        return outcome

    def press(self, device: PlannedDevice, heard: Heard, data: PressData) -> Outcome:
        """A key of a keypad was pressed."""
        return ratings.press(self._plan, self._state, device, heard, data)

    def close(self, device: PlannedDevice, heard: Heard, data: CloseData, now: int) -> Outcome:
        """A keypad's session is over; the keypad should not open it again after a restart."""
        outcome = ratings.close(self._plan, self._state, device, heard, data)
        if data.session is not None:
            self._views.unprompt(device, outcome, now, data.session)
        return outcome

    def reason(self, device: PlannedDevice, heard: Heard, data: ReasonData) -> Outcome:
        """A customer says why the mark was a bad one."""
        return ratings.reason(self._state, device, heard, data)

    def stuck(self, device: PlannedDevice, heard: Heard, key: int) -> Outcome:
        """A key of a keypad was never released."""
        return ratings.stuck(self._state, device, heard, key)

    def login(self, device: PlannedDevice, heard: Heard, mark: str, now: int) -> Outcome:
        """A card or PIN was read: its clerk logs in at the keypad's window, or out there."""
        outcome, clerk = login(self._plan, self._state, device, heard, mark, now)
        if clerk is not None and device.window is not None:
            window = self._state.windows[device.window]
            staff = None if window.staff == clerk else clerk
            self._becomes(replace(window, staff=staff), outcome, now)
            by = "pin" if mark.startswith("pin:") else "card"
            data: Json = {"window": window.id, "staff": clerk, "by": by}
            verb = "login" if staff else "logout"
            outcome.emits.append(Emit(f"hall.staff.{verb}", device.subject, data, own=False))
        return outcome

    def restarted(self, device: PlannedDevice, heard: Heard) -> Outcome:
        """A keypad has started again."""
        return ratings.restarted(self._plan, self._state, device, heard)

    def applied(self, device: PlannedDevice, rev: int, now: int) -> Outcome:
        """A device says which rev it is at."""
        outcome = Outcome()
        self._views.applied(device, rev, outcome, now)
        return outcome

    def shown(self, device: PlannedDevice, data: ShownData) -> Outcome:
        """A display shows a call. Raises RefusedError for one that it was never told."""
        newest = self._views.newest(device)
        if data.rev > newest:
            raise RefusedError(f"rev: {data.rev} is above {newest}, the newest of this display")
        return self._views.shown(device, data.rev)

    def tick(self, now: int) -> Outcome:
        """Texts whose time is over go; sessions that nobody closed for a day are closed; the night
        ends what was left of a day."""
        clock = self._plan.occupancy.clock
        outcome = tickets.night(self._state, clock, now)
        outcome.add(windows.night(self._state, clock.began(now)))
        self._views.tick(outcome, now)
        ratings.expire(self._plan, self._state, outcome, now)
        return outcome

    def _window(self, window: str) -> Window:
        if window not in self._plan.windows:
            known = ", ".join(self._plan.windows) or "none"
            raise RefusedError(f"window: {window} is not in this hall; give one of {known}")
        return self._state.windows[window]

    def _call(self, command: CallCommand, outcome: Outcome, now: int) -> None:
        window = self._window(command.window)
        if window.state == "paused" or window.pausing:
            raise RefusedError(f"window {window.id} is {doing(window)}; resume it before a call")
        if window.ticket is not None:
            self._finish(window, "next_call", outcome, now)
        taken = tickets.called(self._state, command.ticket, outcome)
        called = Window(
            window.id,
            "called",
            command.staff or window.staff,
            command.ticket,
            command.business or (taken.business if taken else None),
            called=now,
            queued=None if taken is None else max(0, now - taken.taken),
        )
        self._arrive(called, outcome, now)
        outcome.emits.append(tickets.asked(called, taken, False))

    def _recall(self, window: Window, outcome: Outcome, now: int) -> None:
        if window.state != "called":
            raise RefusedError(
                f"window {window.id} is {doing(window)}; call a ticket before a recall"
            )
        self._becomes(window, outcome, now, announce=True)

    def _no_show(self, window: Window, outcome: Outcome, now: int) -> None:
        if window.state != "called":
            raise RefusedError(
                f"window {window.id} is {doing(window)}; only a called ticket can be a no_show"
            )
        self._finish(window, "no_show", outcome, now)
        self._becomes(emptied(window), outcome, now)

    def _start(self, window: Window, outcome: Outcome, now: int) -> None:
        if window.state != "called" or window.called is None:
            raise RefusedError(
                f"window {window.id} is {doing(window)}; call a ticket before a start"
            )
        waited = max(0, now - window.called)
        window = replace(window, state="serving", started=now, served_by=window.staff)
        data = service(window) | {"waited_ms": waited}
        outcome.emits.append(Emit("hall.service.started", f"window/{window.id}", data))
        self._becomes(window, outcome, now)

    def _end(self, window: Window, outcome: Outcome, now: int) -> None:
        if window.state != "serving":
            raise RefusedError(
                f"window {window.id} is {doing(window)}; start a service before its end"
            )
        self._finish(window, "completed", outcome, now)
        self._becomes(emptied(window), outcome, now)

    def _pause(self, window: Window, outcome: Outcome, now: int) -> None:
        if window.state == "paused" or window.pausing:
            raise RefusedError(f"window {window.id} is {doing(window)} already; nothing to do")
        if window.ticket is None:
            self._becomes(replace(window, state="paused"), outcome, now)
        else:
            self._becomes(replace(window, pausing=True), outcome, now)

    def _resume(self, window: Window, outcome: Outcome, now: int) -> None:
        if window.state == "paused":
            self._becomes(replace(window, state="idle"), outcome, now)
        elif window.pausing:
            self._becomes(replace(window, pausing=False), outcome, now)
        else:
            raise RefusedError(f"window {window.id} is {doing(window)}, not paused")

    _steps: ClassVar[dict[str, Callable[["Sessions", Window, Outcome, int], None]]] = {
        "recall": _recall,
        "no_show": _no_show,
        "start": _start,
        "end": _end,
        "pause": _pause,
        "resume": _resume,
    }

    def _transfer(self, command: TransferCommand, outcome: Outcome, now: int) -> None:
        window, to = self._window(command.window), self._window(command.to)
        if window.ticket is None:
            raise RefusedError(
                f"window {window.id} is {doing(window)}; it has no ticket to transfer"
            )
        if to.state != "idle":
            raise RefusedError(f"window {to.id} is {doing(to)}; transfer to an idle window")
        self._finish(window, "transfer", outcome, now)
        self._becomes(emptied(window), outcome, now)
        called = replace(
            to, state="called", ticket=window.ticket, business=window.business, called=now
        )
        self._arrive(called, outcome, now)
        outcome.emits.append(tickets.asked(called, None, True))

    def _finish(self, window: Window, reason: str, outcome: Outcome, now: int) -> None:
        """The ticket of `window` is done with there; a service that took place is rated."""
        # Never negative: the clock may have been set back in between.
        served = None if window.started is None else max(0, now - window.started)
        called = window.called
        waited = None if called is None else max(0, (window.started or now) - called)
        data = service(window) | {
            "queued_ms": window.queued,
            "waited_ms": waited,
            "served_ms": served,
            "reason": reason,
        }
        outcome.emits.append(Emit("hall.service.ended", f"window/{window.id}", data))
        if window.started is None or reason == "transfer" or window.ticket is None:
            return
        keypad = self._plan.keypad(window.id)
        rating = Rating(
            keypad.id if keypad else "",
            0,
            window.id,
            window.ticket,
            window.served_by or window.staff,
            window.business,
            now,
            short=served is not None and served < self._plan.rules.min_service_s * 1000,
            started=window.started,
            ended=now,
        )
        if keypad is None:
            never_opened(self._state, rating, "no_keypad", outcome)
        elif reason == "next_call":
            never_opened(self._state, rating, "next_call", outcome)
        else:
            session = self._views.prompt(keypad, window.ticket, outcome, now)
            outcome.keep(self._state, replace(rating, session=session))

    def _arrive(self, window: Window, outcome: Outcome, now: int) -> None:
        """A ticket is called to `window`; its keypad is no longer the last customer's."""
        ratings.called(self._state, window.id, outcome, now)
        if keypad := self._plan.keypad(window.id):
            self._views.unprompt(keypad, outcome, now)
        self._becomes(window, outcome, now, announce=True)

    def _becomes(self, window: Window, outcome: Outcome, now: int, announce: bool = False) -> None:
        window, told = attended(self._state.windows[window.id], window, now)
        outcome.emits += told
        outcome.keep(self._state, window)
        self._views.window(window, outcome, now, announce)
