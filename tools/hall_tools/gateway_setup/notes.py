"""What setup cannot mend by itself, and who can, how.

Here: looking for it. Not here: what setup does (plan.py).
"""

import sys
from dataclasses import dataclass
from pathlib import Path

from hall_gateway.config import GatewayConfig
from hall_gateway.config_links import BrokerConfig

from hall_tools.gateway_setup import layout
from hall_tools.gateway_setup.machine import Machine


@dataclass(frozen=True)
class Note:
    text: str
    advice: str


def notes(machine: Machine, settings: GatewayConfig, program: Path) -> list[Note]:
    """All of them, as it is now."""
    found = [*_settings_notes(settings.broker), *_header_notes(machine, settings)]
    return [*found, *_program_notes(machine, program)]


def _settings_notes(broker: BrokerConfig) -> list[Note]:
    if broker.username is None:
        return [
            Note(
                f"{layout.CONFIG}: [broker] has no login, and mosquitto lets nobody in without",
                'add username = "gateway" and password_file = "broker.password"',
            )
        ]
    return []


def _header_notes(machine: Machine, settings: GatewayConfig) -> list[Note]:
    if machine.has_group(layout.GPIO_GROUP):
        return []
    return [
        Note(
            f"{own.id}: this machine has no group {layout.GPIO_GROUP}, so the gateway may not use "
            "the header, and the display stays dark",
            "use Raspberry Pi OS, which has it; or let an ESP32 drive the display",
        )
        for own in settings.own_displays()
    ]


def _program_notes(machine: Machine, program: Path) -> list[Note]:
    """Whether the service's user can get at the program, which may lie in somebody's home."""
    account = machine.account(layout.USER)
    parts = (program, Path(sys.executable).resolve(), Path(__file__))
    if account is None or machine.root != Path("/"):
        return []
    return [
        Note(
            f"{part}: user {layout.USER} cannot get there, so the service cannot start",
            "install Hallkit where all may read, e.g. /opt/hallkit, and run setup from there",
        )
        for part in parts
        if not account.may(part, 5 if part is not parts[2] else 4)
    ][:1]
