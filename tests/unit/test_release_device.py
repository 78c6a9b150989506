"""A release's manifest on the device, in MicroPython: signatures made by `cryptography`."""

import json
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256
from hall_gateway.release import PublicKey, manifest_of
from support import micropython

SCRIPT = Path(__file__).parent / "mp_release.py"
CONTENT = {"hall/app.mpy": b"app", "hall/drivers/keys.mpy": b"keys", "hall/glyphs.bin": b""}
HEAD = (
    "hallkit-release 1\nproduct hallkit\nhardware esp32 esp32s3\nversion 0.2.0\ncounter 7\n"
    "core 1.29.0\n"
)
DIGEST = "ab" * 32


def public(key: rsa.RSAPrivateKey) -> PublicKey:
    return PublicKey(key.public_key().public_numbers().n)


def signed(key: rsa.RSAPrivateKey, text: str) -> bytes:
    """`text` with the signature that makes it what its author has signed."""
    signature = key.sign(text.encode(), PKCS1v15(), SHA256())
    return f"{text}signature {public(key).id} {signature.hex()}\n".encode()


def listed(*paths: str, size: int | str = 1, digest: str = DIGEST) -> str:
    return "".join(f"file {digest} {size} {path}\n" for path in paths)


class Keys:
    def __init__(self) -> None:
        self.release, self.recovery, self.other = (
            rsa.generate_private_key(public_exponent=65537, key_size=3072) for _ in range(3)
        )


@pytest.fixture(scope="module")
def keys() -> Keys:
    return Keys()


def found(folder: Path, cases: dict[str, tuple[bytes, str, int]], *known: PublicKey) -> Any:
    """What the device says to each case, by its name."""
    (folder / "keys.json").write_text(json.dumps({"keys": [key.hex for key in known]}))
    for name, (content, _, _) in cases.items():
        (folder / name).write_bytes(content)
    order = [[name, chip, least] for name, (_, chip, least) in cases.items()]
    (folder / "cases.json").write_text(json.dumps(order))
    done = micropython.run(SCRIPT, str(folder), timeout=110)
    return dict(json.loads(line) for line in done.output.splitlines())


