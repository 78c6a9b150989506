"""The steps that make a machine a hall's gateway.

Here: which steps, in which order, and what is in the files. Not here: how a step is done
(steps.py), a file's fixed text (templates/), what setup cannot do (notes.py).
"""

import json
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from string import Template

from hall_gateway.config import GatewayConfig, load_config
from hall_gateway.config_links import BrokerConfig
from hall_gateway.keys import KeyStore, KeyStoreError
from hall_gateway.toml_input import ConfigError, parse_toml
from hall_panel.raspberry_pi import DEVICE as GPIO_DEVICE

from hall_tools.errors import UserError
from hall_tools.gateway_setup import layout
from hall_tools.gateway_setup.broker_files import differences
from hall_tools.gateway_setup.console import UNIT as CONSOLE_UNIT
from hall_tools.gateway_setup.console import console_steps
from hall_tools.gateway_setup.firewall import UNIT as FIREWALL_UNIT
from hall_tools.gateway_setup.firewall import firewall_notes, firewall_start, firewall_steps
from hall_tools.gateway_setup.logins import fits, hashed, new_password
from hall_tools.gateway_setup.machine import CommandError, Machine
from hall_tools.gateway_setup.notes import Note, notes
from hall_tools.gateway_setup.steps import Call, File, Folder, Later, Secret, Settings, Step, User

_HOMES = (Path("/home"), Path("/root"), Path("/run/user"))
_UNIT = f"{layout.UNITS}/{layout.SERVICE}"
_ADDRESSES = ("ip", "-json", "-4", "address", "show", "scope", "global")
_ENABLED = f"{layout.UNITS}/multi-user.target.wants/{layout.SERVICE}"


@dataclass(frozen=True)
class Plan:
    """`steps`; `notes` are looked for anew at each call, so ask after the steps are done."""

    steps: Sequence[Step]
    notes: Callable[[], Sequence[Note]]


def make_plan(machine: Machine, program: Path) -> Plan:
    """What it takes to make `machine` a gateway whose `hall` is `program`.

    Raises UserError when the hall.toml that is there cannot be used.
    """
    settings = _settings(machine)
    broker = settings.broker
    username = broker.username or "gateway"
    password = str(broker.password_file or Path(layout.FOLDER, "broker.password"))
    steps: list[Step] = [
        User(layout.USER, "Hallkit gateway", layout.STATE),
        Folder(layout.FOLDER, "root", 0o755),
        Folder(f"{layout.FOLDER}/{layout.KEYS}", layout.USER, 0o700),
        Folder(_broker_file(""), layout.BROKER_USER, 0o700),
        Folder(layout.STATE, layout.USER, 0o750),
        Settings(layout.CONFIG, _fill("hall.toml", device_host=_device_host(machine))),
        *_logins(machine, username, password),
        Call(f"{_broker_file('psk')} and acl", _keys_due, _write_keys),
        File(layout.BROKER_CONF, broker_conf(broker)),
        File(layout.BROKER_DROP_IN, _text("mosquitto.service.conf")),
        File(layout.JOURNAL, _text("journald.conf")),
        File(_UNIT, unit(settings, program, machine.has_group(layout.GPIO_GROUP))),
        Call(f"start {layout.SERVICE} at boot", _enable_due, _enable),
        *firewall_steps(broker),
        *console_steps(settings, program, _protect_home(program)),
        *_services(machine),
    ]

    def left() -> Sequence[Note]:
        return [*notes(machine, settings, program), *firewall_notes(machine)]

    return Plan(steps, left)


def broker_conf(broker: BrokerConfig) -> str:
    """mosquitto's file, with the listeners where the gateway and the devices look for them."""
    return _fill(
        "mosquitto.conf",
        local_port=str(broker.port),
        psk_port=str(broker.device_port),
        folder=_broker_file(""),
    )


def gateway_access(username: str) -> str:
    """mosquitto's access list of the gateway."""
    return _fill("acl.gateway", username=username)


def unit(settings: GatewayConfig, program: Path, gpio_group: bool) -> str:
    """The gateway's service file, for what these settings have it do, on a machine with the group
    gpio or without. systemd starts no service with a group that is not there."""
    store = settings.store.path.parent
    elsewhere = not store.is_relative_to(layout.STATE)
    hardware = ["PrivateDevices=true", "RestrictRealtime=true", "SystemCallFilter=~@resources"]
    if settings.own_displays():
        hardware = [
            "# A display on this machine's own header: its registers, a refresh that goes first.",
            *([f"SupplementaryGroups={layout.GPIO_GROUP}"] if gpio_group else []),
            "LimitRTPRIO=1",
            "DevicePolicy=closed",
            f"DeviceAllow={GPIO_DEVICE} rw",
        ]
    return _fill(
        layout.SERVICE,
        program=str(program),
        config=layout.CONFIG,
        home=_protect_home(program),
        writable=f"ReadWritePaths={store}\n" if elsewhere else "",
        hardware="\n".join(hardware) + "\n",
    )


def _protect_home(program: Path) -> str:
    return "read-only" if any(map(program.is_relative_to, _HOMES)) else "true"


def own_program() -> Path:
    """The `hall` that runs now. Raises UserError when it was not installed."""
    program = Path(sys.executable).with_name("hall")
    if not program.exists():
        raise UserError(
            f"{program}: is not there, and a service needs it: install Hallkit, see "
            "docs/installer.md",
            os.EX_UNAVAILABLE,
        )
    return program


