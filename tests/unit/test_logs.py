"""The gateway's log: where it goes, and that a flood of one line does not fill it."""

import io
import logging
import os
import socket
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hall_gateway import logs, mqtt5
from hall_gateway.devices_mqtt import DevicesMqtt
from hall_gateway.hall_link import HallLink
from hall_gateway.home_assistant_link import HomeAssistant
from hall_gateway.logs import BURST, MAX_KINDS, Journal, Limit
from hall_gateway.mqtt_message import Message
from hall_gateway.ordered import OrderedWorker
from hall_gateway.wire import one_line


class Log:
    """A logger of a test's own, and the lines that came through a limit."""

    def __init__(self) -> None:
        self.now = 0.0
        self.limit = Limit(lambda: self.now)
        self.stream = io.StringIO()
        handler = logging.StreamHandler(self.stream)
        handler.addFilter(self.limit)
        self.logger = logging.Logger("hall", logging.INFO)
        self.logger.addHandler(handler)

    @property
    def lines(self) -> list[str]:
        return self.stream.getvalue().splitlines()


def test_a_flood_of_one_line_is_cut_and_counted() -> None:
    log = Log()
    for number in range(1000):
        log.logger.warning("device %d: refused", number)
    assert len(log.lines) == BURST
    assert log.lines[-1].endswith("(more like this within 60 s are left out, and counted)")
    assert log.limit.total == 1000 - BURST
    log.logger.warning("another line")
    assert log.lines[-1] == "another line"
    log.now += 60
    log.logger.warning("device %d: refused", 7)
    assert log.lines[-1] == f"device 7: refused ({1000 - BURST} like this were left out)"
    log.logger.warning("device %d: refused", 8)
    assert log.lines[-1] == "device 8: refused"


def test_what_is_remembered_is_bounded() -> None:
    log = Log()
    for number in range(MAX_KINDS * 2):
        log.logger.warning(f"a text made up by somebody: {number}")
    assert len(log.limit._kinds) == MAX_KINDS


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as server:
        server.bind(str(tmp_path / "journal"))
        server.settimeout(60)
        yield server


def test_the_journal_gets_fields(journal: socket.socket) -> None:
    logger = logging.Logger("hall_gateway.core", logging.INFO)
    handler = Journal(journal.getsockname())
    logger.addHandler(handler)
    logger.error("two\nlines: %s", "满意")
    told = journal.recv(65536)
    handler.close()
    text = "two\nlines: 满意".encode()
    assert b"MESSAGE\n" + len(text).to_bytes(8, "little") + text + b"\n" in told
    assert b"PRIORITY\n" + (1).to_bytes(8, "little") + b"3\n" in told
    assert b"hall_gateway.core" in told


def test_without_a_journal_nothing_is_lost(tmp_path: Path) -> None:
    stderr = io.StringIO()
    logger = logging.Logger("hall", logging.INFO)
    handler = Journal(str(tmp_path / "none"), stderr)
    logger.addHandler(handler)
    logger.warning("two\nlines")
    handler.close()
    assert stderr.getvalue() == "<4>two\n<4>lines\n"


def test_a_line_that_cannot_be_said_ends_nobody(
    journal: socket.socket, capsys: pytest.CaptureFixture[str]
) -> None:
    logger = logging.Logger("hall", logging.INFO)
    handler = Journal(journal.getsockname(), io.StringIO())
    handler.addFilter(Limit())
    logger.addHandler(handler)
    for _ in range(BURST + 1):
        logger.warning("%d devices", "no")
    handler.close()
    assert "Message: '%d devices'" in capsys.readouterr().err


def test_a_journal_that_is_stuck_holds_nobody_up(journal: socket.socket) -> None:
    stderr = io.StringIO()
    logger = logging.Logger("hall", logging.INFO)
    handler = Journal(journal.getsockname(), stderr)
    logger.addHandler(handler)
    while not stderr.getvalue():
        logger.warning("a line")
    handler.close()
    assert stderr.getvalue() == "<4>a line\n"


def test_the_journal_is_told_from_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with (tmp_path / "log").open("w") as file:
        monkeypatch.setattr(sys, "stderr", file)
        found = os.fstat(file.fileno())
        assert logs._is_journal(f"{found.st_dev}:{found.st_ino}")
        assert not logs._is_journal("8:1")
        assert not logs._is_journal("")


# Text of outside in a line of the log

FORGED = "a\n2026-11-22 08:00:00 INFO    connected to the broker\x1b[2J"


def _refused_response() -> None:
    link = HallLink.__new__(HallLink)
    link._response_topics, link.refused = (), Counter()
    assert link._allowed(mqtt5.Response(FORGED)) is None


def _refused_topic() -> None:
    devices = DevicesMqtt.__new__(DevicesMqtt)
    devices.refused = Counter()
    devices._refuse("topic", Message(FORGED, b"", False, int, int))


def _given_up() -> None:
    def handle(_: list[Message]) -> Any:
        raise AssertionError

    worker = OrderedWorker(handle, Counter())
    worker._give_up(Message(FORGED, b"", False, int, int), KeyError())


def _taken_back() -> None:
    link = HomeAssistant.__new__(HomeAssistant)
    link._prefix, link.mqtt = "homeassistant", _Sent()  # type: ignore[assignment]
    link._take_back(FORGED)


class _Sent:
    def send(self, topic: str, payload: bytes, *, retain: bool) -> None:
        assert topic == f"homeassistant/device/{FORGED}/config"


@pytest.mark.parametrize("say", [_refused_response, _refused_topic, _given_up, _taken_back])
def test_text_of_outside_forges_no_line(
    say: Callable[[], None], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    say()
    (record,) = caplog.records
    assert "a\\n2026-11-22" in record.getMessage()
    assert record.getMessage().isprintable()


def test_a_text_that_is_harmless_stands_as_it_is() -> None:
    assert one_line("hall/v1/demo/综合") == "hall/v1/demo/综合"
    assert one_line("x" * 100) == "x" * 64
    assert one_line("\u2028") == "\\u2028"
