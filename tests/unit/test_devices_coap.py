"""Battery devices at the gateway: events, acks, commands, heartbeats, over real CoAP and OSCORE."""

from pathlib import Path

from support.battery import Battery, client, said
from support.coap_hall import coap_hall, enrolled


async def test_a_wake_is_committed_and_acked(tmp_path: Path) -> None:
    keys = enrolled(tmp_path, "floor-1")
    async with coap_hall(tmp_path, "floor-1") as hall, client() as coap:
        device = Battery(coap, keys.get("floor-1"), hall.port)
        events = device.events
        wet, dry = events.wet(), events.dry()
        response = await device.post(events=[wet, dry], state=events.state())
        assert said(response) == {"epoch": events.epoch, "seq": 2, "now": hall.hall.clock.now}
        assert [e["type"] for e in await hall.hall.events("hall.floor")] == [
            "hall.floor.wet",
            "hall.floor.dry",
        ]
        assert hall.refused() == {}
