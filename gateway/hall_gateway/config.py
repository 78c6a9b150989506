"""The gateway's settings: one TOML file, checked as a whole before anything starts.

Here: the whole file, the rules between its tables, and reading it. Not here: the tables
(config_links.py, config_hall.py), how a TOML error is worded (toml_input.py), and what a device
model can do (hall_profiles).
"""

from collections.abc import Iterator
from functools import cache
from pathlib import Path

import hall_profiles
from hall_profiles import Profile, ProfileError, compile_config
from pydantic import Field, model_validator

from hall_gateway.config_base import ID_RULE, FilePath, Id, Settings
from hall_gateway.config_console import ConsoleConfig
from hall_gateway.config_figures import FiguresConfig
from hall_gateway.config_hall import (
    DeviceConfig,
    OccupancyConfig,
    RatingConfig,
    StaffConfig,
    WindowConfig,
)
from hall_gateway.config_home_assistant import HomeAssistantConfig
from hall_gateway.config_http import HttpConfig
from hall_gateway.config_jetstream import JetStreamConfig
from hall_gateway.config_limits import LimitsConfig
from hall_gateway.config_links import BrokerConfig, CoapConfig, UpstreamConfig
from hall_gateway.config_rules import RulesConfig
from hall_gateway.config_updates import UpdatesConfig
from hall_gateway.config_webhooks import WebhookConfig
from hall_gateway.release_store import FOLDER
from hall_gateway.toml_input import Loc, ProblemsError, nearest, read_toml

GATEWAY_ID = "gateway"
"""The gateway's own device id, for events that it originates itself."""


class StoreConfig(Settings):
    """Where events are kept. At `max_mb` the gateway stops acking, so devices hold their events."""

    path: FilePath = Field(description='the SQLite file, e.g. "hall.db"')
    max_mb: int = Field(
        default=512,
        ge=1,
        le=1_000_000,
        description="the most the store may use, in MB, 1 to 1000000",
    )


