"""No power cut, at any flash operation of an update, leaves a device without a whole slot."""

import json
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from hall_gateway.bundle import bundle_of
from hall_gateway.release import PublicKey, manifest_of
from hall_tools import mpy
from hall_tools.update.sign import sign
from support import micropython

HERE = Path(__file__).parent

KEPT = {"hall/glyphs.bin": bytes(range(256)) * 5, "hall/kept.mpy": b"kept as it was"}
OLDER = KEPT | {"hall/app.mpy": b"older"}
OLD = KEPT | {"hall/app.mpy": b"old " * 200, "hall/gone.mpy": b"not in the new one"}
NEW = KEPT | {"hall/app.mpy": b"new " * 350, "hall/roles/role.mpy": b"a new folder"}


@pytest.fixture(scope="module")
def key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=3072)


def release(key: rsa.RSAPrivateKey, version: str, counter: int, files: dict[str, bytes]) -> Any:
    bundle = bundle_of(
        {"xtensa": manifest_of(("esp32",), version, counter, "1.29.0", files)}, [files]
    )
    manifest = sign(bundle, key).manifests["xtensa"].content
    return {path: content.hex() for path, content in {**files, "manifest": manifest}.items()}


@pytest.mark.parametrize("becomes", ["confirm", "crash"])
def test_power_cut_at_every_operation(tmp_path: Path, key: rsa.RSAPrivateKey, becomes: str):
    given = {
        "main": str(mpy.firmware_root() / "main.py"),
        "key": PublicKey(key.public_key().public_numbers().n).hex,
        "releases": {
            "older": release(key, "0.0.9", 1, OLDER),
            "old": release(key, "0.1.0", 1, OLD),
            "new": release(key, "0.2.0", 2, NEW),
        },
    }
    (tmp_path / "given.json").write_text(json.dumps(given))
    done = micropython.run(
        HERE / "mp_update_cuts.py",
        str(tmp_path / "given.json"),
        becomes,
        path=[micropython.modules(), HERE.parent / "support", mpy.firmware_root()],
        heap="8M",
        timeout=300,
    )
    cuts = json.loads(done.output.splitlines()[-1])
    print(becomes, cuts)
    phases = {"start", "download", "switch", "first start" if becomes == "confirm" else "revert"}
    assert all(cuts[phase] > 0 for phase in phases)
    assert cuts["resumed"] > cuts["download"] // 4
