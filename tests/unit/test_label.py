"""`hall label`: what a phone and a person read on it, and where it lands on the sheet."""

from __future__ import annotations

import io
import json
import os
import re
import stat
from pathlib import Path

import pytest
import segno
from hall_gateway.keys import DeviceKeys
from hall_profiles import builtin_names, load
from hall_tools import cli
from hall_tools.errors import UserError
from hall_tools.label.content import Label
from hall_tools.label.picture import DPI, QUIET_MODULES, draw
from hall_tools.label.sheet import A4_MM, SHEETS, Sheet, pages, picture
from hall_tools.registry import Place
from PIL import Image
from typer.testing import CliRunner

CLAIM = "0123456789abcdef" * 2
HALL = """
hall = "demo"
[store]
path = "hall.db"
[broker]
mode = "embedded"
[upstream]
[[window]]
id = "大厅3"
"""


def label(device: str = "kp-1", profile: str = "keypad-5", place: Place | None = None) -> Label:
    keys = DeviceKeys(
        device=device,
        profile=profile,
        generation=2,
        psk="ab" * 32,
        oscore=None,
        claim=CLAIM,
        enrolled="2027-01-15T08:00:00.000Z",
    )
    return Label(device, load(profile), place, keys)


def modules(image: Image.Image, across: int) -> list[list[int]]:
    """The QR code of a label with its quiet zone, from its pixels: `across` modules wide, each as
    large as a seventh of the finder pattern in its corner."""
    pixels = image.load()
    assert pixels is not None
    dark = [(x, y) for x in range(image.width) for y in range(image.height) if not pixels[x, y]]
    left = min(x for x, _ in dark)
    top = min(y for x, y in dark if x == left)
    run = next(n for n in range(image.width) if pixels[left + n, top])
    assert run % 7 == 0, "the first row of a finder pattern is seven modules"
    size = run // 7
    steps = range(-QUIET_MODULES, across + QUIET_MODULES)
    found: list[list[int]] = []
    for row in steps:
        found.append([])
        for column in steps:
            x, y = left + column * size, top + row * size
            spots = (0, size // 2, size - 1)
            square = {pixels[x + dx, y + dy] for dx in spots for dy in spots}
            assert len(square) == 1, "a module is one square of one colour"
            found[-1].append(0 if square.pop() else 1)
    return found


@pytest.mark.parametrize("sheet", SHEETS)
@pytest.mark.parametrize("device", ["kp-1", "a-device-with-the-longest-name-0"])
def test_the_code_is_what_the_documentation_says(sheet: str, device: str) -> None:
    made = label(device, place=Place("1"))
    image = draw(made, *SHEETS[sheet].size, SHEETS[sheet].padding)
    text = f"HALLKIT:1:{device.upper()}:KEYPAD-5:1:{CLAIM.upper()}"
    code = segno.make_qr(text, error="m", boost_error=True)
    white = [0] * QUIET_MODULES
    middle = [[*white, *map(int, row), *white] for row in code.matrix]
    quiet = [[0] * len(middle[0])] * QUIET_MODULES
    assert modules(image, len(code.matrix)) == [*quiet, *middle, *quiet]
    assert code.mode == "alphanumeric"


def test_a_module_is_large_enough_for_a_phone() -> None:
    """0.25 mm is what a phone still reads at arm's length; the longest text on the smallest."""
    longest = label("a" * 32, "call-display-max7219-64x16")
    for sheet in SHEETS.values():
        across = len(longest.modules()) + 2 * QUIET_MODULES
        height = (sheet.size[1] - 2 * sheet.padding) / 25.4 * DPI
        assert height // across / DPI * 25.4 >= 0.25


@pytest.mark.parametrize("name", builtin_names())
def test_every_profile_fits_the_code_and_loses_nothing(name: str) -> None:
    text = label("kp-1", name).text
    assert re.fullmatch(r"[0-9A-Z $%*+\-./:]+", text)
    kind, version, device, profile, revision, claim = text.split(":")
    assert (kind, version, device.lower(), profile.lower()) == ("HALLKIT", "1", "kp-1", name)
    assert (int(revision), claim.lower()) == (load(name).version, CLAIM)


def test_no_key_of_the_radio_is_in_the_code() -> None:
    assert "ab" * 8 not in label().text.lower()


@pytest.mark.parametrize(
    ("place", "words"),
    [
        (Place("大厅3"), "窗口 Window 大厅3"),
        (Place(zone="entrance"), "区域 Zone entrance"),
        (None, "备用 Spare"),
    ],
)
def test_where_it_goes(place: Place | None, words: str) -> None:
    assert label(place=place).where == words


def test_every_word_is_on_the_picture() -> None:
    """Another id, place or model is another picture, to the right of the code."""
    made = [
        label("kp-1", "keypad-5", Place("1")),
        label("kp-2", "keypad-5", Place("1")),
        label("kp-1", "keypad-3", Place("1")),
        label("kp-1", "keypad-5", Place("2")),
        label("kp-1", "keypad-5", None),
    ]
    sheet = SHEETS["a4-24"]
    right = {}
    for one in made:
        image = draw(one, *sheet.size, sheet.padding)
        words = image.crop((image.height, 0, image.width, image.height))
        right[words.tobytes()] = one
        ink = words.convert("L").point(lambda value: 255 - value)
        box = ink.getbbox()
        assert box is not None
        assert box[2] <= words.width - sheet.padding / 25.4 * DPI + 1
    assert len(right) == len(made)


@pytest.mark.parametrize("sheet", SHEETS.values(), ids=SHEETS)
def test_a_long_place_is_as_large_as_fits(sheet: Sheet) -> None:
    """At the least it has to be read on the smallest label."""
    image = draw(label(place=Place(zone="self-service-area-second-floor-2")), *sheet.size, 1)
    words = image.crop((image.height, 0, image.width, image.height))
    line = words.crop((0, int(words.height * 0.34), words.width, int(words.height * 0.52)))
    box = line.convert("L").point(lambda value: 255 - value).getbbox()
    assert box is not None
    assert box[2] >= words.width * 0.9
    assert (box[3] - box[1]) / DPI * 25.4 > 0.8


@pytest.mark.parametrize("name", SHEETS)
def test_labels_lie_on_the_paper_and_not_on_each_other(name: str) -> None:
    sheet = SHEETS[name]
    for axis, count in enumerate((sheet.columns, sheet.rows)):
        assert sheet.pitch[axis] >= sheet.size[axis]
        last = sheet.first[axis] + (count - 1) * sheet.pitch[axis] + sheet.size[axis]
        assert last <= A4_MM[axis]
        assert last + sheet.first[axis] == pytest.approx(A4_MM[axis], abs=0.2)  # in the middle


def test_a_png_knows_how_large_it_is() -> None:
    sheet = SHEETS["a4-24"]
    with Image.open(io.BytesIO(picture(label(), sheet))) as image:
        dots = image.info["dpi"][0]
        assert image.width / dots * 25.4 == pytest.approx(70, abs=0.1)
        assert image.height / dots * 25.4 == pytest.approx(37, abs=0.1)


def test_a_pdf_has_the_pages_that_it_takes() -> None:
    sheet = SHEETS["a4-65"]
    pdf = pages([label(f"kp-{n}") for n in range(66)], sheet)
    assert pdf.startswith(b"%PDF-")
    assert len(re.findall(rb"/Type /Page\b", pdf)) == 2
    box = re.search(rb"/MediaBox \[\s*0\s+0\s+([\d.]+)\s+([\d.]+)\s*\]", pdf)
    assert box is not None
    points = [float(value) / 72 * 25.4 for value in box.groups()]
    assert points == pytest.approx(A4_MM, abs=0.1)
    assert len(pdf) < 1_000_000


# The command.


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "hall.toml"
    path.write_text(HALL, encoding="utf-8")
    run(path, "enroll", "kp-1", "--profile", "keypad-5", "--window", "大厅3")
    run(path, "enroll", "kp-9", "gone", "--profile", "keypad-5", "--spare")
    run(path, "revoke", "gone")
    return path


def run(config: Path, *arguments: str) -> str:
    result = CliRunner().invoke(cli.app, [*arguments, "--config", str(config)])
    if isinstance(result.exception, UserError):
        raise result.exception
    assert result.exit_code == 0, result.exception
    return result.output


def test_labels_of_all_that_may_join(config: Path, tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        told = json.loads(run(config, "label", "--png", str(tmp_path / "new/labels"), "--json"))
    finally:
        os.umask(before)
    files = [tmp_path / f"new/labels/{name}.png" for name in ("kp-1", "kp-9")]
    assert told == {"devices": ["kp-1", "kp-9"], "files": [str(file) for file in files]}
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}


def test_one_sheet(config: Path, tmp_path: Path) -> None:
    pdf = tmp_path / "labels.pdf"
    output = run(config, "label", "kp-9", "--pdf", str(pdf), "--sheet", "a4-65")
    assert output.splitlines() == [
        str(pdf),
        "each label carries its device's claim: keep the files private, delete them once printed",
    ]
    assert stat.S_IMODE(pdf.stat().st_mode) == 0o600


@pytest.mark.parametrize(
    ("arguments", "why", "code"),
    [
        ("kp-1", "give one of --png DIR and --pdf FILE", os.EX_USAGE),
        ("kp-1 --png a --pdf b", "give one of", os.EX_USAGE),
        ("kp-1 --png a --sheet a3", "--sheet a3: right: one of a4-24, a4-21, a4-65", os.EX_USAGE),
        ("gone --png a", "gone: is revoked; no label was made", os.EX_DATAERR),
        ("kp-1 nobody --png a", "nobody: was never enrolled; no label was made", os.EX_DATAERR),
        ("kp-1 --pdf away/x.pdf", "away: cannot use it: No such file", os.EX_CANTCREAT),
        ("kp-1 --png hall.toml", "hall.toml: File exists", os.EX_CANTCREAT),
    ],
)
def test_what_cannot_be(
    config: Path, monkeypatch: pytest.MonkeyPatch, arguments: str, why: str, code: int
) -> None:
    monkeypatch.chdir(config.parent)
    with pytest.raises(UserError) as caught:
        run(config, "label", *arguments.split())
    assert why in str(caught.value)
    assert caught.value.exit_code == code
    assert not list(config.parent.rglob("*.png"))
