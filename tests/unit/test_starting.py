"""boot.py and main.py as they are, start after start, on a chip that is faked."""

import builtins
import json
import os
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

FIRMWARE = Path(__file__).parents[2] / "firmware"


class ResetError(BaseException):
    """machine.reset() does not return."""


class Chip:
    """The file system at `root`, the application slots on it, and whether its application fails."""

    def __init__(self, root: Path, slots: list[str]) -> None:
        self.root = root
        self.slots = slots
        self.fails = True
        self.full = False
        self.mounted = True
        self.cause = 1  # power on
        self.slept: list[float] = []
        self.ran: list[str] = []
        self.interrupted_by: list[int] = []  # the character that stops the application; -1: none

    def start(self) -> None:
        """One start: until the application has returned, or the chip was reset."""
        sys_path: list[str] = []
        modules: dict[str, Any] = {
            "gc": SimpleNamespace(threshold=lambda _bytes: None),
            "hall": SimpleNamespace(app=SimpleNamespace(run=self.run)),
            "json": json,
            "machine": SimpleNamespace(
                reset=self.reset, reset_cause=lambda: self.cause, DEEPSLEEP_RESET=4
            ),
            "micropython": SimpleNamespace(kbd_intr=self.interrupted_by.append),
            "os": SimpleNamespace(listdir=self.listdir, rename=self.rename),
            "sys": SimpleNamespace(path=sys_path, print_exception=lambda _error: None),
            "time": SimpleNamespace(sleep=self.slept.append),
        }
        own = vars(builtins) | {
            "open": self.open,
            "__import__": lambda name, *_: modules[name],
        }
        for name in ("boot.py", "main.py"):
            code = compile((FIRMWARE / name).read_text(), name, "exec")
            try:
                exec(code, {"__builtins__": own})
            except ResetError:
                return

    def run(self, slot: str, confirm: Callable[[], None]) -> None:
        self.ran.append(slot)
        if self.fails:
            raise RuntimeError
        confirm()

    def reset(self) -> None:
        raise ResetError

    def open(self, path: str, mode: str = "r") -> Any:
        if self.full and "w" in mode:
            raise OSError(28, "ENOSPC")
        return (self.root / path[1:]).open(mode)

    def listdir(self, path: str) -> list[str]:
        if not self.mounted:
            raise OSError(19, "ENODEV")
        return self.slots

    def rename(self, old: str, new: str) -> None:
        os.replace(self.root / old[1:], self.root / new[1:])

    @property
    def attempts(self) -> int:
        return json.loads((self.root / "slot.json").read_text())["attempts"]


def waits(chip: Chip, starts: int) -> list[float]:
    """Seconds that boot.py waited at each of so many starts."""
    waited: list[float] = []
    for _ in range(starts):
        chip.slept.clear()
        chip.start()
        waited.append(sum(chip.slept) - 2)  # main.py's own, before the reset
    return waited


@pytest.mark.parametrize("slots", [["a"], ["a", "b"]])
def test_a_device_that_keeps_failing_starts_more_and_more_slowly(tmp_path: Path, slots: list[str]):
    chip = Chip(tmp_path, slots)
    assert waits(chip, 12) == [0, 0, 0, 0, 0, 0, 2, 4, 8, 16, 32, 60]


def test_two_slots_that_fail_take_turns(tmp_path: Path):
    chip = Chip(tmp_path, ["a", "b"])
    waits(chip, 12)
    assert "".join(chip.ran) == "/a" * 5 + "/b" * 5 + "/a" * 2


def test_an_application_that_works_starts_its_count_anew(tmp_path: Path):
    chip = Chip(tmp_path, ["a", "b"])
    waits(chip, 7)
    chip.fails = False
    chip.start()
    assert (chip.ran[-1], chip.attempts) == ("/b", 0)
    chip.start()
    assert chip.ran[-1] == "/b"


def test_a_full_file_system_keeps_no_device_from_starting(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    chip = Chip(tmp_path, ["a"])
    chip.full = True
    chip.fails = False
    chip.start()
    assert chip.ran == ["/a"]
    assert "main: the attempt is not counted: [Errno 28] ENOSPC" in capsys.readouterr().out


def test_a_file_system_that_is_gone_ends_in_a_reset(tmp_path: Path):
    chip = Chip(tmp_path, ["a"])
    chip.mounted = False
    assert waits(chip, 2) == [0, 0]
    assert chip.ran == []


@pytest.mark.parametrize(
    ("config", "interrupted_by"),
    [('{"bench":false}', [-1]), ('{"bench":true}', []), ("{}", []), ("not JSON", [])],
)
def test_a_config_may_close_the_prompt_for_the_public(
    tmp_path: Path, config: str, interrupted_by: list[int]
):
    (tmp_path / "config.json").write_text(config)
    chip = Chip(tmp_path, ["a"])
    chip.start()
    assert chip.interrupted_by == interrupted_by
