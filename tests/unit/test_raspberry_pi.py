"""A panel on a Raspberry Pi's header: a file stands for the GPIO block, and one for the board."""

import mmap
import random
import time
from array import array
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hall_panel import _refresh, raspberry_pi
from hall_panel.raspberry_pi import BoardError, Gpio, Panel
from support.native.panels import F375, HUB75, P10, PROFILES

PI_4 = b"raspberrypi,4-model-b\0brcm,bcm2711\0"
PI_5 = b"raspberrypi,5-model-b\0brcm,bcm2712\0"
GPSET0, GPCLR0, BLOCK = 0x1C, 0x28, 4096
# On the header, none of them a pin that boots, talks or has a fixed pull-up (BCM 0 to 3, 14, 15).
HEADER = [4, *range(5, 14), *range(16, 28)]


@pytest.fixture
def device(tmp_path: Path) -> Path:
    path = tmp_path / "gpiomem"
    selected = random.Random(1).randbytes(6 * 4)
    path.write_bytes(selected.ljust(BLOCK, b"\0"))
    return path


@pytest.fixture
def gpio(device: Path, tmp_path: Path) -> Iterator[Gpio]:
    board = tmp_path / "compatible"
    board.write_bytes(PI_4)
    with Gpio(device, board) as opened:
        yield opened


def on_header(name: str) -> tuple[dict[str, Any], dict[str, int]]:
    config = PROFILES[name]
    return config["driver"], dict(zip(config["pins"], HEADER, strict=False))


def functions(device: Path) -> list[int]:
    words = array("I", device.read_bytes()[: 6 * 4])
    return [words[pin // 10] >> pin % 10 * 3 & 7 for pin in range(60)]


@pytest.mark.parametrize("name", [P10, F375, HUB75])
def test_the_panels_pins_and_no_others_become_outputs(name: str, gpio: Gpio, device: Path):
    driver, pins = on_header(name)
    before = functions(device)
    with Panel(gpio, driver, pins, 50) as panel:
        assert (panel.width, panel.height) == (driver["width"], driver["height"])
        panel.show(bytes(panel.colours * panel.width * panel.height // 8))
        deadline = time.monotonic() + 30
        while panel.counters.frames < 2:
            assert time.monotonic() < deadline
            time.sleep(0.005)
        during = functions(device)
    gpio.close()
    expected = before[:]
    for pin in pins.values():
        expected[pin] = 1
    assert during == expected != before
    assert functions(device) == before


def test_a_pin_has_its_dark_level_before_it_is_an_output(
    gpio: Gpio, monkeypatch: pytest.MonkeyPatch
):
    written: list[tuple[int, int]] = []
    write = _refresh.write

    def record(registers: mmap.mmap, offset: int, word: int) -> None:
        written.append((offset, word))
        write(registers, offset, word)

    monkeypatch.setattr(raspberry_pi._refresh, "write", record)
    gpio.output(12, "low")
    gpio.output(27, "high")
    assert [offset for offset, _ in written] == [GPSET0, 4, GPCLR0, 8]
    assert [written[at][1] for at in (0, 2)] == [1 << 12, 1 << 27]
    assert [written[1][1] >> 6 & 7, written[3][1] >> 21 & 7] == [1, 1]
    written.clear()
    gpio.close()
    assert [offset for offset, _ in written] == [8, 4]  # the first pin, the light, is the last


@pytest.mark.parametrize("pin", [-1, 28, 31])
def test_pins_that_the_header_has_not_are_refused(pin: int, gpio: Gpio, device: Path):
    before = device.read_bytes()
    with pytest.raises(ValueError, match="the header has BCM 0 to 27"):
        gpio.output(pin, "high")
    assert device.read_bytes() == before


def test_a_panel_that_scans_itself_is_refused(gpio: Gpio):
    with pytest.raises(ValueError, match="drives hub12, hub08, hub75"):
        Panel(gpio, {"name": "max7219", "refresh_hz": 100}, {}, 50)


@pytest.mark.parametrize("chip", ["bcm2835", "bcm2836", "bcm2837", "bcm2711"])
def test_boards_from_zero_to_4_are_taken(chip: str, device: Path, tmp_path: Path):
    board = tmp_path / "compatible"
    board.write_bytes(b"raspberrypi,some-model\0brcm,%s\0" % chip.encode())
    Gpio(device, board).close()


@pytest.mark.parametrize(
    ("compatible", "message"),
    [
        (PI_5, "this is raspberrypi,5-model-b: a panel on the header needs a Raspberry Pi Zero"),
        (b"brcm,bcm2711-like\0", "this is brcm,bcm2711-like:"),
        (b"\xff\0", "this is no board with a device tree:"),
        (b"", "this is no board with a device tree:"),
        (None, "this is no board with a device tree:"),
    ],
)
def test_other_boards_are_refused(
    compatible: bytes | None, message: str, device: Path, tmp_path: Path
):
    board, before = tmp_path / "compatible", device.read_bytes()
    if compatible is not None:
        board.write_bytes(compatible)
    with pytest.raises(BoardError, match=message):
        Gpio(device, board)
    assert device.read_bytes() == before


def test_without_access_it_says_what_to_do(tmp_path: Path):
    board = tmp_path / "compatible"
    board.write_bytes(PI_4)
    with pytest.raises(BoardError, match=r"gpiomem: No such file or directory: let this user"):
        Gpio(tmp_path / "gpiomem", board)
