"""The fleet console's pure parts: places, intervals, CSV, what may be asked, texts, settings."""

import csv
import datetime as dt
import math
import random
import re
from importlib.resources import files
from io import StringIO
from pathlib import Path

import pytest
from hall_fleet.console import csv_output, halls_query, record_query
from hall_fleet.console.halls_query import Place, Wanted, wanted
from hall_fleet.console.intervals import floor_of, whiskers
from hall_fleet.console.pages import NAVIGATION, PACKAGE, zone_text
from hall_fleet.console.pages_compare import period
from hall_fleet.console.places import Range, places
from hall_fleet.console.settings import load_fleet
from hall_gateway.console.words import Words, texts
from hall_gateway.kpi_math import wilson
from hall_gateway.toml_input import ConfigError

ROOM = files(PACKAGE)
PLACEHOLDER = re.compile(r"\{(\w+)\}")


# Places


def test_halls_whose_intervals_overlap_are_not_told_apart() -> None:
    drawn = random.Random(7)
    counts = [(drawn.randint(0, n), n) for n in (drawn.randint(10, 400) for _ in range(120))]
    intervals = [wilson(good, n) or (0.0, 1.0) for good, n in counts]
    found = places(intervals)
    for (low, high), place in zip(intervals, found, strict=True):
        better = sum(other > high for other, _ in intervals)
        worse = sum(other < low for _, other in intervals)
        assert place == Range(1 + better, len(intervals) - worse)
    for one, a in zip(intervals, found, strict=True):
        for other, b in zip(intervals, found, strict=True):
            if one[0] <= other[1] and other[0] <= one[1]:
                assert a.best <= b.worst
                assert b.best <= a.worst
            elif one[0] > other[1]:
                assert a.worst < b.worst
                assert a.best < b.best


def test_a_place_alone_is_the_first_and_the_last() -> None:
    assert places([]) == []
    assert places([(0.8, 0.9)]) == [Range(1, 1)]
    assert places([(0.8, 0.9), (0.9, 0.95)]) == [Range(1, 2), Range(1, 2)]
    assert places([(0.8, 0.89), (0.9, 0.95)]) == [Range(2, 2), Range(1, 1)]


# Intervals


def test_whiskers_stand_in_their_box_and_say_what_they_are() -> None:
    drawn = whiskers(
        [("11-01", (0.81, 0.9, 0.95, True)), ("11-02", None), ("11-03", (1, 1, 1, False))]
    )
    assert drawn is not None
    first, last = drawn.marks
    assert first.text == "11-01: 90.0% (81.0%–95.0%)"
    assert first.enough
    assert not last.enough
    assert 0 <= first.top < first.middle < first.bottom <= drawn.bottom
    assert drawn.left < first.x < last.x < drawn.right
    assert whiskers([("11-01", None)]) is None


def test_a_scale_begins_where_intervals_can_be_seen() -> None:
    assert floor_of([0.982]) == 0.95
    assert floor_of([0.93, 0.98]) == 0.9
    assert floor_of([0.0]) == 0.0
    assert floor_of([]) == 0.0


# CSV


@pytest.mark.parametrize(
    "text", ["=1+1", "+1", "-1", "@SUM(1)", "\t=1", "\r=1", "\n=1", "＝1", "－1"]
)
def test_a_text_is_never_a_formula(text: str) -> None:
    assert csv_output.cell(text) == f"'{text}"


def test_values_are_written_as_they_are() -> None:
    at = dt.datetime(2026, 11, 22, 9, 30, tzinfo=dt.timezone(dt.timedelta(hours=8)))
    line = ('营业厅, "南"\n厅', -3, 0.9433, None, at, dt.date(2026, 11, 1), math.inf, "a\0b")
    written = csv_output.text(["a"] * len(line), [line])
    assert written.startswith("\ufeff")
    assert "\r\n" in written
    read = list(csv.reader(StringIO(written[1:], newline="")))[1]
    assert read == [
        *('营业厅, "南"\n厅', "-3", "0.9433", "", "2026-11-22T01:30:00Z", "2026-11-01"),
        *("over 240", "ab"),
    ]


# What a browser may ask


def test_what_makes_no_sense_is_as_if_it_were_not_there() -> None:
    odd = {"q": " a\0 ", "status": "x", "class": "E", "sort": "drop", "down": "7", "after": "~;"}
    assert wanted(odd) == Wanted("a")
    for text in ("nan~hall-1", "inf~hall-1", "1~HALL", "1", "x~hall-1", "1~'; --", "1~" + "a" * 40):
        assert wanted({"after": text}).place is None, text
    assert len(wanted({"q": "x" * 500}).search) == halls_query.MAX_SEARCH
    for text in ("", "x~1", "2026-11-22T00:00:00.000000~-1", f"2026-11-22T00:00:00.0~{2**70}"):
        assert record_query.place(text) is None, text