def _settings(machine: Machine) -> GatewayConfig:
    """Of the hall.toml that is there, or of the one that setup would write; paths as the machine
    itself knows them."""
    path = machine.path(layout.CONFIG)
    try:
        if path.exists():
            load_config(path)  # its errors name the file as it can be found now
            text = path.read_text(encoding="utf-8")
        else:
            text = _fill("hall.toml", device_host="")
        return parse_toml(text, GatewayConfig, Path(layout.CONFIG))
    except ConfigError as error:
        raise UserError(str(error), os.EX_CONFIG) from None


def _device_host(machine: Machine) -> str:
    """The line of hall.toml with this machine's address, where there is one and only one."""
    if machine.root == Path("/"):
        try:
            told = json.loads(machine.run(*_ADDRESSES))
            listed = [address for link in told for address in link.get("addr_info", ())]
            found = [address["local"] for address in listed if "local" in address]
        except (CommandError, ValueError):
            found = []
        if len(found) == 1:
            return f'device_host = "{found[0]}"'
    return '# device_host = "192.168.1.10"'


def _logins(machine: Machine, username: str, password: str) -> list[Step]:
    """The gateway's password, mosquitto's hash of it, and what it may do there."""

    def known() -> str:
        text = machine.path(password).read_text(encoding="utf-8")
        return text.partition("\n")[0]

    def right(content: str) -> bool:
        try:
            return fits(content, username, known())
        except OSError:
            return False

    return [
        Secret(password, layout.USER, lambda text: bool(text.strip()), _password, "is empty"),
        Secret(
            _broker_file("passwd"),
            layout.BROKER_USER,
            right,
            lambda: hashed(username, known()),
            "does not fit the gateway's password",
        ),
        File(_broker_file("acl.gateway"), gateway_access(username), layout.BROKER_USER, 0o600),
    ]


def _password() -> str:
    return f"{new_password()}\n"


def _keys_due(machine: Machine, _done: Sequence[str]) -> str | None:
    folder = machine.path(layout.FOLDER)
    try:
        wrong = differences(KeyStore(folder / layout.KEYS).devices(), folder / layout.BROKER_FOLDER)
    except (KeyStoreError, PermissionError) as error:
        if not machine.is_root:
            return "cannot be read: run with sudo"
        raise UserError(str(error)) from None
    if wrong and all(text.endswith("is missing") for text in wrong):
        return "new"
    return "; ".join(wrong) or None


def _write_keys(machine: Machine) -> None:
    folder = machine.path(layout.FOLDER)
    try:
        KeyStore(folder / layout.KEYS).write_mosquitto(folder / layout.BROKER_FOLDER)
    except KeyStoreError as error:
        raise UserError(str(error)) from None
    if machine.live:
        # A mosquitto that does not run reads them when it starts.
        machine.run("systemctl", "try-reload-or-restart", layout.BROKER_SERVICE)


def _enable_due(machine: Machine, _done: Sequence[str]) -> str | None:
    return None if machine.path(_ENABLED).is_symlink() else "not enabled"


def _enable(machine: Machine) -> None:
    machine.run("systemctl", f"--root={machine.root}", "enable", layout.SERVICE)


def _services(machine: Machine) -> list[Step]:
    """Have the services run, and with the files that were written."""
    if not machine.live:
        why = "systemd does not run this machine now: they start when it boots"
        services = f"{layout.BROKER_SERVICE}, {layout.SERVICE} and {layout.CONSOLE_SERVICE}"
        return [Later(f"start {layout.FIREWALL_SERVICE}, {services}", why)]
    broker = {layout.BROKER_CONF, _broker_file("passwd"), _broker_file("acl.gateway")}
    units = {_UNIT, CONSOLE_UNIT, FIREWALL_UNIT, layout.BROKER_DROP_IN}
    return [
        Call(
            "systemctl daemon-reload",
            lambda _, done: "units are new" if units.intersection(done) else None,
            lambda machine: machine.run("systemctl", "daemon-reload"),
        ),
        Call(
            f"restart {layout.JOURNAL_SERVICE}",
            lambda _, done: "its cap is new" if layout.JOURNAL in done else None,
            lambda machine: machine.run("systemctl", "restart", layout.JOURNAL_SERVICE),
        ),
        *firewall_start(machine),
        _running(layout.BROKER_SERVICE, broker),
        _running(layout.SERVICE, {_UNIT, layout.CONFIG}),
        _running(layout.CONSOLE_SERVICE, {CONSOLE_UNIT, layout.CONFIG}),
    ]


def _running(service: str, needs: set[str]) -> Call:
    def due(machine: Machine, done: Sequence[str]) -> str | None:
        if changed := sorted(needs.intersection(done)):
            return f"reads {', '.join(changed)} anew"
        try:
            machine.run("systemctl", "is-active", "--quiet", service)
        except CommandError:
            return "does not run"
        return None

    return Call(
        f"restart {service}", due, lambda machine: machine.run("systemctl", "restart", service)
    )


def _broker_file(name: str) -> str:
    return f"{layout.FOLDER}/{layout.BROKER_FOLDER}/{name}".rstrip("/")


def _text(template: str) -> str:
    return (files("hall_tools.gateway_setup") / "templates" / template).read_text(encoding="utf-8")


def _fill(template: str, **values: str) -> str:
    return Template(_text(template)).substitute(values)
