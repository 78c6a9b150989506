"""A battery device between the hall system and the gateway: its commands wait; nobody is it."""

import asyncio
import json
from pathlib import Path

from hall_gateway.keys import FOLDER, KeyStore
from hall_profiles import load
from hall_tools.ports import free_port
from support.battery import Battery, client, said
from support.gateway import HALL, Gateway
from support.mosquitto import Mosquitto
from support.paho_client import PlainClient
from support.plain_hall import PlainHall

PROFILE = "wet-floor-battery"


async def test_a_command_waits_for_the_wake_and_is_answered(
    broker: Mosquitto, tmp_path: Path
) -> None:
    folder = tmp_path / "gateway"
    folder.mkdir()
    keys = KeyStore(folder / FOLDER).enrol("floor-1", load(PROFILE))
    port = free_port()
    tables = (
        f'[coap]\nhost = "127.0.0.1"\nport = {port}\n'
        f'[[device]]\nid = "floor-1"\nprofile = "{PROFILE}"\nzone = "hall"\n'
    )
    gateway = Gateway(folder, broker.port, tables=tables)
    await asyncio.to_thread(gateway.start)
    try:
        with (
            PlainHall(broker.port) as hall,
            PlainClient(broker.port, ["#"], name="stranger") as stranger,
        ):
            async with client() as coap:
                device = Battery(coap, keys, port)
                said(await device.post(state=device.events.state()))
                await asyncio.to_thread(hall.await_events, "hall.device.online")
                asked = asyncio.create_task(
                    asyncio.to_thread(
                        hall.command, "device", device="floor-1", do="selftest", ttl_s=3600
                    )
                )
                commands: list[dict[str, object]] = []
                async with asyncio.timeout(60):
                    while not commands:
                        commands = said(await device.post()).get("cmd", [])
                assert [command["do"] for command in commands] == ["selftest"]
                result = {"probe": True}
                reply = {"id": commands[0]["id"], "ok": True, "result": result}
                assert "cmd" not in said(await device.post(replies=[reply]))
                assert (await asked)["result"] == result
                # Nobody speaks for it over MQTT, whoever gets at that broker.
                event = device.events.wet()
                stranger.publish("device/v1/floor-1/up/event", json.dumps(event))
                answer = said(await device.post(events=[device.events.dry()]))
                assert answer["seq"] == 0, "the first is still missing"
                assert said(await device.post(events=[event]))["seq"] == 2

            def told() -> bool:
                topic = f"hall/v1/{HALL}/state/gateway"
                states = [json.loads(m.payload) for m in stranger.received if m.topic == topic]
                last = states[-1]
                return (last["refused_by_links"]["local"], last["coap"]["challenged"]) == (1, 1)

            assert await asyncio.to_thread(stranger.until, told), "the counts are published"
    finally:
        await asyncio.to_thread(gateway.stop)
