"""Arguments of the native module: on x64 in MicroPython, and some on the chips' machine code."""

from pathlib import Path

import pytest
from hall_firmware.hall.drivers.description import program_bytes
from hall_tools.native.emulator import GPIO, Buffer, Call, trace
from support import micropython
from support.native import built
from support.native.panels import P10, PROFILES, make

HERE = Path(__file__).parent


def test_wrong_and_random_arguments_are_exceptions():
    done = micropython.run(HERE / "mp_native_arguments.py", path=[built.folder()], heap="1M")
    assert done.output == "ok\n"


@pytest.mark.parametrize("architecture", GPIO)
def test_the_chips_machine_code_refuses_the_same(architecture: str):
    panel = make(PROFILES[P10], GPIO[architecture])
    words, picture = panel.description.tobytes(), panel.random_picture(1)
    program = bytes(program_bytes(panel.description))
    build = Buffer(program)
    cases: list[tuple[Call, tuple[str, int] | None]] = [
        (Call("build", [Buffer(program[:-4]), Buffer(picture), Buffer(words)]), ("ValueError", -6)),
        (Call("build", [Buffer(program), Buffer(picture[1:]), Buffer(words)]), ("ValueError", -5)),
        (Call("build", [Buffer(program), Buffer(picture), Buffer(words[4:])]), ("ValueError", -1)),
        (Call("frame", [Buffer(program), Buffer(words)]), ("ValueError", -7)),
        # Nothing but a GPIO's registers is ever stored to.
        *[
            (Call(name, args), ("ValueError", -10))
            for elsewhere in (0, 0x2000_0000, 0x3FF4_4004, 0x6009_0000, 0xFFFF_FFFC)
            for other in [Buffer(moved(words, elsewhere))]
            for name, args in (("blank", [other]), ("frame", [build, other]))
        ],
        (Call("build", [Buffer(program, writable=False), Buffer(picture), Buffer(words)]), BUFFER),
        (Call("build", [build, build, Buffer(words)]), ("ValueError", -11)),
        (Call("build", [build, Buffer(picture), build]), ("ValueError", -11)),
        (Call("frame", [7, Buffer(words)]), BUFFER),
        (Call("frame", [Buffer(words)]), COUNT),
        (Call("frame", [Buffer(program), Buffer(words), Buffer(program)]), COUNT),
        (Call("blank", []), COUNT),
        (Call("build", [build, Buffer(picture), Buffer(words)]), None),
    ]
    done = trace(architecture, built.module(architecture), [call for call, _ in cases])
    assert [call.error for call, _ in cases] == [error for _, error in cases]
    assert done.accesses == []


def moved(words: bytes, registers: int) -> bytes:
    return words[:4] + registers.to_bytes(4, "little") + words[8:]


@pytest.mark.parametrize("architecture", GPIO)
def test_blank_switches_the_light_off(architecture: str):
    for config in PROFILES.values():
        panel = make(config, GPIO[architecture])
        call = Call("blank", [Buffer(panel.description.tobytes(), writable=False)])
        done = trace(architecture, built.module(architecture), [call])
        assert call.error is None
        clear, set_ = (panel.enable, 0) if panel.light else (0, panel.enable)
        gpio = GPIO[architecture]
        assert done.stores == [(gpio + 12, clear), (gpio + 8, set_)]


COUNT, BUFFER = ("TypeError", 0), ("TypeError", 1)
