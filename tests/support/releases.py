"""Small signed releases for tests, and the keys that sign them.

Only making them belongs here. What a device does with one is in `support.updated_device`.
"""

import random
from functools import cache
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from hall_gateway.bundle import Bundle
from hall_gateway.release import PublicKey
from hall_tools.update.build import build
from hall_tools.update.sign import sign

PIECES = 3
"""Of the largest file of a release: the last one is shorter."""


def private_key(name: str = "release") -> rsa.RSAPrivateKey:
    """The key of that name, made once for a test process: it takes a while."""
    return _made(name)


@cache
def _made(_name: str) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 3072)


def public_key(name: str = "release") -> PublicKey:
    return PublicKey(private_key(name).public_key().public_numbers().n)


def write_public(file: Path, name: str = "release") -> Path:
    """The public half as `hall update keys` writes it."""
    file.write_bytes(
        private_key(name)
        .public_key()
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    )
    return file


def files(seed: object) -> dict[str, bytes]:
    """A slot: of any two seeds the same paths, of which one has the same content."""
    draw = random.Random(str(seed))
    return {
        "hall/app.mpy": draw.randbytes(576 * (PIECES - 1) + 100),
        "hall/empty.mpy": b"",
        "hall/same.mpy": b"the same in every release",
        "scan.mpy": draw.randbytes(576),
    }


def unsigned(version: str = "0.2.0", counter: int = 1) -> Bundle:
    slot = files(version)
    slots = {"xtensa": slot, "riscv": {**slot, "scan.mpy": b"of another machine"}}
    return build(counter, version, "1.29.0", slots)


@cache
def release(version: str = "0.2.0", counter: int = 1, key: str = "release") -> Bundle:
    return sign(unsigned(version, counter), private_key(key))


def write_release(file: Path, version: str = "0.2.0", counter: int = 1) -> Path:
    file.write_bytes(release(version, counter).content())
    return file
