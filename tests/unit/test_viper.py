"""The viper player: the fallback that must do what the native scan does, store for store.

Its machine code runs in the unix port, on an array in the place of the registers, where only what
is left there can be seen. The order of its stores is seen of the same source under CPython, with
pointers that note every access and give words signed, as on a chip, or not, as on the 64-bit port.
What neither shows: a chip's own registers.
"""

import builtins
import importlib.util
import json
import random
import sys
from array import array
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from hall_firmware.hall.drivers import description as words
from hall_panel import _scan
from hall_tools.mpy import firmware_root
from support import micropython
from support.native import built
from support.native.panels import CLOCKS, CONFIGS, PROFILES, REST, Panel, entries, make

GPIO = 0x3FF44000
SOURCE = firmware_root() / "hall" / "drivers" / "scan_viper.py"
SCRIPT = Path(__file__).parent / "mp_viper.py"


def compared(jobs: list[dict[str, Any]], *arguments: str) -> list[dict[str, list[Any]]]:
    """What both players did."""
    path = [micropython.modules(), built.folder()]
    done = micropython.run(SCRIPT, *arguments, path=path, heap="32M", stdin=json.dumps(jobs))
    return [json.loads(line) for line in done.output.splitlines()]


def job(description: array, picture: bytes, **change: Any) -> dict[str, Any]:  # pyright: ignore
    return {
        "description": description.tobytes().hex(),
        "picture": picture.hex(),
        "program_bytes": words.program_bytes(description),
        "log_bytes": words.log_bytes(description),
        "outputs": 0x80000001,
        **change,
    }


@pytest.mark.parametrize("name", CONFIGS)
def test_the_machine_code_leaves_what_the_native_scan_does(name: str):
    jobs: list[dict[str, Any]] = []
    for seed, lit in enumerate((1, 40, 255, 256, 1100)):
        panel = make(CONFIGS[name], GPIO, lit=lit)
        jobs.append(job(panel.description, panel.random_picture(seed)))
    for done in compared(jobs):
        assert done["viper"] == done["native"]
        length, _, error, registers, blank_error, blanked = done["viper"]
        assert length > 0
        assert (error, blank_error) == (0, 0)
        # The last pair switches the light off, by one of its two stores.
        assert sum(registers[1:]) == sum(blanked[1:]) == make(CONFIGS[name], GPIO).enable


def test_wrong_arguments_are_the_same_errors():
    """One word of a good description changed, or a buffer too short: error for error, and whatever
    is accepted has the same result."""
    draw = random.Random(8)
    jobs: list[dict[str, Any]] = []
    panels = [make(CONFIGS[name], GPIO, lit=3) for name in PROFILES]
    for _ in range(400):
        panel = draw.choice(panels)
        description = array("I", panel.description)
        changed = job(description, panel.random_picture(1))
        kind = draw.choice(["head", "table", "description", "picture", "program"])
        if kind in ("head", "table"):
            at = draw.randrange(14) if kind == "head" else draw.randrange(14, len(description))
            near = [description[at] + change & 0xFFFFFFFF for change in (-1, 1)]
            description[at] = draw.choice([0, 1, 33, 257, 1 << 15, 1 << 30, 0x7FFFFF00, *near])
            changed["description"] = description.tobytes().hex()
        elif kind == "description":
            changed["description"] = changed["description"][: 8 * draw.randrange(len(description))]
        elif kind == "picture":
            changed["picture"] = changed["picture"][: -2 * draw.randrange(1, 90)]
        elif kind == "program":
            changed["program_bytes"] -= draw.choice([0, 1, 4, changed["program_bytes"]])
        # Room for any frame that a changed description may have.
        jobs.append({**changed, "log_bytes": 1 << 18})
    results = compared(jobs)
    for done in results:
        assert done["viper"] == done["native"]
    codes = {code for done in results for code in done["viper"][:3:2] if code < 0}
    assert codes == {-1, -2, -3, -4, -5, -6, -7}


def test_what_is_no_buffer_is_refused_alike():
    panel = make(PROFILES["call-display-p10-64x16"], GPIO)
    (done,) = compared([job(panel.description, panel.random_picture(0))], "kinds")
    assert done["viper"] == done["native"]
    assert set(done["viper"]) == {"TypeError ", "ValueError -1", "ValueError -7", "ValueError -11"}


OUT, SET, CLEAR = range(3)
Stores = list[tuple[int, int]]  # register, what is stored


class Gpio:
    """A chip's three registers: the levels of its outputs, and the two that change some of them."""

    def __init__(self, levels: int) -> None:
        self.levels = levels
        self.stores: Stores = []

    def store(self, register: int, mask: int) -> None:
        self.stores.append((register, mask))
        if register == OUT:
            self.levels = mask
        else:
            self.levels = self.levels | mask if register == SET else self.levels & ~mask


