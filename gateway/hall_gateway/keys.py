"""The devices' own keys: made here, kept one file a device, and written out for mosquitto.

Here: `keys/{device}.json` and mosquitto's psk and acl files. Not here: which devices a hall has
(config.py), how a broker is made to read its files (hall_tools), what a device does with its keys
(firmware/hall/ident.py).

A device that speaks MQTT has a key for TLS-PSK (RFC 4279), one that speaks CoAP has the inputs of
an OSCORE security context (RFC 8613, section 3.2). Each has a claim: what its label carries, and
what keys the HMAC of its serial console. Enrolling again makes all of them anew.
"""

import fcntl
import os
import re
import secrets
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from hall_profiles import Profile
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from hall_gateway.files import (
    FileError,
    check_secret_folder,
    list_secrets,
    make_secret_folder,
    read_plain,
    read_secret,
    write_secret,
)
from hall_gateway.wire import rfc3339

FOLDER = "keys"
"""Beside hall.toml."""
PSK_BYTES = 32
CLAIM_BYTES = 16
"""128 bits, as they fit a small QR code."""
MASTER_SECRET_BYTES = 16
"""The size of the key of AES-CCM-16-64-128, OSCORE's default (RFC 8613, section 3.2.1)."""
MASTER_SALT_BYTES = 8
GATEWAY_SENDER_ID = "00"
"""The gateway's OSCORE sender id towards every device; no device's id has this length."""
DEVICE_ID_BYTES = 2
"""A device's OSCORE sender id: short, for each request carries it; at most 7 are legal."""

UP = ("event", "state", "online", "reply", "fetch")
"""What a device may say. No other topic: what is retained there would fill the broker."""
ACCESS = "".join(
    (
        "# Written by hall; what else stands in this file is kept.\n",
        "# A device speaks for itself only: %u is the identity of its key.\n",
        *(f"pattern write device/v1/%u/up/{leaf}\n" for leaf in UP),
        "pattern read device/v1/%u/down/#\n",
    )
)
_REVOKED = "# Written by hall: revoked devices, whose connections may be open still."
_DENIED = re.compile(re.escape(_REVOKED) + r"\n(?:user [a-z0-9-]+\ntopic deny #\n)*")
_DEVICE = re.compile(r"^[a-z0-9][a-z0-9-]{0,31}$")


def _hex(size: int) -> str:
    """A pattern of `size` bytes in hex."""
    return f"^[0-9a-f]{{{2 * size}}}$"


class KeyStoreError(Exception):
    """Keys that cannot be made, read or written: what, where and what to do, in one line."""


class _Kept(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, hide_input_in_errors=True)


class Oscore(_Kept):
    """The inputs of a security context, in hex, as the gateway has it: it sends with `sender_id`,
    and finds the context of a request by `recipient_id`, which is the device's own sender id."""

    master_secret: str = Field(pattern=_hex(MASTER_SECRET_BYTES), repr=False)
    master_salt: str = Field(pattern=_hex(MASTER_SALT_BYTES), repr=False)
    sender_id: str = Field(pattern=_hex(1))
    recipient_id: str = Field(pattern="^([0-9a-f]{2}){1,7}$")

    def of_device(self) -> dict[str, str]:
        """The same as the device has it, in its ident partition."""
        return {
            "secret": self.master_secret,
            "salt": self.master_salt,
            "id": self.recipient_id,
            "gateway_id": self.sender_id,
        }


class DeviceKeys(_Kept):
    """A device's keys, in hex. `psk` and `oscore`: what its transport needs, None otherwise and
    when it is revoked. Times are RFC 3339."""

    v: Literal[1] = 1
    device: str = Field(pattern=_DEVICE.pattern)
    profile: str
    generation: int = Field(ge=1)
    psk: str | None = Field(pattern=_hex(PSK_BYTES), repr=False)
    oscore: Oscore | None
    claim: str = Field(pattern=_hex(CLAIM_BYTES), repr=False)
    enrolled: str
    revoked: str | None = None


