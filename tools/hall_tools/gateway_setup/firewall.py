"""The steps that have the kernel limit what one address sends to the devices' broker.

Here: the limit, its files and its service. Not here: how a step is done (steps.py), limits for what
reaches the gateway (hall_gateway.quarantine).
"""

from collections.abc import Sequence
from importlib.resources import files
from string import Template

from hall_gateway.config_links import BrokerConfig

from hall_tools.gateway_setup import layout
from hall_tools.gateway_setup.machine import CommandError, Machine
from hall_tools.gateway_setup.notes import Note
from hall_tools.gateway_setup.steps import Call, File, Step

RATE_KB, BURST_KB = 128, 256
"""KiB a second of one address, and at once. An honest device has a full journal to say at most,
which is 1,023 events of fewer than 250 bytes with all that TCP and TLS add, and gets on with it as
fast as it is acked, 8 events at a time. The smallest message has some 29 bytes, so a flood is 9,000
messages at once and 4,500 a second at most; docs/security.md has what that does to others."""
NFT = "/usr/sbin/nft"
UNIT = f"{layout.UNITS}/{layout.FIREWALL_SERVICE}"
_ENABLED = f"{layout.UNITS}/multi-user.target.wants/{layout.FIREWALL_SERVICE}"
_TABLE = (NFT, "list", "table", "inet", "hallkit")


def firewall_steps(broker: BrokerConfig) -> list[Step]:
    """All but its start."""
    return [
        File(layout.FIREWALL, rules(broker)),
        File(UNIT, _fill(layout.FIREWALL_SERVICE, program=NFT, rules=layout.FIREWALL)),
        Call(f"start {layout.FIREWALL_SERVICE} at boot", _enable_due, _enable),
    ]


def rules(broker: BrokerConfig) -> str:
    """What nft reads."""
    port, rate, burst = str(broker.device_port), str(RATE_KB), str(BURST_KB)
    return _fill("firewall.nft", port=port, rate=rate, burst=burst)


def firewall_start(machine: Machine) -> list[Step]:
    """Have it work, where it can."""
    if not machine.path(NFT).exists():
        return []
    return [Call(f"restart {layout.FIREWALL_SERVICE}", _start_due, _start)]


def firewall_notes(machine: Machine) -> list[Note]:
    if machine.path(NFT).exists():
        return []
    return [
        Note(
            f"{NFT} is not there, so nothing limits what one address sends to mosquitto, and "
            "whoever floods it keeps all devices waiting",
            "run: sudo apt-get install nftables; then: sudo hall gateway setup",
        )
    ]


def _start_due(machine: Machine, done: Sequence[str]) -> str | None:
    if changed := sorted({layout.FIREWALL, UNIT}.intersection(done)):
        return f"reads {', '.join(changed)} anew"
    if not machine.is_root:
        return None  # only root may ask
    try:
        machine.run(*_TABLE)
    except CommandError:
        return "its rules are not in the kernel"
    return None


def _start(machine: Machine) -> None:
    machine.run("systemctl", "restart", layout.FIREWALL_SERVICE)


def _enable_due(machine: Machine, _done: Sequence[str]) -> str | None:
    return None if machine.path(_ENABLED).is_symlink() else "not enabled"


def _enable(machine: Machine) -> None:
    machine.run("systemctl", f"--root={machine.root}", "enable", layout.FIREWALL_SERVICE)


def _fill(template: str, **values: str) -> str:
    text = (files("hall_tools.gateway_setup") / "templates" / template).read_text(encoding="utf-8")
    return Template(text).substitute(values)
