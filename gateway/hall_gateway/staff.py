"""Who may log in at a keypad's reader: cards and PINs of the staff, from a file of their own.

Here: the file, its check, and what a keypad makes of a PIN. Not here: what a login does
(logins.py), and who writes the file (`hall staff`).

The file is JSON for its owner alone: {"key": 32 hex digits, "staff": [{"id", "cards", "pins"}]}. A
card is "26:1234567", bits and data; a PIN is kept as `code` makes it. Four digits under a key that
lies beside them are no secret to who has the file: that nobody else can read it is what protects.
"""

import hashlib
import hmac
import json
import secrets
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from hall_gateway.files import FileError, read_secret
from hall_gateway.models import Name

_CODE_BYTES = 6
"""As many as the keypad sends (firmware/hall/roles/login.py)."""


class _Model(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, hide_input_in_errors=True)


def _as_read(card: str) -> str:
    """A card as a reader says it, or nobody could ever log in with it."""
    bits, data = (int(part) for part in card.split(":"))
    if card != f"{bits}:{data}" or data >= 1 << bits - 2:
        raise ValueError("no card's data")
    return card


Card = Annotated[str, Field(pattern=r"^(26|34):[0-9]{1,10}$"), AfterValidator(_as_read)]


class Member(_Model):
    """One clerk: `id` as events name them."""

    id: Name
    cards: list[Card] = Field(default=[], repr=False)
    pins: list[Annotated[int, Field(ge=0, lt=2**48)]] = Field(default=[], repr=False)


class Staff(_Model):
    """The content of the file."""

    key: Annotated[str, Field(pattern=r"^[0-9a-f]{32}$", repr=False)]
    staff: list[Member] = []

    @classmethod
    def new(cls) -> "Staff":
        return cls(key=secrets.token_hex(16))

    def who(self) -> dict[str, str]:
        """The clerk of each card ("26:1234567") and each PIN ("pin:" and its code)."""
        found: dict[str, str] = {}
        for member in self.staff:
            for card in member.cards:
                found[card] = member.id
            for pin in member.pins:
                found[f"pin:{pin}"] = member.id
        return found

    def code(self, pin: str) -> int:
        """What a keypad sends for the digits `pin`."""
        digest = hmac.digest(bytes.fromhex(self.key), pin.encode(), hashlib.sha256)
        return int.from_bytes(digest[:_CODE_BYTES], "big")


def read_staff(path: Path) -> Staff:
    """The file at `path`. Raises ValueError, one line without anything of its content."""
    try:
        content = read_secret(path)
    except FileError as error:
        raise ValueError(str(error)) from None
    if content is None:
        raise ValueError(f"{path}: there is no such file; make it with: hall staff add")
    try:
        staff = Staff.model_validate(json.loads(content))
    except ValidationError as error:
        # Not a field that nobody knows: its name is somebody's text, and perhaps of a key.
        known = {*Staff.model_fields, *Member.model_fields}
        parts = [
            part for part in error.errors()[0]["loc"] if isinstance(part, int) or part in known
        ]
        where = ".".join(map(str, parts)) or "a field"
        raise ValueError(
            f"{path}: {where}: not as hall staff writes it; mend or remove it"
        ) from None
    except (ValueError, RecursionError):
        raise ValueError(
            f"{path}: not JSON; mend it, or remove it and use: hall staff add"
        ) from None
    ids = [member.id for member in staff.staff]
    marks = [mark for member in staff.staff for mark in (*member.cards, *member.pins)]
    if len(set(ids)) < len(ids) or len(set(marks)) < len(marks):
        raise ValueError(f"{path}: a clerk, card or PIN is there twice; each belongs to one clerk")
    return staff
