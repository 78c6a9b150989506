"""A release's file, as commands take it.

Here: reading and verifying one, with errors in a user's words. Not here: what a release is
(hall_gateway.bundle).
"""

import os
from collections.abc import Iterable
from pathlib import Path

from hall_gateway.bundle import Bundle, BundleError, read_bundle_file
from hall_gateway.release import PublicKey, SignatureError

from hall_tools.errors import UserError


def read_release(file: Path) -> Bundle:
    """The release in `file`, whole; signed or not. Raises UserError."""
    try:
        return read_bundle_file(file)
    except OSError as error:
        text = f"{file}: {error.strerror}; right: a file of hall update build"
        raise UserError(text, os.EX_NOINPUT) from None
    except BundleError as error:
        raise UserError(f"{error}; right: a file of hall update build, copied whole") from None


def check_signed(file: Path, release: Bundle, keys: Iterable[PublicKey]) -> None:
    """Raises UserError unless one of `keys` signed the release, which was in `file`."""
    try:
        release.verified(keys)
    except SignatureError as error:
        raise UserError(f"{file}: {error}") from None
