"""`hall diag` without a device: what it takes from a line, shows on a page, and tells nobody."""

import base64
import io
import json
import os
import re
import time
import zlib
from collections import deque
from pathlib import Path
from typing import Any

import pytest
from hall_gateway.keys import KeyStore
from hall_profiles import compile_config, load
from hall_tools.diag import claims, frames
from hall_tools.diag.claims import Keys, without
from hall_tools.diag.console import Console, RefusedError, SilentError, merged
from hall_tools.diag.frames import End, Lines, Log, Piece
from hall_tools.diag.page import Page, duration, sparkline
from hall_tools.errors import UserError
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console as Terminal

CLAIM = "00112233445566778899aabbccddeeff"


def reply(ident: str, command: str, value: object) -> bytes:
    content = f"{ident} {command} {frames.dumps(value)}".encode()
    return b"@%s*%08x\n" % (content, zlib.crc32(content))


def taken(data: bytes, size: int = 7) -> list[Any]:
    lines = Lines()
    return [each for at in range(0, len(data), size) for each in lines.feed(data[at : at + size])]


def test_frames_and_log_lines_come_apart():
    log = "[12] error: nobody@home says 好 * @7 what [1,{}]"
    data = f"{log}\n".encode() + reply("a1", "health", [1, {"mail": "a@b"}])
    data += b"half a li" + reply("a1", "health", {"ok": 1}) + b"\r\n\n"
    data += reply("a2", "repl", {"error": "no @ all"})
    assert taken(data) == [
        Log(log),
        Piece("a1", "health", 1, {"mail": "a@b"}),
        Log("half a li"),
        End("a1", 1, None),
        End("a2", 0, "no @ all"),
    ]


@pytest.mark.parametrize(
    "value", [1, "x", None, [], [1], ["1", {}], [1, {}, 2], {}, {"ok": "1"}, {"error": 1}]
)
def test_json_of_another_form_is_no_reply(value: object):
    lines = Lines()
    assert list(lines.feed(reply("a1b2c3d4", "health", value))) == []
    assert lines.broken == 1


@given(st.binary(max_size=200), st.integers(1, 50))
def test_any_bytes_before_a_frame_leave_it_whole(noise: bytes, size: int):
    data = noise + reply("a1b2c3d4", "health", {"ok": 3})
    assert taken(data, size)[-1] == End("a1b2c3d4", 3, None)


@given(st.data())
def test_a_frame_that_was_changed_is_none(data: st.DataObject):
    good = reply("a1b2c3d4", "health", [1, {"up_s": 12}])[:-1]
    at = data.draw(st.integers(0, len(good) - 1))
    byte = data.draw(st.integers(0, 255).filter(lambda value: value != good[at]))
    bad = good[:at] + bytes([byte]) + good[at + 1 :] + b"\n"
    assert not [each for each in taken(bad) if not isinstance(each, Log)]


def test_a_line_without_an_end_takes_no_memory():
    lines = Lines()
    for _ in range(1000):
        assert list(lines.feed(b"x" * 1000)) == []
    assert lines.broken == 1
    assert len(lines._rest) <= frames.LINE_MAX  # pyright: ignore[reportPrivateUsage]
    assert list(lines.feed(b"\n" + reply("a", "id", {"ok": 0}))) == [End("a", 0, None)]


def test_the_longest_request_fits_a_device():
    body = frames.signed(bytes(32), "0" * 32, "f" * 8, "selftest", 10**9, {"after": 10**10})
    assert len(frames.encode("f" * 8, "selftest", body)) < frames.FRAME_MAX


class Line:
    """A port with a device that is played: `answer(id, command, body)` -> bytes, once a request."""

    name = "/dev/played"
    losses = 0
    is_open = True

    def __init__(self, answer: Any) -> None:
        self.answer = answer
        self.asked = 0
        self._out = b""

    def write(self, data: bytes) -> None:
        assert data.startswith(b"\n@")
        ident, command, body = data[2:-10].decode().split(" ", 2)
        self.asked += 1
        self._out += self.answer(self.asked, ident, command, json.loads(body))

    def read(self) -> bytes:
        out, self._out = self._out, b""
        return out


def console(answer: Any, claim: str | None = CLAIM) -> Console:
    line: Any = Line(answer)
    return Console(line, lambda _device: bytes.fromhex(claim) if claim else None)


