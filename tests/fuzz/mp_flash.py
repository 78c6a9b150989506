"""Readers of what lies on the device's flash, where wear, cuts and other hands have been.

Runs in MicroPython and in CPython. Each function is given bytes, returns whether they were taken,
and raises what is wrong with the reader: anything that it does not say it raises, or an assertion.
"""

import io
import json
import struct
from binascii import crc32, hexlify

import mp_stage as stage
from hall import config, glyphs, ident, kept, release, rsa, slots
from hall.journal import Journal, UnformattedError

IMAGE = 4 * 512
SECTOR = 4096


def opened(module, data):
    """From now on `module` finds `data` in every file that it opens."""

    def open_(path, mode="r"):
        if "b" in mode:
            return io.BytesIO(data)
        return io.StringIO(str(data, "utf-8"))

    module.open = open_


# The journal


def _mounted(image):
    """(flash, journal), the latter None where there is none to be mounted."""
    flash = stage.new_flash(image=(image + b"\xff" * IMAGE)[:IMAGE])
    try:
        return flash, Journal(flash, stage.now, lambda: None)
    except UnformattedError:
        mounted = stage.new_journal(77, flash)  # as app.py does
        assert mounted.append("press", {}) == 1
    except (OSError, ValueError):
        pass
    return flash, None


def _seqs(journal):
    found = [event["seq"] for event in journal.peek(0, 100)]
    assert found == sorted(set(found)), found
    return found


def journal(data):
    """Damaged, but not so that a CRC is right by chance: what is there is read, and goes on."""
    flash, mounted = _mounted(data)
    if mounted is None:
        return False
    before = _seqs(mounted)
    assert mounted.acked < mounted.next and all(0 < seq < mounted.next for seq in before)
    seq = mounted.append("press", {"key": 1})
    assert seq not in before and _seqs(mounted)[-1] == seq
    again = Journal(flash, stage.now)
    assert (again.epoch, again.next) == (mounted.epoch, mounted.next)
    assert _seqs(again) == _seqs(mounted)
    return True


def sealed(image):
    """`image` with the CRC of each slot made right."""
    image = bytearray((image + b"\xff" * IMAGE)[:IMAGE])
    for start in range(0, IMAGE, slots.SIZE):
        slot = image[start : start + slots.SIZE]
        if slot[:4] == b"HALJ":
            epoch = 0
        elif slot[0] in (slots.EVENT, slots.ACK, slots.RESERVE):
            epoch = struct.unpack_from("<I", image, start // 512 * 512 + 8)[0]
        else:
            continue
        image[start + 60 : start + 64] = struct.pack("<I", crc32(slot[:60], epoch))
    return bytes(image)


def journal_sealed(data):
    """Whatever counts it has, it is mounted or refused, and takes an event or says why not."""
    _, mounted = _mounted(sealed(data))
    if mounted is None:
        return False
    _seqs(mounted)
    try:
        for _ in range(40):
            mounted.append("press", {"key": 1})
        mounted.reserve(8)
        mounted.ack(mounted.epoch, mounted.next - 1)
        mounted.flush_ack()
        mounted.prepare()
    except OSError:
        pass
    return mounted.oldest <= mounted.next


# The identity


class _Partition:
    """As much of an esp32.Partition as is read."""

    def __init__(self, copies):
        self._copies = copies

    def readblocks(self, block, buffer, offset=0):
        copy = self._copies[block]
        buffer[:] = (copy + b"\xff" * SECTOR)[offset : offset + len(buffer)]


def identity(copies):
    """The identity in the two copies, None when there is none."""
    try:
        found = ident.read(_Partition(copies))
    except ValueError:
        return None
    assert isinstance(found["device"], str) and isinstance(found["wifi"], list)
    for name in ("secret", "salt", "id", "gateway_id"):
        if "oscore" in found:
            bytes.fromhex(found["oscore"][name])
    if found.get("psk"):
        bytes.fromhex(found["psk"])  # as app.py does, where a broker asks for it
    if found.get("claim"):
        bytes.fromhex(found["claim"])
    return found


def copy_of(content, generation=1):
    """A copy as the installer writes it, whatever its content."""
    copy = struct.pack("<4sHHI", b"HKID", 1, len(content), generation) + content
    return copy + struct.pack("<I", crc32(copy))


def identity_image(data):
    """Half of the bytes in each copy."""
    half = len(data) // 2
    return identity((data[:half], data[half:])) is not None


def identity_content(data):
    """Any content, in a copy that is whole."""
    return identity((copy_of(data), b"")) is not None


# Files


def glyph_pack(data):
    """A damaged pack has a box for what cannot be read, or is no pack."""
    opened(glyphs, data)
    try:
        pack = glyphs.GlyphPack("glyphs.bin")
    except ValueError:
        return False
    for char in "A请\x7f·é\u2e80\uffff\0\U0001f600":
        width, bitmap = pack.get(char)
        assert width in (8, 16) and len(bitmap) == 2 * width, (char, width, len(bitmap))
        assert width == pack.width(char) or ord(char) < 0x2E80
    pack.intact()
    return True


def config_file(data):
    """config.json; a text that is no UTF-8 is not read as one."""
    opened(config, data)
    try:
        found = config.load("/config.json")
    except ValueError as error:
        assert "/config.json" in str(error)
        return False
    json.dumps(found)
    return True


def kept_file(data):
    opened(kept, data)
    try:
        found = kept.load("/kept.json")
    except ValueError as error:
        assert "/kept.json" in str(error)
        return False
    assert isinstance(found, dict)
    return True


# Releases

MODULUS = b"\xc0" + bytes(383)
_KEYS = json.dumps({"keys": [hexlify(MODULUS).decode()]}).encode()


async def signed(digest, signature, modulus, rest):
    """In rsa.verify's place: what is behind it must hold of whatever is signed."""
    assert len(digest) == 32
    assert len(signature) == len(modulus) == 384
    return True


async def rest():
    pass


def accepted(data):
    """(version, counter) of a manifest as the device takes it, or the code of why it does not."""
    release.open = lambda path, mode="r": (
        io.BytesIO(data) if "manifest" in path else io.StringIO(str(_KEYS, "utf-8"))
    )
    rsa.verify = signed
    try:
        return stage.drive(release.accept(b"esp32", 3, rest))
    except release.RefusedError as refusal:
        return str(refusal)


def manifest(data):
    """A release's manifest, whose signature would be right."""
    found = accepted(data)
    version, counter = release.of_slot("/a")
    if isinstance(found, str):
        assert found in ("manifest", "signature", "product", "hardware", "core", "counter"), found
        return False
    assert found == (version, counter)
    return counter >= 3


TARGETS = {
    "device-manifest": manifest,
    "device-journal": journal,
    "device-journal-sealed": journal_sealed,
    "device-ident": identity_image,
    "device-ident-content": identity_content,
    "device-glyphs": glyph_pack,
    "device-config": config_file,
    "device-kept": kept_file,
}
