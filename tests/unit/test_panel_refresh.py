"""The Raspberry Pi's stores and the thread that makes them: what is seen, and dark at the end."""

import mmap
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hall_panel import _refresh
from hall_panel.cable import Panel as Cable
from hall_panel.eye import Eye
from hall_panel.refresh import Refresher
from hall_panel.waveform import CLEAR, SET
from hall_panel.waveform import Store as AtTime
from support.native import pi_trace
from support.native.panels import CONFIGS, HUB75, P10, PROFILES, Panel, make

GPSET0, GPCLR0 = 0x1C, 0x28


@pytest.mark.parametrize("lit", [40, 700])
@pytest.mark.parametrize("name", CONFIGS)
def test_what_is_seen_is_the_picture(name: str, lit: int):
    config = CONFIGS[name]
    panel = make(config, 0, lit=lit)
    eye = Eye(config["driver"], config["pins"])
    now_ns = 0
    for seed in range(2):
        picture = panel.random_picture(seed)
        log = pi_trace.as_log(pi_trace.frame(panel, picture), panel.outputs)
        now_ns = eye.frame(log, now_ns + 1_000_000)
        assert b"".join(eye.picture().planes) == picture


@pytest.mark.parametrize("name", CONFIGS)
def test_no_rule_of_the_cable_is_broken_and_rows_are_lit_alike(name: str):
    config = CONFIGS[name]
    panel = make(config, 0, lit=60)
    cable = Cable(config["driver"], config["pins"])
    registers = {pi_trace.SET: SET, pi_trace.CLEAR: CLEAR}
    stores = pi_trace.frame(panel, panel.random_picture(1))
    for at, store in enumerate(stores):
        cable.store(AtTime(50 * at, registers[store.place], store.mask))
    flashes = cable.take(50 * len(stores))
    assert len(flashes) == panel.scans
    assert len({flash.end_ns - flash.start_ns for flash in flashes}) == 1
    # The bus of a Raspberry Pi loses no store that follows one to the same register.
    assert cable.broken.same_register > 0
    assert cable.broken.total() == cable.broken.same_register


def test_slower_stores_are_the_same_ones_repeated():
    panel = make(PROFILES[P10], 0, lit=20)
    picture = panel.random_picture(2)
    once = pi_trace.frame(panel, picture)
    assert pi_trace.frame(panel, picture, 3) == [store for store in once for _ in range(3)]


def test_a_new_picture_is_taken_between_two_frames():
    """Offered as fast as possible: each frame that the thread played is one or the other, whole."""
    panel = make(CONFIGS["hub12 one module"], 0, lit=20)
    pictures = panel.random_picture(1), panel.random_picture(2)
    whole = [pi_trace.frame(panel, picture, only_changes=True) for picture in pictures]
    # A frame ends as the next begins: with the store that switches the light off.
    assert whole[0] != whole[1]
    assert {one[0] for one in whole} == {one[-1] for one in whole} == {whole[0][0]}
    played = pi_trace.thread(panel, pictures, 20)
    at, seen = 0, [0, 0]
    while len(played) - at >= max(map(len, whole)):
        which = [played[at : at + len(one)] == one for one in whole].index(True)
        seen[which] += 1
        at += len(whole[which]) - 1
    assert min(seen) >= 10


@pytest.fixture
def registers() -> Iterator[mmap.mmap]:
    with mmap.mmap(-1, 4096) as block:
        yield block