def whole(ident: str, command: str, *pieces: object) -> bytes:
    told = [reply(ident, command, [n, piece]) for n, piece in enumerate(pieces, 1)]
    return b"".join(told) + reply(ident, command, {"ok": len(pieces)})


def test_an_answer_with_a_hole_is_asked_for_again():
    def answer(asked: int, ident: str, command: str, _body: Any) -> bytes:
        told = whole(ident, command, {"a": {"b": 1}}, {"a": {"c": 2}, "l": [1]}, {"l": [2]})
        if asked < 3:
            lines = told.splitlines(keepends=True)
            return b"".join(lines[:asked] + lines[asked + 1 :])
        return told

    asked = console(answer)
    assert merged(asked.ask("health")) == {"a": {"b": 1, "c": 2}, "l": [1, 2]}
    assert asked.port.asked == 3  # pyright: ignore[reportAttributeAccessIssue]


def test_only_the_answer_to_this_question_counts():
    def answer(asked: int, ident: str, command: str, _body: Any) -> bytes:
        other = whole("0" * 8, command, {"wrong": 1})
        return other if asked == 1 else other + whole(ident, command, {"right": 1}) + other

    assert merged(console(answer).ask("health")) == {"right": 1}


def test_a_late_answer_to_the_first_try_counts():
    late: list[bytes] = []

    def answer(_asked: int, ident: str, command: str, _body: Any) -> bytes:
        late.append(whole(ident, command, {"try": len(late)}))
        return late[0] if len(late) == 3 else b""

    assert merged(console(answer).ask("health")) == {"try": 0}


def test_a_session_that_is_over_is_begun_anew():
    nonces: list[str] = []
    numbers: list[int] = []

    def answer(_asked: int, ident: str, command: str, body: Any) -> bytes:
        if command == "id":
            nonces.append(f"{len(nonces):032x}")
            return whole(ident, command, {"device": "d", "guarded": True, "nonce": nonces[-1]})
        numbers.append(body["n"])
        if len(numbers) == 2:
            return reply(ident, command, {"error": "another session: ask for id first"})
        return whole(ident, command, {"ok": True})

    asked = console(answer)
    asked.ask("selftest")
    asked.ask("selftest")
    assert (len(nonces), numbers) == (2, [1, 2, 1])
    assert "nonce" not in asked.who


def test_another_device_on_the_cable_is_not_taken_for_the_first():
    names = iter(["disp-1", "disp-2"])

    def answer(_asked: int, ident: str, command: str, _body: Any) -> bytes:
        if command == "id":
            return whole(ident, command, {"device": next(names), "guarded": True, "nonce": "0"})
        return reply(ident, command, {"error": "another session: ask for id first"})

    with pytest.raises(RefusedError, match="was disp-1, is disp-2 now"):
        console(answer).ask("reboot")


def test_silence_is_an_error_with_advice():
    with pytest.raises(SilentError, match="is it the right port") as caught:
        console(lambda *_: b"[3] booting\n").ask("health", patience_s=0.1)
    assert "[3] booting" in str(caught.value)
    assert caught.value.exit_code == os.EX_UNAVAILABLE


def test_a_device_at_its_prompt_is_no_mystery():
    with pytest.raises(SilentError, match="at its MicroPython prompt"):
        console(lambda *_: b">>> @1 health {}\r\nSyntaxError\n").ask("health", patience_s=0.1)


# Claims and secrets


def test_the_claim_is_beside_hall_toml_or_in_a_file(tmp_path: Path):
    made = KeyStore(tmp_path / "keys").enrol("dev-1", load("keypad-5"))
    keys = Keys(tmp_path / "hall.toml")
    assert keys.claim("dev-1") == bytes.fromhex(made.claim)
    assert keys.claim("dev-2") is None
    assert keys.claim("../x") is None
    assert Keys(tmp_path / "none" / "hall.toml").claim("dev-1") is None
    file = tmp_path / "claim"
    for text in (CLAIM, f" {CLAIM.upper()}\n", f"HALLKIT:1:DEV-1:KEYPAD-5:1:{CLAIM}"):
        file.write_text(text)
        assert Keys(tmp_path / "hall.toml", file).claim("any") == bytes.fromhex(CLAIM)
    for text in ("", CLAIM[1:], CLAIM + "0", "x" * 32):
        file.write_text(text)
        with pytest.raises(UserError, match="no claim; right") as caught:
            Keys(tmp_path / "hall.toml", file)
        assert text == "" or text not in str(caught.value)


