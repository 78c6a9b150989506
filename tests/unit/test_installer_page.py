"""The installer's page: its wiring table is that of the profiles."""

import re
from pathlib import Path

from hall_profiles import load

PAGE = Path(__file__).parents[2] / "docs" / "installer.md"

HEADER_PINS = {
    2: 3, 3: 5, 4: 7, 14: 8, 15: 10, 17: 11, 18: 12, 27: 13, 22: 15, 23: 16, 24: 18, 10: 19, 9: 21,
    25: 22, 11: 23, 8: 24, 7: 26, 5: 29, 6: 31, 12: 32, 13: 33, 19: 35, 16: 36, 26: 37, 20: 38,
    21: 40,
}  # fmt: skip
"""The place of each BCM number on the 40-pin header (Raspberry Pi documentation, "GPIO and the
40-pin header")."""


HUB75, P10 = "call-display-hub75-64x32-pi", "call-display-p10-64x16-pi"


def test_the_wiring_of_a_panel_on_the_header():
    wiring: dict[str, dict[str, int]] = {HUB75: {}, P10: {}}
    for row in re.findall(r"^\|.*\| {1,2}\|.*\|$", PAGE.read_text("utf-8"), re.MULTILINE)[1:]:
        cells = [cell.strip() for cell in row.strip("|").split("|")]
        for name, (line, bcm, pin) in ((HUB75, cells[:3]), (P10, cells[4:])):
            if line:
                wiring[name][line] = int(bcm)
                assert HEADER_PINS[int(bcm)] == int(pin), (name, line)
    assert wiring == {name: load(name).pins for name in wiring}