def pointers(gpio: Gpio, *, signed: bool) -> tuple[type, type]:
    """ptr32 and ptr8 of a viper in which a word is signed or not."""

    class Pointer:
        item = "I"

        def __init__(self, target: Any) -> None:
            self.target = target
            if isinstance(target, int):
                assert target in (0, GPIO + 4)
            else:
                self.view = memoryview(target).cast("B").cast(self.item)

        def __int__(self) -> int:
            # Buffers stand far from each other, at aligned addresses.
            return self.target if isinstance(self.target, int) else id(self.target) << 20

        def __getitem__(self, at: int) -> int:
            if self.target == GPIO + 4:
                assert at == OUT
                value = gpio.levels
            else:
                value = self.view[at]
            return value - (1 << 32) if signed and value >> 31 else value

        def __setitem__(self, at: int, value: int) -> None:
            if self.target == GPIO + 4:
                gpio.store(at, value & 0xFFFFFFFF)
            else:
                self.view[at] = value & 0xFFFFFFFF

    class Bytes(Pointer):
        item = "B"

    return Pointer, Bytes


@pytest.fixture
def load(monkeypatch: pytest.MonkeyPatch) -> Callable[..., ModuleType]:
    """Imports the shipped source with viper's types and decorator of our own."""

    def loaded(gpio: Gpio, *, signed: bool) -> ModuleType:
        ptr32, ptr8 = pointers(gpio, signed=signed)
        kinds = {ptr32, ptr8}

        def viper(function: Callable[..., int]) -> Callable[..., int]:
            of = [function.__annotations__[name] for name in function.__code__.co_varnames[
                : function.__code__.co_argcount]]  # fmt: skip

            def called(*arguments: Any) -> int:
                cast = [
                    kind(a) if kind in kinds else a for kind, a in zip(of, arguments, strict=True)
                ]
                return function(*cast)

            return called

        stub = SimpleNamespace(viper=viper, const=int)
        monkeypatch.setitem(sys.modules, "micropython", stub)  # pyright: ignore
        monkeypatch.setattr(builtins, "ptr32", ptr32, raising=False)
        monkeypatch.setattr(builtins, "ptr8", ptr8, raising=False)
        spec = importlib.util.spec_from_file_location("scan_viper_under_test", SOURCE)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module

    return loaded


def native(panel: Panel, picture: bytes) -> tuple[bytes, Stores]:
    """The program, and the stores of a frame, by the native scan under CPython."""
    program = bytearray(words.program_bytes(panel.description))
    _scan.build(program, picture, panel.description)
    log = bytearray(words.log_bytes(panel.description))
    log[:4] = panel.outputs.to_bytes(4, "little")
    used = _scan.frame(program, panel.description, log)
    stores: Stores = []
    for first, second, levels in entries(bytes(log[: 4 * used])):
        if first == CLOCKS:
            for level in levels:
                stores += [(OUT, level), (SET, panel.clock)]
        elif first == REST:
            stores += [(CLEAR, 0), (SET, 0)] * second
        else:
            stores += [(CLEAR, first), (SET, second)]
    return bytes(program), stores


@pytest.mark.parametrize("signed", [True, False])
@pytest.mark.parametrize("name", CONFIGS)
def test_the_stores_come_in_the_native_order(
    name: str, signed: bool, load: Callable[..., ModuleType]
):
    for seed, lit in enumerate((1, 100, 300)):
        panel = make(CONFIGS[name], GPIO, lit=lit)
        panel.outputs |= 0x80000000  # somebody else's
        gpio = Gpio(panel.outputs)
        viper = load(gpio, signed=signed)
        picture = panel.random_picture(seed)
        program = bytearray(words.program_bytes(panel.description))
        assert viper.build(program, picture, panel.description) == len(program)
        viper.frame(program, panel.description)
        expected, stores = native(panel, picture)
        assert program == expected
        assert gpio.stores == stores
        gpio.stores.clear()
        viper.blank(panel.description)
        assert [register for register, _ in gpio.stores] == [CLEAR, SET]
        assert panel.is_dark(gpio.levels)


def test_only_a_known_chips_registers_are_stored_to(load: Callable[..., ModuleType]):
    gpio = Gpio(0)
    viper = load(gpio, signed=True)
    panel = make(CONFIGS["hub12 one module"], GPIO)
    program = bytearray(words.program_bytes(panel.description))
    viper.build(program, panel.random_picture(0), panel.description)
    for wrong in (0, 1, GPIO + 4, GPIO + 0x1000, 0x20004000, 0xE0004000):
        panel.description[1] = wrong
        with pytest.raises(ValueError, match="-10"):
            viper.frame(program, panel.description)
    assert gpio.stores == []
