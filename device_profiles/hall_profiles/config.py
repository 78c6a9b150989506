"""The config a device boots from, compiled from its profile and its place in the hall.

Here: the content of `/config.json` on the device. Not here: secrets (they live in the `ident`
partition) and writing it to flash.
"""

import re
from collections.abc import Mapping
from typing import Literal

from hall_profiles.errors import ConfigError
from hall_profiles.model import Profile

#: The version of the config's shape, checked by the firmware.
CONFIG_VERSION = 1

_ID = re.compile(r"[a-z0-9][a-z0-9-]{0,31}")


def compile_config(
    profile: Profile,
    *,
    device: str,
    hall: str,
    broker_host: str,
    broker_port: int,
    tls: Literal["none", "psk"] = "none",
    settings: Mapping[str, int] | None = None,
) -> dict[str, object]:
    """The config of one device: JSON-serialisable, under 4 KB.

    `settings` overrides values of the profile's settings, in the profile's units and within its
    ranges. Raises ConfigError naming everything that is wrong and what would be right.
    """
    raise ConfigError("")
