"""The simulated flash chip is a file with the rules of NOR flash and the layout of DESIGN."""

import hashlib
import json
import os
import struct
from pathlib import Path
from typing import Any

import pytest
from hall_gateway.release import PublicKey, read_manifest
from hall_profiles import compile_config, load
from hall_tools import deploy, mpy
from hall_tools.errors import UserError
from hall_tools.image.ident import ident_image
from hall_tools.image.layout import SECTOR, layout, partition, partition_table
from hall_tools.image.vfs import file_system
from littlefs import LittleFS
from support import micropython

HERE = Path(__file__).parent
IDENT = {"device": "kp-1", "psk": None, "wifi": [["hall", "secret"]]}


def config(profile: str = "keypad-5", **settings: Any) -> dict[str, Any]:
    return compile_config(
        load(profile),
        device="kp-1",
        hall="demo",
        broker_host="127.0.0.1",
        broker_port=1883,
        settings=settings,
    )


def region(flash: Path, label: str) -> bytes:
    entry = partition(label)
    return flash.read_bytes()[entry.offset : entry.offset + entry.size]


def test_partitions_keep_the_rules_of_nor_flash(tmp_path: Path):
    flash = tmp_path / "flash.bin"
    deploy.deploy(flash, config(), IDENT)
    micropython.run(
        HERE / "mp_sim_flash.py",
        str(flash),
        str(tmp_path / "rtc.bin"),
        path=[micropython.simulation()],
    )


@pytest.mark.parametrize("flash_mb", [4, 8, 16])
def test_the_layout_fills_the_flash_without_overlap(flash_mb: int):
    end = 0x9000
    for entry in layout(flash_mb):
        assert entry.offset == end
        assert entry.offset % SECTOR == entry.size % SECTOR == 0
        end += entry.size
    assert end == flash_mb * 1024 * 1024
    assert partition("ident").size == 8 * 1024
    assert partition("jrnl").size == 64 * 1024
    with pytest.raises(KeyError):
        partition("romfs")


def test_the_partition_table_is_as_the_boot_loader_reads_it():
    table = partition_table()
    assert len(table) == 0xC00
    count = len(layout())
    first = struct.unpack_from("<2sBBII16sI", table)
    assert first == (b"\xaa\x50", 1, 2, 0x9000, 0x6000, b"nvs".ljust(16, b"\0"), 0)
    checksum = table[32 * count : 32 * count + 32]
    assert checksum[:2] == b"\xeb\xeb"
    assert checksum[16:] == hashlib.md5(table[: 32 * count]).digest()
    assert set(table[32 * (count + 1) :]) == {0xFF}


