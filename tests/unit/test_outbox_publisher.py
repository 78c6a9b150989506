"""Events on their way to the hall's broker: in order, in a window, and the cursor behind them."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from hall_gateway import writer
from hall_gateway.mqtt_message import DisconnectedError
from hall_gateway.outbox_publisher import WINDOW, OutboxPublisher
from hall_gateway.values import OutboxRow
from support.core_hall import Device, Hall, open_hall

SINK = "test"
EVENTS = 3 * WINDOW


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """No lazy job goes because of the time: what moves a cursor is what a test does."""
    monkeypatch.setattr(writer, "LAZY_S", 3600.0)


class Broker:
    """Takes what is sent, and confirms what it is told to."""

    def __init__(self) -> None:
        self.sent: list[OutboxRow] = []
        self.owed: list[asyncio.Future[None]] = []
        self.told = 0

    def send(self, row: OutboxRow) -> asyncio.Future[None]:
        self.sent.append(row)
        self.owed.append(asyncio.get_running_loop().create_future())
        return self.owed[-1]

    def well(self) -> None:
        self.told += 1

    def confirm(self, count: int) -> None:
        for _ in range(count):
            self.owed.pop(0).set_result(None)

    def lose(self) -> None:
        for puback in self.owed:
            puback.set_exception(DisconnectedError("gone"))
        self.owed.clear()


@asynccontextmanager
async def publishing(
    publisher: OutboxPublisher,
) -> AsyncGenerator[Callable[[], asyncio.Task[None]]]:
    """The cursor follows; what is yielded begins a connection."""
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(publisher.settle())]

        def connect() -> asyncio.Task[None]:
            tasks.append(asyncio.ensure_future(publisher.run()))
            return tasks[-1]

        yield connect
        for task in tasks:
            task.cancel()


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not holds():  # noqa: ASYNC110 - other tasks change it, no event of theirs is at hand
            await asyncio.sleep(0.001)


async def cursor(hall: Hall) -> int:
    """How many events the store knows to have arrived."""
    return EVENTS - len(await hall.core.outbox(SINK, 1000))


async def filled(hall: Hall) -> list[str]:
    device = Device("cnt")
    await hall.core.state("cnt", device.state(0))
    passages = [device.event("passage", {"dir": "in"}) for _ in range(EVENTS)]
    await hall.core.events("cnt", passages)
    return [row.id for row in await hall.core.outbox(SINK, 1000)]


@pytest.mark.parametrize("together", [1, 10, WINDOW])
async def test_no_more_than_a_window_is_ahead_of_the_stored_cursor(
    tmp_path: Path, together: int
) -> None:
    broker = Broker()
    async with open_hall(tmp_path) as hall:
        ids = await filled(hall)
        publisher = OutboxPublisher(hall.core, SINK, broker.send, broker.well)
        async with publishing(publisher) as connect:
            connect()
            while len(broker.sent) < EVENTS or broker.owed:
                await until(lambda: bool(broker.owed))
                assert len(broker.sent) - await cursor(hall) <= WINDOW
                broker.confirm(min(together, len(broker.owed)))
            await until(lambda: not publisher.owed)
            await publisher.finish()
        assert await cursor(hall) == EVENTS
    assert [row.id for row in broker.sent] == ids
    assert broker.told > 0


async def test_a_cursor_moves_with_the_next_event(tmp_path: Path) -> None:
    broker = Broker()
    async with open_hall(tmp_path) as hall:
        await filled(hall)
        publisher = OutboxPublisher(hall.core, SINK, broker.send, broker.well)
        async with publishing(publisher) as connect:
            connect()
            await until(lambda: len(broker.owed) == WINDOW)
            broker.confirm(2)
            await until(lambda: broker.told == 1)
            assert await cursor(hall) == 0
            await hall.core.online("cnt", True)
            await until(lambda: len(broker.sent) == WINDOW + 2)


async def test_what_was_confirmed_is_not_sent_again_on_another_connection(tmp_path: Path) -> None:
    broker = Broker()
    async with open_hall(tmp_path) as hall:
        ids = await filled(hall)
        publisher = OutboxPublisher(hall.core, SINK, broker.send, broker.well)
        async with publishing(publisher) as connect:
            first = connect()
            await until(lambda: len(broker.owed) == WINDOW)
            broker.confirm(7)
            broker.lose()
            with pytest.raises(DisconnectedError):
                await first
            assert publisher.owed
            # The store hears of it although what came with it was lost.
            hall.core.hurry()
            await until(lambda: broker.told == 1)
            while await cursor(hall) < 7:
                hall.core.hurry()
            broker.sent.clear()
            connect()
            await until(lambda: len(broker.owed) == WINDOW)
        assert [row.id for row in broker.sent] == ids[7 : WINDOW + 7]


async def test_an_end_sends_nothing_more_and_keeps_where_it_is(tmp_path: Path) -> None:
    broker = Broker()
    async with open_hall(tmp_path) as hall:
        await filled(hall)
        publisher = OutboxPublisher(hall.core, SINK, broker.send, broker.well)
        async with publishing(publisher) as connect:
            connect()
            await until(lambda: len(broker.owed) == WINDOW)
            ending = asyncio.ensure_future(publisher.finish())
            await asyncio.sleep(0)
            broker.confirm(WINDOW - 1)
            await until(lambda: broker.told > 0)
            assert not ending.done()
            broker.confirm(1)
            await ending
        assert len(broker.sent) == WINDOW
        assert await cursor(hall) == WINDOW


async def test_what_failed_is_not_passed_by_what_came_after_it(tmp_path: Path) -> None:
    """A broker may confirm the second, refuse the first and go."""
    broker = Broker()
    async with open_hall(tmp_path) as hall:
        ids = await filled(hall)
        publisher = OutboxPublisher(hall.core, SINK, broker.send, broker.well)
        async with publishing(publisher) as connect:
            first = connect()
            await until(lambda: len(broker.owed) == WINDOW)
            broker.owed.pop(1).set_result(None)
            broker.lose()
            with pytest.raises(DisconnectedError):
                await first
            broker.sent.clear()
            connect()
            await until(lambda: len(broker.owed) == WINDOW)
        assert [row.id for row in broker.sent] == ids[:WINDOW]
