"""ThingsBoard IoT Gateway among the compared systems: MQTT, its SQLite storage, MQTT.

Here: its settings, the little of a ThingsBoard that it asks for before it sends, and where it
lives. Not here: starting it without its wish for updates (gateway_peer.py).

It has an environment of its own, `build/peers`, for it needs another paho under the same name.
"""

import json
import re
from collections.abc import Iterable
from pathlib import Path

import hall_tools
from hall_tools.bench import gateway_peer
from hall_tools.bench.gateway_load import Id
from hall_tools.bench.gateway_processes import Broker, Process
from hall_tools.bench.gateway_systems import Place
from hall_tools.bench.gateway_wire import Wire

PYTHON = Path(hall_tools.__file__).parents[2] / "build" / "peers" / "bin" / "python"
"""Of the environment that `make build/peers` makes."""

TELEMETRY = "v1/gateway/telemetry"

_NO_LIMITS = {"messages": "", "telemetryMessages": "", "telemetryDataPoints": ""}
_SESSION = {
    "maxPayloadSize": 65536,
    "maxInflightMessages": 1000,
    "rateLimits": _NO_LIMITS,
    "gatewayRateLimits": _NO_LIMITS,
}
"""What a ThingsBoard without limits answers to getSessionLimits."""


class ThingsBoard:
    """thingsboard_gateway 3.8.5 with its SQLite storage, set up to keep what it can: a persistent
    session at the devices' broker, QoS 1 on both sides, no rate limits."""

    name = "ThingsBoard gateway"
    acks = False

    def __init__(self, place: Place) -> None:
        self.listens = [TELEMETRY]
        self.broker: Broker | None = Broker(place.folder, "devices", place.devices)
        config = place.folder / "config"
        config.mkdir(parents=True)
        (place.folder / "logs").mkdir()
        (place.folder / "data").mkdir()
        for name, settings in (
            ("tb_gateway.json", _gateway(place)),
            ("mqtt.json", _connector(place)),
            ("logs.json", _LOGS),
            ("connected_devices.json", {}),
        ):
            (config / name).write_text(json.dumps(settings, indent=1))
        self.process = Process(
            place.folder,
            "thingsboard",
            [str(PYTHON), "-I", str(gateway_peer.__file__)],
            {"TB_GW_CONFIG_DIR": f"{config}/"},
        )

    def read(self, topic: str, payload: bytes) -> Iterable[Id]:
        found: list[Id] = []
        for device, records in json.loads(payload).items():
            for record in records:
                values = record.get("values", record)
                if "seq" in values:
                    found.append((device, int(values["seq"])))
        return found


class Platform:
    """Answers what the gateway asks of a ThingsBoard; without that it sends no telemetry."""

    subscriptions = (
        "v1/devices/me/rpc/request/+",
        "v1/devices/me/attributes/request/+",
        "v1/gateway/attributes/request",
    )

    def __init__(self) -> None:
        self.wire: Wire | None = None

    def heard(self, topic: str, payload: bytes, _now: float) -> None:
        assert self.wire is not None
        asked = json.loads(payload or b"{}")
        if found := re.fullmatch(r"v1/devices/me/rpc/request/(\w+)", topic):
            answer = _SESSION if asked.get("method") == "getSessionLimits" else {}
            self.wire.publish(f"v1/devices/me/rpc/response/{found[1]}", json.dumps(answer).encode())
        elif found := re.fullmatch(r"v1/devices/me/attributes/request/(\w+)", topic):
            self.wire.publish(f"v1/devices/me/attributes/response/{found[1]}", b"{}")
        else:
            about = {"id": asked.get("id"), "device": asked.get("device")}
            self.wire.publish("v1/gateway/attributes/response", json.dumps(about).encode())


def _gateway(place: Place) -> dict[str, object]:
    return {
        "thingsboard": {
            "host": "127.0.0.1",
            "port": place.hall,
            "remoteShell": False,
            "remoteConfiguration": False,
            "statistics": {"enable": False},
            "deviceFiltering": {"enable": False},
            "maxPayloadSizeBytes": 65536,
            "minPackSendDelayMS": 50,
            "minPackSizeToSend": 500,
            "checkConnectorsConfigurationInSeconds": 60,
            "handleDeviceRenaming": False,
            "security": {"type": "accessToken", "accessToken": "bench"},
            "qos": 1,
            "reportStrategy": {"type": "ON_RECEIVED"},
            "checkingDeviceActivity": {"checkDeviceInactivity": False},
        },
        "storage": {
            "type": "sqlite",
            "data_file_path": f"{place.folder}/data/data.db",
            "messages_ttl_check_in_hours": 1,
            "messages_ttl_in_days": 7,
            "max_read_records_count": 1000,
            "size_limit": 1024,
            "max_db_amount": 10,
        },
        "grpc": {"enabled": False},
        "connectors": [
            {"type": "mqtt", "name": "devices", "configuration": "mqtt.json", "id": "devices"}
        ],
    }


def _connector(place: Place) -> dict[str, object]:
    return {
        "broker": {
            "host": "127.0.0.1",
            "port": place.devices,
            "clientId": "thingsboard",
            "version": 4,
            "maxMessageNumberPerWorker": 10,
            "maxNumberOfWorkers": 100,
            "cleanSession": False,
            "security": {"type": "anonymous"},
        },
        "mapping": [
            {
                "topicFilter": "device/v1/+/up/event",
                "subscriptionQos": 1,
                "converter": {
                    "type": "json",
                    "deviceInfo": {
                        "deviceNameExpressionSource": "topic",
                        "deviceNameExpression": "(?<=device/v1/)(.*?)(?=/up/event)",
                        "deviceProfileExpressionSource": "constant",
                        "deviceProfileExpression": "counter",
                    },
                    "sendDataOnlyOnChange": False,
                    "timeout": 60000,
                    "attributes": [],
                    "timeseries": [
                        {"type": "integer", "key": "seq", "value": "${seq}"},
                        {"type": "string", "key": "dir", "value": "${data.dir}"},
                    ],
                },
            }
        ],
        "requestsMapping": {},
    }


_LOGS: dict[str, object] = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"plain": {"format": "%(asctime)s %(levelname)s %(name)s %(message)s"}},
    "handlers": {"consoleHandler": {"class": "logging.StreamHandler", "formatter": "plain"}},
    "loggers": {
        name: {"handlers": ["consoleHandler"], "level": "WARNING", "propagate": False}
        for name in (
            *("service", "database", "connector", "converter", "tb_connection", "storage"),
            *("extension", "statistics"),
        )
    },
    "root": {"level": "ERROR", "handlers": ["consoleHandler"]},
    "ts": 0,
}
