"""Device profiles: one YAML file a device model, loaded, checked and compiled.

    profile = load("keypad-5")
    config = compile_config(profile, device="kp-1", hall="demo",
                            broker_host="127.0.0.1", broker_port=1883)
    validate_event(profile, "press", {"key": 5, "session": None})

Here: the package's public names. A profile is the single source for a device's pins, driver,
settings, events and states: whatever needs one of these asks here.
"""

from hall_profiles.common import (
    COMMON_DESIRED,
    COMMON_EVENTS,
    MARKS,
    PAYLOAD_BYTES,
    SAFE_MODE,
)
from hall_profiles.config import compile_config
from hall_profiles.errors import ConfigError, PayloadError, Problem, ProfileError
from hall_profiles.loader import builtin_names, load
from hall_profiles.model import Profile, Setting
from hall_profiles.payloads import validate_desired, validate_event

__all__ = [
    "COMMON_DESIRED",
    "COMMON_EVENTS",
    "MARKS",
    "PAYLOAD_BYTES",
    "SAFE_MODE",
    "ConfigError",
    "PayloadError",
    "Problem",
    "Profile",
    "ProfileError",
    "Setting",
    "builtin_names",
    "compile_config",
    "load",
    "validate_desired",
    "validate_event",
]
