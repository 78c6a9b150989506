"""The fleet console on a real PostgreSQL: what it shows, to whom, and what that costs."""

import asyncio
import csv
import datetime as dt
import json
import re
from collections.abc import AsyncGenerator, Mapping, Sequence
from io import StringIO
from typing import Any

import psycopg
import pytest
import pytest_asyncio
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from axe_playwright_python.sync_playwright import Axe
from hall_fleet.console import compare_query, database, hall_query, halls_query, record_query
from hall_fleet.console.app import make_app
from hall_fleet.console.halls_query import SORTS, STATUSES, Wanted
from hall_fleet.console.pages import FLEET
from hall_fleet.console.settings import FleetConfig, PostgresConfig
from hall_fleet.console.watch import LOOK_SQL
from hall_gateway.console.guard import HEADERS, USERS
from hall_gateway.console.rendering import STREAM
from hall_gateway.console.users import Users
from hall_tools.console_pictures import CHROMIUM, chromium_rights
from hall_tools.fleet.rows import Company, fill
from playwright.sync_api import Page, sync_playwright
from support.console import PASSWORD, PEOPLE, QUICK
from support.console_browser import Browser
from support.record import Database, databases

pytestmark = pytest.mark.asyncio(loop_scope="module")

NOW = dt.datetime(2026, 11, 22, 8, 30, tzinfo=dt.UTC)
HALLS = 160
EVIL = "<script>alert(1)</script>"
BAD = "hall-evil"
PATHS = (
    *("/", "/?wall", "/compare", "/compare?day=2026-11-20", "/compare?class=none"),
    *("/refused", "/ingest", "/zone", "/account", f"/hall/{BAD}", "/hall/hall-00003"),
)
FILES = ("/halls.csv", "/compare.csv", "/refused.csv", "/hall/hall-00003/days.csv")


class Fleet:
    """The record, and its console."""

    def __init__(self, record: Database, app: web.Application, client: Any) -> None:
        self.record = record
        self.app = app
        self.client = client

    async def browser(self, name: str | None) -> Browser:
        self.client.session.cookie_jar.clear()
        found = Browser(self.client)
        if name is not None:
            assert (await found.log_in(name))[0] == 303
        return found

    async def text(self, path: str, name: str = "王经理", status: int = 200) -> str:
        """What somebody gets who logs in."""
        browser = await self.browser(name)
        answer = await browser.get(path, **{"Accept-Language": "en"})
        assert answer.status == status, path
        return await answer.text()  # pyright: ignore[reportGeneralTypeIssues]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def fleet(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Fleet]:
    async with databases() as made:
        record = await made.make()
        with psycopg.connect(record.dsn("hall_owner")) as connection:
            fill(connection, Company(halls=HALLS, now=NOW, poison=130))
        _evil(record)
        _stores(record)
        config = FleetConfig(
            name="示范供电公司", postgres=PostgresConfig(dsn=record.dsn("hall_console"))
        )
        users = Users(tmp_path_factory.mktemp("console") / "users.json", QUICK)
        for name, role in PEOPLE.items():
            users.add(name, role, PASSWORD)  # pyright: ignore[reportArgumentType]
        app = make_app(config, users, clock=lambda: round(NOW.timestamp() * 1000))
        async with TestClient(TestServer(app)) as client:
            await app[FLEET].watch.look()
            yield Fleet(record, app, client)


