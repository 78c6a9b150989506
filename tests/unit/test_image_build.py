"""An image holds what a device needs, every byte in its place, and the same bytes each time."""

import itertools
import random
from pathlib import Path
from typing import Any

import pytest
from hall_profiles import builtin_names, compile_config, load
from hall_tools import mpy
from hall_tools.errors import UserError
from hall_tools.image import Base, Image, assembly, build
from hall_tools.image.ident import device_in, ident_image
from hall_tools.image.layout import layout, partition, partition_table
from hall_tools.image.vfs import vfs_image
from hall_tools.update.build import build as build_release
from littlefs import LittleFS
from support.micropython_base import base

IDENT = {"device": "dev-1", "psk": "5e" * 32, "wifi": [["hall", "correct-horse"]], "claim": "c1"}
FLASHED = [name for name in builtin_names() if load(name).transport != "gateway"]
SECTOR = 4096


def config(profile: str = "keypad-5", **settings: Any) -> dict[str, Any]:
    return compile_config(
        load(profile),
        device="dev-1",
        hall="demo",
        broker_host="192.168.1.10",
        broker_port=8883,
        tls="psk",
        settings=settings,
    )


def built(profile: str = "keypad-5", flash_mb: int | None = None, **settings: Any) -> Image:
    board: Any = load(profile).board
    of_chip = Base.parse(base(board.chip), "base.bin")
    return build(of_chip, config(profile, **settings), IDENT, flash_mb or board.flash_mb)


def content(image: Image, name: str) -> bytes:
    return next(region.content for region in image.regions if region.name == name)