def test_what_was_asked_is_asked_again_by_its_own_links() -> None:
    asked = Wanted("城 东&", "offline", "B", "wait", False, Place(12.5, "hall-1"))
    from urllib.parse import parse_qs

    def again(query: str) -> Wanted:
        return wanted({name: values[0] for name, values in parse_qs(query).items()})

    assert asked.place is not None
    assert again(asked.query(after=asked.place.text)) == asked
    back = again(asked.query(before=asked.place.text))
    assert back.place == Place(12.5, "hall-1", back=True)
    assert again(asked.query()).place is None


def test_periods_end_where_the_next_begin() -> None:
    today = dt.date(2026, 11, 22)
    month = period({}, today)
    assert (month.value, month.before, month.after, month.goes_on) == (
        *("2026-11", "2026-10", "2026-12"),
        True,
    )
    day = period({"day": "2026-03-01"}, today)
    assert (day.before, day.after, day.goes_on) == ("2026-02-28", "2026-03-02", False)
    for odd in ("", "x", "0001-01-01", "9999-12-31", "2026-13"):
        assert period({"day": odd}, today).value == "2026-11-22"
        assert period({"month": odd}, today).value == "2026-11"


# Words


def test_every_text_has_both_languages_and_the_same_values() -> None:
    for name, text in texts(PACKAGE).items():
        assert set(text) in ({"zh", "en"}, {"zh", "en", "en1"}), name
        assert all(each.strip() for each in text.values()), name
        values = set(PLACEHOLDER.findall(text["zh"]))
        assert values == set(PLACEHOLDER.findall(text["en"])), name
        assert not set(PLACEHOLDER.findall(text.get("en1", ""))) - values, name


def test_every_text_is_there_and_is_used() -> None:
    sources = [*(ROOM / "templates").iterdir(), *(f for f in ROOM.iterdir() if f.is_file())]
    content = "\n".join(source.read_text(encoding="utf-8") for source in sources)
    named = set(re.findall(r"""["']([a-z]+\.[a-z_0-9]+)["'](?! ~)\s*[,)]""", content))
    used = {
        name
        for name in named
        if name.split(".")[0] in ("fleet", "compare", "refused", "ingest", "zone")
        and name.split(".")[1] not in ("html", "csv")
    }
    known = texts(PACKAGE)
    assert len(used) > 80
    assert used <= set(known)
    put_together = re.compile(
        r"fleet\.(health|status|class|sort)_|refused\.reason_|"
        r"^(page|gateway|login|error|role)\."
    )
    own = set(known) - set(texts())
    assert {name for name in own if name not in content and not put_together.search(name)} == set()


def test_a_fleet_speaks_of_itself_and_a_hall_of_itself() -> None:
    assert Words("en", 480, (PACKAGE,))("page.product") == "Fleet console"
    assert Words("en", 480)("page.product") == "Hall console"
    assert Words("zh", 480, (PACKAGE,))("role.viewer") == "查看"
    assert all(Words("en", 0, (PACKAGE,))(f"page.{name}") for _, name in NAVIGATION)
    assert Words("en", 0, (PACKAGE,))("fleet.found", n="1") == "1 hall"


def test_a_zone_is_written_as_people_do() -> None:
    assert [zone_text(m) for m in (480, -210, 0, 345)] == [
        *("UTC+08:00", "UTC-03:30", "UTC+00:00", "UTC+05:45")
    ]


# Settings


def test_settings_say_what_is_wrong_and_never_a_password(tmp_path: Path) -> None:
    file = tmp_path / "fleet.toml"

    def wrong(text: str) -> str:
        file.write_text(text, encoding="utf-8")
        with pytest.raises(ConfigError) as told:
            load_fleet(file)
        return str(told.value)

    assert "see docs/fleet-console.md" in str(_missing(tmp_path / "none.toml"))
    assert "postgres" in wrong('name = "x"\n')
    told = wrong('[postgres]\ndsn = "host=/run/postgresql user=hall_console password=geheim"\n')
    assert "passfile" in told
    assert "geheim" not in told
    assert "geheim" not in wrong('[postgres]\ndsn = "host = geheim=x \'"\n')
    assert "offline_min" in wrong('offline_min = 1\n[postgres]\ndsn = "host=/run/postgresql"\n')
    assert "0.0.0.0" in wrong(
        '[postgres]\ndsn = "host=/run/postgresql"\n[console]\nhost = "0.0.0.0"\n'
    )
    file.write_text('[postgres]\ndsn = "host=/run/postgresql"\n', encoding="utf-8")
    assert load_fleet(file).utc_offset_min == 480


def _missing(file: Path) -> ConfigError:
    with pytest.raises(ConfigError) as told:
        load_fleet(file)
    return told.value
