"""Messages in order, in batches, and again while the store takes nothing."""

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
from hall_gateway import ordered
from hall_gateway.mqtt_message import Message
from hall_gateway.ordered import BATCH, OrderedWorker, until_stored
from hall_gateway.values import StoreError


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ordered, "RETRY_S", 0.0)


def message(number: int) -> Message:
    return Message(str(number), b"", retain=False, ack=lambda: None, abandon=lambda: None)


@asynccontextmanager
async def running(worker: OrderedWorker) -> AsyncGenerator[None]:
    task = asyncio.create_task(worker.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait((task,))


async def test_a_batch_is_handed_over_in_order_before_any_of_it_is_done() -> None:
    begun: list[str] = []
    done: list[str] = []
    go = asyncio.Event()

    async def handle(messages: list[Message]) -> None:
        (message,) = messages
        begun.append(message.topic)
        await go.wait()
        done.append(message.topic)

    worker = OrderedWorker(handle, Counter())
    for number in range(BATCH):
        await worker.put(message(number))
    async with running(worker):
        while len(begun) < BATCH:  # noqa: ASYNC110 - the worker needs the loop, and only that
            await asyncio.sleep(0)
        assert begun == [str(number) for number in range(BATCH)]
        assert done == []
        go.set()
        await worker.idle()
    assert done == begun


async def test_everything_from_the_first_refusal_goes_again_in_order() -> None:
    handled: list[str] = []
    refusals = {"3": 2, "5": 1}

    async def handle(messages: list[Message]) -> None:
        (message,) = messages
        handled.append(message.topic)
        if refusals.get(message.topic, 0):
            refusals[message.topic] -= 1
            raise StoreError("full")

    worker = OrderedWorker(handle, Counter())
    for number in range(7):
        await worker.put(message(number))
    async with running(worker):
        await worker.idle()
    assert handled == [*"0123456", *"3456", *"3456"]


async def test_the_queue_is_bounded() -> None:
    worker = OrderedWorker(lambda message: asyncio.sleep(0), Counter())
    for number in range(BATCH):
        await worker.put(message(number))
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(worker.put(message(BATCH)), 0.05)


async def test_a_defect_costs_one_message_and_says_which(
    caplog: pytest.LogCaptureFixture,
) -> None:
    handled: list[str] = []
    acked: list[str] = []
    refusals = [StoreError("full")]

    async def handle(messages: list[Message]) -> None:
        (message,) = messages
        handled.append(message.topic)
        if message.topic == "1" and refusals:
            raise refusals.pop()
        if message.topic == "2":
            raise ZeroDivisionError
        message.ack()

    refused = Counter[str]()
    worker = OrderedWorker(handle, refused)
    for number in range(4):
        await worker.put(replace(message(number), ack=lambda n=number: acked.append(str(n))))
    async with running(worker):
        await worker.idle()
    assert handled == [*"0123", *"123"]
    assert set(acked) == {*"0123"}
    assert refused == {"defect": 1}
    assert "gave up a message on 2: ZeroDivisionError()" in caplog.text


async def test_messages_that_are_alike_are_handled_together_also_when_the_store_refuses() -> None:
    handled: list[str] = []
    refusals = [StoreError("full")]

    async def handle(messages: list[Message]) -> None:
        handled.append("".join(message.topic for message in messages))
        if "2" in handled[-1] and refusals:
            raise refusals.pop()

    worker = OrderedWorker(handle, Counter(), alike=lambda message: message.topic in "0123")
    for number in range(8):
        await worker.put(message(number % 6))
    async with running(worker):
        await worker.idle()
    assert handled == ["0123", "45", "01", "0123", "45", "01"]


async def test_a_defect_in_one_of_several_costs_that_one_only() -> None:
    handled: list[str] = []
    acked: list[str] = []
    refusals = [StoreError("full")]

    async def handle(messages: list[Message]) -> None:
        handled.append("".join(message.topic for message in messages))
        if handled[-1] == "3" and refusals:
            raise refusals.pop()
        if "1" in handled[-1]:
            raise ZeroDivisionError
        for each in messages:
            each.ack()

    refused = Counter[str]()
    worker = OrderedWorker(handle, refused, alike=lambda _: "all")
    for number in range(5):
        await worker.put(replace(message(number), ack=lambda n=number: acked.append(str(n))))
    async with running(worker):
        await worker.idle()
    # All, then each by itself; from the one that the store refused on, all again.
    assert handled == ["01234", *"01234", "34"]
    assert set(acked) == {*"01234"}
    assert refused == {"defect": 1}


async def test_until_stored_tries_again() -> None:
    answers = [StoreError("full"), StoreError("full"), "stored"]

    async def call() -> str:
        answer = answers.pop(0)
        if isinstance(answer, StoreError):
            raise answer
        return answer

    assert await until_stored(call) == "stored"
    assert answers == []