class KeyStore:
    """The keys of a hall's devices, in `folder` (`keys` beside hall.toml; made at the first use).

    Every method raises KeyStoreError. `now` gives unix ms.
    """

    def __init__(
        self, folder: Path, now: Callable[[], int] = lambda: time.time_ns() // 1_000_000
    ) -> None:
        self.folder = folder
        self._now = now
        self._held = False

    def path(self, device: str) -> Path:
        """The file of a device's keys, which need not be there."""
        if not _DEVICE.fullmatch(device):
            raise KeyStoreError(
                f'device "{device}": right: 1 to 32 of a-z, 0-9 and "-", not beginning with "-"'
            )
        return self.folder / f"{device}.json"

    def enrol(self, device: str, profile: Profile) -> DeviceKeys:
        """New keys for `device`; those it had are worth nothing any more, nor is a revocation."""
        if profile.transport == "gateway":
            raise KeyStoreError(f"{profile.name}: is a part of the gateway, and so needs no keys")
        with self.locked():
            before = self.get(device)
            keys = DeviceKeys(
                device=device,
                profile=profile.name,
                generation=before.generation + 1 if before else 1,
                psk=secrets.token_hex(PSK_BYTES) if profile.transport == "mqtt" else None,
                oscore=self._oscore() if profile.transport == "coap" else None,
                claim=secrets.token_hex(CLAIM_BYTES),
                enrolled=rfc3339(self._now()),
            )
            self._write(keys)
        return keys

    def get(self, device: str) -> DeviceKeys | None:
        """The keys of a device, revoked or not; None when it was never enrolled."""
        path = self.path(device)
        with _told():
            check_secret_folder(self.folder)
            content = read_secret(path)
        return None if content is None else _parse(path, content)

    def revoke(self, device: str) -> DeviceKeys:
        """Forget what the device could join with; its claim stays, for its serial console.

        Revoking it again changes nothing.
        """
        with self.locked():
            keys = self.get(device)
            if keys is None:
                raise KeyStoreError(
                    f"{device}: was never enrolled: there is no {self.path(device)}"
                )
            if keys.revoked is None:
                gone = {"psk": None, "oscore": None, "revoked": rfc3339(self._now())}
                keys = keys.model_copy(update=gone)
                self._write(keys)
        return keys

    def devices(self) -> list[DeviceKeys]:
        """The keys of every device, by its id."""
        with _told():
            names = list_secrets(self.folder)
        stems = [name.removesuffix(".json") for name in names if name.endswith(".json")]
        return [keys for stem in stems if (keys := self.get(stem))]

    def write_mosquitto(self, folder: Path) -> None:
        """Bring mosquitto's `psk` and `acl` in `folder` up to date.

        `psk` has the devices that may join. `acl` lets each write UP of its own and read its own
        down/#, and denies revoked ones everything: mosquitto looks at it again when it is told to
        reload, also for connections that are open. Lines of others in `acl` are kept.
        """
        with self.locked():
            devices = self.devices()
            lines = [f"{keys.device}:{keys.psk}\n" for keys in devices if keys.psk is not None]
            revoked = [keys.device for keys in devices if keys.revoked is not None]
            with _told():
                make_secret_folder(folder)
                write_secret(folder / "psk", "".join(lines).encode())
                write_secret(folder / "acl", _access(folder / "acl", revoked).encode())

    @contextmanager
    def locked(self) -> Generator[None]:
        """Nobody else changes keys meanwhile; waits for who does. May be entered again inside."""
        if self._held:
            yield
            return
        with _told():
            make_secret_folder(self.folder)
            list_secrets(self.folder)
        descriptor = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            self._held = True
            yield
        finally:
            self._held = False
            os.close(descriptor)

    def _write(self, keys: DeviceKeys) -> None:
        content = f"{keys.model_dump_json(indent=1)}\n"
        with _told():
            write_secret(self.path(keys.device), content.encode())

    def _oscore(self) -> Oscore:
        taken = {keys.oscore.recipient_id for keys in self.devices() if keys.oscore}
        while (own := secrets.token_hex(DEVICE_ID_BYTES)) in taken:
            pass
        return Oscore(
            master_secret=secrets.token_hex(MASTER_SECRET_BYTES),
            master_salt=secrets.token_hex(MASTER_SALT_BYTES),
            sender_id=GATEWAY_SENDER_ID,
            recipient_id=own,
        )


def _access(path: Path, revoked: list[str]) -> str:
    """The access list, with what others wrote into the one at `path`."""
    try:
        old = (read_plain(path) or b"").decode()
    except UnicodeDecodeError:
        raise FileError(f"{path}: not UTF-8; correct it, or move it away") from None
    kept = _DENIED.sub("", old).replace(ACCESS, "").strip("\n")
    denied = "".join(f"user {device}\ntopic deny #\n" for device in revoked)
    # Patterns hold for every user wherever they stand; a topic is for the user named last.
    own = f"{kept}\n\n" if kept else ""
    return f"{own}{ACCESS}{_REVOKED}\n{denied}"


def _parse(path: Path, content: bytes) -> DeviceKeys:
    """What a file says. Nothing of its content is ever in an error: it is secret."""
    try:
        keys = DeviceKeys.model_validate_json(content)
    except ValidationError:
        keys = None
    if keys is None or keys.device != path.stem:
        raise KeyStoreError(
            f"{path}: damaged, or written by a newer hallkit; move it away and enrol "
            f"{path.stem} again"
        )
    return keys


@contextmanager
def _told() -> Generator[None]:
    try:
        yield
    except FileError as error:
        raise KeyStoreError(str(error)) from None