def _evil(record: Database) -> None:
    """A hall all of whose texts are markup, a formula or out of the way."""
    state = {
        "problems": [EVIL],
        "alerts": [{"id": 1, "level": EVIL, "title": EVIL, "since": EVIL}],
        "devices": [{"id": EVIL, "profile": EVIL, "where": EVIL, "fw": EVIL, "error": EVIL}, {}],
    }
    record.rows(
        "INSERT INTO hall.halls (hall, name, class, version, status, problems, alerts, devices, "
        "state, state_at, state_stored) VALUES (%s, %s, 'Z', %s, %s, 1, 1, 1, %s, %s, %s)",
        (BAD, f"=HYPERLINK(1){EVIL}", EVIL, EVIL, json.dumps(state), NOW, NOW),
    )
    record.rows(
        "INSERT INTO hall.events (hall, id, type, source, subject, time, clock, data) "
        "VALUES (%s, %s, %s, %s, %s, %s, 'estimated', %s)",
        (BAD, EVIL, EVIL, EVIL, EVIL, NOW, json.dumps({EVIL: EVIL})),
    )
    record.rows("INSERT INTO hall.seen VALUES (%s, %s, %s, %s)", (BAD, NOW, NOW, NOW))
    record.rows("INSERT INTO hall.days (hall, day, mark5) VALUES (%s, '2026-11-20', 7)", (BAD,))
    record.rows(
        "INSERT INTO hall.poison (stream, sequence, stored, received, hall, claimed, subject, "
        "headers, body, size, reason, detail) "
        "VALUES ('HALL_EVENTS', 999, %s, %s, %s, %s, %s, %s, %s, 9, 'hall', %s)",
        (NOW, NOW, BAD, EVIL, EVIL, json.dumps({EVIL: EVIL}), EVIL.encode() + b"\xff\x00", EVIL),
    )
    record.rows("UPDATE hall.workers SET error = %s WHERE worker = 'ingest-2'", (EVIL,))
    record.rows("SELECT hall.make_standing('2026-11', '2026-11-01', '2026-11-30')")
    record.rows("SELECT hall.make_standing('recent', '2026-10-23', '2026-11-22')")
    record.rows("ANALYZE")


LOST = {
    # What is accounted for, what of that is gone, what the hall was asked for, told again.
    "hall-00005": ("{[1,31),[41,61)}", "{}", "{[31,41)}", 0),
    "hall-00006": ("{[1,61)}", "{}", "{[31,41)}", 1200),
    "hall-00007": ("{[1,61)}", "{[7,8)}", "{[7,8)}", 0),
    BAD: ("{[1,31),[40,61)}", "{[3,7),[9,10)}", "{[31,40)}", 1),
}
"""Of 60 positions that a hall has told."""


def _stores(record: Database) -> None:
    """Halls of which the servers lost something, among those of which they did not; one has events
    on their way."""
    record.rows(
        "INSERT INTO hall.stores (hall, store, began, claimed, accounted) "
        "SELECT hall, '00000000000000aa', 0, 60, CASE hall WHEN 'hall-00008' THEN '{[1,51)}' "
        "ELSE '{[1,61)}' END::int8multirange FROM hall.heard"
    )
    for hall, (accounted, gone, asked, again) in LOST.items():
        record.rows(
            "UPDATE hall.stores SET accounted = %s, gone = %s, asked = %s, asked_at = %s, "
            "again = %s WHERE hall = %s",
            (accounted, gone, asked, NOW - dt.timedelta(minutes=4), again, hall),
        )
    record.rows("ANALYZE hall.stores")


# Who may see what


async def test_nobody_sees_anything_without_a_login(fleet: Fleet) -> None:
    browser = await fleet.browser(None)
    for path in (*PATHS, *FILES):
        assert (await browser.get(path, Accept="text/html")).status == 303, path
    routes = {r.resource.canonical for r in fleet.app.router.routes() if r.resource}
    shown = {re.sub(r"hall-[a-z0-9]+", "{hall}", path.partition("?")[0]) for path in PATHS + FILES}
    assert routes - shown == {"/login", "/logout", "/stream", "/static", "/static/fleet"}
    assert (await browser.get("/stream", Accept="text/event-stream")).status == 401
    assert (await browser.get("/static/fleet/fleet.css")).status == 200


async def test_every_answer_has_its_headers(fleet: Fleet) -> None:
    browser = await fleet.browser("看")
    for path in (*PATHS, *FILES, "/nothing", "/hall/hall-none"):
        answer = await browser.get(path)
        for name, value in HEADERS.items():
            assert answer.headers[name] == value, path


async def test_a_viewer_sees_no_text_of_messages(fleet: Fleet) -> None:
    for path, secret in (("/refused", "What it says"), ("/hall/hall-00003", '"A015"')):
        assert secret in await fleet.text(path, "tech")
        assert secret in await fleet.text(path, "王经理")
        assert secret not in await fleet.text(path, "看")


async def test_a_form_of_another_page_is_refused(fleet: Fleet) -> None:
    browser = await fleet.browser("看")
    csrf = await browser.csrf("/zone")
    assert (await browser.post("/zone", minutes="0"))[0] == 403
    assert (await browser.post("/zone", minutes="0", csrf="x"))[0] == 403
    evil = "https://evil.example"
    assert (await browser.post("/zone", origin=evil, minutes="0", csrf=csrf))[0] == 403
    for odd in ("", "7", "9999", "x", "480; Secure"):
        assert (await browser.post("/zone", minutes=odd, csrf=csrf))[0] == 400, odd
    assert await browser.post("/zone", minutes="0", to="//evil.example", csrf=csrf) == (303, "/")


