"""The scan under CPython: the same programs, stores and errors as the machine code of the chips."""

import random
from array import array
from collections.abc import Callable
from typing import Any

import pytest
from hall_firmware.hall.drivers import description as words
from hall_panel import _scan
from support.native import built
from support.native.panels import CONFIGS, P10, PROFILES, Panel, Words, make

ERRORS = range(-11, 0)
UNTOUCHED = 0xA5
REGISTERS = 0x3FF44000


def played(panel: Panel, picture: bytes) -> built.Played:
    program = bytearray(words.program_bytes(panel.description))
    used = _scan.build(program, picture, panel.description)
    log = bytearray(words.log_bytes(panel.description))
    log[:4] = panel.outputs.to_bytes(4, "little")
    stored = _scan.frame(program, panel.description, log)
    return built.Played(bytes(program[:used]), bytes(log[: 4 * stored]))


@pytest.mark.parametrize("name", CONFIGS)
def test_programs_and_stores_are_those_of_the_unix_port(name: str):
    panels = [make(CONFIGS[name], REGISTERS, lit=lit) for lit in (1, 40, 250, None)]
    jobs = [(panel, panel.random_picture(seed)) for seed, panel in enumerate(panels)]
    assert [played(*job) for job in jobs] == built.play(jobs)


PICTURE = bytes(make(PROFILES[P10], REGISTERS).picture_bytes)


@pytest.fixture
def panel() -> Words:
    return make(PROFILES[P10], REGISTERS, lit=20).description


def code(function: Callable[..., int], *buffers: Any) -> int:
    """Of the ValueError that these buffers raise; firmware/native/scan.h."""
    with pytest.raises(ValueError, match=r"^-\d+$") as raised:
        function(*buffers)
    assert raised.value.args[0] in ERRORS
    return raised.value.args[0]


def changed(description: Words, place: int, value: int) -> Words:
    other = description[:]
    other[place] = value
    return other


def test_wrong_buffers_are_refused_before_anything_is_logged(panel: Words):
    program, picture = bytearray(words.program_bytes(panel)), PICTURE
    room = words.log_bytes(panel)
    assert code(_scan.build, program[:-4], picture, panel) == -6
    assert code(_scan.build, program, picture[:-1], panel) == -5
    log = bytearray([UNTOUCHED]) * (room + 4)
    assert code(_scan.frame, program, panel, log) == -7  # a build that failed leaves no program
    assert _scan.build(program, picture, panel) == len(program)
    assert code(_scan.frame, program, changed(panel, 12, 1 << 15), log) == -4
    assert code(_scan.frame, program, panel[:14], log) == -1
    assert code(_scan.frame, program, changed(panel, words.SCANS, 0), log) == -2
    assert code(_scan.blank, changed(panel, 3, 1 << 31), log) == -3
    assert code(_scan.frame, program, panel, log[: room - 4]) == -8
    assert code(_scan.blank, panel, log[:3]) == -8
    unaligned = memoryview(log)[2:]
    assert code(_scan.frame, program, panel, unaligned) == -9
    assert code(_scan.blank, memoryview(b"  " + panel.tobytes())[2:], log) == -9
    assert log == bytes([UNTOUCHED]) * len(log)
    assert _scan.frame(program, panel, log) <= room // 4


def test_a_written_buffer_may_share_no_memory(panel: Words):
    program, picture = bytearray(words.program_bytes(panel)), PICTURE
    _scan.build(program, picture, panel)
    before = bytes(program)
    assert code(_scan.build, program, memoryview(program)[-len(picture) :], panel) == -11
    assert code(_scan.frame, program, panel, program) == -11
    assert code(_scan.blank, panel, memoryview(panel)) == -11
    assert program == before


def test_what_is_no_buffer_of_bytes_is_refused(panel: Words):
    program, picture = bytearray(words.program_bytes(panel)), PICTURE
    wrong: list[tuple[type[Exception], tuple[Any, ...]]] = [
        (TypeError, (1, picture, panel)),
        (TypeError, (program, None, panel)),
        (TypeError, (program, "text", panel)),
        (TypeError, (bytes(program), picture, panel)),
        (TypeError, (program, picture)),
        (TypeError, (memoryview(bytes(program)), picture, panel)),
        (BufferError, (program, memoryview(picture)[::2], panel)),
    ]
    for error, buffers in wrong:
        with pytest.raises(error):
            _scan.build(*buffers)
    # Nothing is held: a buffer that is still in use cannot be resized.
    program.extend(b"more")


def test_random_arguments_are_errors_or_fit(panel: Words):
    """A bounded, quick look; test_panel_fuzz.py looks harder."""
    chance = random.Random(3)
    log = bytearray(words.log_bytes(panel))
    reached: set[int] = set()
    for _ in range(2_000):
        description = array("I", panel)
        description[chance.randrange(len(panel))] = chance.getrandbits(chance.choice((3, 8, 32)))
        program = bytearray(words.program_bytes(panel))
        try:
            _scan.build(program, PICTURE, description)
            reached.add(min(_scan.frame(program, description, log), 0))
        except ValueError as error:
            reached.add(error.args[0])
    assert {0, -1, -2, -3, -4, -5} <= reached <= {0, *ERRORS}
