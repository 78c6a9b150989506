"""What an image of a device is made of, from the gateway's configuration folder.

Here: hall.toml, keys/{device}.json and wifi.toml, brought together. Not here: the image
(assembly.py).
"""

import os
import time
from pathlib import Path
from typing import Any, NamedTuple

from hall_gateway.bundle import Bundle
from hall_gateway.config import load_config, load_profile
from hall_gateway.config_hall import DeviceConfig
from hall_gateway.config_links import ANY_ADDRESS
from hall_gateway.keys import DeviceKeys, KeyStore, KeyStoreError
from hall_gateway.release import PublicKey
from hall_gateway.toml_input import ConfigError, nearest
from hall_profiles import compile_config
from hall_profiles.model import Board

from hall_tools.errors import UserError
from hall_tools.image import wifi
from hall_tools.image.slot import release_in

# 2025-01-01. Four numbers a second from then on are 32 bits for 34 years.
_FIRST_S = 1_735_689_600
_NUMBERS_A_SECOND = 4


def first_number(now: float) -> int:
    """Where the sequence numbers of a battery device begin with an image of this moment (unix s).

    Above all that the device has used with the same keys before: it takes less than four numbers a
    second. So a board whose journal, and with it the count, was thrown away repeats none.
    """
    return max(0, int(now - _FIRST_S) * _NUMBERS_A_SECOND)


class Order(NamedTuple):
    """Config, identity and board of one device; `ident` holds its keys, `keys` are those that its
    updates are signed with."""

    config: dict[str, Any]
    ident: dict[str, Any]
    flash_mb: int
    keys: tuple[PublicKey, ...] = ()

    def __repr__(self) -> str:
        return f"Order({self.config['device']}, {self.config['profile']})"


class Hall:
    """A hall's configuration folder; each method raises UserError."""

    def __init__(self, hall_toml: Path) -> None:
        try:
            self._settings = load_config(hall_toml)
        except ConfigError as error:
            raise UserError(str(error), os.EX_CONFIG) from None
        self._file = hall_toml
        self._folder = hall_toml.parent
        self._store = KeyStore(self._folder / "keys")

    def order(self, device: str, profile_name: str | None = None) -> Order:
        """What to build for `device`, which is enrolled: with its place in hall.toml, or a spare.

        With `profile_name` a device of another profile is refused.
        """
        entry = self._entry(device)
        if profile_name not in (None, entry.profile):
            raise UserError(f"{device}: {self._file} says {entry.profile}, not {profile_name}")
        profile = load_profile(entry.profile)
        if not isinstance(profile.board, Board):
            raise UserError(
                f"{device}: {profile.name} is a part of the gateway, so there is nothing to flash"
            )
        keys = self._keys(entry)
        coap = profile.transport == "coap"
        host, port = self._gateway() if coap else self._broker()
        config = compile_config(
            profile,
            device=device,
            hall=self._settings.hall,
            broker_host=host,
            broker_port=port,
            tls="psk",
            settings=entry.settings,
            bench=entry.bench,
            static_ip=entry.static_ip,
        )
        ident: dict[str, Any] = {
            "device": device,
            "psk": keys.psk,
            "wifi": wifi.networks(self._folder),
            "claim": keys.claim,
        }
        if keys.oscore is not None:
            ident["oscore"] = {**keys.oscore.of_device(), "start": first_number(time.time())}
        return Order(config, ident, profile.board.flash_mb, self._settings.updates.trusted)

    def release(self, file: Path) -> Bundle:
        """The release in `file`, whose signature this hall's devices trust."""
        return release_in(file, self._settings.updates.trusted)

    def _entry(self, device: str) -> DeviceConfig:
        known = {entry.id: entry for entry in self._settings.devices}
        if device not in known:
            keys = self._stored(device)
            if keys is not None:  # a spare, which stands nowhere yet; or revoked, see _keys()
                return DeviceConfig(id=device, profile=keys.profile)
            raise UserError(
                f"{self._file}: no [[device]] has the id {device}; {nearest(device, known)}; "
                "a new device is enrolled first: hall enroll"
            )
        return known[device]

    def _keys(self, entry: DeviceConfig) -> DeviceKeys:
        device, keys = entry.id, self._stored(entry.id)
        again = f"run: hall enroll {device}"
        if keys is None:
            path = self._store.path(device)
            raise UserError(f"{device}: not enrolled: there is no {path}; {again}")
        if keys.revoked is not None:
            raise UserError(f"{device}: revoked at {keys.revoked}; to have it back, {again}")
        if keys.profile != entry.profile:
            raise UserError(
                f"{device}: enrolled as {keys.profile}, but {self._file} says {entry.profile}; "
                f"{again}"
            )
        return keys

    def _stored(self, device: str) -> DeviceKeys | None:
        try:
            return self._store.get(device)
        except KeyStoreError as error:
            raise UserError(str(error), os.EX_NOPERM) from None

    def _gateway(self) -> tuple[str, int]:
        """Where devices that speak CoAP find the gateway."""
        coap = self._settings.coap
        if coap is None:
            raise UserError(
                f"{self._file}: there is no [coap] table, so this gateway does not speak CoAP; add "
                "one",
                os.EX_CONFIG,
            )
        host = coap.host if coap.host != ANY_ADDRESS else self._settings.broker.device_host
        if host is None:
            raise UserError(
                f"{self._file}: [coap]: host is {ANY_ADDRESS}, which says not where devices find "
                "this gateway; right: its IPv4 address in their network, there or as device_host "
                "of [broker]",
                os.EX_CONFIG,
            )
        return host, coap.port

    def _broker(self) -> tuple[str, int]:
        """Where devices find the broker: never by a name, which they would have to look up."""
        broker = self._settings.broker
        if broker.device_host is not None:
            return broker.device_host, broker.device_port
        raise UserError(
            f"{self._file}: [broker]: device_host is missing: at which address devices reach this "
            'gateway; right: its IPv4 address in their network, e.g. "192.168.1.10"',
            os.EX_CONFIG,
        )
