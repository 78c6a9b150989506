"""The event journal (docs/journal.md): the shipped module in the real MicroPython, and in CPython.

The cuts, the soak and the directed cases run in MicroPython on a simulated NOR flash; hypothesis
drives the same sources in CPython against the same model, for the sequence nobody thought of.
"""

import json
import random
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hall_firmware.hall import journal as journal_module
from hall_firmware.hall.journal import Journal
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from support import micropython
from support.journal_truth import Truth
from support.nor_flash import MODES, NorFlash, PowerCut

HERE = Path(__file__).parent
CASES = HERE / "mp_journal_cases.py"


def run(script: str, *arguments: str) -> str:
    """With a heap for the simulated flash, its copies and the whole truth beside the journal."""
    path = [micropython.modules(), HERE.parent / "support"]
    return micropython.run(HERE / script, *arguments, path=path, heap="4M", timeout=110).output


def figures(output: str) -> dict[str, int]:
    found = json.loads(output.splitlines()[-1])
    print(found)
    return found


@pytest.mark.parametrize("case", re.findall(r"^def (case_\w+)", CASES.read_text(), re.MULTILINE))
def test_case(case: str) -> None:
    print(run(CASES.name, case))


def test_power_cut_at_every_flash_operation() -> None:
    """The number of cut points is printed with pytest -s (docs/journal.md)."""
    cuts = figures(run("mp_journal_cuts.py", "1"))
    second = cuts.pop("second")
    operations = cuts.pop("operations")
    assert operations > 300
    assert sum(cuts.values()) > 1500, "cuts while it works"
    assert second > 4_000, "cuts while it recovers from a cut"
    assert all(cuts.values()), "every kind of operation was cut"


def test_power_cut_at_every_flash_operation_of_replacing_a_file() -> None:
    """What a device has learnt, and which slot it starts, are files that are replaced by rename."""
    cuts = figures(run("mp_kept_cuts.py", "1"))
    assert cuts["operations"] > 120
    assert cuts["cuts"] > 500
    assert cuts["second"] > 700
    assert min(cuts["old"], cuts["new"]) > 10, "both came about"


@pytest.mark.parametrize("seed", [1, 2])
def test_many_boots_cut_at_random(seed: int) -> None:
    found = figures(run("mp_journal_soak.py", str(seed), "300"))
    assert found["records"] > 8_000
    assert found["cuts"] > 100
    assert found["dropped"] > 0, "the ring overflowed, and all of it was counted"
    # An ack record for 32 events, a header and an erase for 63: what docs/journal.md counts on.
    assert found["programs"] < 1.2 * found["records"]
    assert found["erases"] < found["records"] / 40


def test_size_on_the_device() -> None:
    compiled = [micropython.modules() / "hall" / name for name in ("journal.mpy", "slots.mpy")]
    size = sum(path.stat().st_size for path in compiled)
    print(f"{size} bytes of .mpy")
    assert size <= 6 * 1024


class JournalMachine(RuleBasedStateMachine):
    """A journal of four small sectors, its power, and what the world knows about it."""

    journal: Journal | None

    @initialize(seed=st.integers(0, 2**32 - 1), epoch=st.integers(1, 2**32 - 1))
    def begin(self, seed: int, epoch: int) -> None:
        self.flash = NorFlash(4, 512, random.Random(seed))
        Journal.format(self.flash, epoch)
        self.truth = Truth(epoch)
        self.up = 0
        self.t: int | None = None
        self.journal = None

    def attempt(self, action: Callable[[Any], None]) -> None:
        """Does it with a journal that is mounted first, and remembers when the power went."""
        try:
            if self.journal is None:
                self.flash.power_on()
                journal = Journal(self.flash, lambda: self.up, lambda: self.t)
                self.truth.check(journal)
                self.journal = journal
            action(self.journal)
        except PowerCut:
            self.journal = None

    @rule(
        count=st.integers(1, 12),
        number=st.integers(0, 2**32 - 1),
        up=st.integers(0, 2**40 - 1),
        t=st.none() | st.integers(1, 2**48 - 1),
    )
    def append(self, count: int, number: int, up: int, t: int | None) -> None:
        self.up, self.t = up, t
        for i in range(count):
            data = {"n": number, "i": i}
            self.attempt(lambda journal, data=data: self.truth.append(journal, "e", data, up, t))

    @rule(back=st.integers(-2, 12))
    def ack(self, back: int) -> None:
        self.attempt(lambda journal: self.truth.ack(journal, self.truth.next - 1 - back))

    @rule()
    def flush_ack(self) -> None:
        self.attempt(self.truth.flush_ack)

    @rule()
    def reserve(self) -> None:
        self.attempt(lambda journal: self.truth.reserve(journal, 64))

    @rule()
    def prepare(self) -> None:
        self.attempt(lambda journal: journal.prepare())

    @rule()
    def restart(self) -> None:
        self.journal = None

    @rule(operations=st.integers(0, 12), mode=st.sampled_from(MODES))
    def arm_cut(self, operations: int, mode: int) -> None:
        """The power goes at one of the next operations, of whatever the journal does then."""
        if self.journal is None:
            self.flash.power_on()
        self.flash.mode = mode
        self.flash.cut_after = operations

    @invariant()
    def what_is_shown_is_what_was_journalled(self) -> None:
        if self.journal is not None:
            assert self.journal.dropped == self.truth.dropped
            unacked = self.journal.peek(self.journal.acked, 3)
            assert unacked == [self.truth.events[event["seq"]] for event in unacked]


JournalMachine.TestCase.settings = settings(
    max_examples=250,
    stateful_step_count=40,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],
)


class TestJournalMachine(JournalMachine.TestCase):
    """Collected by pytest; the class above is the test."""


def test_the_sources_are_the_same() -> None:
    """What hypothesis drives is what is compiled for the device."""
    assert Path(journal_module.__file__) == Path(micropython.__file__).parents[2] / (
        "firmware/hall/journal.py"
    )
