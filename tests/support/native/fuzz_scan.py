"""Random and nearly valid arguments for a build of hall_panel's C modules; a program of its own,
because sanitizers want to be in a process from its start. tests/unit/test_panel_fuzz.py runs it.

Here: the arguments, and what must hold whatever they are. Not here: the build.
Usage: fuzz_scan.py FOLDER-OF-THE-MODULES EXAMPLES
"""

import importlib.util
import sys
from array import array
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from hall_firmware.hall.drivers import description
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

ERRORS = range(-11, 0)
LAYOUT, ENABLE, LIGHT, CLOCK, DATA, SCANS, GROUPS, LINES, LIT, DEAD, TABLES = (
    *(0, 2, 3, 4, 5),
    *(9, 10, 11, 12, 13, 14),
)
CLOCKS, REST = 0xFFFF_FFFE, 0xFFFF_FFFF
FOLDER, EXAMPLES = Path(sys.argv[1]), int(sys.argv[2])
LINE_MASKS = [1 << line for line in range(4, 12)]


def module(name: str) -> Any:
    [path] = FOLDER.glob(f"{name}.*so")
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return loaded


scan, refresh = module("_scan"), module("_refresh")


class Case(NamedTuple):
    """Arguments, and the memory behind those that are buffers."""

    program: Any
    picture: Any
    description: Any
    log: Any
    memory: list[bytearray]
    own: Callable[[str], tuple[int, slice]]  # where an argument is in the memory


words = st.one_of(
    st.sampled_from([0, 1, 2, 3, 7, 8, 16, 31, 32, 33, 255, 256, 257, 1 << 15, 1 << 31]),
    st.sampled_from([CLOCKS, REST]),
    st.integers(0, 15),
    st.integers(0, 0xFFFF),
    st.integers(0, 0xFFFF_FFFF),
)


SHAPES = st.one_of(
    st.tuples(st.integers(1, 4), st.integers(1, 4), st.integers(1, 3)),
    st.sampled_from([(32, 1, 1), (1, 256, 2), (16, 8, 8)]),
)
TIMES = st.tuples(st.integers(0, 120), st.integers(0, 20), st.integers(0, 1), st.integers(0, 20))


@st.composite
def descriptions(draw: st.DrawFn) -> array:
    """Valid, the shape, the order of the dots and the times at random."""
    scans, groups, lines = draw(SHAPES)
    lit, dead, light, stride = draw(TIMES)
    data = sum(LINE_MASKS[:lines])
    panel = [1, 0, 1, light, 2, data, 4, 0, dead % 2 * 0xFF]
    panel += [scans, groups, lines, lit, dead]
    for at in range(scans):
        panel += [0x1000 << at % 2, 0x4004, at * stride]
    panel += [group * stride % 7 for group in range(groups)]
    for line in range(lines):
        panel += [LINE_MASKS[line], line * stride % 11]
    return array("I", panel)


def sizes_of(panel: array) -> tuple[int, int, int]:
    """Bytes that a program, a picture and a log must have."""
    scans, groups, lines = panel[SCANS : LINES + 1]
    groups_at = TABLES + 3 * scans
    lines_at = groups_at + groups
    tables = (
        panel[TABLES + 2 : groups_at : 3],
        panel[groups_at:lines_at],
        panel[lines_at + 1 : lines_at + 2 * lines : 2],
    )
    picture = 1 + sum(max(table) for table in tables)
    return description.program_bytes(panel), picture, description.log_bytes(panel)


class Place(NamedTuple):
    """A buffer in memory: of its own, or in the one that several share."""

    size: int
    shared: bool
    offset: int
    kind: str


KINDS = [
    "array",
    "view",
    "view",
    "view",
    "read-only",
    "strided",
    "words",
    "bytes",
    "none",
    "number",
]
NEAR = st.sampled_from([0, 0, 0, 4, 8, 64, -1, -4, -8, 1, 3])
STEPS = st.sampled_from([0, 0, 0, 0, 1, 2])


@st.composite
def odd_places(draw: st.DrawFn, size: int, share: bool) -> Place:
    size = max(0, size + draw(NEAR)) if draw(st.booleans()) else draw(st.integers(0, 40))
    offset = 4 * draw(st.integers(0, 300)) + draw(STEPS)
    return Place(size, share, offset, draw(st.sampled_from(KINDS)))


def put(place: Place, content: bytes, memory: list[bytearray]) -> tuple[Any, int, slice]:
    """The argument, and where it is; `memory`'s first is the shared one."""
    content = content[: place.size].ljust(place.size, b"\xa5")
    if place.shared and place.kind == "view":
        at, own = 0, slice(place.offset, place.offset + place.size)
        memory[0].extend(b"\x5a" * (own.stop - len(memory[0])))
        memory[0][own] = content
    else:
        # To the byte, so that the sanitizer has the first one behind it.
        offset = place.offset % 4 if place.kind in ("view", "read-only") else 0
        at, own = len(memory), slice(offset, offset + place.size)
        memory.append(bytearray(b"\x5a" * offset) + content)
    return place, at, own


def view(place: Place, backing: bytearray, own: slice) -> Any:
    inside = memoryview(backing)[own]
    if place.kind == "none":
        return None
    if place.kind == "number":
        return 7
    if place.kind == "bytes":
        return bytes(inside)
    if place.kind == "read-only":
        return inside.toreadonly()
    if place.kind == "strided":
        return inside[::2]
    if place.kind == "words" and place.size % 4 == 0 and place.size:
        return inside.cast("I")
    return inside if place.kind == "view" else backing