async def test_times_are_in_the_readers_zone(fleet: Fleet) -> None:
    browser = await fleet.browser("看")
    assert "16:30" in await (await browser.get("/ingest")).text()  # pyright: ignore
    csrf = await browser.csrf("/zone")
    assert await browser.post("/zone", minutes="-210", to="/ingest", csrf=csrf) == (303, "/ingest")
    page = await (await browser.get("/ingest")).text()  # pyright: ignore
    assert "UTC-03:30" in page
    assert "05:00" in page


# What halls say of themselves is text


@pytest.mark.parametrize("lang", ["zh", "en"])
async def test_nothing_that_a_hall_says_is_markup(fleet: Fleet, lang: str) -> None:
    await fleet.browser("tech")
    for path in (*PATHS, "/?q=evil", "/?q=%3Cscript%3E", f"/refused?hall={BAD}", "/?sort=%3Cb%3E"):
        joint = "&" if "?" in path else "?"
        answer = await fleet.client.get(f"{path}{joint}lang={lang}")
        page = await answer.text()
        assert answer.status == 200, path
        assert "<script>" not in page, path
        assert len(re.findall("<script", page)) == 1, path
    assert "&lt;script&gt;" in await (await fleet.client.get(f"/hall/{BAD}")).text()


async def test_a_table_is_no_formula(fleet: Fleet) -> None:
    for path in ("/halls.csv?q=evil", "/compare.csv?day=2026-11-20&class=none"):
        header, *lines = await _csv(fleet, path)
        names = {line[header.index("name")] for line in lines}
        assert names - {""} == {f"'=HYPERLINK(1){EVIL}"}, path


# The list


async def _csv(fleet: Fleet, path: str) -> list[list[str]]:
    text = await fleet.text(path)
    return list(csv.reader(StringIO(text.removeprefix("\ufeff"), newline="")))


def _halls(page: str) -> list[str]:
    return re.findall(r'data-key="hall-(hall-[a-z0-9]+)"', page)


@pytest.mark.parametrize("sort", SORTS)
@pytest.mark.parametrize("down", [0, 1])
async def test_pages_have_each_hall_once_and_the_file_has_the_same(
    fleet: Fleet, sort: str, down: int
) -> None:
    await fleet.browser("看")

    async def walk(path: str, way: str) -> list[list[str]]:
        pages: list[list[str]] = []
        while path:
            page = await (await fleet.client.get(path)).text()
            pages.append(_halls(page))
            found = re.search(rf'rel="{way}" href="([^"]+)"', page)
            path = found[1].replace("&amp;", "&") if found else ""
            last.append(page)
        return pages

    last: list[str] = []
    forwards = await walk(f"/?sort={sort}&down={down}", "next")
    assert [len(page) for page in forwards] == [50, 50, 50, 11]
    every = [hall for page in forwards for hall in page]
    assert len(set(every)) == HALLS + 1
    assert [line[0] for line in (await _csv(fleet, f"/halls.csv?sort={sort}&down={down}"))[1:]] == (
        every
    )
    await fleet.browser("看")
    back = re.search(r'rel="prev" href="([^"]+)"', last[-1])
    assert back is not None
    backwards = await walk(back[1].replace("&amp;", "&"), "prev")
    assert backwards == forwards[-2::-1]


async def test_search_and_filters(fleet: Fleet) -> None:
    assert _halls(await fleet.text("/?q=hall-00017")) == ["hall-00017"]
    assert set(_halls(await fleet.text("/?q=%E5%9F%8E%E4%B8%9C2%E4%BE%9B"))) == {"hall-00021"}
    for nothing in ("%25", "_", "%27", "%5C"):
        assert _halls(await fleet.text(f"/?q={nothing}")) == []
    wants = {
        "offline": "heard < '2026-11-22 08:15Z' OR heard IS NULL",
        "hour": "heard < '2026-11-22 07:30Z' OR heard IS NULL",
        "problems": "problems > 0 OR status <> 'ok'",
        "alerts": "alerts > 0",
        "outbox": "outbox > 0",
        "missing": f"hall IN ('hall-00005', 'hall-00007', '{BAD}')",
    }
    for status, where in wants.items():
        expected = fleet.record.rows(f"SELECT hall FROM hall.heard WHERE {where}")
        found = (await _csv(fleet, f"/halls.csv?status={status}"))[1:]
        assert {line[0] for line in found} == {row[0] for row in expected}, status
    classed = await _csv(fleet, "/halls.csv?class=A")
    assert {line[2] for line in classed[1:]} == {"A"}


