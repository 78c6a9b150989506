"""The [home_assistant] table: the broker where a Home Assistant finds the hall.

Here: the model. Not here: what is published there (home_assistant.py).
"""

from pydantic import Field

from hall_gateway.config_links import MqttConfig


class HomeAssistantConfig(MqttConfig):
    """Home Assistant's broker, which may be any of the others too."""

    discovery_prefix: str = Field(
        default="homeassistant",
        pattern=r"^[A-Za-z0-9_-]{1,64}(/[A-Za-z0-9_-]{1,64}){0,3}$",
        description='as Home Assistant has it, "homeassistant" unless somebody changed it',
    )
