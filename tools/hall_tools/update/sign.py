"""Signing a release.

Here: RSASSA-PKCS1-v1_5 over each manifest of a bundle. Not here: keys (keys.py), the format
(hall_gateway.release).
"""

from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from hall_gateway.bundle import Bundle
from hall_gateway.release import Manifest, PublicKey

from hall_tools.errors import UserError


def sign(bundle: Bundle, key: rsa.RSAPrivateKey, *, replace: bool = False) -> Bundle:
    """`bundle` with each manifest signed by `key`; the same again for the same key, as this scheme
    has no randomness. Raises UserError when another key has signed it, unless `replace`."""
    own = PublicKey(key.public_key().public_numbers().n)
    for family, manifest in bundle.manifests.items():
        if manifest.key not in (None, own.id) and not replace:
            raise UserError(
                f"{family}: signed with the key {manifest.key} already, not with {own.id}; devices "
                "take one signature. To put this one in its place: --replace"
            )
    signed = {family: _signed(each, key, own) for family, each in bundle.manifests.items()}
    return Bundle(signed, bundle.blobs)


def _signed(manifest: Manifest, key: rsa.RSAPrivateKey, own: PublicKey) -> Manifest:
    signature = key.sign(manifest.signed, padding.PKCS1v15(), SHA256())
    return manifest.with_signature(own, signature)
