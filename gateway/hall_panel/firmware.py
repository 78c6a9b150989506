"""The firmware's call display under CPython, without a chip.

Here: the firmware's own role, face, glyphs and drivers, put together as firmware/hall/build.py
does: on stand-ins for what a chip gives them (`hal`, the player of the scan, the link's context),
or on a panel that is there. Not here: light (`eye`, `max7219`), and what is shown when (`preview`).

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

sys.modules.setdefault("framebuf", framebuf)  # pyright: ignore[reportArgumentType] (a module)

_HALL = "hall_firmware.hall"

Config = Mapping[str, Any]
"""A device's config, as hall_profiles.compile_config makes it: driver, pins and settings count."""


class CallDisplay:
    """A call display of this config. `unix_ms()` is the time of day, None while it is not known.

    ValueError: the firmware has no such driver, or its pins or settings make no sense.
    """

    def __init__(self, config: Config, unix_ms: Callable[[], int | None]) -> None:
        driver, pins, settings = config["driver"], config["pins"], config["settings"]
        self.hal = Hal()
        self.player = Player(self.hal)
        self.face: Any = _face(driver, pins, settings, self.hal, self.player)
        self.role: Any = import_module(f"{_HALL}.roles.call_display").CallDisplay(
            settings, self.face, _Context(unix_ms)
        )

    def content(self) -> bytes:
        """What stands on the panel, for telling whether it changes."""
        return self.hal.chain.content() if self.hal.chain else self.player.picture


def call_display(settings: Mapping[str, int], panel: Any, ctx: Any) -> Any:
    """The role (firmware/hall/roles/call_display.py) on a panel that is scanned by itself
    (raspberry_pi.Panel); `ctx` has emit(), link_down_ms() and unix_ms()."""
    role = import_module(f"{_HALL}.roles.call_display").CallDisplay
    return role(settings, _matrix_face(panel), ctx)


class Hal:
    """What drivers use of firmware/hall/hal.py, without a chip: outputs, and one bus of MAX7219."""

    GPIO = 0x3FF44000  # the ESP32's registers; nothing is stored there

    def __init__(self) -> None:
        self.levels = 0
        self.chain: Chain | None = None

    def output(self, pin: int, active: str) -> "_Output":
        return _Output(self, 1 << pin, active == "high")

    def spi(self, _clk: int, _din: int, _hz: int) -> Chain:
        assert self.chain is not None
        return self.chain


class Player:
    """In the place of the native module: the same C code, which plays into a log."""

    version = _scan.version

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
        self._hal.levels = int.from_bytes(log[:4], "little")


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


def _face(
    driver: Mapping[str, Any], pins: Mapping[str, int], settings: object, hal: Hal, player: Player
) -> Any:
    name = driver["name"]
    if name == "max7219":
        hal.chain = Chain(driver["digits"] // 8)
        display = import_module(f"{_HALL}.drivers.max7219").Max7219(driver, pins, settings, hal)
        return import_module(f"{_HALL}.segments").SegmentFace(display)
    if name == "max7219_matrix":
        hal.chain = Chain(driver["width"] * driver["height"] // 64)
        panel = import_module(f"{_HALL}.drivers.max7219").Max7219Matrix(driver, pins, settings, hal)
    elif name in ("hub12", "hub08", "hub75"):
        layout = import_module(f"{_HALL}.drivers.{name}").layout
        make = import_module(f"{_HALL}.drivers.panel").make_panel
        panel = make(layout, driver, pins, settings, hal, player)
    else:
        raise ValueError(f"driver {name} is not in this firmware")
    return _matrix_face(panel)


def _matrix_face(panel: Any) -> Any:
    with resources.as_file(resources.files("hall_firmware") / "hall" / "glyphs.bin") as pack:
        glyphs = import_module(f"{_HALL}.glyphs").GlyphPack(str(pack))
    return import_module(f"{_HALL}.canvas").MatrixFace(panel, glyphs)