async def test_what_the_servers_lost_is_seen_in_the_list(fleet: Fleet) -> None:
    header, *lines = await _csv(fleet, "/halls.csv")
    assert header[-2:] == ["missing", "gone"]
    assert {line[0]: line[-2:] for line in lines if line[-2:] != ["0", "0"]} == {
        "hall-00005": ["10", "0"],
        "hall-00007": ["0", "1"],
        BAD: ["9", "5"],
    }
    page = await fleet.text("/?status=missing&sort=hall")
    assert _halls(page) == ["hall-00005", "hall-00007", BAD]
    marks = re.findall(r'class="sub missing( bad)?">.*?</svg> ([^<]+)<', page, re.DOTALL)
    assert marks == [
        *(("", "10 events missing"), (" bad", "1 event lost for good")),
        *(("", "9 events missing"), (" bad", "5 events lost for good")),
    ]
    order = [line[0] for line in lines]
    well = {line[0] for line in lines if line[3] == "ok" and line[header.index("alerts")] == "0"}
    assert "hall-00005" in well
    assert order.index("hall-00005") < min(order.index(hall) for hall in well - set(LOST))


async def test_what_the_servers_lost_of_a_hall_is_said(fleet: Fleet) -> None:
    lost = {
        "hall-00005": "Up to 10 events are missing: the servers lost them. The hall is asked to "
        "tell them again, last 4 min ago.",
        "hall-00006": "The hall has told 1,200 events again. That does no harm: each counts once.",
        "hall-00007": "Up to 1 event is lost for good: the hall has it no more, and it is in no "
        "figure.",
        BAD: "Up to 5 events are lost for good: the hall has them no more, and they are in no "
        "figure. Up to 9 events are missing: the servers lost them. The hall is asked to tell them "
        "again, last 4 min ago. The hall has told 1 event again. That does no harm: it counts "
        "once.",
    }
    for hall, told in lost.items():
        page = await fleet.text(f"/hall/{hall}")
        found = re.search(r'<p class="notice shortfall( bad)?"[^>]*>(.*?)</p>', page, re.S)
        assert found is not None, hall
        assert " ".join(re.sub(r"</?strong>", "", found[2]).split()) == told
        assert bool(found[1]) == (LOST[hall][1] != "{}"), hall
    for hall in ("hall-00003", "hall-00008"):
        assert "shortfall" not in await fleet.text(f"/hall/{hall}"), hall


async def test_what_the_servers_lost_is_summed_up(fleet: Fleet) -> None:
    page = await fleet.text("/ingest")
    tiles = re.findall(r'figure">([^<]+)</\w+><\w+ class="more">(\d+ halls?) ·', page)
    assert tiles == [("19", "2 halls"), ("1,201", "2 halls"), ("6", "2 halls")]


async def test_few_ratings_are_no_figure(fleet: Fleet) -> None:
    page = await fleet.text(f"/?q={BAD}")
    assert "n = 7 of 30 needed" in page
    header, line = await _csv(fleet, f"/halls.csv?q={BAD}")
    assert line[header.index("satisfaction")] == ""
    assert line[header.index("ratings")] == "7"


async def test_a_forged_hall_is_seen_at_once(fleet: Fleet) -> None:
    page = await fleet.text("/")
    assert "spoke for other halls" in page
    assert f'/refused?reason=hall&amp;hall={BAD}"' in page
    assert "says it is" in await fleet.text("/refused?reason=hall")


async def test_refused_messages_are_listed_page_by_page(fleet: Fleet) -> None:
    seen: list[str] = []
    path = "/refused"
    while path:
        page = await fleet.text(path)
        seen += re.findall(r'data-key="poison-(\d+)"', page)
        found = re.search(r'rel="next" href="([^"]+)"', page)
        path = found[1].replace("&amp;", "&") if found else ""
    assert len(seen) == len(set(seen)) == 131
    assert len(await _csv(fleet, "/refused.csv")) == 132
    one = set(re.findall(r'data-key="poison-(\d+)"', await fleet.text("/refused?reason=time")))
    told = fleet.record.rows("SELECT number FROM hall.poison WHERE reason = 'time'")
    assert one == {str(row[0]) for row in told}


# Comparing


