"""The firmware's call display under CPython, without a chip.

Here: the firmware's own role, face, glyphs and drivers, put together by firmware/hall/build.py on
stand-ins for what a chip gives them (`hal`, the player of the scan, the link's context); or its
role and face on a panel that is there. Not here: light (`eye`, `max7219`), and what is shown when
(`preview`).

The firmware imports MicroPython's framebuf by name, so this module puts the package's own
(`framebuf`) into sys.modules under that name, once, before it imports the firmware's canvas. It is
the only place that does.
"""

import sys
from collections.abc import Callable, Mapping
from importlib import import_module, resources
from typing import Any

from hall_panel import _scan, framebuf
from hall_panel.max7219 import Chain
from hall_panel.waveform import level

sys.modules.setdefault("framebuf", framebuf)  # pyright: ignore[reportArgumentType] (a module)

_HALL = "hall_firmware.hall"

Config = Mapping[str, Any]
"""A device's config, as of hall_profiles.compile_config: role, driver, pins and settings count."""


class CallDisplay:
    """A call display of this config. `unix_ms()` is the time of day, None while it is not known.

    ValueError: the firmware has no such driver, or its pins or settings make no sense.
    """

    def __init__(self, config: Config, unix_ms: Callable[[], int | None]) -> None:
        self.hal = Hal(_chain(config["driver"]))
        make_role = import_module(f"{_HALL}.build").make_role
        self.role: Any = make_role(config, self.hal, _Context(unix_ms), _glyph_pack())

    @property
    def player(self) -> "Player":
        """What played the last frame, if the panel has to be scanned."""
        return self.hal.player()

    def content(self) -> bytes:
        """What stands on the panel, for telling whether it changes."""
        return self.hal.chain.content() if self.hal.chain else self.player.picture


def call_display(settings: Mapping[str, int], panel: Any, ctx: Any) -> Any:
    """The role (firmware/hall/roles/call_display.py) on a panel that is scanned by itself
    (raspberry_pi.Panel); `ctx` has emit(), link_down_ms() and unix_ms()."""
    glyphs = import_module(f"{_HALL}.glyphs").GlyphPack(_glyph_pack())
    face = import_module(f"{_HALL}.canvas").MatrixFace(panel, glyphs)
    return import_module(f"{_HALL}.roles.call_display").CallDisplay(settings, face, ctx)


class Hal:
    """What drivers use of firmware/hall/hal.py, without a chip: outputs, a player that logs, and
    the bus of a chain of MAX7219, if there is one."""

    GPIO = 0x3FF44000  # the ESP32's registers; nothing is stored there

    def __init__(self, chain: Chain | None = None) -> None:
        self.levels = 0
        self.chain = chain
        self._player = Player(self)

    def output(self, pin: int, active: str) -> "_Output":
        return _Output(self, 1 << pin, active == "high")

    def spi(self, _clk: int, _din: int, _hz: int) -> Chain:
        assert self.chain is not None
        return self.chain

    def player(self) -> "Player":
        return self._player


class Player:
    """In the place of the native module: the same C code, which plays into a log."""

    def __init__(self, hal: Hal) -> None:
        self.picture = b""
        self.log = b""
        """The stores of the last frame (`waveform`)."""
        self._hal = hal

    def build(self, program: bytearray, picture: bytes, description: Any) -> int:
        self.picture = bytes(picture)
        return _scan.build(program, picture, description)

    def frame(self, program: bytearray, description: Any) -> None:
        room = import_module(f"{_HALL}.drivers.description").log_bytes(description)
        log = bytearray(room)
        log[:4] = self._hal.levels.to_bytes(4, "little")
        words = _scan.frame(program, description, log)
        self.log = bytes(log[: 4 * words])
        self._hal.levels = level(self.log)


class _Output:
    """An output of the chip, in its off state from the start."""

    def __init__(self, hal: Hal, mask: int, active_high: bool) -> None:
        self._hal = hal
        self._mask = mask
        self._active_high = active_high
        self.off()

    def on(self) -> None:
        self._level(self._active_high)

    def off(self) -> None:
        self._level(not self._active_high)

    def _level(self, high: bool) -> None:
        levels = self._hal.levels | self._mask if high else self._hal.levels & ~self._mask
        rose = high and levels != self._hal.levels
        self._hal.levels = levels
        if rose and self._hal.chain:
            self._hal.chain.load()


class _Context:
    """A role's context: a link that is always up, events that nobody needs."""

    def __init__(self, unix_ms: Callable[[], int | None]) -> None:
        self.unix_ms = unix_ms

    def emit(self, kind: str, data: object) -> None:
        pass

    def link_down_ms(self) -> int:
        return 0


def _chain(driver: Mapping[str, Any]) -> Chain | None:
    """The chips of a display that is not scanned by the controller."""
    if driver["name"] == "max7219":
        return Chain(driver["digits"] // 8)
    if driver["name"] == "max7219_matrix":
        return Chain(driver["width"] * driver["height"] // 64)
    return None


def _glyph_pack() -> str:
    with resources.as_file(resources.files("hall_firmware") / "hall" / "glyphs.bin") as pack:
        return str(pack)
