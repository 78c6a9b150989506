"""The face of a seven-segment display: what it writes, scrolls, tests and counts as missing."""

from hall_firmware.hall.segments import SegmentFace


class Display:
    digits = 8
    refresh_ms = 100

    def __init__(self) -> None:
        self.shown: list[str] = []
        self.scans = 0
        self.percent = 0

    def show(self, text: str) -> None:
        self.shown.append(text)

    def scan(self) -> None:
        self.scans += 1

    def dim(self, percent: int) -> None:
        self.percent = percent


def make() -> tuple[SegmentFace, Display]:
    display = Display()
    return SegmentFace(display), display


def test_the_face_writes_only_what_changes():
    face, display = make()
    face.show(["A015   3"], 0, 1)
    for now in range(0, 1000, 100):
        face.frame(now, now != 500)
    assert display.shown == ["A015   3", "", "A015   3"]
    assert display.scans == 10


def test_the_face_centres_what_fits():
    face, display = make()
    for line in ("09-34", "HELLO.", "CAUTION", "A", "CLOSED", "A015  12"):
        face.show([line], 0, 1)
        face.frame(0, True)
    assert display.shown == [" 09-34", " HELLO.", "CAUTION", "   A", " CLOSED", "A015  12"]


def test_the_face_scrolls_what_does_not_fit():
    face, display = make()
    face.show(["8.30-17.00 CLOSED"], 0, 1)
    assert face.width("8.30-17.00 CLOSED") == 15
    for now in range(0, 10_000, 100):
        face.frame(now, True)
    assert display.shown[:3] == ["8.30-17.00", "30-17.00 ", "0-17.00 C"]
    assert display.shown[15:18] == ["  8.30-17.", " 8.30-17.0", "8.30-17.00"]


def test_the_patterns_light_every_segment_and_none_and_count_the_digits():
    face, display = make()
    for phase in range(4):
        face.pattern(phase)
        face.frame(0, True)
    assert display.shown == ["8." * 8, "", "12345678", "8." * 8]
    assert face.selftest() == {}


def test_what_only_a_dash_can_stand_for_is_counted_once():
    face, _ = make()
    face.show(["A-15.  3"], 0, 1)
    assert face.missing == 0
    for _ in range(3):
        face.show(["K01窗K"], 0, 1)
    assert face.missing == 2
    face.show(["".join(map(chr, range(0x4E00, 0x4F00)))], 0, 1)
    assert face.missing == 32


def test_it_is_dimmed_by_its_display():
    face, display = make()
    face.dim(20)
    assert display.percent == 20