@pytest.mark.parametrize("query", ["month=2026-11", "day=2026-11-20"])
async def test_a_class_is_compared_by_intervals(fleet: Fleet, query: str) -> None:
    header, *lines = await _csv(fleet, f"/compare.csv?{query}&class=C")
    told = [dict(zip(header, line, strict=True)) for line in lines]
    placed = [each for each in told if each["place_best"]]
    assert len(placed) > 20
    for one in placed:
        better = sum(float(o["satisfaction_low"]) > float(one["satisfaction_high"]) for o in placed)
        worse = sum(float(o["satisfaction_high"]) < float(one["satisfaction_low"]) for o in placed)
        assert (int(one["place_best"]), int(one["place_worst"])) == (
            *(1 + better,),
            len(placed) - worse,
        )
        assert int(one["ratings"]) >= 20
    page = await fleet.text(f"/compare?{query}&class=C")
    assert "do not tell them apart" in page
    assert _halls(page) == [each["hall"] for each in told[:50]]


async def test_a_month_adds_up_its_days(fleet: Fleet) -> None:
    [sums] = fleet.record.named(
        "SELECT satisfaction, satisfaction_low, satisfaction_high, ratings, wait_p90_min FROM "
        "hall_figures.hall_month WHERE hall = 'hall-00003' AND month = '2026-11-01'"
    )
    [had] = fleet.record.named(
        "SELECT satisfaction, low, high, ratings, wait_p90_min FROM hall.standing "
        "WHERE hall = 'hall-00003' AND span = '2026-11'"
    )
    assert [float(value) for value in had.values()] == [float(value) for value in sums.values()]


# The record


async def test_the_console_can_change_nothing(fleet: Fleet) -> None:
    with fleet.app[FLEET].database.reading() as connection, pytest.raises(psycopg.Error):
        connection.execute("DELETE FROM hall.poison")
    for statement in (
        *("DELETE FROM hall.days", "UPDATE hall.halls SET name = ''", "DROP TABLE hall.seen"),
        "SELECT hall.refresh_standing()",
    ):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            fleet.record.rows(statement, role="hall_console")


async def test_news_is_told_to_who_looks(fleet: Fleet) -> None:
    watch, stream = fleet.app[FLEET].watch, fleet.app[STREAM]
    before = stream.mark
    await watch.look()
    assert stream.mark == before
    fleet.record.rows("UPDATE hall.seen SET last_received = %s WHERE hall = %s", (NOW, BAD))
    fleet.record.rows(
        "UPDATE hall.seen SET last_received = last_received + interval '1 s' WHERE hall = %s",
        (BAD,),
    )
    await watch.look()
    assert stream.mark != before


async def test_a_hall_that_nobody_heard_of(fleet: Fleet) -> None:
    assert "Nothing was ever heard of a hall hall-9" in await fleet.text("/hall/hall-9", status=404)


async def test_a_record_that_is_away_is_said_in_words(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "WAIT_S", 0.2)
    dsn = fleet.record.dsn("hall_console").replace("dbname=record", "dbname=nobody_has_it")
    config = FleetConfig(name="x", postgres=PostgresConfig(dsn=dsn))
    app = make_app(config, fleet.app[USERS])
    async with TestClient(TestServer(app)) as client:
        browser = Browser(client)
        assert (await browser.log_in("看"))[0] == 303
        answer = await browser.get("/", **{"Accept-Language": "en"})
        assert answer.status == 503
        page = await answer.text()  # pyright: ignore
        assert "PostgreSQL does not answer" in page
        assert "The database does not answer" in page


# What pages cost


