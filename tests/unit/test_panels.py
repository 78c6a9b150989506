"""Scanned panels: the order of their pixels, and what is seen of a picture that is shown.

The order is held against `hall_panel.layout`, which was written from the panels' documentation and
from nothing of the firmware; what is seen is what its eye sees of the stores of the native scan.
"""

import importlib
import shutil
from array import array
from pathlib import Path
from typing import Any

import pytest
from hall_firmware.hall.drivers import description as words
from hall_firmware.hall.drivers import panel as driver_of_panels
from hall_panel import _scan
from hall_panel.eye import Eye
from hall_panel.layout import Layout
from hall_profiles import builtin_names, compile_config, load
from hall_tools.mpy import firmware_root
from hypothesis import given, settings
from hypothesis import strategies as st
from support import micropython

SCRIPT = Path(__file__).parent / "mp_player.py"

PANELS = ("hub12", "hub08", "hub75")
LEVEL = st.sampled_from(["high", "low"])
MODULES = {"hub12": (32, 16), "hub08": (64, 32), "hub75": (64, 32)}
HEIGHTS = {"hub12": (16, 32, 48, 64), "hub08": (16, 32, 64), "hub75": (32, 64)}
_LINES = {
    "hub12": "oe a b clk lat r",
    "hub08": "a b c d en r1 g1 r2 g2 stb clk",
    "hub75": "r1 g1 b1 r2 g2 b2 a b c d clk lat oe",
}
# As far apart as a register allows.
PINS = {
    name: {line: 31 - 2 * at for at, line in enumerate(lines.split())}
    for name, lines in _LINES.items()
}


def _profiles() -> dict[str, dict[str, Any]]:
    configs = [
        compile_config(load(n), device="d-1", hall="demo", broker_host="127.0.0.1", broker_port=1)
        for n in builtin_names()
    ]
    return {c["profile"]: c for c in configs if c["driver"]["name"] in PANELS}


PROFILES = _profiles()


class Hal:
    """Outputs of a chip whose panel is played into a log."""

    GPIO = 0x3FF44000

    def __init__(self) -> None:
        self.levels = 0
        self.outputs: list[int] = []

    def output(self, pin: int, active: str) -> None:
        self.outputs.append(pin)
        if active == "low":
            self.levels |= 1 << pin


class Player:
    """The native scan, and a person who sees what it plays."""

    version = _scan.version

    def __init__(self, driver: dict[str, Any], pins: dict[str, int], hal: Hal) -> None:
        self.hal = hal
        self.eye = Eye(driver, pins)
        self.now_ns = 0
        self.log = b""

    def build(self, program: Any, picture: bytes, description: Any) -> int:
        return _scan.build(program, picture, description)

    def frame(self, program: Any, description: Any) -> None:
        log = bytearray(words.log_bytes(description))
        log[:4] = self.hal.levels.to_bytes(4, "little")
        used = _scan.frame(program, description, log)
        self.hal.levels = int.from_bytes(log[:4], "little")
        self.now_ns = self.eye.frame(bytes(log[: 4 * used]), self.now_ns)


def make(driver: dict[str, Any], pins: dict[str, int], brightness: int = 60) -> tuple[Any, Player]:
    hal = Hal()
    player = Player(driver, pins, hal)
    layout = importlib.import_module(f"hall_firmware.hall.drivers.{driver['name']}").layout
    tuned = {"brightness": brightness}
    return driver_of_panels.make_panel(layout, driver, pins, tuned, hal, player), player