def mounted(vfs: bytes) -> LittleFS:
    disk = LittleFS(block_size=SECTOR, block_count=len(vfs) // SECTOR, mount=False)
    disk.context.buffer = bytearray(vfs)
    disk.mount()
    return disk


def read(vfs: bytes, name: str) -> bytes:
    disk = mounted(vfs)  # a file does not keep its file system
    with disk.open(name, "rb") as file:
        return file.read()


def test_there_are_devices_to_build_for():
    assert len(FLASHED) >= 8
    assert {load(name).board.chip for name in FLASHED} >= {"esp32", "esp32s3"}


@pytest.mark.parametrize("profile", FLASHED)
def test_every_device_gets_its_image(profile: str):
    image = built(profile)
    board: Any = load(profile).board
    assert (image.profile, image.chip, image.flash_mb) == (profile, board.chip, board.flash_mb)
    names = [region.name for region in image.regions]
    assert names == ["boot", "table", "factory", "ident", "jrnl", "vfs"]
    ends = [0, *(region.offset + len(region.content) for region in image.regions)]
    for region, end in zip(image.regions, ends, strict=False):
        assert region.offset >= end, "regions overlap"
        assert region.offset % SECTOR == len(region.content) % SECTOR == 0
    assert ends[-1] == board.flash_mb * 1024 * 1024
    for entry in layout(board.flash_mb)[3:]:
        assert len(content(image, entry.label)) == entry.size
    assert content(image, "table").startswith(partition_table(board.flash_mb))
    assert read(content(image, "vfs"), "config.json").startswith(b'{"v":1,"device":"dev-1"')


def test_the_whole_chip_is_its_regions_on_erased_flash():
    image = built()
    whole = image.bytes
    assert len(whole) == 4 * 1024 * 1024
    end = 0
    for region in image.regions:
        assert set(whole[end : region.offset]) <= {0xFF}
        end = region.offset + len(region.content)
        assert whole[region.offset : end] == region.content
    assert whole[0x1000] == 0xE9
    assert set(content(image, "jrnl")) == {0xFF}


@pytest.mark.parametrize(
    ("chip", "machine"), [("esp32", "xtensawin"), ("esp32s3", "xtensawin"), ("esp32c3", "rv32imc")]
)
def test_a_slot_has_its_chips_machine_code(chip: str, machine: str):
    """And viper's source, for a MicroPython that refuses it; on a keypad too."""
    of_chip = Base.parse(base(chip), "base.bin")
    keypad = mounted(content(build(of_chip, {**config(), "chip": chip}, IDENT), "vfs"))
    here = ["manifest", f"scan_{machine}.mpy"]
    assert [name for name in keypad.listdir("/a") if name != "hall"] == here
    assert "scan_viper.py" in keypad.listdir("/a/hall/drivers")


def test_a_release_in_place_of_the_firmware_needs_its_chip_and_micropython():
    slot = {"hall/app.mpy": b"app"}
    release = build_release(7, "0.9.0", slots={"xtensa": slot})
    image = build(Base.parse(base(), "base.bin"), config(), IDENT, release=release)
    disk = mounted(content(image, "vfs"))
    assert disk.listdir("/a") == ["hall", "manifest"]
    with disk.open("/a/manifest", "rb") as file:
        assert file.read() == release.manifests["xtensa"].content
    of_c3 = Base.parse(base("esp32c3"), "base.bin")
    with pytest.raises(UserError, match=r"keypad-5: the release has nothing for its chip, esp32c3"):
        build(of_c3, {**config(), "chip": "esp32c3"}, IDENT, release=release)
    newer = build_release(7, "0.9.0", core="9.0.0", slots={"xtensa": slot})
    with pytest.raises(
        UserError, match=r"base.bin: MicroPython \S+, but the release needs 9\.0\.0"
    ):
        build(Base.parse(base(), "base.bin"), config(), IDENT, release=newer)


def test_the_same_inputs_make_the_same_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Compiled again, at another time, in another folder."""
    first = built("call-display-p10-64x16")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    second = built("call-display-p10-64x16")
    assert any((tmp_path / "hallkit" / "mpy").iterdir())
    assert first.bytes == second.bytes
    assert built("call-display-p10-64x16", blink_s=9).bytes != first.bytes


def test_identity_keys_and_networks_are_in_ident_and_nowhere_else():
    image = built()
    assert content(image, "ident") == ident_image(IDENT)
    for secret in (b"5e5e5e5e", b"correct-horse"):
        assert secret in content(image, "ident")
        assert not [r.name for r in image.regions if secret in r.content and r.name != "ident"]
    assert "5e5e" not in repr(image)


def test_the_device_of_an_ident_partition_is_read_back():
    assert device_in(ident_image(IDENT)) == "dev-1"
    other = ident_image({**IDENT, "device": "dev-2"}, generation=2)
    assert device_in(ident_image(IDENT)[:SECTOR] + other[:SECTOR]) == "dev-2"
    assert device_in(ident_image(IDENT)[:SECTOR] + b"\xff" * SECTOR) == "dev-1"
    same = ident_image({**IDENT, "device": "dev-2"})
    assert device_in(ident_image(IDENT)[:SECTOR] + same[:SECTOR]) == "dev-1"
    for nobody in (b"", b"\xff" * 2 * SECTOR, bytes(2 * SECTOR), other[1:]):
        assert device_in(nobody) is None


def test_no_noise_is_taken_for_a_device():
    chance = random.Random(4)
    for _ in range(300):
        noise = bytearray(ident_image(IDENT))
        for at in (chance.randrange(60), SECTOR + chance.randrange(60)):
            noise[at] ^= chance.randrange(1, 256)
        assert device_in(bytes(noise)) is None


def test_flashing_again_writes_little():
    """Sectors that differ when one module changes, also when it needs a sector more."""
    files = {f"a/hall/m{n:02}.mpy": bytes([n]) * (200 + 350 * n) for n in range(40)}
    files |= {"a/hall/glyphs.bin": random.Random(1).randbytes(250_000), "config.json": b"{}" * 200}
    before = vfs_image(files)
    for name in ("a/hall/m00.mpy", "a/hall/m12.mpy", "a/hall/m39.mpy", "config.json"):
        for changed in (b"!" + files[name][1:], files[name] + b"more" * 200):
            after = vfs_image({**files, name: changed})
            assert read(after, name) == changed
            sectors = [
                at
                for at in range(0, len(before), SECTOR)
                if before[at : at + SECTOR] != after[at : at + SECTOR]
            ]
            assert 1 <= len(sectors) <= 10, (name, len(changed))


def test_room_that_is_kept_free_is_erased_flash():
    vfs = vfs_image({f"a/{n}.mpy": bytes([n]) * 5000 for n in range(1, 40)})
    written = [at for at in range(0, len(vfs), SECTOR) if set(vfs[at : at + SECTOR]) != {0xFF}]
    assert len(written) <= mounted(vfs).used_block_count
    assert sorted(mounted(vfs).listdir("/")) == ["a"]


def filled(monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    real = assembly.file_system
    extra = {"a/hall/extra.bin": bytes(size)}
    monkeypatch.setattr(assembly, "file_system", lambda *told: real(*told) | extra)


@pytest.mark.parametrize("size", [1_000_000, 2_500_000])
def test_a_full_vfs_is_told_with_its_sizes(monkeypatch: pytest.MonkeyPatch, size: int):
    """Full for two application slots, or even for one."""
    filled(monkeypatch, size)
    with pytest.raises(UserError) as refused:
        built()
    space = partition("vfs").size
    assert str(refused.value).startswith("vfs: ")
    assert f"slot a's again for an update, do not fit its {space:,} bytes" in str(refused.value)
    assert str(refused.value).endswith("take a board with more than 4 MB flash")


def test_a_larger_flash_holds_more(monkeypatch: pytest.MonkeyPatch):
    filled(monkeypatch, 1_000_000)
    assert len(built("keypad-5", flash_mb=8).bytes) == 8 * 1024 * 1024


@pytest.mark.parametrize("flash_mb", [0, 1, 2, 3, 32])
def test_another_flash_size_is_refused(flash_mb: int):
    of_chip = Base.parse(base(), "base.bin")
    with pytest.raises(UserError) as refused:
        build(of_chip, config(), IDENT, flash_mb)
    expected = f"keypad-5: a flash of {flash_mb} MB will not do; right: a board with 4, 8 or 16 MB"
    assert str(refused.value) == expected


@pytest.mark.parametrize(
    ("profile", "chip"),
    [
        ("keypad-5", "esp32s3"),
        ("keypad-5", "esp32c3"),
        ("call-display-hub75-64x32", "esp32"),
    ],
)
def test_a_base_of_another_chip_is_refused(profile: str, chip: str):
    other = Base.parse(base(chip), "base.bin")
    wanted = load(profile).board.chip
    with pytest.raises(UserError) as refused:
        build(other, config(profile), IDENT, 8)
    assert str(refused.value) == (
        f"base.bin: this MicroPython is for {chip}, but {profile} is for {wanted}; "
        f"give the file for {wanted}"
    )


def test_a_display_of_the_gateway_has_no_image():
    of_chip = Base.parse(base(), "base.bin")
    with pytest.raises(UserError, match="the gateway drives this display itself"):
        build(of_chip, config("call-display-p10-64x16-pi"), IDENT)


@pytest.mark.parametrize(
    ("module", "message"),
    [
        ("drivers/keys", "driver keys is not in this firmware"),
        ("mqtt", "this firmware does not speak mqtt"),
    ],
)
def test_what_is_not_in_this_firmware_is_named(
    monkeypatch: pytest.MonkeyPatch, module: str, message: str
):
    real = mpy.application()
    without = {name: code for name, code in real.items() if name != f"hall/{module}.mpy"}
    monkeypatch.setattr(mpy, "application", lambda: without)
    with pytest.raises(UserError, match=f"^keypad-5: {message}$"):
        built()


def test_images_of_two_devices_differ_only_in_who_they_are():
    """A batch then writes the same firmware to every board."""
    of_chip = Base.parse(base(), "base.bin")
    one, two = (
        build(of_chip, {**config(), "device": device}, {**IDENT, "device": device})
        for device in ("dev-1", "dev-2")
    )
    for a, b in itertools.zip_longest(one.regions, two.regions):
        if a.name not in ("ident", "vfs"):
            assert a == b
