"""What is flashed for each device: from a hall's configuration folder.

Here: which devices there are to flash, and their images, built when a board is there for them. Not
here: what an image is made of (hall_tools.image).
"""

import os
from pathlib import Path

from hall_gateway.config import load_config
from hall_gateway.keys import KeyStore, KeyStoreError
from hall_gateway.toml_input import ConfigError

from hall_tools.errors import UserError
from hall_tools.flash.assignment import Wanted
from hall_tools.flash.bring import Plan
from hall_tools.flash.ledger import Ledger
from hall_tools.image import build
from hall_tools.image.bases import Bases
from hall_tools.image.order import Hall


class Plans:
    """The devices of the hall whose settings are `hall_toml`, with the firmware in the file
    `release` when that is given; each method raises UserError."""

    def __init__(
        self, hall_toml: Path, bases: list[Path], wipe: bool, release: Path | None = None
    ) -> None:
        self._hall = Hall(hall_toml)
        self._release = None if release is None else self._hall.release(release)
        self._file = hall_toml
        self._bases = Bases(bases)
        self._keys = KeyStore(hall_toml.parent / "keys")
        self.wipe = wipe
        self.ledger = Ledger(hall_toml.parent / "boards.json")

    def wanted(self, device: str) -> Wanted:
        """A device that is to be flashed, once all is there that its image needs."""
        order = self._hall.order(device)
        self._bases.of(order)
        return Wanted(device, order.config["chip"], order.flash_mb, self._generation(device))

    def plan(self, wanted: Wanted) -> Plan:
        """The image of a device."""
        order = self._hall.order(wanted.device)
        parts = (order.config, order.ident, order.flash_mb, self._release, order.keys)
        image = build(self._bases.of(order), *parts)
        return Plan(image, wanted.generation, self.wipe)

    def enrolled(self) -> list[str]:
        """Every device with keys and a board, in the order of hall.toml, then spares."""
        try:
            listed = [entry.id for entry in load_config(self._file).devices]
            keys = self._keys.devices()
        except ConfigError as error:
            raise UserError(str(error), os.EX_CONFIG) from None
        except KeyStoreError as error:
            raise UserError(str(error), os.EX_NOPERM) from None
        good = [each.device for each in keys if each.revoked is None]
        if not good:
            raise UserError(f"{self._file}: no device of it is enrolled; run: hall enroll DEVICE")
        spares = [device for device in good if device not in listed]
        return [device for device in listed if device in good] + spares

    def _generation(self, device: str) -> int:
        """Of the device's keys; 0 when it has none."""
        try:
            keys = self._keys.get(device)
        except KeyStoreError as error:
            raise UserError(str(error), os.EX_NOPERM) from None
        return keys.generation if keys else 0
