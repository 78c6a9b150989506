"""What is secret about a device: the claim that opens its console, and what no report may hold.

Here: where they are found. Not here: what is done with them.
"""

import base64
import binascii
import contextlib
import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

from hall_gateway.keys import CLAIM_BYTES, DeviceKeys, KeyStore, KeyStoreError

from hall_tools.errors import UserError
from hall_tools.image import wifi

REMOVED = "[removed]"
_CLAIM = re.compile(rf"[0-9a-f]{{{2 * CLAIM_BYTES}}}")


class Keys:
    """The keys of a hall's devices, beside its hall.toml, or one claim in a file of its own.

    Raises UserError when `claim_file` holds none; a folder that is not there, or not readable, only
    means that no claim is known: `why` says which.
    """

    def __init__(self, hall_toml: Path, claim_file: Path | None = None) -> None:
        self.why = ""
        self._folder = hall_toml.parent
        self._claim = _claim_in(claim_file) if claim_file is not None else None

    def claim(self, device: str) -> bytes | None:
        """The claim of a device; None when it is not known here."""
        if self._claim is not None:
            return self._claim
        keys = self._keys(device)
        return bytes.fromhex(keys.claim) if keys is not None else None

    def secrets(self, device: str) -> list[bytes]:
        """Everything secret of a device that is known here, and the hall's Wi-Fi passwords."""
        found = [self._claim] if self._claim is not None else []
        keys = self._keys(device)
        if keys is not None:
            texts = [keys.claim, keys.psk]
            if keys.oscore is not None:
                texts += [keys.oscore.master_secret, keys.oscore.master_salt]
            found += [bytes.fromhex(text) for text in texts if text]
        # What cannot be read here is not known to this program either.
        with contextlib.suppress(UserError, OSError):
            found += [password.encode() for _ssid, password in wifi.networks(self._folder)]
        return [secret for secret in found if secret]

    def _keys(self, device: str) -> DeviceKeys | None:
        try:
            return KeyStore(self._folder / "keys").get(device)
        except (KeyStoreError, OSError) as error:
            self.why = str(error)
            return None


def without(secrets: list[bytes], value: Any) -> Any:
    """`value`, of what JSON can say, with every spelling of every secret replaced by [removed]."""
    found = {spelling for secret in secrets for spelling in spellings(secret)}
    longest_first = sorted(found, key=len, reverse=True)
    if not longest_first:
        return value
    any_of_them = re.compile("|".join(map(re.escape, longest_first)), re.IGNORECASE)

    def clean(part: Any) -> Any:
        if isinstance(part, str):
            return any_of_them.sub(REMOVED, part)
        if isinstance(part, dict):
            fields = cast("dict[str, Any]", part)
            return {clean(name): clean(content) for name, content in fields.items()}
        if isinstance(part, list):
            return [clean(each) for each in cast("list[Any]", part)]
        return part

    return clean(value)


def spellings(secret: bytes) -> Iterator[str]:
    """A secret as it may stand in a text: as it is, in hex, in base64, in JSON, as Python says."""
    yield secret.hex()
    for encoded in (base64.b64encode(secret), base64.urlsafe_b64encode(secret)):
        yield encoded.decode().rstrip("=")
    yield repr(secret)[2:-1]
    text = secret.decode("utf-8", "replace")
    yield text
    for ascii_only in (True, False):
        yield json.dumps(text, ensure_ascii=ascii_only)[1:-1]


def _claim_in(file: Path) -> bytes:
    try:
        content = file.read_bytes()
    except OSError as error:
        raise UserError(f"{file}: cannot read it: {error.strerror}", os.EX_NOINPUT) from None
    # The text of the label's QR code ends in it (hall_tools.label).
    code = content.decode("ascii", "replace").rpartition(":")[2]
    digits = re.sub(r"[\s-]", "", code).lower()
    if not _CLAIM.fullmatch(digits):
        raise UserError(
            f"{file}: no claim; right: the {2 * CLAIM_BYTES} hex digits that end the label's code"
        )
    return binascii.unhexlify(digits)
