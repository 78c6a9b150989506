"""A gateway process with battery devices: killed at the worst moments, ended, started again."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from aiocoap import error
from aiocoap.numbers import codes
from hall_gateway.keys import FOLDER, KeyStore
from hall_profiles import load
from hall_tools.ports import free_port
from support.battery import Battery, ask, client, protected, said
from support.gateway import Gateway

PROFILE = "wet-floor-battery"

DIES = """
import os
from hall_gateway import devices_coap
true = devices_coap.DevicesCoap._response
def dies(*said):
    true(*said)
    os.kill(os.getpid(), 9)
devices_coap.DevicesCoap._response = dies
from hall_tools.cli import main
main()
"""
"""A gateway that is killed between the first commit of a request and its answer."""


class Floor:
    """A gateway in `folder` with one battery device, at a port of its own."""

    def __init__(self, folder: Path, program: str | None = None) -> None:
        folder.mkdir(exist_ok=True)
        self.keys = KeyStore(folder / FOLDER)
        enrolled = self.keys.get("floor-1")
        self.device = enrolled or self.keys.enrol("floor-1", load(PROFILE))
        self.port = free_port()
        tables = (
            f'[coap]\nhost = "127.0.0.1"\nport = {self.port}\n'
            f'[[device]]\nid = "floor-1"\nprofile = "{PROFILE}"\nzone = "hall"\n'
        )
        more = {} if program is None else {"program": program}
        self.gateway = Gateway(folder, free_port(), tables=tables, embedded=True, **more)

    def counts(self) -> tuple[object, ...]:
        """How many events and how many of their CloudEvents the store has."""
        return self.gateway.rows(
            "SELECT (SELECT count(*) FROM events), "
            "(SELECT count(*) FROM outbox WHERE noun = 'floor')"
        )[0]


async def test_killed_between_commit_and_answer(tmp_path: Path) -> None:
    dying = Floor(tmp_path, DIES)
    await asyncio.to_thread(dying.gateway.start)
    async with client() as coap:
        device = Battery(coap, dying.device, dying.port)
        wake = {"events": [device.events.wet(), device.events.dry()]}
        with pytest.raises((TimeoutError, error.NetworkError)):
            await device.post(**wake, state=device.events.state())
        await asyncio.to_thread(dying.gateway.wait)
        assert dying.counts() == (2, 2)
        floor = Floor(tmp_path)
        with floor.gateway:
            again = Battery(coap, floor.device, floor.port, device.side.sender_sequence_number)
            again.events = device.events
            assert said(await again.post(**wake, state=device.events.state()))["seq"] == 2
            assert floor.counts() == (2, 2)
            more = [device.events.wet()]
            assert said(await again.post(events=more))["seq"] == 3
        assert floor.counts() == (3, 3)


def partial_iv(response: Any) -> bytes:
    """The gateway's own sequence number in a response; b"" under the request's."""
    option: bytes = response.opt.oscore
    return option[1 : 1 + (option[0] & 7)] if option else b""


async def test_no_number_twice_and_no_recording_after_a_kill(tmp_path: Path) -> None:
    """Killed while it challenges: each challenge and what follows it has a number of its own."""
    own: list[bytes] = []
    floor = Floor(tmp_path)
    async with client() as coap:
        device = Battery(coap, floor.device, floor.port)
        recorded: list[bytes] = []
        for _ in range(4):
            await asyncio.to_thread(floor.gateway.start)
            for old in recorded:
                refused = await ask(floor.port, old)
                own.append(partial_iv(refused))  # challenged: whether it is new is not known yet
            for _ in range(3):
                request = protected(device.side, b"\xa0")
                own.append(partial_iv(await ask(floor.port, request)))
                recorded.append(request)
            said(await device.post())
            for old in recorded:
                refused = await ask(floor.port, old)
                assert refused.code is codes.UNAUTHORIZED
                assert refused.opt.oscore is None
            await asyncio.to_thread(floor.gateway.kill)
    assert all(own)
    assert len(set(own)) == len(own)


async def test_an_end_in_order_costs_no_challenge(tmp_path: Path) -> None:
    floor = Floor(tmp_path)
    async with client() as coap:
        device = Battery(coap, floor.device, floor.port)
        await asyncio.to_thread(floor.gateway.start)
        said(await device.post(events=[device.events.wet()], state=device.events.state()))
        request = protected(device.side, b"\xa0")
        await ask(floor.port, request)
        assert await asyncio.to_thread(floor.gateway.stop) == 0
        await asyncio.to_thread(floor.gateway.start)
        before = device.side.sender_sequence_number
        said(await device.post(events=[device.events.dry()]))
        assert device.side.sender_sequence_number == before + 1, "one request, one number"
        refused = await ask(floor.port, request)
        assert (refused.code, refused.opt.oscore) == (codes.UNAUTHORIZED, None)
        await asyncio.to_thread(floor.gateway.stop)
    assert "Traceback" not in floor.gateway.log


async def test_keys_and_devices_come_and_go_while_it_runs(tmp_path: Path) -> None:
    floor = Floor(tmp_path)
    async with client() as coap:
        with floor.gateway as gateway:
            one = Battery(coap, floor.device, floor.port)
            said(await one.post())
            keys = floor.keys.enrol("floor-2", load(PROFILE))
            two = Battery(coap, keys, floor.port)
            assert (await ask(floor.port, protected(two.side, b"\xa0"))).code is codes.UNAUTHORIZED
            with gateway.config.open("a", encoding="utf-8") as file:
                file.write(f'[[device]]\nid = "floor-2"\nprofile = "{PROFILE}"\nzone = "door"\n')
            await asyncio.to_thread(gateway.await_log, "taken anew: 2 devices")
            said(await two.post(events=[two.events.wet()], state=two.events.state()))
            floor.keys.revoke("floor-1")
            assert (await ask(floor.port, protected(one.side, b"\xa0"))).code is codes.UNAUTHORIZED
            said(await two.post())


def test_a_port_that_is_taken(tmp_path: Path) -> None:
    first = Floor(tmp_path / "one")
    with first.gateway:
        second = Floor(tmp_path / "two")
        text = second.gateway.config.read_text().replace(str(second.port), str(first.port))
        second.gateway.config.write_text(text)
        second.gateway.launch()
        assert second.gateway.wait() == 69
        assert f"cannot listen at 127.0.0.1:{first.port} (UDP)" in second.gateway.log
