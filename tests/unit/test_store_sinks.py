"""What a sink's rows say of what stands between them: nothing that the sink wants, and no more."""

import sqlite3
from collections.abc import Generator
from contextlib import closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hall_gateway import store as store_module
from hall_gateway.schema import open_store
from hall_gateway.store import Store
from hall_gateway.store_sinks import Missed, SinkPlan
from hypothesis import given, settings
from hypothesis import strategies as st

NOW = 1_800_000_000_000
SINK = "jetstream"
TYPES = [(), ("hall.rating.*",), ("hall.*.given", "hall.floor.dry")]
NAMES = st.sampled_from([("rating", "given"), ("floor", "dry"), ("floor", "wet")])


@contextmanager
def opened(path: Path, *types: str) -> Generator[Store]:
    """A store inside a transaction, with the one sink."""
    with closing(Store.open(path, 64)) as store:
        store.begin()
        store.sinks.declare({SINK: SinkPlan(types, from_oldest=True)}, NOW)
        yield store
        store.commit()


def add(store: Store, *names: tuple[str, str]) -> None:
    for name in names:
        last = store.value("SELECT coalesce((SELECT seq FROM sqlite_sequence), 0)")
        assert store.sinks.add(f"a/1/{last + 1}", name, b"{}", NOW)


def spans(store: Store, after: int = 0, limit: int = 100) -> list[tuple[int, int]]:
    return [(row.after, row.position) for row in store.sinks.outbox(SINK, limit, after)]


def test_a_sink_answers_for_what_it_took(tmp_path: Path) -> None:
    with opened(tmp_path / "hall.db", "hall.rating.*") as store:
        assert store.sinks.reach(SINK) == (0, 0)
        add(store, ("floor", "dry"), ("rating", "given"), ("floor", "dry"))
        assert spans(store) == [(0, 2)]
        store.sinks.advance(SINK, 2, NOW)
        assert spans(store) == []
        store.sinks.pass_over()
        (row,) = store.sinks.rows()
        assert (row.position, store.sinks.reach(SINK)) == (3, (0, 2))
        add(store, ("floor", "dry"), ("rating", "given"), ("rating", "given"))
        assert spans(store) == [(2, 5), (5, 6)], "what was passed over is told of with the next"
        assert spans(store, after=5) == [(5, 6)]


def test_positions_have_no_gap(tmp_path: Path) -> None:
    """Whatever is added a second time: a gap would look like a row that was deleted."""
    with opened(tmp_path / "hall.db") as store:
        for id in ("a", "a", "b", "c", "c", "d"):
            store.sinks.add(id, ("floor", "dry"), b"{}", NOW)
        assert spans(store) == [(0, 1), (1, 2), (2, 3), (3, 4)]


