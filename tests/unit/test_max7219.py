"""The MAX7219 drivers: the bytes on the bus, and the digits or dots that they light."""

from pathlib import Path

import pytest
from hall_firmware.hall.drivers.max7219 import Max7219, Max7219Matrix, segments
from hypothesis import given
from hypothesis import strategies as st

GOLDEN = Path(__file__).parent / "golden"
PINS = {"clk": 18, "din": 23, "cs": 19}


class Chain:
    """The chips on the bus: shift registers that load when the select line is released."""

    def __init__(self, chips: int = 1) -> None:
        self.chips = [[0xAA] * 16 for _ in range(chips)]
        self.shifted = bytes(2 * chips)
        self.selected = False
        self.loads = 0

    # What `hal` offers.

    def spi(self, clk: int, din: int, hz: int) -> "Chain":
        assert (clk, din, hz) == (18, 23, 1_000_000)
        return self

    def output(self, pin: int, active: str) -> "Chain":
        assert (pin, active) == (19, "low")
        return self

    def write(self, data: bytes) -> None:
        assert self.selected
        self.shifted = (self.shifted + bytes(data))[-len(self.shifted) :]

    def on(self) -> None:
        self.selected = True

    def off(self) -> None:
        """The rising edge of CS: what was shifted in first stands in the farthest chip."""
        self.selected = False
        self.loads += 1
        for index, registers in enumerate(self.chips):
            registers[self.shifted[2 * index] & 15] = self.shifted[2 * index + 1]

    def lit(self) -> list[int]:
        """The segments of all digits from the left; the farthest chip and digit 7 are leftmost."""
        return [registers[8 - digit] for registers in self.chips for digit in range(8)]


def make(digits: int = 8, brightness: int = 60) -> tuple[Max7219, Chain]:
    chain = Chain(digits // 8)
    driver = {"name": "max7219", "digits": digits, "spi_hz": 1_000_000}
    return Max7219(driver, PINS, {"brightness": brightness}, chain), chain


def matrix(width: int, height: int, brightness: int = 60) -> tuple[Max7219Matrix, Chain]:
    chain = Chain(width * height // 64)
    driver = {"name": "max7219_matrix", "width": width, "height": height, "spi_hz": 1_000_000}
    return Max7219Matrix(driver, PINS, {"brightness": brightness}, chain), chain


def drawn(lit: list[int]) -> str:
    """Three lines of text that show digits as they look."""
    lines = ["", "", ""]
    for bits in lit:
        dot, a, b, c, d, e, f, g = (bits >> bit & 1 for bit in (7, 6, 5, 4, 3, 2, 1, 0))
        lines[0] += " _ "[: 3 * a] or "   "
        lines[1] += (" ", "|")[f] + (" ", "_")[g] + (" ", "|")[b]
        lines[2] += (" ", "|")[e] + (" ", "_")[d] + (" ", "|")[c]
        lines = [line + end for line, end in zip(lines, (" ", " ", (" ", ".")[dot]), strict=True)]
    return "".join(line.rstrip() + "\n" for line in lines)


def test_the_chip_is_set_up_before_it_is_lit():
    _, chain = make()
    registers = chain.chips[0]
    assert registers[9:13] == [0, 9, 7, 1]  # no decode, 60 % of 15, eight digits, running
    assert registers[15] == 0
    assert chain.lit() == [0] * 8


@pytest.mark.parametrize(("brightness", "intensity"), [(5, 1), (50, 8), (100, 15)])
def test_brightness_is_rounded_to_the_chips_steps(brightness: int, intensity: int):
    assert make(brightness=brightness)[1].chips[0][10] == intensity


def test_numerals_and_letters_are_the_data_sheets():
    """Table 5 of the data sheet, code B font, in segments."""
    font = {"-": 0x01, "E": 0x4F, "H": 0x37, "L": 0x0E, "P": 0x67, " ": 0x00}
    font |= dict(zip("0123456789", bytes.fromhex("7e306d79335b5f707f7b"), strict=True))
    assert {char: segments(char) for char in font} == font


def test_what_cannot_be_told_from_others_is_a_dash():
    assert [char for char in "ABCDEFGHIJKLMNOPQRSTUVWXYZ" if segments(char) == 0x01] == list(
        "KMVWXZ"
    )
    assert [segments(char) for char in "请?*"] == [0x01] * 3
    letters = [segments(char) for char in "ABCDEFGHIJLNOPQRTUY"]
    assert len(set(letters)) == len(letters)
    assert segments("a") == segments("A")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("segments-call", "A015   3"),
        ("segments-closed", "CLOSED"),
        ("segments-letters", "ABCDEFGH"),
        ("segments-more-letters", "IJLNOPQR"),
        ("segments-last-letters", "STUY-10."),
    ],
)
def test_the_digits_are_the_golden_ones(name: str, text: str):
    display, chain = make()
    display.show(text)
    assert drawn(chain.lit()) == (GOLDEN / f"{name}.txt").read_text()


