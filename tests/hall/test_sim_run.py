"""Real firmware in its simulated hardware at a real broker: what each device is for, end to end."""

import asyncio
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hall_tools import mpy, sim
from hall_tools.image.layout import partition
from hall_tools.onlooker import Onlooker
from littlefs import LittleFS
from support.mosquitto import Mosquitto
from support.paho_client import PlainClient
from support.sim import Watched, config_of, running

GOLDEN = Path(__file__).parents[1] / "unit" / "golden"
DARK_ROW = "0" * 16
CALL = {"view": "call", "ticket": "A015", "window": "3"}


class Hub:
    """A broker, and a plain client in the gateway's place."""

    def __init__(self, broker: Mosquitto, client: PlainClient) -> None:
        self.broker = broker
        self.client = client

    @property
    def port(self) -> int:
        return self.broker.port

    def send(self, topic: str, body: dict[str, Any], *, retain: bool = False) -> None:
        self.client.publish(f"device/v1/dev-1/down/{topic}", json.dumps(body), retain=retain)

    async def bodies(self, topic: str, count: int = 1) -> list[dict[str, Any]]:
        """The payloads on up/`topic`, once there are at least `count`."""
        messages = await asyncio.to_thread(
            self.client.on_topic, f"device/v1/dev-1/up/{topic}", count=count
        )
        return [json.loads(message.payload) for message in messages]

    async def events(self, kind: str, count: int = 1) -> list[dict[str, Any]]:
        """The events of a kind by seq, each once, when there are at least `count` of them."""

        def known() -> dict[int, dict[str, Any]]:
            heard = [m.payload for m in self.client.received if m.topic.endswith("up/event")]
            events = [json.loads(payload) for payload in heard]
            return {event["seq"]: event for event in events if event["kind"] == kind}

        enough = await asyncio.to_thread(self.client.until, lambda: len(known()) >= count)
        assert enough, f"{len(known())} of {count} events {kind}"
        return [event for _, event in sorted(known().items())]

    async def until_state(self, found: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """The first up/state for which `found` holds."""

        def matching() -> dict[str, Any] | None:
            heard = [m.payload for m in self.client.received if m.topic.endswith("up/state")]
            return next(filter(found, map(json.loads, heard)), None)

        assert await asyncio.to_thread(self.client.until, lambda: matching() is not None)
        state = matching()
        assert state is not None
        return state

    async def acknowledge(self, event: dict[str, Any]) -> None:
        now = time.time_ns() // 1_000_000
        self.send("ack", {"epoch": event["epoch"], "seq": event["seq"], "now": now})


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[Hub]:
    with (
        Mosquitto(tmp_path / "broker") as broker,
        PlainClient(broker.port, ["device/#"], name="watcher") as client,
    ):
        yield Hub(broker, client)


def lamp(name: str, value: int = 1) -> Any:
    return lambda line: line.get("pin") == name and line["value"] == value


async def free_heap(device: Watched) -> int:
    return int((await device.until_log("heap: ", after=1)).split("heap: ")[1].split()[0])


async def test_a_press_is_felt_at_once_and_reaches_the_broker(hub: Hub, tmp_path: Path):
    async with running(config_of("keypad-5", hub.port), tmp_path / "kp") as device:
        (boot,) = await hub.events("boot")
        assert (boot["seq"], boot["boot"], boot["t"]) == (1, 1, None)
        assert boot["data"] == {"cause": "power_on"}
        await device.device.send({"press": 5})
        pressed = await device.until(lambda line: line.get("pressed") == 5)
        lit = await device.until(lamp("lamp_5"))
        assert 0 < lit["t_us"] - pressed["t_us"] < 50_000
        (press,) = await hub.events("press")
        assert press["data"] == {"key": 5, "session": None}
        (state,) = await hub.bodies("state")
        assert state["profile"] == "keypad-5"
        assert state["journal"]["epoch"] == boot["epoch"]


async def test_a_rating_session_prompts_answers_and_locks(hub: Hub, tmp_path: Path):
    async with running(config_of("keypad-5", hub.port), tmp_path / "kp") as device:
        (boot,) = await hub.events("boot")
        await hub.acknowledge(boot)
        until = time.time_ns() // 1_000_000 + 30_000
        session = {"ticket": "A015", "until": until, "window_s": 30}
        hub.send("desired", {"rev": 77, "session": session, "window": "3"}, retain=True)
        await device.until(lamp("lamp_1"))
        before = len(device.said)
        await device.device.send({"press": 2})
        pressed = await device.until(lambda line: line.get("pressed") == 2)
        buzz = await device.until(lamp("buzzer"), after=before)
        assert buzz["t_us"] - pressed["t_us"] < 50_000
        await device.until(lamp("buzzer", 0), after=before)
        (press,) = await hub.events("press")
        (close,) = await hub.events("close")
        assert press["data"] == {"key": 2, "session": 77}
        assert close["data"] == {"session": 77, "why": "lock"}
        assert 2900 <= close["up"] - press["up"] <= 3200
        assert abs(press["t"] - time.time() * 1000) < 10_000


@pytest.mark.parametrize(
    ("profile", "golden", "window"),
    [
        ("call-display-p10-64x16", "call-64x16", "3"),
        ("call-display-p10-128x16", "call-128x16", "12"),
        ("call-display-f375-64x32", "call-64x32", "3"),
        ("call-display-hub75-64x32", "call-64x32", "3"),
        ("call-display-max7219-64x16", "call-64x16", "3"),
    ],
)
async def test_a_display_shows_the_call_that_is_wanted(
    hub: Hub, tmp_path: Path, profile: str, golden: str, window: str
):
    hub.send("desired", {"rev": 5, **CALL, "window": window}, retain=True)
    expected = (GOLDEN / f"{golden}.txt").read_text().split()
    async with running(config_of(profile, hub.port), tmp_path / "disp") as device:
        (boot,) = await hub.events("boot")
        await hub.acknowledge(boot)
        panel = (await device.until(lambda line: picture(line) == expected))["panel"]
        assert (panel["w"], panel["h"]) == (len(expected[0]), len(expected))
        if "colours" in panel:
            # A call is red; its green and blue are dark.
            assert panel["colours"] == [panel["rows"], [DARK_ROW] * 32, [DARK_ROW] * 32]
        (shown,) = await hub.events("shown")
        assert shown["data"] == {"rev": 5}
        print(f"{profile}: {await free_heap(device)} bytes of heap free")
        assert await free_heap(device) > 16_000


def picture(line: dict[str, Any]) -> list[str] | None:
    if "panel" not in line:
        return None
    width = line["panel"]["w"]
    return [
        f"{int(row, 16):0{width}b}".replace("0", ".").replace("1", "#")
        for row in line["panel"]["rows"]
    ]


async def test_a_display_that_hangs_or_has_no_power_is_dark(hub: Hub, tmp_path: Path):
    config = config_of("call-display-p10-64x16", hub.port, settings={"blink_s": 0})
    hub.send("desired", {"rev": 5, **CALL}, retain=True)
    expected = (GOLDEN / "call-64x16.txt").read_text().split()
    async with running(config, tmp_path / "disp") as device:
        (boot,) = await hub.events("boot")
        await hub.acknowledge(boot)
        await device.until(lambda line: picture(line) == expected)
        before = len(device.said)
        asked_us = time.monotonic_ns() // 1000
        await device.device.send({"hang_ms": 1500})
        dark = await device.until(is_dark, after=before)
        back = await device.until(lambda line: picture(line) == expected, after=before)
        # 200 ms after the last frame, which was played just before.
        assert 150_000 < dark["t_us"] - asked_us < 400_000
        assert 1_200_000 < back["t_us"] - dark["t_us"] < 1_600_000
        before = len(device.said)
        await device.device.send({"power": "cut"})
        assert await device.until(is_dark, after=before)


def is_dark(line: dict[str, Any]) -> bool:
    return "panel" in line and set(line["panel"]["rows"]) == {DARK_ROW}


async def test_a_display_without_its_machine_code_says_so(
    hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(mpy, "players", lambda chip: {})
    async with running(config_of("call-display-p10-64x16", hub.port), tmp_path / "disp") as device:
        (boot,) = await hub.events("boot")
        await hub.acknowledge(boot)
        state = await hub.until_state(lambda state: "fault" in (state["shows"] or {}))
        assert "neither scan_x64 nor viper" in state["shows"]["fault"]
        assert not [line for line in device.said if "panel" in line]


async def test_a_scan_that_makes_no_sense_is_told(
    hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    class Baffled(Onlooker):
        def see(self, line: dict[str, Any]) -> dict[str, Any] | None:
            raise ValueError("scan log: ends at word 3")

    monkeypatch.setattr(sim, "Onlooker", Baffled)
    async with running(config_of("call-display-p10-64x16", hub.port), tmp_path / "disp") as device:
        line = await device.until(lambda line: "error" in line)
        assert line["error"] == "scan log: ends at word 3"


async def test_segments_show_the_call_that_is_wanted(hub: Hub, tmp_path: Path):
    hub.send("desired", {"rev": 5, **CALL}, retain=True)
    async with running(
        config_of("call-display-7seg-max7219", hub.port), tmp_path / "disp"
    ) as device:
        (boot,) = await hub.events("boot")
        await hub.acknowledge(boot)
        (shown,) = await hub.events("shown")
        assert shown["data"] == {"rev": 5}
        # A 0 1 5 from the left, as segments A B C D E F G from bit 6.
        lit = await device.until(lambda line: line.get("segments", [])[:1] == [0x77])
        assert lit["segments"][:4] == [0x77, 0x7E, 0x30, 0x5B]


async def test_an_old_call_is_not_believed_before_the_gateway_answers(hub: Hub, tmp_path: Path):
    """The broker keeps the last call while the gateway is away, and the display starts then."""
    hub.send("desired", {"rev": 5, **CALL, "ttl_s": 30}, retain=True)
    async with running(config_of("call-display-7seg-max7219", hub.port), tmp_path / "disp"):
        state = await hub.until_state(lambda state: state["rev"] == 5 and state["shows"]["view"])
        assert state["shows"]["view"] == "wait"
        (boot,) = await hub.events("boot")
        await hub.acknowledge(boot)
        (shown,) = await hub.events("shown")
        await hub.until_state(lambda state: state["shows"]["view"] == "call")
        assert shown["t"] is not None, "journalled before the gateway had answered"


async def test_people_are_counted_by_direction(hub: Hub, tmp_path: Path):
    config = config_of("people-counter-beams", hub.port)
    async with running(config, tmp_path / "counter") as device:
        await hub.events("boot")
        for deed in ({"cross": "in"}, {"turn_back": "in"}, {"cross": "out"}):
            before = len(device.said)
            await device.device.send({**deed, "ms": 500})
            if "cross" in deed:
                await device.until(lambda line: "crossed" in line, after=before)
            # Nothing tells that nobody has passed; and nobody comes within an arm's length.
            await asyncio.sleep(0.4 if "cross" in deed else 0.9)
        passages = await hub.events("passage", 2)
        assert [event["data"] for event in passages] == [{"dir": "in"}, {"dir": "out"}]


async def test_water_and_a_torn_cable_are_told_apart(hub: Hub, tmp_path: Path):
    config = config_of("wet-floor-mains", hub.port, settings={"sample_ms": 200})
    async with running(config, tmp_path / "floor") as device:
        await hub.events("boot")
        await device.device.send({"wet_ohms": 40_000})
        (wet,) = await hub.events("wet")
        # The end resistor of 470 kohm is in parallel.
        assert wet["data"]["ohms"] == pytest.approx(36_863, rel=0.02)
        for count, fault in enumerate(("open", "short"), start=1):
            await device.device.send({"probe": fault})
            codes = [event["data"]["code"] for event in await hub.events("fault", count)]
            assert codes[-1] == f"probe_{fault}"


async def test_what_a_dry_floor_conducts_is_known_after_a_restart(hub: Hub, tmp_path: Path):
    config = config_of("wet-floor-mains", hub.port, settings={"sample_ms": 200})
    async with running(config, tmp_path / "floor") as device:
        await hub.events("boot")
        await device.device.send({"wet_ohms": 150_000})  # antistatic tiles
        await asyncio.to_thread(
            hub.send, "cmd", {"id": "c1", "do": "config", "args": {"calibrate": "dry"}}
        )
        (reply,) = await hub.bodies("reply", 1)
        assert reply["result"]["dry_ohms"] == pytest.approx(113_710, rel=0.03)
        hub.send("cmd", {"id": "c2", "do": "reboot", "args": {}})
        await hub.events("boot", 2)
        # Where the uncalibrated one would say 33 kilohms.
        await device.device.send({"wet_ohms": 43_000})
        (wet,) = await hub.events("wet")
        assert wet["data"]["ohms"] == pytest.approx(54_800, rel=0.06)


async def test_rain_and_the_cleaners_button_are_told(hub: Hub, tmp_path: Path):
    config = config_of("wet-floor-mains", hub.port, settings={"sample_ms": 200})
    async with running(config, tmp_path / "floor") as device:
        await hub.events("boot")
        await device.device.send({"rain": "on"})
        (rain,) = await hub.events("rain")
        assert rain["data"] == {"on": True}
        await device.device.send({"button": 500})
        await hub.events("attended")


async def test_a_start_is_confirmed_when_the_gateway_answers(hub: Hub, tmp_path: Path):
    config = config_of("keypad-5", hub.port)
    async with running(config, tmp_path / "kp") as device:
        (boot,) = await hub.events("boot")
        assert attempts(tmp_path / "kp") == 1
        await hub.acknowledge(boot)
        await device.until_log("confirmed: ")
        assert attempts(tmp_path / "kp") == 0


def attempts(folder: Path) -> int:
    """Starts that are counted in /slot.json on the device's flash, as it is at this moment."""
    entry = partition("vfs")
    content = (folder / "flash.bin").read_bytes()[entry.offset : entry.offset + entry.size]
    disk = LittleFS(block_size=4096, block_count=entry.size // 4096, mount=False)
    disk.context.buffer = bytearray(content)
    disk.mount()
    with disk.open("/slot.json", "r") as file:
        return json.load(file).get("attempts", 0)


async def test_commands_are_done_and_answered(hub: Hub, tmp_path: Path):
    async with running(config_of("keypad-5", hub.port), tmp_path / "kp") as device:
        await hub.events("boot")
        for number, (do, args) in enumerate(
            [
                ("identify", {}),
                ("selftest", {}),
                ("config", {}),
                ("config", {"set": 1}),
                ("update", {}),
                ("reboot", {}),
            ]
        ):
            hub.send("cmd", {"id": f"c{number}", "do": do, "args": args})
        replies = {reply["id"]: reply for reply in await hub.bodies("reply", 6)}
        assert replies["c0"] == {"id": "c0", "ok": True, "result": {}}
        assert replies["c1"]["result"] == {"keys_released": True, "journal": True}
        told = replies["c2"]["result"]
        assert (told["profile"], told["role"]) == ("keypad-5", "keypad")
        assert told["settings"]["debounce_ms"] == 20
        assert replies["c3"]["error"] == "config can only be read here, without args"
        assert replies["c4"]["result"]["state"]["s"] == "idle"
        assert replies["c5"]["result"] == {"in_ms": 1000}
        await device.until(lambda line: line.get("reset") == "soft")
        _, boot = await hub.events("boot", 2)
        assert boot["data"] == {"cause": "soft"}
        assert (boot["boot"], boot["seq"]) == (2, 2)


async def test_over_tls_with_its_own_key(tmp_path: Path):
    key = "00112233445566778899aabbccddeeff"
    with (
        Mosquitto(tmp_path / "broker", psk={"dev-1": key}) as broker,
        PlainClient(broker.port, ["device/#"], name="watcher") as client,
    ):
        hub = Hub(broker, client)
        config = config_of("keypad-5", broker.psk_port, tls="psk")
        async with running(config, tmp_path / "kp", psk=key) as device:
            await hub.events("boot")
            print(f"keypad-5 with TLS: {await free_heap(device)} bytes of heap free")