@st.composite
def cases(draw: st.DrawFn) -> Case:
    panel = draw(descriptions())
    sizes = sizes_of(panel)
    for _ in range(draw(st.sampled_from([0, 0, 0, 1, 1, 2]))):
        at = draw(st.integers(0, TABLES - 1) | st.integers(0, len(panel) - 1))
        panel[at] = draw(words)
    wanted = {
        "program": (sizes[0], draw(st.binary(max_size=16))),
        "picture": (sizes[1], draw(st.binary(max_size=40))),
        "description": (4 * len(panel), panel.tobytes()),
        "log": (sizes[2], b""),
    }
    odd = draw(st.sets(st.sampled_from(sorted(wanted)), max_size=2))
    share = len(odd) == 2 and draw(st.booleans())
    memory, found = [bytearray()], {}
    for name, (size, content) in wanted.items():
        place = draw(odd_places(size, share)) if name in odd else Place(size, False, 0, "array")
        found[name] = put(place, content, memory)
    arguments = [view(place, memory[at], own) for place, at, own in found.values()]
    return Case(*arguments, memory, lambda name: found[name][1:])


def call(case: Case, function: Callable[..., int], written: str, *names: str) -> int | None:
    """The result. Nothing but the written buffer has changed; after an error of a player nothing
    at all, and of build nothing else."""
    before = [bytes(block) for block in case.memory]
    arguments = [getattr(case, name) for name in names]
    try:
        result, code = function(*arguments), -1
    except ValueError as error:
        result, code = None, error.args[0]
    except (TypeError, BufferError):
        result, code = None, -1
    assert code in ERRORS
    at, own = case.own(written)
    after = [bytes(block) for block in case.memory]
    if result is None and written == "log":
        assert after == before, "an error, and yet something was logged"
    restored = bytearray(after[at])
    restored[own] = before[at][own]
    after[at] = bytes(restored)
    assert after == before, "something else was written"
    return result


def check_log(case: Case, used: int) -> None:
    """Entries that are whole and end with the used words, and with the light switched off."""
    at, own = case.own("log")
    log = array("I", bytes(case.memory[at][own])[: 4 * used])
    panel_at, panel = case.own("description")
    word = array("I", bytes(case.memory[panel_at][panel])[: 4 * TABLES])
    entry, last = 1, 0
    while entry < used:
        last = entry
        entry += 2 + (log[entry + 1] if log[entry] == CLOCKS else 0)
    assert entry == used
    off = word[ENABLE] ^ word[LIGHT]
    assert tuple(log[last : last + 2]) == (word[LIGHT], off)
    assert log[0] & word[ENABLE] == off


def check_played(case: Case, used: int | None) -> None:
    if used is not None:
        at, own = case.own("log")
        assert 2 < used <= (own.stop - own.start) // 4
        assert case.memory[at][own][4 * used :].count(0xA5) == own.stop - own.start - 4 * used
        check_log(case, used)


reached = {"built": 0, "played": 0, "blank": 0, "refreshed": 0, "refused": 0}
MANY = settings(
    database=None,
    derandomize=True,  # so that what finds the planted errors is what runs without them
    deadline=None,
    phases=[Phase.generate, Phase.shrink],
    suppress_health_check=list(HealthCheck),
)


@settings(MANY, max_examples=EXAMPLES)
@given(
    cases(),
    st.sampled_from([True, True, True, False]),
    st.lists(st.tuples(st.integers(0, 60), words), max_size=2),
)
def scans(case: Case, do_build: bool, foreign: list[tuple[int, int]]) -> None:
    """build, blank and frame, of that program or of one that was tampered with."""
    built = None
    if do_build:
        built = call(case, scan.build, "program", "program", "picture", "description")
    at, own = case.own("program")
    if built is not None:
        assert built <= own.stop - own.start
        reached["built"] += 1
    for place, word in foreign:
        if 4 * place + 4 <= own.stop - own.start:
            case.memory[at][own.start + 4 * place : own.start + 4 * place + 4] = word.to_bytes(
                4, "little"
            )
    used = call(case, scan.blank, "log", "description", "log")
    if used is not None:
        reached["blank"] += 1
        assert used == 3
        check_log(case, used)
        log_at, log = case.own("log")
        case.memory[log_at][log] = b"\xa5" * (log.stop - log.start)
    used = call(case, scan.frame, "log", "program", "description", "log")
    reached["refused" if used is None else "played"] += 1
    if used is not None or not do_build:
        check_played(case, used)


@settings(MANY, max_examples=EXAMPLES // 10)
@given(cases(), st.integers(0, 50), st.integers(0, 0xFFFF_FFFF))
def refreshes(case: Case, length: int, lit: int) -> None:
    """A thread for such a panel, into registers of about the right length."""
    registers = bytearray(length) if length % 2 else bytearray(0x2C)
    try:
        thread = refresh.Refresher(registers, case.description, 5000)
    except (ValueError, TypeError, BufferError):
        return
    for pairs in (lit, 20):
        try:
            thread.show(case.picture, pairs)
        except (ValueError, TypeError, BufferError):
            continue
        reached["refreshed"] += 1
    thread.close()
    stored = array("I", bytes(registers[:0x2C]))
    enable = array("I", bytes(case.description)[: 4 * TABLES])[ENABLE]
    assert stored[7] ^ stored[10] == enable, "not dark"
    assert not any(word for place, word in enumerate(stored) if place not in (7, 10))


scans()
refreshes()
print(reached)
assert all(reached.values()), reached
