"""`hall image build`: what an installer types, and what lies there afterwards."""

import hashlib
import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from hall_gateway.keys import KeyStore
from hall_tools.commands.image import app
from hall_tools.errors import UserError
from hall_tools.image import bases
from hall_tools.image.download import Pin
from support.file_server import FileServer
from support.hall_folder import hall_folder
from support.micropython_base import base, write_base
from typer.testing import CliRunner, Result

PATH = "/ESP32_GENERIC-20260824-v1.29.0.bin"


@pytest.fixture
def hall(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """hall.toml of a hall with kp-1 (esp32) and disp-1 (esp32s3), enrolled; cwd is elsewhere."""
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    (tmp_path / "etc").mkdir()
    return str(hall_folder(tmp_path / "etc"))


def run(hall: str, *arguments: str) -> Result:
    return CliRunner().invoke(app, ["build", "--config", hall, *arguments])


def refusal(result: Result) -> UserError:
    assert isinstance(result.exception, UserError), result
    return result.exception


def test_one_image_beside_the_installer(tmp_path: Path, hall: str):
    micropython = write_base(tmp_path)
    result = run(hall, "kp-1", "--base", str(micropython))
    assert result.exit_code == 0
    assert result.stdout == "kp-1: keypad-5 on esp32, 4 MB, MicroPython v1.29.0: kp-1.bin\n"
    image = Path("kp-1.bin")
    assert stat.S_IMODE(image.stat().st_mode) == 0o600
    assert image.stat().st_size == 4 * 1024 * 1024
    assert os.listdir() == ["kp-1.bin"]


def test_options_may_name_the_device_and_its_profile(tmp_path: Path, hall: str):
    micropython = str(write_base(tmp_path))
    result = run(hall, "--profile", "keypad-5", "--device", "kp-1", "--base", micropython)
    assert result.exit_code == 0
    other = run(hall, "--profile", "keypad-3", "--device", "kp-1", "--base", micropython)
    assert str(refusal(other)) == f"kp-1: {hall} says keypad-5, not keypad-3"


def test_several_images_into_a_folder_and_json(tmp_path: Path, hall: str):
    files = [str(write_base(tmp_path, chip)) for chip in ("esp32", "esp32s3")]
    out = tmp_path / "images"
    out.mkdir()
    named = ("kp-1", "disp-1", "kp-1", "--out", str(out), "--json")
    result = run(hall, *named, "--base", files[0], "--base", files[1])
    assert result.exit_code == 0
    first, second = json.loads(result.stdout)
    assert (first["device"], second["device"]) == ("kp-1", "disp-1")
    assert (second["chip"], second["flash_mb"], second["micropython"]) == ("esp32s3", 8, "v1.29.0")
    for told in (first, second):
        content = (out / f"{told['device']}.bin").read_bytes()
        assert told["file"] == str(out / f"{told['device']}.bin")
        assert told["bytes"] == len(content) == told["flash_mb"] * 1024 * 1024
        assert told["sha256"] == hashlib.sha256(content).hexdigest()
        assert [r["name"] for r in told["regions"]][-3:] == ["ident", "jrnl", "vfs"]


def test_the_same_image_again_is_the_same_file(tmp_path: Path, hall: str):
    micropython = str(write_base(tmp_path))
    run(hall, "kp-1", "--base", micropython, "--out", "one.bin")
    Path("two.bin").write_text("an older file")
    Path("two.bin").chmod(0o644)
    run(hall, "kp-1", "--base", micropython, "--out", "two.bin")
    assert Path("one.bin").read_bytes() == Path("two.bin").read_bytes()
    assert stat.S_IMODE(Path("two.bin").stat().st_mode) == 0o600


def test_another_machine_makes_the_same_file(tmp_path: Path, hall: str):
    """Another time zone, order of hashes, mask of rights, working folder, and nothing compiled."""
    arguments = ("disp-1", "--base", str(write_base(tmp_path, "esp32s3")), "--out", "image.bin")
    run(hall, *arguments)
    command = [Path(sys.executable).with_name("hall"), "image", "build", "--config", hall]
    (tmp_path / "other").mkdir()
    subprocess.run(
        [*command, *arguments],
        env=os.environ
        | {"TZ": "Asia/Shanghai", "PYTHONHASHSEED": "7", "LC_ALL": "C", "LANG": "C"}
        | {"XDG_CACHE_HOME": str(tmp_path / "cache")},
        cwd=tmp_path / "other",
        umask=0,
        check=True,
        timeout=60,
    )
    other = tmp_path / "other" / "image.bin"
    assert other.read_bytes() == Path("image.bin").read_bytes()
    assert stat.S_IMODE(other.stat().st_mode) == 0o600
    assert any((tmp_path / "cache" / "hallkit" / "mpy").iterdir())


def test_no_key_is_ever_shown(tmp_path: Path, hall: str):
    keys = KeyStore(Path(hall).parent / "keys").get("kp-1")
    assert keys is not None
    assert keys.psk is not None
    micropython = str(write_base(tmp_path))
    for result in (
        run(hall, "kp-1", "--base", micropython, "--json"),
        run(hall, "kp-1", "--base", micropython),
    ):
        for secret in (keys.psk, keys.claim, "correct-horse"):
            assert secret not in result.output
    assert bytes.fromhex(keys.psk) not in Path("kp-1.bin").read_bytes()
    assert keys.psk.encode() in Path("kp-1.bin").read_bytes()


def test_the_official_micropython_is_fetched_once_for_all_devices(
    tmp_path: Path, hall: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    content = base()
    with FileServer({PATH: content}) as server:
        pin = Pin(server.url(PATH), len(content), hashlib.sha256(content).hexdigest())
        monkeypatch.setattr(bases, "pins", lambda: {"esp32": pin})
        first, second = run(hall, "kp-1"), run(hall, "kp-1", "--json")
        assert server.asked == [PATH]
    assert (first.exit_code, second.exit_code) == (0, 0)
    assert first.stderr == f"downloading {pin.url}\n"
    assert first.stdout.startswith("kp-1: keypad-5 on esp32, 4 MB, MicroPython v1.29.0: ")
    assert second.stderr == ""


def test_nothing_is_written_when_one_base_is_missing(tmp_path: Path, hall: str):
    micropython = write_base(tmp_path)
    result = run(hall, "kp-1", "disp-1", "--base", str(micropython))
    assert str(refusal(result)) == (
        f"{micropython}: this MicroPython is for esp32, but call-display-hub75-64x32 is for "
        "esp32s3; give the file for esp32s3"
    )
    assert not os.listdir()


def test_nothing_is_written_when_one_device_is_not_enrolled(tmp_path: Path, hall: str):
    KeyStore(Path(hall).parent / "keys").revoke("disp-1")
    result = run(hall, "kp-1", "disp-1", "--base", str(write_base(tmp_path)))
    assert str(refusal(result)).startswith("disp-1: revoked at ")
    assert not os.listdir()


def test_two_bases_for_one_chip_are_refused(tmp_path: Path, hall: str):
    first = write_base(tmp_path)
    second = first.rename(tmp_path / "second.bin")
    first = write_base(tmp_path)
    result = run(hall, "kp-1", "--base", str(first), "--base", str(second))
    assert str(refusal(result)) == f"{second}: for esp32, as {first} is; give one for each chip"


def test_a_corrupt_base_is_refused(tmp_path: Path, hall: str):
    micropython = write_base(tmp_path)
    micropython.write_bytes(micropython.read_bytes()[:-100])
    result = run(hall, "kp-1", "--base", str(micropython))
    expected = f"{micropython}: application is damaged or cut off; download the file again"
    assert str(refusal(result)) == expected
    assert refusal(result).exit_code == os.EX_DATAERR


def test_without_a_device_it_says_what_to_type(hall: str):
    error = refusal(run(hall))
    assert (str(error), error.exit_code) == (
        "no device named; right: hall image build DEVICE",
        os.EX_USAGE,
    )


def test_several_images_need_a_folder(tmp_path: Path, hall: str):
    result = run(hall, "kp-1", "disp-1", "--base", str(write_base(tmp_path)), "--out", "x")
    assert str(refusal(result)) == "--out x: 2 images need a folder; make it first: mkdir -p x"
    assert refusal(result).exit_code == os.EX_USAGE


def test_a_folder_that_is_not_there_is_told(tmp_path: Path, hall: str):
    result = run(hall, "kp-1", "--base", str(write_base(tmp_path)), "--out", "no/kp-1.bin")
    assert refusal(result).exit_code == os.EX_CANTCREAT
    assert "no: cannot use it: No such file or directory" in str(refusal(result))
