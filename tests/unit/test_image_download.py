"""The official MicroPython is fetched once, and nothing but the pinned file is ever used."""

import hashlib
import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from hall_tools.errors import UserError
from hall_tools.image.base import BOOT_ADDRESS
from hall_tools.image.download import Pin, official, pins
from hall_tools.ports import free_port
from support.file_server import FileServer
from support.micropython_base import VERSION

CONTENT = bytes(range(256)) * 1000
PATH = "/resources/firmware/ESP32_GENERIC-v1.bin"


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A cache of this test's own, and no proxy on the way to loopback."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    return tmp_path / "hallkit" / "micropython"


def pin(server: FileServer, content: bytes = CONTENT, path: str = PATH) -> Pin:
    return Pin(server.url(path), len(content), hashlib.sha256(content).hexdigest())


def no_news(come: int, size: int) -> None:
    pytest.fail(f"{come} of {size} bytes came")


def test_every_chip_has_an_official_micropython():
    assert set(pins()) == set(BOOT_ADDRESS)
    for entry in pins().values():
        assert entry.url.startswith("https://micropython.org/resources/firmware/ESP32_GENERIC")
        assert entry.url.endswith(f"-{VERSION}.bin")
        assert re.fullmatch("[0-9a-f]{64}", entry.sha256)
        assert 1_000_000 < entry.size < 2_000_000
    assert len({entry.sha256 for entry in pins().values()}) == len(pins())


def test_it_is_fetched_once_and_told_as_it_comes(cache: Path):
    told: list[tuple[int, int]] = []
    with FileServer({PATH: CONTENT}) as server:
        file = official(pin(server), lambda come, size: told.append((come, size)))
        assert official(pin(server), no_news) == file
        assert server.asked == [PATH]
    assert file.read_bytes() == CONTENT
    assert os.listdir(cache) == [file.name] == ["ESP32_GENERIC-v1.bin"]
    assert told[0] == (0, len(CONTENT))
    assert told[-1] == (len(CONTENT), len(CONTENT))
    assert told == sorted(told)


@pytest.mark.parametrize("damage", [b"", CONTENT[:-1], CONTENT + b"x", b"y" * len(CONTENT)])
def test_what_was_damaged_in_the_cache_is_fetched_again(cache: Path, damage: bytes):
    with FileServer({PATH: CONTENT}) as server:
        official(pin(server), lambda *_: None).write_bytes(damage)
        assert official(pin(server), lambda *_: None).read_bytes() == CONTENT
        assert server.asked == [PATH, PATH]


@pytest.mark.parametrize("content", [b"y" * len(CONTENT), CONTENT + b"x"])
def test_another_content_is_thrown_away(cache: Path, content: bytes):
    with FileServer({PATH: content}) as server, pytest.raises(UserError) as refused:
        official(pin(server), lambda *_: None)
    received = hashlib.sha256(content).hexdigest()
    assert "not the file that was pinned" in str(refused.value)
    assert f"its SHA-256 is {received}, not {hashlib.sha256(CONTENT).hexdigest()}" in str(
        refused.value
    )
    assert refused.value.exit_code == os.EX_DATAERR
    assert not os.listdir(cache)


def test_a_server_that_sends_for_ever_is_not_listened_to(cache: Path):
    with FileServer({PATH: CONTENT * 50}) as server, pytest.raises(UserError):
        official(pin(server), lambda come, size: pytest.fail("too much") if come > size + 1 else 0)
    assert not os.listdir(cache)


@pytest.mark.parametrize(
    ("files", "cut", "message"),
    [
        ({}, None, "the server says 404 Not Found; try again"),
        ({PATH: CONTENT}, 1000, "it broke off after 1,000 of 256,000 bytes; try again"),
        ({PATH: CONTENT}, 0, "it broke off after 0 of 256,000 bytes; try again"),
    ],
)
def test_a_download_that_fails_says_what_to_do(
    cache: Path, files: dict[str, bytes], cut: int | None, message: str
):
    with FileServer(files, cut) as server, pytest.raises(UserError) as refused:
        official(pin(server), lambda *_: None)
    assert str(refused.value) == (
        f"{server.url(PATH)}: {message}, or fetch that file elsewhere and give it with --base FILE"
    )
    assert refused.value.exit_code == os.EX_UNAVAILABLE
    assert not os.listdir(cache)


def test_without_a_network_it_says_what_to_do():
    nobody = Pin(f"http://127.0.0.1:{free_port()}/x.bin", 10, "0" * 64)
    with pytest.raises(UserError, match=r"Connection refused; try again, or .* --base FILE$"):
        official(nobody, lambda *_: None)


def test_an_interrupted_download_leaves_nothing(cache: Path):
    def interrupt(come: int, size: int) -> None:
        if come:
            raise KeyboardInterrupt

    with FileServer({PATH: CONTENT}) as server, pytest.raises(KeyboardInterrupt):
        official(pin(server), interrupt)
    assert not os.listdir(cache)


def test_what_nobody_measured_is_not_downloaded():
    with FileServer({PATH: CONTENT}) as server:
        unmeasured = pin(server)._replace(sha256="")
        with pytest.raises(UserError, match="its SHA-256 is not known") as refused:
            official(unmeasured, no_news)
        assert not server.asked
    assert server.url(PATH) in str(refused.value)
    assert "--base FILE" in str(refused.value)


def test_a_cache_that_cannot_be_written_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    with pytest.raises(UserError, match="cannot keep MicroPython: Not a directory; set XDG_CACHE"):
        official(Pin("http://127.0.0.1/x", 1, "0" * 64), no_news)