def eventually(done: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not done():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def is_dark(registers: mmap.mmap, panel: Panel) -> bool:
    """Whether the last stores were those that switch the light off: nothing else stores them last,
    because between two frames the bus is measured by stores of nothing."""
    off = panel.enable & ~panel.light
    last = [_refresh.read(registers, at) for at in (GPCLR0, GPSET0)]
    return last == [panel.enable ^ off, off]


def test_it_plays_from_the_first_picture_on_and_ends_dark(registers: mmap.mmap):
    panel = make(PROFILES[P10], 0, brightness=100)
    with Refresher(registers, panel.description, 100) as refresher:
        refresher.show(panel.random_picture(1))
        eventually(lambda: refresher.counters.frames >= 3)
        counters = refresher.counters
        assert counters.longest_gap_ms > 0
        # A frame of 30,000 pairs, each of them 100 ns or longer.
        assert counters.longest_frame_ms > 2.7
    assert is_dark(registers, panel)
    assert not any(registers[:GPSET0] + registers[GPSET0 + 4 : GPCLR0] + registers[GPCLR0 + 4 :])
    with pytest.raises(ValueError, match="closed"):
        refresher.show(panel.random_picture(1))
    refresher.close()


def test_without_a_picture_nothing_is_played(registers: mmap.mmap):
    panel = make(PROFILES[P10], 0)
    with Refresher(registers, panel.description, 200) as refresher:
        refresher.dim(50)
        with pytest.raises(ValueError, match="-5"):
            refresher.show(b"short")
    assert refresher.counters.frames == 0
    assert is_dark(registers, panel)


def test_the_thread_needs_no_lock_of_pythons(registers: mmap.mmap):
    panel = make(PROFILES[P10], 0, brightness=10)
    before = sys.getswitchinterval()
    with Refresher(registers, panel.description, 200) as refresher:
        refresher.show(panel.random_picture(1))
        sys.setswitchinterval(1000)
        try:
            deadline = time.monotonic() + 30
            while refresher.counters.frames < 3:  # this thread lets go of the lock nowhere
                assert time.monotonic() < deadline
        finally:
            sys.setswitchinterval(before)


def test_brightness_changes_while_it_plays(registers: mmap.mmap):
    panel = make(PROFILES[P10], 0, brightness=1)
    with Refresher(registers, panel.description, 100) as refresher:
        refresher.show(panel.random_picture(1))
        eventually(lambda: refresher.counters.frames >= 1)
        refresher.dim(100)
        eventually(lambda: refresher.counters.longest_frame_ms > 2.7)
        for percent in (0, 101):
            with pytest.raises(ValueError, match="must be 1 to 100"):
                refresher.dim(percent)
    assert panel.description == make(PROFILES[P10], 0, brightness=1).description


LEAVING = """
import mmap, sys, threading, time
from array import array
from hall_panel.refresh import Refresher
def main(path, words, picture, end):
    with open(path, "r+b") as file:
        registers = mmap.mmap(file.fileno(), 4096)
    refresher = Refresher(registers, array("I", bytes.fromhex(words)), 100)
    refresher.show(bytes.fromhex(picture))
    while refresher.counters.frames < 2:
        time.sleep(0.005)
    exec(end)
main(*sys.argv[1:])
"""
# By a thread that Python never lets go on, so nothing is freed.
HELD = (
    "threading.Thread(target=lambda held: time.sleep(60), args=(refresher,), daemon=True).start()"
)


@pytest.mark.parametrize(
    ("end", "status"),
    [("pass", 0), ("sys.exit(3)", 3), ("1 / 0", 1), (f"{HELD}; sys.exit(3)", 3)],
)
def test_a_process_that_ends_leaves_the_panel_dark(end: str, status: int, tmp_path: Path):
    panel = make(PROFILES[HUB75], 0)
    path = tmp_path / "gpiomem"
    path.write_bytes(bytes(4096))
    words, picture = panel.description.tobytes().hex(), panel.random_picture(1).hex()
    command = [sys.executable, "-c", LEAVING, str(path), words, picture, end]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == status, done.stderr
    with path.open("r+b") as file, mmap.mmap(file.fileno(), 4096) as registers:
        assert is_dark(registers, panel)


def test_wrong_arguments_are_refused(registers: mmap.mmap):
    description = make(PROFILES[P10], 0).description
    for refresh_hz in (9, 201):
        with pytest.raises(ValueError, match="must be 10 to 200"):
            Refresher(registers, description, refresh_hz)
    with pytest.raises(ValueError, match="too short"):
        Refresher(bytearray(GPCLR0 + 3), description, 100)
    with pytest.raises(ValueError, match="-9"):
        Refresher(memoryview(registers)[2:], description, 100)
    with pytest.raises(ValueError, match="-1"):
        Refresher(registers, description[:-1], 100)
    with pytest.raises(TypeError):
        Refresher(bytes(4096), description, 100)
    with pytest.raises(ValueError, match="no word"):
        _refresh.read(registers, 4093)
    with pytest.raises(ValueError, match="no word"):
        _refresh.write(registers, -4, 0)
    assert not any(registers[:])


def test_stores_are_slowed_down(registers: mmap.mmap):
    """Plain memory is faster than any bus, so each store must be made more than once."""
    thread = _refresh.Refresher(registers, make(PROFILES[P10], 0).description, 10_000)
    assert thread.repeats > 1
    thread.close()