@st.composite
def displays(draw: st.DrawFn) -> tuple[dict[str, Any], dict[str, int]]:
    """Driver fields that a profile may have, and pins."""
    name = draw(st.sampled_from(PANELS))
    columns, rows = MODULES[name]
    height = draw(st.sampled_from(HEIGHTS[name]))
    storeys = max(1, height // rows)
    width = columns * draw(st.integers(1, min(256 // columns, 8 // storeys)))
    scan = 4 if name == "hub12" else 16
    driver: dict[str, Any] = {"name": name, "width": width, "height": height, "scan": scan}
    driver |= {f"{line}_active": draw(LEVEL) for line in ("oe", "data", "lat")}
    driver["refresh_hz"] = 100
    if name == "hub08":
        driver["colours"] = draw(st.sampled_from([1, 2]))
    if draw(st.booleans()):
        driver["storeys"] = draw(st.sampled_from(["top_first", "bottom_first"]))
    if draw(st.booleans()):
        driver["row_order"] = draw(st.permutations(range(scan)))
    there = {name for line in Layout(driver).lines for name in line}
    lines = _LINES[name].split()
    unused = {line for line in lines if line[-1] in "12"} - there
    return driver, {line: PINS[name][line] for line in lines if line not in unused}


@settings(max_examples=60, deadline=None)
@given(display=displays())
def test_every_dot_is_where_the_panel_has_it(display: tuple[dict[str, Any], dict[str, int]]):
    driver, pins = display
    module = importlib.import_module(f"hall_firmware.hall.drivers.{driver['name']}")
    geometry, wiring = module.layout(driver, pins, Hal())
    there = Layout(driver)
    columns, plane = driver["width"] // 8, driver["width"] * driver["height"] // 8
    assert geometry.colours == there.colours
    assert [[1 << pins[name] for name in line] for line in there.lines] == [
        wiring.lines[at : at + there.colours] for at in range(0, len(wiring.lines), there.colours)
    ]
    seen: set[int] = set()
    for address, scan in enumerate(geometry.scans):
        for group, column in enumerate(geometry.groups):
            for line, offset in enumerate(geometry.lines):
                byte = scan + column + offset
                seen.add(byte)
                colour, in_plane = divmod(byte, plane)
                y, x = divmod(in_plane, columns)
                assert y % driver["scan"] == there.row_order[address]
                assert there.position(8 * x, y) == (line // there.colours, 8 * group)
                assert colour == line % there.colours
    # No two of the sums are equal, so each byte of the picture goes out once.
    assert len(seen) == there.colours * plane
    assert len(seen) == len(geometry.scans) * len(geometry.groups) * len(geometry.lines)


@settings(max_examples=25, deadline=None)
@given(display=displays(), data=st.data())
def test_what_is_seen_is_the_picture(display: tuple[dict[str, Any], dict[str, int]], data: Any):
    driver, pins = display
    panel, player = make(driver, pins, data.draw(st.integers(1, 100), "brightness"))
    size = panel.width * panel.height // 8
    for _ in range(2):
        picture = data.draw(st.binary(min_size=size, max_size=size)) * panel.colours
        picture = bytes(b ^ (at // size * 0x5A) for at, b in enumerate(picture))
        panel.show(picture)
        for _ in range(2):
            panel.scan()
            assert b"".join(player.eye.picture().planes) == picture
    since = player.now_ns // 2
    figures = player.eye.figures(since, cap=1)
    assert figures.broken.total() == 0
    assert figures.ghosts == 0
    assert figures.spread == 0


@pytest.mark.parametrize("profile", PROFILES)
def test_a_new_panel_is_dark_and_shows_nothing(profile: str):
    config = PROFILES[profile]
    driver, pins = config["driver"], config["pins"]
    panel, player = make(driver, pins)
    # Every line of the cable is an output, and the one that lights is the first.
    assert sorted(player.hal.outputs) == sorted(pins.values())
    assert player.hal.outputs[0] == pins.get("oe", pins.get("en"))
    # They rest at the levels that light nothing: neither the row nor a dot.
    active = {"oe": "oe", "en": "oe", "lat": "lat", "stb": "lat"}
    active |= {name: "data" for line in Layout(driver).lines for name in line}
    low = [pin for name, pin in pins.items() if driver.get(f"{active.get(name)}_active") == "low"]
    assert player.hal.levels == sum(1 << pin for pin in low)
    panel.scan()
    assert not any(any(plane) for plane in player.eye.picture().planes)


@pytest.mark.parametrize("profile", PROFILES)
def test_brightness_is_linear_and_has_a_cap(profile: str):
    """100 % is about 3 ms of light a frame: 30 % of the time at 100 frames a second."""
    config = PROFILES[profile]
    panel, player = make(config["driver"], config["pins"], 100)
    assert panel.refresh_ms == 10
    panel.show(b"\xff" * (panel.colours * panel.width * panel.height // 8))
    lit: dict[int, float] = {}
    for percent in (100, 50, 10, 1):
        panel.dim(percent)
        began = player.now_ns
        panel.scan()
        lit[percent] = player.eye.picture().full_ns * config["driver"]["scan"] / 1e6
        assert player.now_ns - began < 3_200_000
    assert lit[100] == pytest.approx(3.0, rel=0.02)
    for percent in (50, 10, 1):
        assert lit[percent] == pytest.approx(lit[100] * percent / 100, rel=0.1, abs=0.002)


def test_a_refused_picture_leaves_none():
    """A picture that is too short is the caller's mistake: half of it must not be seen."""
    config = PROFILES["call-display-p10-64x16"]
    panel, player = make(config["driver"], config["pins"])
    with pytest.raises(ValueError, match="-5"):
        panel.show(bytes(127))
    with pytest.raises(ValueError, match="-7"):
        panel.scan()
    panel.show(b"\x18" * 128)
    panel.scan()
    assert player.eye.picture().planes == (b"\x18" * 128,)


@pytest.mark.parametrize("pin", [32, 33, -1])
def test_a_pin_in_the_other_register_is_refused(pin: int):
    config = PROFILES["call-display-p10-64x16"]
    driver, pins, hal = config["driver"], {**config["pins"], "lat": pin}, Hal()
    layout = importlib.import_module("hall_firmware.hall.drivers.hub12").layout
    with pytest.raises(ValueError, match=f"panel pin {pin}: only pins 0 to 31 can be scanned"):
        layout(driver, pins, hal)
    assert hal.outputs == []


def test_the_tables_are_small():
    """The largest display that a profile can have: its description takes no kilobyte of heap."""
    driver = {**PROFILES["call-display-hub75-64x32"]["driver"], "width": 256, "height": 64}
    layout = importlib.import_module("hall_firmware.hall.drivers.hub75").layout
    geometry, wiring = layout(driver, PINS["hub75"], Hal())
    description = words.describe(Hal.GPIO, geometry, wiring, 100)
    assert isinstance(description, array)
    assert description.itemsize * len(description) < 1024


X64, XTENSA, NEWER = "0b06", "2b06", "3706"


def found(folder: Path, machine: str) -> str:
    path = [folder, micropython.modules()]
    return micropython.run(SCRIPT, machine, path=path).output.strip()


def test_the_native_player_comes_first_and_viper_takes_its_place(tmp_path: Path):
    prebuilt = firmware_root() / "native" / "prebuilt"
    viper = "hall.drivers.scan_viper"
    # Not in the slot; for a machine that there is none for.
    assert found(tmp_path, X64) == viper
    assert found(tmp_path, NEWER) == viper
    module = tmp_path / "scan_x64.mpy"
    shutil.copy(prebuilt / "scan_x64.mpy", module)
    assert found(tmp_path, X64) == "scan_x64"
    assert found(tmp_path, "here") == "scan_x64"
    # One that MicroPython refuses, and one of another version.
    shutil.copy(prebuilt / "scan_xtensawin.mpy", module)
    assert found(tmp_path, X64) == viper
    module.unlink()
    (tmp_path / "scan_x64.py").write_text("version = 0\n")
    assert found(tmp_path, X64) == viper


def test_without_a_player_it_says_what_to_do(tmp_path: Path):
    """None in the slot, one that this MicroPython cannot make machine code of, and no chip."""
    shutil.copytree(micropython.modules() / "hall", tmp_path / "hall")
    there = tmp_path / "hall" / "drivers" / "scan_viper.py"
    words = "panel: the firmware has neither {} nor viper: reinstall it"
    there.write_text("import micropython\n@micropython.asm_thumb\ndef f():\n    nop()\n")
    path = [tmp_path]
    run = micropython.run
    assert run(SCRIPT, X64, path=path).output.strip() == words.format("scan_x64")
    there.unlink()
    assert run(SCRIPT, XTENSA, path=path).output.strip() == words.format("scan_xtensawin")
    assert run(SCRIPT, NEWER, path=path).output.strip() == words.format("a native player")
    assert run(SCRIPT, "here", path=path).output.strip() == words.format("scan_x64")