def test_full_stops_light_the_dot_before_them():
    display, chain = make()
    display.show("8.8.30..1")
    assert chain.lit() == [0xFF, 0xFF, 0x79, 0x7E | 0x80, 0x80, 0x30, 0, 0]


def test_what_does_not_fit_is_left_out():
    display, chain = make()
    display.show("123456789")
    assert chain.lit()[7] == segments("8")


def test_a_chain_of_two_chips_reads_from_the_left():
    display, chain = make(digits=16)
    display.show("A015          12")
    assert chain.lit() == [segments(char) for char in "A015          12"]
    assert all(registers[12] == 1 for registers in chain.chips)


def test_registers_that_a_surge_cleared_are_written_again():
    display, chain = make()
    display.show("A015")
    chain.chips[0][:] = [0] * 16
    for _ in range(50):
        display.scan()
    assert chain.chips[0][9:13] == [0, 9, 7, 1]
    assert chain.lit()[:4] == [segments(char) for char in "A015"]


def test_another_brightness_comes_with_the_next_scan():
    display, chain = make(digits=16, brightness=100)
    display.show("A015          12")
    for percent, intensity in ((100, 15), (20, 3), (1, 0)):
        display.dim(percent)
        display.scan()
        assert [registers[10] for registers in chain.chips] == [intensity] * 2
    assert chain.lit() == [segments(char) for char in "A015          12"]


@given(data=st.data())
def test_a_matrix_shows_the_picture(data: st.DataObject):
    """Of the chips in the order of the chain, the farthest first, each is 8 rows from above, bit 7
    the leftmost dot: storeys from above, and each from left to right."""
    width, height = data.draw(st.integers(4, 16), "chips") * 8, data.draw(st.sampled_from([16, 32]))
    panel, chain = matrix(width, height)
    assert (panel.width, panel.height, panel.colours) == (width, height, 1)
    picture = data.draw(st.binary(min_size=width * height // 8, max_size=width * height // 8))
    panel.show(picture)
    dots = {
        (x, y)
        for at, byte in enumerate(picture)
        for bit in range(8)
        if byte << bit & 0x80
        for x, y in [(8 * at % width + bit, 8 * at // width)]
    }
    assert dots == {
        (number * 8 % width + bit, number * 8 // width * 8 + row)
        for number, registers in enumerate(chain.chips)
        for row in range(8)
        for bit in range(8)
        if registers[row + 1] << bit & 0x80
    }


def test_a_matrix_is_set_up_dimmed_and_written_again():
    panel, chain = matrix(64, 16)
    assert len(chain.chips) == 16
    panel.show(b"\x81" * 128)
    panel.dim(100)
    panel.scan()
    chain.chips[3][:] = [0] * 16
    for _ in range(50):
        panel.scan()
    for registers in chain.chips:
        assert registers[9:13] == [0, 15, 7, 1]
        assert registers[15] == 0
        assert registers[1:9] == [0x81] * 8


def test_a_dark_matrix_is_dark_at_once():
    panel, chain = matrix(64, 16)
    panel.show(b"\xff" * 128)
    panel.show(bytes(128))
    assert not any(any(registers[1:9]) for registers in chain.chips)