class GatewayConfig(Settings):
    """Everything `hall gateway run` needs to know."""

    hall: Id = Field(description=ID_RULE)
    store: StoreConfig = Field(description='a [store] table with path = "hall.db"')
    broker: BrokerConfig = Field(default=BrokerConfig(), description="a [broker] table")
    upstream: UpstreamConfig = Field(description="an [upstream] table: the hall system's broker")
    coap: CoapConfig | None = Field(default=None, description="a [coap] table")
    http: HttpConfig | None = Field(default=None, description="an [http] table")
    windows: tuple[WindowConfig, ...] = Field(
        default=(), alias="window", strict=False, description="[[window]] tables"
    )
    devices: tuple[DeviceConfig, ...] = Field(
        default=(), alias="device", strict=False, description="[[device]] tables"
    )
    rating: RatingConfig = Field(default=RatingConfig(), description="a [rating] table")
    staff: StaffConfig | None = Field(default=None, description="a [staff] table")
    occupancy: OccupancyConfig = Field(
        default=OccupancyConfig(), description="an [occupancy] table"
    )
    webhooks: tuple[WebhookConfig, ...] = Field(
        default=(), alias="webhook", strict=False, description="[[webhook]] tables"
    )
    jetstream: JetStreamConfig | None = Field(
        default=None, description="a [jetstream] table: the back office's NATS servers"
    )
    rules: RulesConfig | None = Field(default=None, description="a [rules] table")
    figures: FiguresConfig = Field(default=FiguresConfig(), description="a [figures] table")
    home_assistant: HomeAssistantConfig | None = Field(
        default=None, description="a [home_assistant] table: the broker where it finds the hall"
    )
    console: ConsoleConfig = Field(default=ConsoleConfig(), description="a [console] table")
    limits: LimitsConfig = Field(default=LimitsConfig(), description="a [limits] table")
    updates: UpdatesConfig = Field(default=UpdatesConfig(), description="an [updates] table")

    def compiled(self, device: DeviceConfig) -> dict[str, object]:
        """The config of a device, as hall_profiles.compile_config makes it, and its errors."""
        return compile_config(
            load_profile(device.profile),
            device=device.id,
            hall=self.hall,
            broker_host=self.broker.host,
            broker_port=self.broker.port,
            settings=device.settings,
            static_ip=device.static_ip,
        )

    @property
    def releases(self) -> Path:
        """The folder of the devices' releases."""
        return self.updates.folder or self.store.path.with_name(FOLDER)

    def coap_devices(self) -> list[DeviceConfig]:
        """The devices that speak CoAP, and are not revoked."""
        spoken = [d for d in self.devices if load_profile(d.profile).transport == "coap"]
        return [device for device in spoken if not device.revoked]

    def own_displays(self) -> list[DeviceConfig]:
        """The devices that hang on this machine's own header."""
        own = [d for d in self.devices if load_profile(d.profile).transport == "gateway"]
        return [device for device in own if not device.revoked]

    @model_validator(mode="after")
    def _whole(self) -> "GatewayConfig":
        checks = (self._duplicates(), self._places(), self._profiles(), self._areas())
        if problems := [problem for check in checks for problem in check]:
            raise ProblemsError(problems)
        return self

    def _duplicates(self) -> Iterator[tuple[Loc, str]]:
        windows = [window.id for window in self.windows]
        devices = [device.id for device in self.devices]
        addresses = [device.ip for device in self.devices]
        for index, ip in enumerate(addresses):
            if ip is not None and ip in addresses[:index]:
                text = f'"{ip}" is already the ip of device[{addresses.index(ip) + 1}]'
                yield ("device", index, "ip"), f"{text}; give each its own"
        webhooks = [webhook.id for webhook in self.webhooks]
        for table, ids in (("window", windows), ("device", devices), ("webhook", webhooks)):
            for index, name in enumerate(ids):
                if name in ids[:index]:
                    first = ids.index(name) + 1
                    text = f'"{name}" is already the id of {table}[{first}]; give each its own'
                    yield (table, index, "id"), text

    def _places(self) -> Iterator[tuple[Loc, str]]:
        windows = {window.id for window in self.windows}
        devices = {device.id for device in self.devices}
        for index, device in enumerate(self.devices):
            if device.replaces in devices:
                text = f'"{device.replaces}" is still a [[device]]; remove one of the two'
                yield ("device", index, "replaces"), text
            if device.id == GATEWAY_ID:
                yield (
                    ("device", index, "id"),
                    f'"{GATEWAY_ID}" is the gateway\'s own id; choose another, e.g. "disp-1"',
                )
            if (device.window is None) == (device.zone is None):
                yield (
                    ("device", index),
                    "a device stands at a window or in a zone; give exactly one of them",
                )
            if device.window is not None and device.window not in windows:
                near = nearest(device.window, windows)
                text = f'no [[window]] has the id "{device.window}"; {near}'
                yield ("device", index, "window"), text

    def _areas(self) -> Iterator[tuple[Loc, str]]:
        zones = {device.zone for device in self.devices if device.zone is not None}
        for index, area in enumerate(self.occupancy.areas):
            if area not in zones:
                near = nearest(area, zones)
                text = f'no [[device]] stands in a zone "{area}"; {near}'
                yield ("occupancy", "areas", index), text

    def _profiles(self) -> Iterator[tuple[Loc, str]]:
        keypads: dict[str, int] = {}
        panel: str | None = None
        for index, device in enumerate(self.devices):
            try:
                profile = load_profile(device.profile)
            except ProfileError as error:
                yield ("device", index, "profile"), str(error)
                continue
            if profile.transport == "coap" and self.coap is None:
                text = (
                    f"{profile.name} speaks CoAP; add a [coap] table, for the gateway to speak it"
                )
                yield ("device", index, "profile"), text
            elif profile.transport == "gateway" and not device.revoked:
                if panel is not None:
                    text = f'this machine\'s header drives one panel, which is "{panel}" already'
                    yield ("device", index, "profile"), text
                panel = panel or device.id
            try:
                self.compiled(device)
            except hall_profiles.ConfigError as error:
                yield ("device", index, "settings"), str(error)
            if profile.role != "keypad" or device.revoked:
                continue
            if device.window is None:
                yield ("device", index), 'a keypad rates a window; give window = "..."'
            elif (first := keypads.setdefault(device.window, index)) != index:
                text = (
                    f'window "{device.window}" has the keypad "{self.devices[first].id}" already; '
                    "a window has at most one"
                )
                yield ("device", index, "window"), text


@cache
def load_profile(name: str) -> Profile:
    """The built-in profile of that name, read once. Raises ProfileError."""
    return hall_profiles.load(name)


def load_config(path: Path, *, secrets: bool = True) -> GatewayConfig:
    """The settings in the TOML file at `path`; relative paths in it start at its folder.

    Without `secrets` no file is opened that only the gateway's own user may read: nobody is known
    of the staff then. Raises ConfigError, with one line for every error.
    """
    return read_toml(path, GatewayConfig, "docs/gateway.example.toml", secrets=secrets)