def test_a_new_flash_holds_the_firmware_and_an_empty_journal(tmp_path: Path):
    flash = tmp_path / "flash.bin"
    assert deploy.deploy(flash, config(), IDENT) is True
    assert set(region(flash, "jrnl")) == {0xFF}
    assert set(region(flash, "factory")) == {0xFF}
    vfs = region(flash, "vfs")
    disk = LittleFS(block_size=4096, block_count=len(vfs) // 4096, mount=False)
    disk.context.buffer = bytearray(vfs)
    disk.mount()
    assert set(disk.listdir("/")) == {
        "boot.py",
        "main.py",
        "choose.mpy",
        "config.json",
        "a",
        "safe",
    }
    with disk.open("/a/hall/app.mpy", "rb") as file:
        assert file.read() == mpy.application()["hall/app.mpy"]
    sources = [path for path in mpy.application() if path.endswith(".py")]
    assert not sources, "only .mpy is deployed"


@pytest.mark.parametrize("profile", ["call-display-hub75-64x32", "keypad-5"])
def test_a_slot_has_the_machine_code_of_its_chip_whatever_the_device_is(profile: str):
    """So that one release fits every device of the chip."""
    files = file_system(config(profile))
    assert files["a/scan_xtensawin.mpy"][:1] == b"M"
    assert "a/hall/drivers/scan_viper.py" in files
    assert [name for name in files if "/scan_" in name and "rv32" in name] == []


def test_a_slot_says_what_it_holds():
    files = file_system(config())
    manifest = read_manifest(files["a/manifest"])
    assert (manifest.counter, manifest.signature) == (0, None)
    assert manifest.hardware == ("esp32", "esp32s3")
    slot = {name: content for name, content in files.items() if name.startswith("a/")}
    del slot["a/manifest"]
    assert {f"a/{each.path}": each.sha256 for each in manifest.files} == {
        name: hashlib.sha256(content).hexdigest() for name, content in slot.items()
    }
    assert "keys.json" not in files


def test_a_device_is_given_the_keys_that_its_updates_are_signed_with():
    keys = (PublicKey(2**3071 + 1), PublicKey(2**3071 + 3))
    told = json.loads(file_system(config(), None, keys)["keys.json"])
    assert [int(key, 16) for key in told["keys"]] == [key.modulus for key in keys]


def test_machine_code_has_the_name_of_its_architecture():
    # The third byte of an .mpy: the architecture, shifted by two, and 3, the sub-version.
    codes = {chip: mpy.players(chip) for chip in ("esp32", "esp32s3", "esp32c3")}
    natives = {chip: next(iter(files)) for chip, files in codes.items()}
    assert natives == {
        "esp32": "scan_xtensawin.mpy",
        "esp32s3": "scan_xtensawin.mpy",
        "esp32c3": "scan_rv32imc.mpy",
    }
    assert codes["esp32"]["scan_xtensawin.mpy"][2] == 0x2B
    assert codes["esp32c3"]["scan_rv32imc.mpy"][2] == 0x2F


def test_machine_code_that_was_never_built_is_missed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(mpy, "firmware_root", lambda: tmp_path)
    with pytest.raises(UserError, match="run `hall native build`"):
        mpy.players("esp32c3")


def test_the_journal_stays_when_config_or_identity_change(tmp_path: Path):
    flash = tmp_path / "flash.bin"
    deploy.deploy(flash, config(), IDENT)
    with flash.open("r+b") as chip:
        chip.seek(partition("jrnl").offset)
        chip.write(b"events")
    before = flash.read_bytes()
    assert deploy.deploy(flash, config(), IDENT) is False
    assert flash.read_bytes() == before
    assert deploy.deploy(flash, config(debounce_ms=30), IDENT) is True
    assert region(flash, "jrnl")[:6] == b"events"
    assert deploy.deploy(flash, config(debounce_ms=30), {**IDENT, "psk": "00" * 16}) is True
    assert region(flash, "jrnl")[:6] == b"events"


def test_a_deployment_that_was_interrupted_is_done_again(tmp_path: Path):
    flash = tmp_path / "flash.bin"
    deploy.deploy(flash, config(), IDENT)
    whole = flash.read_bytes()
    flash.with_suffix(".sha256").unlink()
    with flash.open("r+b") as chip:
        chip.seek(partition("vfs").offset)
        chip.write(bytes(100))
    assert deploy.deploy(flash, config(), IDENT) is True
    assert flash.read_bytes() == whole


def test_what_cannot_be_simulated_leaves_no_file(tmp_path: Path):
    with pytest.raises(UserError, match="the gateway drives this display itself"):
        deploy.deploy(tmp_path / "flash.bin", config("call-display-p10-64x16-pi"), IDENT)
    assert not (tmp_path / "flash.bin").exists()


def test_a_flash_is_its_owners_alone_from_the_start(tmp_path: Path):
    """It has the device's keys on it."""
    before = os.umask(0)
    try:
        deploy.deploy(tmp_path / "flash.bin", config(), IDENT)
    finally:
        os.umask(before)
    assert (tmp_path / "flash.bin").stat().st_mode & 0o777 == 0o600


def test_an_identity_that_does_not_fit_is_refused():
    with pytest.raises(UserError, match="do not fit a copy of 4080 bytes"):
        ident_image({**IDENT, "wifi": [["x" * 32, "y" * 64]] * 50})


def test_a_module_that_does_not_compile_is_named(tmp_path: Path):
    source = tmp_path / "broken.py"
    source.write_text("def f(:\n")
    with pytest.raises(UserError, match=r"broken\.py: does not compile: .*line 1"):
        mpy.compile_module(source, "broken.py")


def test_a_module_that_was_damaged_in_the_cache_is_compiled_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    source = tmp_path / "good.py"
    source.write_text("x = 1\n")
    code = mpy.compile_module(source, "good.py")
    (cached,) = (tmp_path / "hallkit" / "mpy").iterdir()
    kept = cached.read_bytes()
    for damaged in (b"", kept[:-1], kept[:-1] + b"?"):
        cached.write_bytes(damaged)
        assert mpy.compile_module(source, "good.py") == code
        assert cached.read_bytes() == kept


def test_a_chip_that_was_flashed_elsewhere_tells_its_config(tmp_path: Path):
    flash = tmp_path / "flash.bin"
    deploy.deploy(flash, config(debounce_ms=30), IDENT)
    assert deploy.config_on(flash) == config(debounce_ms=30)


@pytest.mark.parametrize("content", [b"", b"\xff" * 4 * 1024 * 1024, bytes(3 * 1024 * 1024)])
def test_a_chip_that_is_none_of_ours_is_refused(tmp_path: Path, content: bytes):
    flash = tmp_path / "flash.bin"
    with pytest.raises(UserError, match=r"flash\.bin: No such file"):
        deploy.config_on(flash)
    flash.write_bytes(content)
    with pytest.raises(UserError, match=r"flash\.bin: no flash chip of a device of ours"):
        deploy.config_on(flash)
