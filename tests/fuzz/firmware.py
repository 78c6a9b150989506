"""The firmware's modules under CPython, as the package `hall`, with what MicroPython has built in.

Here: stand-ins for MicroPython's modules, put where the firmware finds them while it is imported
and taken away again. Not here: what is done with the firmware (mp_wire.py, mp_flash.py), which runs
in the real MicroPython too (test_micropython.py): there integers, texts and memory are its own.
"""

import importlib
import json
import struct
import sys
import time
from pathlib import Path
from types import ModuleType
from typing import Any

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from hall_panel import framebuf

ROOT = Path(__file__).parents[2]
FIRMWARE = ROOT / "firmware"
GLYPHS = FIRMWARE / "hall" / "glyphs.bin"
_ECB = 1
_WRAP = 1 << 30


class _Aes:
    """cryptolib.aes: ECB and CBC without padding."""

    def __init__(self, key: bytes, mode: int, iv: bytes = b"") -> None:
        self._cipher = Cipher(algorithms.AES(key), modes.ECB() if mode == _ECB else modes.CBC(iv))

    def encrypt(self, data: bytes) -> bytes:
        return self._cipher.encryptor().update(data)


class _Json:
    """json as MicroPython has it: of any buffer, and without a stack to run out of."""

    load, dump, dumps = json.load, json.dump, json.dumps

    @staticmethod
    def loads(text: Any) -> Any:
        try:
            return json.loads(bytes(text) if isinstance(text, memoryview) else text)
        except RecursionError:
            raise ValueError("syntax error in JSON") from None


class _Struct:
    """struct as MicroPython has it: what is too large for its place is cut."""

    unpack_from, pack = struct.unpack_from, struct.pack

    @staticmethod
    def pack_into(format: str, buffer: bytearray, offset: int, *values: Any) -> None:
        cut = [each & 0xFFFFFFFF if isinstance(each, int) else each for each in values]
        struct.pack_into(format, buffer, offset, *cut)


def _module(name: str, **content: Any) -> ModuleType:
    module = ModuleType(name)
    vars(module).update(content)
    return module


def _ticks_diff(one: int, other: int) -> int:
    return (one - other + _WRAP // 2) % _WRAP - _WRAP // 2


READERS = ("mp_wire", "mp_flash", "mp_update", "mp_boot", "mp_sleep")
"""Modules with TARGETS."""


def load() -> list[ModuleType]:
    """The modules of READERS, with everything on the stage."""
    hall = _module("hall", __path__=[str(FIRMWARE / "hall")])
    built_in = {
        "micropython": _module("micropython", const=lambda value: value),
        "cryptolib": _module("cryptolib", aes=_Aes),
        "framebuf": framebuf,
        "machine": _module("machine"),
    }
    ticks = {
        "ticks_ms": lambda: time.monotonic_ns() // 1_000_000 % _WRAP,
        "ticks_diff": _ticks_diff,
        "ticks_add": lambda one, other: (one + other) % _WRAP,
    }
    before = {name: sys.modules.get(name) for name in built_in}
    folders = [str(ROOT / "tests/fuzz"), str(ROOT / "tests/support"), str(FIRMWARE)]
    sys.modules.update({**built_in, "hall": hall})
    sys.path[:0] = folders
    for name, ticking in ticks.items():
        setattr(time, name, ticking)
    try:
        stage = importlib.import_module("mp_stage")
        readers = [importlib.import_module(name) for name in READERS]
        for name, module in list(sys.modules.items()):
            if name.startswith("hall.") and hasattr(module, "json"):
                vars(module)["json"] = _Json
        vars(sys.modules["hall.slots"])["struct"] = _Struct
        stage.set_up(str(GLYPHS))
        sys.modules["mp_boot"].set_up(str(FIRMWARE))
        return readers
    finally:
        for name in ticks:
            delattr(time, name)
        del sys.path[: len(folders)]
        for name, module in before.items():
            if module is None:
                del sys.modules[name]
            else:
                sys.modules[name] = module