def test_what_is_under_way_is_not_passed_over(tmp_path: Path) -> None:
    """Else it would not come again when the connection is lost."""
    with opened(tmp_path / "hall.db", "hall.rating.*") as store:
        add(store, ("rating", "given"), ("floor", "dry"), ("rating", "given"), ("floor", "dry"))
        for after in (1, 3):
            assert spans(store, after) == [(1, 3)][after // 2 :]
            store.sinks.pass_over()
            assert spans(store) == [(0, 1), (1, 3)]


def test_nobody_answers_for_what_was_deleted(tmp_path: Path) -> None:
    path = tmp_path / "hall.db"
    with opened(path) as store:
        add(store, *[("floor", "dry")] * 4)
        store.sinks.advance(SINK, 1, NOW)
        store.sinks.declare({}, NOW)
        store.run("DELETE FROM outbox WHERE position <= 3")
        store.sinks.declare({SINK: SinkPlan()}, NOW)
        assert store.sinks.reach(SINK) == (0, 3)
        assert spans(store) == [(3, 4)]


def test_a_sink_that_is_older_answers_from_now_on(tmp_path: Path) -> None:
    path = tmp_path / "hall.db"
    open_store(path, 64).close()
    with closing(sqlite3.connect(path)) as old, old:
        for column in ("began", "taken"):
            old.execute(f"ALTER TABLE sinks DROP COLUMN {column}")
        old.execute("INSERT INTO sinks (sink, position) VALUES (?, 7)", (SINK,))
        old.execute("DELETE FROM _yoyo_migration WHERE migration_id >= '0014'")
    with opened(path) as store:
        assert store.sinks.reach(SINK) == (7, 7)


def test_what_is_missed_is_there_or_gone_or_nothing(tmp_path: Path) -> None:
    with opened(tmp_path / "hall.db", "hall.rating.*") as store:
        add(store, *[("rating", "given"), ("floor", "dry"), ("floor", "wet")] * 3)
        store.run("DELETE FROM outbox WHERE position <= 3")
        sinks = store.sinks
        assert sinks.missed(SINK, [(1, 2), (3, 4), (6, 8)], 9) == Missed(
            [(3, 4), (5, 7)], [(1, 2), (3, 3)], [(8, 8)]
        )
        assert sinks.missed(SINK, [(1, 20)], 9) == Missed(
            [(3, 4), (4, 7)], [(1, 3)], [(8, 9), (10, 20)]
        )
        assert sinks.missed(SINK, [(1, 20), (21, 22)], 1) == Missed([(3, 4)], [(1, 3)], [])
        assert sinks.missed(SINK, [(4, 6), (8, 9)], 1) == Missed([(3, 4)], [], [(5, 6), (8, 9)])
        assert sinks.missed(SINK, [(10, 2**63 - 1)], 9) == Missed([], [], [(10, 2**63 - 1)])
        rows = sinks.at([(3, 4), (4, 7)])
        assert [(row.after, row.position, row.id) for row in rows] == [
            (3, 4, "a/1/4"),
            (4, 7, "a/1/7"),
        ]
        store.run("DELETE FROM outbox")
        assert sinks.at([(3, 4), (4, 7)]) == []
        assert sinks.missed(SINK, [(3, 20)], 9) == Missed([], [(3, 9)], [(10, 20)])


RANGES = st.lists(st.integers(1, 30), max_size=8, unique=True).map(
    lambda edges: list(zip(sorted(edges)[::2], sorted(edges)[1::2], strict=False))
)


@settings(deadline=None)
@given(st.lists(NAMES, max_size=20), st.sets(st.integers(1, 20)), st.sampled_from(TYPES), RANGES)
def test_each_position_that_is_missed_is_answered_for_once(
    empty: bytes,
    names: list[tuple[str, str]],
    deleted: set[int],
    types: tuple[str, ...],
    ranges: list[tuple[int, int]],
) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "hall.db"
        path.write_bytes(empty)
        with opened(path, *types) as store:
            add(store, *names)
            for position in deleted:  # a clock that jumped makes holes, too
                store.run("DELETE FROM outbox WHERE position = ?", (position,))
            whole, cut = (store.sinks.missed(SINK, ranges, most) for most in (50, 3))
            rows = store.sinks.at(whole.places)
    told = [(after + 1, position) for after, position in whole.places]
    covered = [p for a, b in [*told, *whole.gone, *whole.void] for p in range(a, b + 1)]
    assert sorted(covered) == [p for a, b in ranges for p in range(a, b + 1)]
    gone = {p for a, b in whole.gone for p in range(a, b + 1)}
    assert gone == deleted & set(covered) & set(range(1, len(names) + 1))
    assert [row.position for row in rows] == [position for _, position in whole.places]
    assert cut.places == whole.places[:3]
    assert set(cut.gone) <= set(whole.gone)
    assert set(cut.void) <= set(whole.void)


class Reader:
    """Reads, sends and is answered as the publisher does, and is cut off at times."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.sent: list[tuple[int, int]] = []
        self.read = self.confirmed = 0

    def take(self, count: int) -> None:
        rows = spans(self.store, self.read, count)
        self.sent += rows
        self.read = rows[-1][1] if rows else self.read

    def confirm(self) -> None:
        self.confirmed = self.read
        if self.confirmed:
            self.store.sinks.advance(SINK, self.confirmed, NOW)

    def cut(self) -> None:
        self.read = self.confirmed


STEPS = st.lists(
    st.tuples(st.sampled_from(["take"]), st.integers(1, 4))
    | st.tuples(st.just("add"), NAMES)
    | st.tuples(st.sampled_from(["confirm", "cut", "restart", "forget"]), st.none()),
    max_size=40,
)


@settings(deadline=None)
@given(st.sampled_from(TYPES), STEPS)
def test_the_rows_of_a_sink_leave_no_hole_and_never_overlap(
    tmp_path_factory: pytest.TempPathFactory,
    empty: bytes,
    types: tuple[str, ...],
    steps: list[tuple[str, object]],
) -> None:
    path = tmp_path_factory.mktemp("store") / "hall.db"
    path.write_bytes(empty)
    wanted: list[int] = []
    with opened(path, *types) as store:
        reader = Reader(store)
        for number, (step, value) in enumerate([*steps, ("cut", None), ("take", 100)]):
            match step, value:
                case "add", (str(noun), str(verb)):
                    add(store, (noun, verb))
                    if not types or noun == "rating" or (verb == "dry" and len(types) > 1):
                        wanted.append(number)
                case "take", int(count):
                    reader.take(count)
                case "confirm", _:
                    reader.confirm()
                case "forget", _:
                    store.forget(NOW + store_module.KEEP_MS + 1)
                case "restart", _:
                    store.sinks._passed.clear()  # pyright: ignore[reportPrivateUsage]
                    reader.read = reader.confirmed = 0
                case _:
                    reader.cut()
        began, _ = store.sinks.reach(SINK)
        once = sorted(set(reader.sent))
        assert began == 0
        assert len(once) == len(wanted)
        assert [after for after, _ in once] == [0, *[position for _, position in once]][: len(once)]


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("empty") / "hall.db"
    open_store(path, 64).close()
    return path.read_bytes()
