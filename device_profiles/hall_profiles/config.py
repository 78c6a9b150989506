"""The config a device starts with, compiled from its profile and its place in the hall.

Here: the content of `/config.json` on the device; of a display that is a part of the gateway, the
same in memory. Not here: secrets (they live in the `ident` partition) and writing it to flash.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Literal

from hall_profiles.errors import ConfigError
from hall_profiles.model import Profile
from hall_profiles.roles import ROLES, order_faults
from hall_profiles.shape import show, suggest

#: The version of the config's shape, checked by the firmware.
CONFIG_VERSION = 1

#: The gateway's own id in events that it originates; no device may take it.
RESERVED_DEVICE = "gateway"

_ID = re.compile(r"[a-z0-9][a-z0-9-]{0,31}")


def compile_config(
    profile: Profile,
    *,
    device: str,
    hall: str,
    broker_host: str,
    broker_port: int,
    tls: Literal["none", "psk"] = "none",
    settings: Mapping[str, object] | None = None,
    bench: bool = True,
    static_ip: tuple[str, str, str] | None = None,
) -> dict[str, object]:
    """The config of one device: JSON-serialisable, under 4 KB.

    `settings` overrides values of the profile's settings, in the profile's units and within its
    ranges. What is a part of the gateway has no `broker`; what speaks CoAP has a `gateway` in its
    place, and `broker_host` and `broker_port` are the gateway's own then. Without `bench` Ctrl-C on
    the serial line never stops the device, not even right after its start. `static_ip`: address,
    netmask and router; without it the device asks DHCP. Raises ConfigError, one line for each thing
    that is wrong, with what would be right.
    """
    overrides = settings or {}
    wrong = [
        *_wrong_place(device, hall, broker_host, broker_port),
        *_wrong_settings(profile, overrides),
    ]
    if wrong:
        raise ConfigError("\n".join(wrong))
    values = {name: setting.value for name, setting in profile.settings.items()}
    config: dict[str, object] = {
        "v": CONFIG_VERSION,
        "device": device,
        "hall": hall,
        "profile": profile.name,
        "profile_version": profile.version,
        "chip": profile.board.chip,
        "role": profile.role,
        "transport": profile.transport,
        "driver": profile.driver.model_dump(exclude_none=True),
        "pins": dict(profile.pins),
        "settings": {**values, **overrides},
    }
    if not bench:
        config["bench"] = False
    if static_ip is not None:
        config["ip"] = list(static_ip)
    if profile.transport == "coap":
        config["gateway"] = {"host": broker_host, "port": broker_port}
    elif profile.transport == "mqtt":
        config["broker"] = {"host": broker_host, "port": broker_port, "tls": tls}
    return config


def _wrong_place(device: str, hall: str, host: str, port: int) -> Iterator[str]:
    for what, name in (("device", device), ("hall", hall)):
        if not _ID.fullmatch(name):
            yield f"{what} {show(name)} is no id; right: a-z, 0-9 and -, at most 32, no - first"
    if device == RESERVED_DEVICE:
        yield f"device {show(device)} is the gateway's own id; right: another, such as disp-1"
    if not host or len(host) > 253 or not host.isprintable() or " " in host:
        yield f"broker host {show(host)} is no address; right: an IP address or a host name"
    if not 1 <= port <= 65535:
        yield f"broker port {port} is no TCP port; right: 1 to 65535"


def _wrong_settings(profile: Profile, overrides: Mapping[str, object]) -> Iterator[str]:
    values = {name: setting.value for name, setting in profile.settings.items()}
    for name, value in overrides.items():
        setting = profile.settings.get(name)
        if setting is None:
            yield (
                f"setting {name} is none of {profile.name}; right: "
                f"{suggest(name, profile.settings)}"
            )
        elif type(value) is not int or not setting.min <= value <= setting.max:
            legal = f"an integer from {setting.min} to {setting.max} {setting.unit}"
            yield f"setting {name} is {show(value)}; right: {legal}"
        else:
            values[name] = value
    for name, what, right in order_faults(ROLES[profile.role], values):
        yield f"setting {name} {what}; right: {right}"
