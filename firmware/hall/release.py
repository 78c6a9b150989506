"""A release's manifest: what a slot holds, and who signed that. docs/updates.md has the format.

Here: whether this device takes the release, read line by line from flash. Not here: the arithmetic
(rsa.py) and the files (download.py). Loaded for this step alone, and dropped after it.
"""

import json
import re
import sys
from binascii import hexlify, unhexlify
from hashlib import sha256

from micropython import const

from .update import RefusedError

_FILES_MAX = const(128)
_FILE_MAX = const(1024 * 1024)
_PATH_MAX = const(64)
_VERSION_MAX = const(10)  # characters: more leave no room in a record of the journal
_LINE = const(160)
_KEY = const(384)
_HEAD = const(
    (
        b"hallkit-release (1)\n$",
        b"product ([a-z]+)\n$",
        b"hardware ([a-z0-9 ]+)\n$",
        b"version ([0-9]+\\.[0-9]+\\.[0-9]+)\n$",
        b"counter ([0-9]+)\n$",
        b"core ([0-9]+\\.[0-9]+\\.[0-9]+)\n$",
    )
)
_FILE = const(b"([0-9a-f]+) ([0-9]+) ([a-z0-9_./-]+)\n$")


async def accept(chip, least, rest, folder=""):
    """(version, rollback counter) of the manifest in /new, once everything about it is right.

    `chip`: as of the config, in bytes. `least`: no lower counter is taken. `rest()` is awaited
    between pieces of work. `folder`: of new/ and keys.json. RefusedError: it is not taken.
    Nothing that it says counts before its signature was verified.
    """
    try:
        with open(folder + "/keys.json") as file:
            moduli = [unhexlify(key) for key in json.load(file)["keys"]]
    except (OSError, ValueError, KeyError, TypeError):
        moduli = ()
    if not moduli or any(len(key) != _KEY for key in moduli):
        raise RefusedError("no_key")
    signed = sha256()
    with open(folder + "/new/manifest", "rb") as file:
        try:
            _, product, chips, version, counter, core = _head(file, signed.update)
            ident, signature = await _files(file, signed.update, rest)
            signature = unhexlify(signature)
        except ValueError:
            raise RefusedError("manifest")
    moduli = [key for key in moduli if hexlify(sha256(key).digest()[:8]) == ident]
    from . import rsa

    if not moduli or not await rsa.verify(signed.digest(), signature, moduli[0], rest):
        raise RefusedError("signature")
    for wrong, code in (
        (product != b"hallkit", "product"),
        (chip not in chips.split(b" "), "hardware"),
        (core > sys.implementation.version[:3], "core"),
        (counter < least, "counter"),
    ):
        if wrong:
            raise RefusedError(code)
    return version, counter


def of_slot(folder):
    """(version, rollback counter) of the slot there, signed or not; ("", 0): it does not say."""
    try:
        with open(folder + "/manifest", "rb") as file:
            head = _head(file, len)
        return head[3], head[4]
    except (OSError, ValueError):
        return "", 0


def _head(file, update):
    """The values of the first six lines. ValueError: they are others."""
    head = []
    for shape in _HEAD:
        line = file.readline(_LINE)
        update(line)
        found = re.match(shape, line)
        head.append(found and found.group(1))
    if not all(head) or len(head[3]) > _VERSION_MAX:
        raise ValueError("head")
    head[3] = head[3].decode()
    head[4] = int(head[4])
    head[5] = tuple([int(part) for part in head[5].split(b".")])
    return head


async def _files(file, update, rest):
    """Looks at the lines of files; the two words of the one behind them. ValueError: they are not
    such lines, or not the last."""
    before = b""
    for _ in range(_FILES_MAX + 1):
        if file.read(5) != b"file ":
            break
        line = file.readline(_LINE)
        update(b"file ")
        update(line)
        found = re.match(_FILE, line)
        if not found or len(found.group(1)) != 64 or int(found.group(2)) > _FILE_MAX:
            raise ValueError("file")
        # Ascending, so none is there twice. It must not leave its folder, nor be the manifest.
        name = found.group(3)
        if len(name) > _PATH_MAX or name <= before or name == b"manifest":
            raise ValueError("name")
        if not all(part.strip(b".") for part in name.split(b"/")):
            raise ValueError("name")
        before = name
        await rest()
    file.seek(-5, 1)
    words = file.read(2 * _KEY + 29).split(b" ")
    if not before or len(words) != 3 or words[0] != b"signature" or file.read(1):
        raise ValueError("signature")
    if len(words[2]) != 2 * _KEY + 1 or words[2][-1:] != b"\n" or words[2].lower() != words[2]:
        raise ValueError("signature")
    return words[1], words[2][:-1]