def _nodes(plan: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [plan, *(node for part in plan.get("Plans", ()) for node in _nodes(part))]


def _plan(fleet: Fleet, query: str, values: Mapping[str, object], settings: str = "") -> Any:
    with psycopg.connect(fleet.record.dsn("hall_console")) as connection:
        connection.execute(f"SET jit = off; {settings}".encode())
        found = connection.execute(
            f"EXPLAIN (ANALYZE, FORMAT JSON) {query}".encode(), values
        ).fetchone()
    assert found is not None
    return _nodes(found[0][0]["Plan"])


def _looked_at(nodes: list[Mapping[str, Any]]) -> int:
    """Rows that the scans of a plan went through."""
    return sum(
        (node["Actual Rows"] + node.get("Rows Removed by Filter", 0)) * node["Actual Loops"]
        for node in nodes
        if "Relation Name" in node
    )


async def test_a_list_looks_at_each_hall_a_few_times_and_at_no_day(fleet: Fleet) -> None:
    values = {
        "now": NOW,
        "heard": NOW,
        "search": "hall",
        "class": "A",
        "key": 0.0,
        "hall": "hall-1",
        "most": 51,
        "span": "2026-11",
    }
    spans = len(fleet.record.rows("SELECT DISTINCT span FROM hall.standing"))
    place = halls_query.Place(0.0, "hall-1")
    lists = [halls_query.page_sql(Wanted(sort=sort, place=place)) for sort in SORTS]
    filtered = [halls_query.page_sql(Wanted("x", status, "A")) for status in STATUSES]
    for query in (*lists, *filtered, halls_query.count_sql(Wanted()), halls_query.TOTALS_SQL,
                  compare_query.SPAN_SQL, LOOK_SQL, record_query.SHORTFALLS_SQL):  # fmt: skip
        nodes = _plan(fleet, query, values)
        assert _looked_at(nodes) <= (4 + spans) * (HALLS + 1) + 200, query
        scanned = {node["Relation Name"] for node in nodes if node["Node Type"] == "Seq Scan"}
        assert not scanned & {"days", "poison"}, query
        assert not any(name.startswith("events") for name in scanned), query


async def test_one_hall_or_a_page_of_messages_is_found_by_index(fleet: Fleet) -> None:
    values = {
        "hall": "hall-00003",
        "first": dt.date(2026, 10, 23),
        "last": dt.date(2026, 11, 22),
        "until": NOW,
        "since": NOW - dt.timedelta(days=31),
        "most": 51,
        "reason": "time",
        "day": dt.date(2026, 11, 20),
        "received": NOW,
        "number": 100,
    }
    at = record_query.Place(NOW, 100)
    few = [
        *(hall_query.HALL_SQL, hall_query.DAYS_SQL, hall_query.EVENTS_SQL, hall_query.POISON_SQL),
        hall_query.SHORTFALL_SQL,
        record_query.list_sql(record_query.Asked()),
        record_query.list_sql(record_query.Asked("time", "", at)),
        record_query.list_sql(record_query.Asked("", "hall-00003", at, up=True)),
    ]
    for query, most in (*((query, 200) for query in few), (compare_query.DAY_SQL, 2 * HALLS + 4)):
        nodes = _plan(fleet, query, values, "SET enable_seqscan = off; SET enable_sort = on")
        assert _looked_at(nodes) <= most, query
        scanned = {node["Relation Name"] for node in nodes if node["Node Type"] == "Seq Scan"}
        assert not scanned & {"days", "poison", "halls", "seen", "stores"}, query
        assert not any(name.startswith("events") for name in scanned), query


# A browser


def _axe(address: str, lang: str, width: int, looked: Sequence[str]) -> list[str]:
    """What axe finds on the pages that are `looked` at, and which are wider than the screen."""
    found: list[str] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=chromium_rights())
        context = browser.new_context(viewport={"width": width, "height": 800}, locale=lang)
        page = context.new_page()
        page.set_default_timeout(90_000)
        page.on("pageerror", lambda error: found.append(str(error)))
        page.goto(f"{address}/login")
        page.fill("[name=name]", "tech")
        page.fill("[name=password]", PASSWORD)
        page.click("button.primary")
        page.wait_for_selector("#link.is-up", state="attached")
        for path in looked:
            page.goto(address + path)
            broad = page.evaluate("document.documentElement.scrollWidth")
            if broad > width:
                found.append(f"{path}: {broad} px wide")
            found += [f"{path}: {each}" for each in _serious(page)]
        browser.close()
    return found


def _serious(page: Page) -> list[str]:
    violations = Axe().run(page).response["violations"]
    return [
        f"{each['id']}: {each['nodes'][0]['html'][:160]}"
        for each in violations
        if each["impact"] in ("serious", "critical")
    ]


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    ("lang", "width", "looked"), [("zh", 1280, PATHS[::2]), ("en", 360, PATHS[1::2])]
)
async def test_no_serious_finding_and_no_page_wider_than_the_screen(
    fleet: Fleet, lang: str, width: int, looked: Sequence[str]
) -> None:
    """Half of the pages on a desk in Chinese, the others on a phone in English."""
    await fleet.browser(None)
    address = str(fleet.client.make_url("/")).rstrip("/")
    assert await asyncio.to_thread(_axe, address, lang, width, looked) == []
