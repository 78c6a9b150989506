"""The native scan: the machine code that ships, executed, against a model of the panel."""

from pathlib import Path

import pytest
from hall_firmware.hall.drivers.description import FRAME_PAIRS, program_bytes
from support.native import built
from support.native.machine import GPIO, Buffer, Call, Trace, run
from support.native.panels import (
    CONFIGS,
    F375,
    HUB75,
    P10,
    PROFILES,
    Words,
    make,
    random_picture,
    size,
    spelled_out,
)
from support.panel_model import PanelModel

HERE = Path(__file__).parent

# Pairs that a row is lit: shorter than its shifting takes, and longer.
LIT = (40, 1100)


def played(
    architecture: str, description: Words, picture: bytes, folder: Path
) -> tuple[bytes, Trace]:
    """The program that the machine code built, and the trace of its playing it."""
    words = Buffer(description.tobytes(), writable=False)
    program = Buffer(bytes(program_bytes(description)))
    build = Call("build", [program, Buffer(picture, writable=False), words])
    run(architecture, built.module(architecture), [build], folder)
    assert build.error is None
    program.writable = False
    frame = Call("frame", [program, words])
    trace = run(architecture, built.module(architecture), [frame], folder, trace=True)
    assert frame.error is None
    assert trace is not None
    return program.content[: build.value], trace


@pytest.mark.parametrize("lit", LIT)
@pytest.mark.parametrize("name", CONFIGS)
def test_what_is_seen_is_the_picture(name: str, lit: int):
    """On x64: 3 pictures; lit longer than the shifting takes, and shorter."""
    config = CONFIGS[name]
    description, model = make(config, GPIO["xtensawin"], lit=lit)
    pictures = [random_picture(config, seed) for seed in range(3)]
    for picture, (_, log) in zip(
        pictures, built.play([(description, picture) for picture in pictures]), strict=True
    ):
        for address, value in spelled_out(log, GPIO["xtensawin"]):
            model[address] = value
        assert model.dark()
        # From the store that lights a row to the one that darkens it, the same for each row.
        assert set(model.lit.values()) == {2 * lit + beside(model)}
        assert model.frame() == drawn(picture, config["driver"]["width"])


def beside(model: PanelModel) -> int:
    """Stores beside the lit pairs: the light goes on and off in the same half of a pair, or not."""
    return 1 if model.lit_level else 3


def drawn(picture: bytes, width: int) -> list[str]:
    stride = width // 8
    rows = [picture[at : at + stride] for at in range(0, len(picture), stride)]
    return ["".join(f"{byte:08b}" for byte in row).translate({48: ".", 49: "#"}) for row in rows]


@pytest.mark.parametrize("architecture", GPIO)
@pytest.mark.parametrize("name", CONFIGS)
def test_every_machine_stores_the_same(name: str, architecture: str, tmp_path: Path):
    config = CONFIGS[name]
    for seed, lit in enumerate(LIT[: 1 if name not in PROFILES else 2]):
        description, _ = make(config, GPIO[architecture], lit=min(lit, 200))
        picture = random_picture(config, seed)
        program, trace = played(architecture, description, picture, tmp_path)
        [(expected, log)] = built.play([(description, picture)])
        assert program == expected
        assert trace.stores == spelled_out(log, GPIO[architecture])


def text(width: int, height: int, copies: int) -> bytes:
    """A ticket's call as the display draws it, several times beside each other."""
    rows = (HERE / "golden" / f"call-{width}x{height}.txt").read_text().split()
    bits = "".join(row * copies for row in rows).translate({46: "0", 35: "1"})
    return int(bits, 2).to_bytes(len(bits) // 8, "big")


# Chinese text rises on 12 % of the clocks of one data line, and on 20 % of those that carry two
# dots, and every rise costs another pair. Digits alone need 2.2 stores and less.
BOUNDS = {P10: (5.0, 2.25), F375: (5.3, 2.45), HUB75: (5.3, 2.45)}


@pytest.mark.parametrize("architecture", GPIO)
@pytest.mark.parametrize("name", PROFILES)
def test_work_for_a_pixel_clock_of_text(name: str, architecture: str, tmp_path: Path):
    """Counted, not timed: what twice the width takes more, for each clock that it has more."""
    traces: list[Trace] = []
    clocks: list[int] = []
    width, height = (PROFILES[name]["driver"][side] for side in ("width", "height"))
    for copies in (1, 2):
        driver = {**PROFILES[name]["driver"], "width": copies * width}
        description, model = make({**PROFILES[name], "driver": driver}, GPIO[architecture], lit=1)
        picture = text(width, height, copies)
        traces.append(played(architecture, description, picture, tmp_path)[1])
        clocks.append(model.length * model.steps)
    more = clocks[1] - clocks[0]
    instructions = (traces[1].instructions - traces[0].instructions) / more
    stores = (len(traces[1].stores) - len(traces[0].stores)) / more
    most_instructions, most_stores = BOUNDS[name]
    assert 4 < instructions <= most_instructions
    assert 2 < stores <= most_stores


def test_a_frame_has_a_longest_time():
    """About 3 ms: light, dead time, and shifting when every clock of every line has a rise."""
    for config in CONFIGS.values():
        description, _ = make(config, GPIO["xtensawin"], brightness=100)
        [(_, log)] = built.play([(description, b"\xaa" * size(config))])
        pairs = len(spelled_out(log, GPIO["xtensawin"])) / 2
        assert 0.9 * FRAME_PAIRS < pairs < 1.25 * FRAME_PAIRS
