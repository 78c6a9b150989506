"""Every board that appears, several at once.

Here: a thread a board, and when it is over. Not here: what is done to a board (bring.py), which
device it becomes (assignment.py), and the terminal (show.py).
"""

import os
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import NamedTuple, Protocol

from hall_tools.errors import UserError
from hall_tools.flash.assignment import AlreadyDoneError, Assignment, Wanted
from hall_tools.flash.board import Board
from hall_tools.flash.bring import Plan, Result, bring
from hall_tools.flash.flasher import Stage
from hall_tools.flash.ledger import Ledger
from hall_tools.flash.occupant import occupant
from hall_tools.flash.ports import Port

STOPPED = "stopped half way; the same command completes it"

_POLL_S = 0.5
"""pyserial only lists ports; a person plugs in no faster."""


class Failure(NamedTuple):
    """A board that was not flashed; `device` is what it would have become, if it came so far."""

    port: str
    device: str | None
    error: UserError

    def words(self) -> str:
        """The failure in a line."""
        whose = f"{self.device}: " if self.device else ""
        return f"FAILED {whose}{self.error}"

    def json(self) -> dict[str, object]:
        """The failure for other programs."""
        return {"ok": False, "device": self.device, "port": self.port, "error": str(self.error)}


class Line(Protocol):
    """What the terminal shows of one board."""

    def name(self, device: str) -> None: ...
    def told(self, stage: Stage, done: int, total: int) -> None: ...


class Screen(Protocol):
    """The terminal, for any thread."""

    def line(self, port: Port) -> AbstractContextManager[Line]: ...
    def say(self, text: str) -> None: ...


class _StoppedError(Exception):
    pass


class Batch:
    """Boards that become the devices of `assignment`; `plan` makes the image of one."""

    def __init__(
        self,
        assignment: Assignment,
        plan: Callable[[Wanted], Plan],
        ledger: Ledger,
        screen: Screen,
        connect: Callable[[Port], Board] = Board,
    ) -> None:
        self.results: list[Result] = []
        self.failures: list[Failure] = []
        self._assignment = assignment
        self._plan = plan
        self._ledger = ledger
        self._screen = screen
        self._connect = connect
        self._building = threading.Lock()
        self._changed = threading.Event()
        self._stop = threading.Event()
        self._running: set[str] = set()  # names of ports whose boards are being flashed

    def run(self, ports: Callable[[], list[Port]], endless: bool) -> None:
        """Flash what `ports` names until every device has its board.

        Not `endless`: until what it names at first is through. Ctrl-C takes no more boards and
        waits for those begun; the second one gives up on them, too.
        """
        before: set[str] = set()
        seen: set[str] = set()
        try:
            while True:
                present = {port.name: port for port in ports()}
                seen = {name for name in seen if name in present or name in self._running}
                # One that has just appeared may not be opened yet: udev sets its owner a little
                # later.
                settled = [port for port in present.values() if port.name in before or not endless]
                for port in settled:
                    if port.name not in seen and not self._assignment.knows(port.mac):
                        self._begin(port)
                    seen.add(port.name)
                before = set(present)
                if not self._running and (not endless or not self._assignment.left()):
                    return
                self._pause()
        except KeyboardInterrupt:
            self._finish()

    def exit_code(self) -> int:
        """0 when no board failed, else the first failure's."""
        return self.failures[0].error.exit_code if self.failures else os.EX_OK

    def _finish(self) -> None:
        try:
            if self._running:
                self._screen.say("no more boards; waiting for those begun; Ctrl-C gives up on them")
            self._wait()
        except KeyboardInterrupt:
            self._stop.set()
            self._wait()

    def _wait(self) -> None:
        # Not by Thread.join: interrupted by Ctrl-C, it takes a thread that runs for one that ended.
        while self._running:
            self._pause()

    def _pause(self) -> None:
        self._changed.wait(_POLL_S)
        self._changed.clear()

    def _begin(self, port: Port) -> None:
        self._running.add(port.name)
        threading.Thread(target=self._work, args=(port,), name=port.name, daemon=True).start()

    def _work(self, port: Port) -> None:
        device: str | None = None

        def named(chosen: str) -> None:
            nonlocal device
            device = chosen

        try:
            with self._screen.line(port) as line:
                result = self._flash(port, line, named)
            self.results.append(result)
            self._screen.say(f"{result.words()}; label {result.device} goes on it")
        except AlreadyDoneError as error:
            self._screen.say(f"{port.words()}: this board is {error.device} already, left as it is")
        except UserError as error:
            self._fail(port, device, error)
        except _StoppedError:
            self._fail(port, device, UserError(f"{port.name}: {STOPPED}", os.EX_TEMPFAIL))
        except Exception as error:
            text = f"{port.name}: an error of hall itself: {error!r}; please report it"
            self._fail(port, device, UserError(text, os.EX_SOFTWARE))
            raise
        finally:
            self._running.discard(port.name)
            self._changed.set()

    def _fail(self, port: Port, device: str | None, error: UserError) -> None:
        failure = Failure(port.words(), device, error)
        self.failures.append(failure)
        self._screen.say(failure.words())

    def _flash(self, port: Port, line: Line, named: Callable[[str], None]) -> Result:
        begun = time.monotonic()

        def told(stage: Stage, done: int, total: int) -> None:
            if self._stop.is_set():
                raise _StoppedError
            line.told(stage, done, total)

        with self._connect(port) as board:
            wanted = self._take(board)
            named(wanted.device)
            line.name(wanted.device)
            try:
                with self._building:
                    plan = self._plan(wanted)
                result = bring(board, plan, self._ledger, told)
            except BaseException:
                self._assignment.give_back(wanted.device)
                raise
            self._assignment.done(wanted.device)
            return result._replace(seconds=time.monotonic() - begun)

    def _take(self, board: Board) -> Wanted:
        try:
            was = occupant(board).device
            return self._assignment.take(board.mac, board.chip, board.flash_mb, was)
        except UserError as error:
            raise UserError(f"{board.port.name}: {error}", error.exit_code) from None