def test_a_damaged_key_file_is_told_and_no_key_of_it(tmp_path: Path):
    KeyStore(tmp_path / "keys").enrol("dev-1", load("keypad-5"))
    (tmp_path / "keys" / "dev-1.json").write_text('{"claim": "deadbeef"')
    keys = Keys(tmp_path / "hall.toml")
    assert keys.claim("dev-1") is None
    assert "damaged" in keys.why
    assert "deadbeef" not in keys.why


@given(st.binary(min_size=8, max_size=40), st.text(max_size=20))
def test_no_spelling_of_a_secret_is_left(secret: bytes, around: str):
    for spelled in (
        secret.hex(),
        secret.hex().upper(),
        base64.b64encode(secret).decode(),
        base64.urlsafe_b64encode(secret).decode().rstrip("="),
        repr(secret)[2:-1],
    ):
        text = without([secret], {"log": [around + spelled + around]})["log"][0]
        assert not re.search(re.escape(spelled), text, re.IGNORECASE)


def test_a_password_with_a_quote_is_found_however_it_is_written():
    secret = 'pass"w\\ört'
    for spelled in (secret, json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1]):
        told = without([secret.encode()], {"log": f"joined with {spelled}", "n": [1, None]})
        assert told == {"log": f"joined with {claims.REMOVED}", "n": [1, None]}


# The page

WHO = {
    "device": "floor-1",
    "profile": "wet-floor-mains",
    "fw": "0.1.0",
    "core": "1.29.0",
    "slot": "/a",
    "chip": "esp32",
}
HEALTH: dict[str, Any] = {
    "up_s": 93784,
    "unix_ms": 1_800_000_000_000,
    "start": {"cause": "watchdog", "note": "role: no progress in 5001 ms", "attempts": 2},
    "journal": {"boot": 7, "depth": 12, "dropped": 3, "lost": 0, "torn": 1, "next": 40},
    "link": {"down_ms": 61000, "connects": 2, "failures": 9},
    "wifi": {"joined": True, "ssid": "hall", "rssi": -71, "channel": 6, "ip": "192.168.1.7"},
    "heap": {"free": 41234, "least": 30123, "taken": 99000, "system": [90000, 45000, 39000]},
    "files": {"free": 1527808},
    "config_crc": "0a0b0c0d",
    "errors": [{"at_s": 4, "times": 2, "text": "TCP connection failed: ECONNREFUSED"}] * 5,
    "failed": {"role": "OSError: 5"},
    "shows": {"ohms": 36862, "wet": True, "fault": None},
    "console": {"noise": 12, "broken": 0},
}
SAMPLE = {"raw": {"forward_uv": 1, "backward_uv": 2, "ohms": 3}, "filtered": {"ohms": 4}}
# What the page is for: each with its unit.
SAID = (
    *(
        "floor-1",
        "answers",
        "watchdog",
        "no progress",
        "boot count 7",
        "1 d 2 h",
        "/a, not confirmed",
    ),
    *("attempt 2", "firmware 0.1.0", "MicroPython 1.29.0", "silent for 1 min 1 s", "hall"),
    *("-71 dBm", "192.168.1.7", "failures 9", "heap free 41,234 B", "least 30,123 B", "45,000 B"),
    *("flash free 1,527,808 B", "depth 12 events", "dropped 3", "torn 1", "1 d 2 h ago, 2 times"),
    *(
        "ECONNREFUSED",
        "role OSError: 5",
        "raw ohms",
        "forward_uv",
        "µV",
        "Ω",
        "wet yes",
        "0a0b0c0d",
    ),
    *("2027-01-15 08:00:00 UTC, not set for 1 min 1 s", "noise 12", "the log's last line"),
)


def drawn(page: Page, width: int = 100, height: int = 30) -> str:
    terminal = Terminal(width=width, height=height, record=True, file=io.StringIO())
    terminal.print(page)
    return terminal.export_text()


def page_of(health: dict[str, Any]) -> Page:
    page = Page("/dev/ttyUSB0")
    page.logs = [f"log {n}" for n in range(50)] + ["the log's last line"]
    page.answered(WHO, health)
    page.sampled(SAMPLE)
    return page


