"""The official MicroPython of each chip: fetched once, checked against its pin, kept.

Here: the pins (micropython.toml), the download and its cache. Not here: what is in the file
(base.py).
"""

import hashlib
import os
import tempfile
import tomllib
import urllib.request
from collections.abc import Callable
from http.client import HTTPException
from importlib import resources
from pathlib import Path
from typing import IO, NamedTuple
from urllib.error import HTTPError, URLError

from hall_tools.caches import cache_folder
from hall_tools.errors import UserError

Told = Callable[[int, int], object]
"""Bytes that have come, and bytes in all."""

_PIECE = 64 * 1024
_SILENT_S = 30
"""Longest wait for the next bytes."""


class Pin(NamedTuple):
    """One file, by the SHA-256 of its content; an empty `sha256`: nobody has measured it yet."""

    url: str
    size: int
    sha256: str

    @property
    def name(self) -> str:
        """The file's name, as in its address."""
        return self.url.rsplit("/", 1)[-1]


def pins() -> dict[str, Pin]:
    """The pinned MicroPython of each chip."""
    text = resources.files("hall_tools.image").joinpath("micropython.toml").read_text("utf-8")
    return {chip: Pin(**entry) for chip, entry in tomllib.loads(text)["chip"].items()}


def official(pin: Pin, told: Told) -> Path:
    """The file of `pin`: from the cache when it is there and whole, else downloaded.

    `told` hears of a download only. Raises UserError: no pin, no network, or another content.
    """
    if not pin.sha256:
        raise UserError(
            f"{pin.url}: its SHA-256 is not known, so it is not downloaded; "
            "fetch it yourself and give it with --base FILE",
            os.EX_UNAVAILABLE,
        )
    kept = cache_folder("micropython", "MicroPython") / pin.name
    if not _is_pinned(kept, pin):
        _download(pin, kept, told)
    return kept


def _is_pinned(file: Path, pin: Pin) -> bool:
    try:
        content = file.read_bytes()
    except OSError:
        return False
    return hashlib.sha256(content).hexdigest() == pin.sha256


def _download(pin: Pin, kept: Path, told: Told) -> None:
    """Beside `kept` first: what is cut off or interrupted leaves nothing there."""
    instead = "fetch that file elsewhere and give it with --base FILE"
    with tempfile.TemporaryDirectory(dir=kept.parent) as folder:
        part = Path(folder) / pin.name
        try:
            with part.open("wb") as file:
                come, digest = _receive(pin, file, told)
        except (OSError, HTTPException) as error:  # URLError is an OSError
            raise UserError(
                f"{pin.url}: {_words(error)}; try again, or {instead}", os.EX_UNAVAILABLE
            ) from None
        if come < pin.size:
            raise UserError(
                f"{pin.url}: it broke off after {come:,} of {pin.size:,} bytes; try again, or "
                f"{instead}",
                os.EX_UNAVAILABLE,
            )
        if digest != pin.sha256:
            raise UserError(
                f"{pin.url}: this is not the file that was pinned: its SHA-256 is {digest}, not "
                f"{pin.sha256}; it was thrown away; try again, or {instead}"
            )
        part.replace(kept)


def _receive(pin: Pin, file: IO[bytes], told: Told) -> tuple[int, str]:
    """How many bytes came, and their SHA-256. Stops after one byte too many."""
    digest = hashlib.sha256()
    come = 0
    told(0, pin.size)
    with urllib.request.urlopen(pin.url, timeout=_SILENT_S) as answer:
        while come <= pin.size and (piece := answer.read(min(_PIECE, pin.size + 1 - come))):
            file.write(piece)
            digest.update(piece)
            come += len(piece)
            told(come, pin.size)
    return come, digest.hexdigest()


def _words(error: Exception) -> str:
    if isinstance(error, HTTPError):
        return f"the server says {error.code} {error.reason}"
    cause = error.reason if isinstance(error, URLError) else error
    return getattr(cause, "strerror", None) or str(cause) or type(cause).__name__
