"""The keys that sign releases: RSA of 3072 bits, as PEM files.

Here: making, reading and writing them. Not here: what is signed (sign.py), the passphrase's way
in (hall_tools.commands.update).

The private key belongs on no gateway and no device: a file for its owner alone, with a passphrase
or without. The public one is what gateways and devices are given.
"""

import os
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from hall_gateway.files import FileError, put_file, read_secret
from hall_gateway.release import EXPONENT, KEY_BYTES, PublicKey
from hall_gateway.release_keys import ReleaseKeyError, public_key_of

from hall_tools.errors import UserError

PRIVATE, PUBLIC = ".key", ".pub"
_READABLE = 0o644
_PRIVATE_ONLY = 0o600


class PassphraseNeededError(UserError):
    """The key is encrypted, and no passphrase or a wrong one was given."""


def generate(at: Path, passphrase: bytes | None) -> PublicKey:
    """Make a pair: `at`.key, readable for its owner alone and encrypted with `passphrase` unless
    that is None, and `at`.pub. Raises UserError, also when one of them is there already."""
    private_file, public_file = beside(at, PRIVATE), beside(at, PUBLIC)
    for file in (private_file, public_file):
        if file.exists() or file.is_symlink():
            raise UserError(
                f"{file}: there is one; a key is never written over: what it signed could not be "
                "signed again. Give another name",
                os.EX_CANTCREAT,
            )
    key = rsa.generate_private_key(EXPONENT, 8 * KEY_BYTES)
    encryption = (
        serialization.BestAvailableEncryption(passphrase)
        if passphrase
        else serialization.NoEncryption()
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption
    )
    public = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    try:
        put_file(private_file, private, _PRIVATE_ONLY, os.getuid(), os.getgid())
        put_file(public_file, public, _READABLE, os.getuid(), os.getgid())
    except FileError as error:
        raise UserError(str(error), os.EX_CANTCREAT) from None
    return PublicKey(key.public_key().public_numbers().n)


def read_private(file: Path, passphrase: bytes | None) -> rsa.RSAPrivateKey:
    """The private key in `file`. Raises UserError; PassphraseNeededError when only that is wrong.
    Nothing of the key or the passphrase is in an error."""
    if file.suffix == PUBLIC:
        raise UserError(f"{file}: a public key; right: its {PRIVATE}", os.EX_USAGE)
    try:
        content = read_secret(file)
    except FileError as error:
        raise UserError(str(error), os.EX_NOPERM) from None
    if content is None:
        raise UserError(f"{file}: there is none; make one: hall update keys NAME", os.EX_NOINPUT)
    encrypted = b"ENCRYPTED" in content
    try:
        key = serialization.load_pem_private_key(content, passphrase if encrypted else None)
    except (TypeError, ValueError, UnsupportedAlgorithm):
        if encrypted:
            wrong = "the passphrase is wrong" if passphrase else "it needs its passphrase"
            raise PassphraseNeededError(f"{file}: {wrong}", os.EX_NOPERM) from None
        raise UserError(f"{file}: no private key in PEM; right: made by hall update keys") from None
    if not isinstance(key, rsa.RSAPrivateKey):
        raise UserError(f"{file}: not RSA; right: a key made by hall update keys")
    numbers = key.public_key().public_numbers()
    if key.key_size != 8 * KEY_BYTES or numbers.e != EXPONENT:
        raise UserError(
            f"{file}: {key.key_size} bits, exponent {numbers.e}; right: {8 * KEY_BYTES} bits and "
            f"{EXPONENT}, as hall update keys makes them"
        )
    return key


def read_public(file: Path) -> PublicKey:
    """The public key in `file`. Raises UserError."""
    try:
        return public_key_of(file)
    except ReleaseKeyError as error:
        raise UserError(str(error), os.EX_NOINPUT) from None


def beside(at: Path, suffix: str) -> Path:
    """`at` with that suffix added: a dot in its name stays."""
    return at.with_name(at.name + suffix)