@pytest.mark.parametrize(("width", "height"), [(80, 28), (100, 30), (120, 40), (200, 60)])
def test_the_page_says_what_a_technician_looks_for(width: int, height: int):
    assert "no answer yet" in drawn(Page("/dev/ttyUSB0"))
    page = page_of(HEALTH)
    text = drawn(page, width, height)
    for said in SAID:
        assert said in text, said
    assert "does not fit" not in text
    assert len(text.splitlines()) <= height
    assert text.count("log ") >= (0 if height < 40 else 5)


def test_a_board_whose_file_system_is_broken_is_told_with_its_remedy():
    page = Page("/dev/ttyUSB0")
    page.logs = [
        "The filesystem starting at sector 0 with size 494 sectors appears to be corrupted."
    ]
    assert "run hall flash DEVICE" in drawn(page)


def test_an_ordinary_page_fits_the_smallest_terminal():
    quiet: dict[str, Any] = {**HEALTH, "errors": HEALTH["errors"][:2], "failed": {}, "console": {}}
    text = drawn(page_of(quiet), 80, 24)
    gone = {"role OSError: 5", "noise 12"}
    assert [said for said in SAID if said not in text and said not in gone] == []
    assert len(text.splitlines()) <= 24


def test_what_does_not_fit_is_the_least_important_and_is_said():
    page = page_of(HEALTH)
    for value in range(2):
        page.sampled({"raw": {f"zone {n}": n + value for n in range(30)}})
    lines = drawn(page, 80, 24).splitlines()
    assert len(lines) == 24
    assert lines[-1].strip() == "more does not fit: a taller window shows it"
    text = "\n".join(lines)
    for said in ("watchdog", "ECONNREFUSED", "-71 dBm", "depth 12", "dropped 3"):
        assert said in text, said


def test_a_sensor_that_falls_silent_shows_no_number_of_before(monkeypatch: pytest.MonkeyPatch):
    page = page_of(HEALTH)
    for value in (0, 10, 5):
        page.sampled({"raw": {"ohms": value, "fault": None}, "filtered": {"wet": False}})
    text = drawn(page)
    assert re.search("raw ohms +▃▁█▄ +5 Ω +0 to 10", text), text
    page.sampled({"raw": {"ohms": None, "fault": "probe_open"}, "filtered": {"wet": None}})
    text = drawn(page)
    assert re.search("raw ohms +▃▁█▄ +-   0 to 10", text), text
    assert "raw fault probe_open" in text
    assert "filtered wet -" in text
    later = time.monotonic() + 5
    monkeypatch.setattr("hall_tools.diag.page.time.monotonic", lambda: later)
    assert "no sample for 5 s: all of these are old" in drawn(page)


def test_traces_are_not_another_devices():
    page = page_of(HEALTH)
    page.answered({**WHO, "device": "floor-2"}, HEALTH)
    assert "raw ohms" not in drawn(page)


def test_no_text_of_a_device_moves_the_cursor():
    page = page_of({**HEALTH, "wifi": {"joined": True, "ssid": "a\x1b[2J\x9b1mb"}})
    page.sampled({"raw": {"x\x1b[A": "\x07"}})
    page.logs = [*(each.text for each in taken("[1] \x9b2J caf\u00e9\n".encode()))]
    text = drawn(page, 80, 40)
    assert "Wi-Fi a\ufffd[2J\ufffd1mb" in text
    assert "[1] \ufffd2J café" in text
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f]", text)


def test_what_is_old_is_called_old(monkeypatch: pytest.MonkeyPatch):
    page = page_of(HEALTH)
    later = time.monotonic() + 5
    monkeypatch.setattr("hall_tools.diag.page.time.monotonic", lambda: later)
    text = drawn(page)
    assert "no answer for 5 s: all of this is old" in text
    assert "answers" not in text


def test_sparklines_and_durations():
    assert sparkline(deque([1.0])) == "▁"
    assert sparkline(deque([0, 1, 2, 3, None, 5, 6, 7])) == "▁▂▃▄ ▆▇█"
    assert [duration(s) for s in (0, 59, 60, 3600, 90000)] == [
        "0 s",
        "59 s",
        "1 min 0 s",
        "1 h 0 min",
        "1 d 1 h",
    ]


def test_a_public_place_has_no_bench():
    place: dict[str, Any] = {
        "device": "kp-1",
        "hall": "demo",
        "broker_host": "10.0.0.1",
        "broker_port": 8883,
    }
    assert "bench" not in compile_config(load("keypad-5"), **place)
    assert compile_config(load("keypad-5"), **place, bench=False)["bench"] is False
