"""The preview's framebuf draws what the real MicroPython's framebuf draws."""

import json
import random
from pathlib import Path
from typing import Any

import pytest
from hall_panel.framebuf import MONO_HLSB, FrameBuffer
from support import micropython

SCRIPT = Path(__file__).with_name("mp_framebuf.py")
PICTURES, STEPS, JOBS = 3, 12, 400


def a_size(rng: random.Random) -> list[int | None]:
    """Width, height, stride and bytes of the buffer, which now and then is too short."""
    width, height = rng.randint(-1 if rng.random() < 0.03 else 1, 40), rng.randint(1, 20)
    stride = rng.choice((None, None, width + rng.randint(0, 12)))
    needed = ((stride or width) + 7) // 8 * (height - 1) + (width + 7) // 8
    return [width, height, stride, max(0, needed + rng.choice((0, 0, 0, 0, 5, -1)))]


def a_step(rng: random.Random) -> list[Any]:
    """Name, number of the picture, arguments; most of them inside the picture, some across its
    edges, and some wholly outside."""
    name = rng.choice(("blit", "blit", "blit", "pixel", "pixel", "fill"))
    picture = rng.randrange(PICTURES)
    where = [rng.randint(-44, 44), rng.randint(-24, 24)]
    if name == "blit":
        source = rng.choice([n for n in range(PICTURES) if n != picture])
        return [name, picture, [source, *where, *rng.choice(([], [0], [1]))]]
    if name == "pixel":
        return [name, picture, [*where, *rng.choice(([], [0], [1], [7]))]]
    return [name, picture, [rng.choice((0, 1, 3))]]


def a_job(rng: random.Random) -> dict[str, Any]:
    steps = [a_step(rng) for _ in range(STEPS)]
    # Something to copy from the start: dots here and there in each picture.
    dots = [
        ["pixel", n, [rng.randint(0, 40), rng.randint(0, 20), 1]]
        for n in range(PICTURES)
        for _ in range(30)
    ]
    return {"sizes": [a_size(rng) for _ in range(PICTURES)], "steps": dots + steps}


def draw(job: dict[str, Any]) -> dict[str, Any]:
    """As mp_framebuf.py."""
    buffers = [bytearray(size[3]) for size in job["sizes"]]
    try:
        pictures = [
            FrameBuffer(buffer, width, height, MONO_HLSB, *(() if stride is None else (stride,)))
            for (width, height, stride, _), buffer in zip(job["sizes"], buffers, strict=True)
        ]
    except ValueError:
        return {"error": "ValueError"}
    pixels: list[int | None] = []
    for name, picture, arguments in job["steps"]:
        if name == "blit":
            pictures[picture].blit(pictures[arguments[0]], *arguments[1:])
        elif name == "fill":
            pictures[picture].fill(*arguments)
        else:
            pixels.append(pictures[picture].pixel(*arguments))
    return {"pictures": [buffer.hex() for buffer in buffers], "pixels": pixels}


def test_it_draws_what_micropython_draws():
    rng = random.Random(20261122)
    jobs = [a_job(rng) for _ in range(JOBS)]
    done = micropython.run(SCRIPT, stdin="".join(json.dumps(job) + "\n" for job in jobs))
    theirs = [json.loads(line) for line in done.output.splitlines()]
    assert len(theirs) == JOBS
    for job, expected in zip(jobs, theirs, strict=True):
        assert draw(job) == expected, job
    refused = sum("error" in each for each in theirs)
    assert 0 < refused < JOBS


def test_other_formats_and_read_only_buffers_are_refused():
    with pytest.raises(ValueError, match="format"):
        FrameBuffer(bytearray(8), 8, 8, 0)
    with pytest.raises(TypeError, match="buffer"):
        FrameBuffer(memoryview(bytes(8)), 8, 8, MONO_HLSB)