def test_what_is_taken_and_what_is_refused(tmp_path: Path, keys: Keys):
    text = HEAD + listed("hall/app.mpy", "hall/glyphs.bin")
    right = signed(keys.release, text)
    body, _, signature = right.rpartition(b" ")
    whole = manifest_of(("esp32", "esp32s3"), "0.2.0", 7, "1.29.0", CONTENT).signed.decode()
    modulus = public(keys.release).modulus
    number = int(signature, 16)
    many = [f"f{n:03}" for n in range(129)]

    def manifest(old: str, new: str) -> bytes:
        assert old in text
        return signed(keys.release, text.replace(old, new))

    wanted: dict[str, tuple[bytes, str, int, Any]] = {
        # The text as the host makes it is the text as the device reads it.
        "right": (signed(keys.release, whole), "esp32s3", 7, ["0.2.0", 7]),
        "recovery": (signed(keys.recovery, text), "esp32", 0, ["0.2.0", 7]),
        "other_key": (signed(keys.other, text), "esp32", 0, "signature"),
        "key_of_another_id": (
            right.replace(public(keys.release).id.encode(), public(keys.recovery).id.encode()),
            "esp32",
            0,
            "signature",
        ),
        "older": (right, "esp32", 8, "counter"),
        "hardware": (right, "esp32c3", 0, "hardware"),
        "part_of_a_name": (right, "esp3", 0, "hardware"),
        "product": (manifest("product hallkit", "product tallkit"), "esp32", 0, "product"),
        "core": (manifest("core 1.29.0", "core 1.29.1"), "esp32", 0, "core"),
        "older_core": (manifest("core 1.29.0", "core 1.9.30"), "esp32", 0, ["0.2.0", 7]),
        "format": (manifest("release 1", "release 2"), "esp32", 0, "manifest"),
        "version": (manifest("0.2.0", "10.2000.100"), "esp32", 0, "manifest"),
        "order": (
            manifest("counter 7\ncore 1.29.0", "core 1.29.0\ncounter 7"),
            "esp32",
            0,
            "manifest",
        ),
        "carriage_returns": (manifest("\n", "\r\n"), "esp32", 0, "manifest"),
        "number": (manifest(" 1 ", " x "), "esp32", 0, "manifest"),
        "too_large": (manifest(" 1 ", " 1048577 "), "esp32", 0, "manifest"),
        "short_digest": (manifest(DIGEST, DIGEST[:-1]), "esp32", 0, "manifest"),
        "no_files": (signed(keys.release, HEAD), "esp32", 0, "manifest"),
        "most_files": (signed(keys.release, HEAD + listed(*many[:128])), "esp32", 0, ["0.2.0", 7]),
        "too_many_files": (signed(keys.release, HEAD + listed(*many)), "esp32", 0, "manifest"),
        "twice": (signed(keys.release, HEAD + listed("a", "a")), "esp32", 0, "manifest"),
        "descending": (signed(keys.release, HEAD + listed("b", "a")), "esp32", 0, "manifest"),
        "no_line_feed": (right[:-1], "esp32", 0, "manifest"),
        "more_behind": (right + b"\n", "esp32", 0, "manifest"),
        "two_signatures": (right + right[right.index(b"signature") :], "esp32", 0, "manifest"),
        "upper_case": (body + b" " + signature.upper(), "esp32", 0, "manifest"),
        "unsigned": (text.encode(), "esp32", 0, "manifest"),
        "empty": (b"", "esp32", 0, "manifest"),
        "long_line": (HEAD.encode() + b"file " + b"a" * 9000 + b"\n", "esp32", 0, "manifest"),
        # The same number modulo the modulus, and so the same block: one signature has one form.
        "s_and_n": (body + b" %0768x\n" % (number + modulus), "esp32", 0, "signature"),
        "s_is_n": (body + b" %0768x\n" % modulus, "esp32", 0, "signature"),
        "s_is_0": (body + b" %0768x\n" % 0, "esp32", 0, "signature"),
        "s_is_1": (body + b" %0768x\n" % 1, "esp32", 0, "signature"),
    }
    if number + modulus >= 1 << 3072:  # then it has no such form
        del wanted["s_and_n"]
    odd = ["../a", "a/../../b", "/boot.py", "./a", "a//b", "a/", "..", "A", "a b", "ä", "manifest"]
    for at, path in enumerate([*odd, "a" * 65, "a\\b", "a:b", "a/./b", ".../x"]):
        name = f"path_{at}"
        content = signed(keys.release, HEAD + listed(path))
        wanted[name] = (content, "esp32", 0, "manifest")
    for cut in range(0, len(right), 7):
        wanted[f"cut_{cut}"] = (right[:cut], "esp32", 0, "manifest")
    cases = {name: each[:3] for name, each in wanted.items()}
    said = found(tmp_path, cases, public(keys.release), public(keys.recovery))
    changed, cost = said.pop("changed"), said.pop("cost")
    assert said == {name: each[3] for name, each in wanted.items()}
    assert set(changed) == {"signature", "manifest"}
    assert sum(changed.values()) == len(wanted["right"][0])
    print(f"one bit changed in each of {sum(changed.values())} bytes: {changed}")
    us, steps = cost["us"], cost["steps"]
    print(
        f"a signature: {us / 1000:.1f} ms in {steps} steps, at most {cost['bytes']} bytes of heap"
    )
    assert cost["bytes"] <= 4 * 1024


@pytest.mark.parametrize("content", [None, "{", "[]", "{}", '{"keys": []}', '{"keys": ["00"]}'])
def test_without_keys_nothing_is_taken(tmp_path: Path, keys: Keys, content: str | None):
    right = signed(keys.release, HEAD + listed("a"))
    cases = tmp_path / "cases.json"
    (tmp_path / "right").write_bytes(right)
    cases.write_text('[["right", "esp32", 0]]')
    if content is not None:
        (tmp_path / "keys.json").write_text(content)
    done = micropython.run(SCRIPT, str(tmp_path), check=False)
    assert json.loads(done.output.splitlines()[0]) == ["right", "no_key"]
