"""The native scan: the machine code that ships, executed, and what an eye sees of its stores."""

import random
from collections.abc import Iterator
from itertools import pairwise

import pytest
from hall_firmware.hall.drivers.description import FRAME_PAIRS, log_bytes, program_bytes
from hall_panel.eye import Eye
from hall_panel.waveform import end_ns
from hall_tools.native.emulator import GPIO, Buffer, Call, CrashedError, run, trace
from hall_tools.native.trace import LOAD, STORE, Access, Trace
from support.native import built
from support.native.panels import CONFIGS, F375, PROFILES, Panel, accesses, entries, make

# Pairs that a row is lit: shorter than its shifting takes, and longer.
LIT = (40, 1100)
# Levels of outputs that are not the panel's, beside those that the panel rests at.
OTHERS = 0x5A5A5A5A


def played(
    architecture: str, panel: Panel, picture: bytes, outputs: int = OTHERS
) -> tuple[bytes, Trace]:
    """The program that the machine code built, and what it did to play it."""
    words = Buffer(panel.description.tobytes(), writable=False)
    program = Buffer(bytes(program_bytes(panel.description)))
    build = Call("build", [program, Buffer(picture, writable=False), words])
    run(architecture, built.module(architecture), [build])
    assert build.error is None
    program.writable = False
    frame = Call("frame", [program, words])
    done = trace(architecture, built.module(architecture), [frame], outputs=outputs)
    assert frame.error is None
    return program.content[: build.value], done


@pytest.mark.parametrize("lit", LIT)
@pytest.mark.parametrize("name", CONFIGS)
def test_what_is_seen_is_the_picture(name: str, lit: int):
    """On x64: three pictures, one after the other into the same eye."""
    config = CONFIGS[name]
    panel = make(config, GPIO["xtensawin"], lit=lit)
    eye = Eye(config["driver"], config["pins"])
    pictures = [panel.random_picture(seed) for seed in range(3)]
    now = 0
    for picture, frame in zip(pictures, built.play([(panel, p) for p in pictures]), strict=True):
        # What stood in the registers before the first frame is not the picture's.
        now = eye.frame(frame.log, eye.frame(frame.log, now))
        seen = eye.picture()
        assert b"".join(seen.planes) == picture
        assert panel.is_dark(int.from_bytes(frame.log[:4], "little"))
        # Each LED that is lit has the same light, every other none.
        assert {ns for plane in seen.light for ns in plane} == {0, seen.full_ns}
        assert seen.full_ns == pytest.approx(2 * lit * 50, abs=150)
    assert eye.figures(0, cap=1.0).broken.total() == 0


@pytest.mark.parametrize("architecture", GPIO)
@pytest.mark.parametrize("name", CONFIGS)
def test_every_machine_does_the_same(name: str, architecture: str):
    """Programs byte by byte, and store by store, with each of the outputs that are not the panel's
    as it was: they are read before each burst of clocks, after all that was stored before."""
    for seed, lit in enumerate(LIT[: 1 if name not in PROFILES else 2]):
        panel = make(CONFIGS[name], GPIO[architecture], lit=min(lit, 200))
        picture = panel.random_picture(seed)
        program, done = played(architecture, panel, picture)
        [frame] = built.play([(panel, picture)])
        assert program == frame.program
        found = list(of_bursts(done.accesses))
        assert found == accesses(frame.log, panel, GPIO[architecture], OTHERS)
        for (address, value), (following, stored) in pairwise(found):
            twice = address == following and None not in (value, stored)
            assert not twice, "the same register twice in a row: erratum CPU-3.3"
        out = {value for address, value in done.stores if address == GPIO[architecture] + 4}
        mine = panel.clock | panel.data
        assert {value & ~mine for value in out} == {OTHERS & ~mine}


def of_bursts(all_: list[Access]) -> Iterator[tuple[int, int | None]]:
    """Without the loads that nothing is stored after: those of a burst of no clocks."""
    for access, following in pairwise([*all_, None]):
        assert access is not None
        if access.kind == STORE:
            yield access.address, access.value
        elif following is not None and following[1:3] == (STORE, access.address):
            yield access.address, None


