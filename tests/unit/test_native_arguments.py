"""Arguments of the native module: on x64 in MicroPython, and some on the chips' machine code."""

from pathlib import Path

import pytest
from hall_firmware.hall.drivers.description import program_bytes
from support import micropython
from support.native import built
from support.native.machine import GPIO, Buffer, Call, run
from support.native.panels import P10, PROFILES, make, random_picture

HERE = Path(__file__).parent


def test_wrong_and_random_arguments_are_exceptions():
    done = micropython.run(HERE / "mp_native_arguments.py", path=[built.folder()], heap="1M")
    assert done.output == "ok\n"


@pytest.mark.parametrize("architecture", GPIO)
def test_the_chips_machine_code_refuses_the_same(architecture: str, tmp_path: Path):
    config = PROFILES[P10]
    description, _ = make(config, GPIO[architecture])
    words, picture = description.tobytes(), random_picture(config, 1)
    program = bytes(program_bytes(description))
    foreign = description[:]
    foreign[2] += 4
    elsewhere = description[:]
    elsewhere[1], elsewhere[2] = 0x2000000C, 0x20000008
    cases: list[tuple[Call, tuple[str, int]]] = [
        (Call("build", [Buffer(program[:-4]), Buffer(picture), Buffer(words)]), ("ValueError", -6)),
        (Call("build", [Buffer(program), Buffer(picture[1:]), Buffer(words)]), ("ValueError", -5)),
        (Call("build", [Buffer(program), Buffer(picture), Buffer(words[4:])]), ("ValueError", -1)),
        (Call("frame", [Buffer(program), Buffer(words)]), ("ValueError", -7)),
        # Nothing but a GPIO's set and clear registers is ever stored to.
        (Call("frame", [Buffer(program), Buffer(foreign.tobytes())]), ("ValueError", -10)),
        (Call("blank", [Buffer(elsewhere.tobytes())]), ("ValueError", -10)),
        (Call("build", [Buffer(program, writable=False), Buffer(picture), Buffer(words)]), BUFFER),
        (Call("frame", [7, Buffer(words)]), BUFFER),
        (Call("frame", [Buffer(words)]), COUNT),
        (Call("blank", []), COUNT),
    ]
    trace = run(
        architecture, built.module(architecture), [c for c, _ in cases], tmp_path, trace=True
    )
    assert [call.error for call, _ in cases] == [error for _, error in cases]
    assert trace is not None
    assert trace.stores == []


@pytest.mark.parametrize("architecture", GPIO)
def test_blank_switches_the_light_off(architecture: str, tmp_path: Path):
    for config in PROFILES.values():
        description, model = make(config, GPIO[architecture])
        call = Call("blank", [Buffer(description.tobytes(), writable=False)])
        trace = run(architecture, built.module(architecture), [call], tmp_path, trace=True)
        assert call.error is None
        off = (0, model.enable) if not model.lit_level else (model.enable, 0)
        gpio = GPIO[architecture]
        assert trace is not None
        assert trace.stores == [(gpio + 12, off[0]), (gpio + 8, off[1])]


COUNT, BUFFER = ("TypeError", 0), ("TypeError", 1)