@pytest.mark.parametrize("architecture", GPIO)
@pytest.mark.parametrize("lit", LIT)
@pytest.mark.parametrize("name", PROFILES)
def test_each_row_is_lit_for_the_same_code(name: str, lit: int, architecture: str):
    """Between the stores that switch the light on and off: the same number of pairs and of
    instructions, whatever a row shows. So rows differ in light by nothing that code does."""
    panel = make(PROFILES[name], GPIO[architecture], lit=min(lit, 300))
    picture = panel.random_picture(1)
    half = picture[: len(picture) // 3] + bytes(len(picture) - len(picture) // 3)
    _, done = played(architecture, panel, half)
    windows = lit_windows(done.accesses, panel, GPIO[architecture])
    assert len(windows) == panel.scans
    assert len(set(windows)) == 1
    stores, instructions = windows[0]
    assert stores == 2 * min(lit, 300) + (1 if panel.light else 3) - 1
    assert instructions > stores


def lit_windows(all_: list[Access], panel: Panel, gpio: int) -> list[tuple[int, int]]:
    """(stores, instructions) from each store that lights to the one that darkens."""
    stores = [access for access in all_ if access.kind == STORE]
    on = gpio + (8 if panel.light else 12)
    off = gpio + (12 if panel.light else 8)
    since: tuple[int, int] | None = None
    found: list[tuple[int, int]] = []
    for index, access in enumerate(stores):
        if (access.address, access.value) == (on, panel.enable):
            since = index, access.instruction
        elif (access.address, access.value) == (off, panel.enable) and since is not None:
            found.append((index - since[0] - 1, access.instruction - since[1]))
            since = None
    assert since is None
    return found


# What the display may cost at most: set before it was measured, for text and random pictures alike.
MOST_INSTRUCTIONS, MOST_STORES = 5.2, 2.2


@pytest.mark.parametrize("architecture", GPIO)
@pytest.mark.parametrize("name", PROFILES)
def test_work_for_a_pixel_clock(name: str, architecture: str):
    """Counted, not timed: what twice the width takes more, for each clock that it has more."""
    driver = PROFILES[name]["driver"]
    done: list[Trace] = []
    clocks: list[int] = []
    for copies in (1, 2):
        config = {**PROFILES[name], "driver": {**driver, "width": copies * driver["width"]}}
        panel = make(config, GPIO[architecture])
        # Lit for just as long as the shifting of the next row takes.
        panel.description[12] = panel.clocks
        done.append(played(architecture, panel, panel.random_picture(copies))[1])
        clocks.append(panel.clocks * panel.scans)
    # The frame's first row is shifted in the dark, and once more while the last is lit.
    more = (clocks[1] - clocks[0]) * (1 + 1 / panel.scans)
    instructions = (done[1].instructions - done[0].instructions) / more
    stores = (len(done[1].stores) - len(done[0].stores)) / more
    assert 4 < instructions <= MOST_INSTRUCTIONS
    assert stores == 2 <= MOST_STORES


def test_a_frame_has_a_longest_time():
    """3 ms of light and dead time, and at most a third more for what is done in the dark."""
    for config in CONFIGS.values():
        panel = make(config, GPIO["xtensawin"], brightness=100)
        [frame] = built.play([(panel, b"\xaa" * panel.picture_bytes)])
        longest = FRAME_PAIRS * 100
        assert 0.98 * longest < end_ns(frame.log) < 1.1 * longest


@pytest.mark.parametrize("name", CONFIGS)
def test_a_frame_needs_no_more_log_than_is_said(name: str):
    """built.play() gives it just that: shortest lit times take the most, and use all but the last
    entries that no row has."""
    chance = random.Random(name)
    for lit in (0, 1, 7, 8, 9, chance.randrange(2000)):
        panel = make(CONFIGS[name], GPIO["xtensawin"], lit=min(lit, 400))
        [frame] = built.play([(panel, panel.random_picture(lit))])
        assert len(frame.log) <= log_bytes(panel.description)
        assert sum(len(levels) for _, _, levels in entries(frame.log)) == (
            panel.clocks * panel.scans + min(panel.clocks, panel.description[12])
        )


def test_the_registers_of_an_esp32_s3():
    """They lie where qemu-xtensa has no memory: the first store goes there, and is the last."""
    panel = make(PROFILES[F375], 0x60004000)
    blank = Call("blank", [Buffer(panel.description.tobytes(), writable=False)])
    with pytest.raises(CrashedError) as caught:
        trace("xtensawin", built.module("xtensawin"), [blank], gpio=0x60004000)
    assert caught.value.trace is not None
    assert caught.value.trace.stores == [(0x6000400C, 0)]
    assert [access.kind for access in caught.value.trace.accesses] != [LOAD]
