"""The driver of the LD2450: its frames, whole and spoilt; then on the simulated radar."""

import importlib
import json
import time
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from hall_profiles import compile_config, load
from hypothesis import assume, given
from hypothesis import strategies as st
from support import micropython

HEAD, TAIL = b"\xaa\xff\x03\x00", b"\x55\xcc"
Target = tuple[int, int, int]


@pytest.fixture(scope="module")
def ld2450() -> Iterator[ModuleType]:
    """The firmware's module, with MicroPython's clock in CPython's `time`."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(time, "ticks_ms", lambda: time.monotonic_ns() // 1_000_000, raising=False)
        patch.setattr(time, "ticks_diff", lambda a, b: a - b, raising=False)  # type: ignore[misc]
        yield importlib.import_module("hall_firmware.hall.drivers.ld2450")


class Line:
    """The serial line: what was fed to it and not read yet."""

    def __init__(self) -> None:
        self.bytes = b""

    def uart(self, tx: int, rx: int, baud: int) -> "Line":
        assert (tx, rx, baud) == (6, 7, 256_000)
        return self

    def any(self) -> int:
        return len(self.bytes)

    def readinto(self, buffer: bytearray) -> int | None:
        came, self.bytes = self.bytes[: len(buffer)], self.bytes[len(buffer) :]
        buffer[: len(came)] = came
        return len(came) or None


class Radar:
    """A driver on a line; `heard` is what it gave of all that was fed to it."""

    def __init__(self, module: ModuleType) -> None:
        self.line = Line()
        self.driver: Any = module.Ld2450({"name": "ld2450"}, {"tx": 6, "rx": 7}, self.line)
        self.heard: list[tuple[Target, ...]] = []

    def feed(self, data: bytes) -> None:
        self.line.bytes += data
        self.poll()

    def poll(self) -> None:
        idle = 0
        while idle < 3:
            frame = self.driver.poll()
            idle = idle + 1 if frame is None and not self.line.bytes else 0
            if frame is not None:
                self.heard.append(frame)


def signed(value: int) -> bytes:
    """Sign and magnitude: the highest bit is set for plus (protocol V1.03, table 10)."""
    return (value | 0x8000 if value >= 0 else -value).to_bytes(2, "little")


def frame(targets: tuple[Target, ...]) -> bytes:
    body = b"".join(b"".join(map(signed, target)) + b"\x40\x01" for target in targets)
    return HEAD + body.ljust(24, b"\0") + TAIL


def unmistakable(data: bytes) -> bool:
    """Whether nothing within these targets looks like the begin or the end of a frame."""
    inner = data[len(HEAD) : -len(TAIL)]
    return TAIL not in inner and HEAD[:2] not in inner


TARGETS = st.lists(
    st.tuples(st.integers(-6000, 6000), st.integers(0, 6000), st.integers(-500, 500)), max_size=3
).map(tuple)
NOISE = st.one_of(
    st.binary(max_size=70),
    st.lists(st.sampled_from([HEAD, HEAD[:2], TAIL, b"\xaa", b"\x55"]), max_size=6).map(b"".join),
)


def test_the_example_of_the_protocol(ld2450: ModuleType) -> None:
    radar = Radar(ld2450)
    radar.feed(bytes.fromhex("AAFF0300 0E03B186100040 01" + "00" * 16 + "55CC"))
    assert radar.heard == [((-782, 1713, -16),)]
    assert radar.driver.bad == 0


@given(st.lists(TARGETS, max_size=8), st.lists(st.integers(1, 40), max_size=30))
def test_every_frame_is_heard_however_it_is_cut(
    ld2450: ModuleType, sent: list[tuple[Target, ...]], cuts: list[int]
) -> None:
    radar = Radar(ld2450)
    stream = b"".join(map(frame, sent))
    for cut in cuts:
        radar.feed(stream[:cut])
        stream = stream[cut:]
    radar.feed(stream)
    assert radar.heard == sent
    assert radar.driver.bad == 0


@given(st.lists(st.tuples(NOISE, TARGETS), max_size=8))
def test_noise_between_frames_costs_none(
    ld2450: ModuleType, sent: list[tuple[bytes, tuple[Target, ...]]]
) -> None:
    for noise, targets in sent:
        assume(unmistakable(frame(targets)))
        # A whole frame of noise is nothing that can be told from a frame.
        assume(len(noise) < 30 or HEAD not in noise)
        assume(not noise.endswith((HEAD[:1], HEAD[:2], HEAD[:3])))
    radar = Radar(ld2450)
    for noise, targets in sent:
        radar.feed(noise + frame(targets))
    # What was held back for an end that did not come goes when enough has followed.
    radar.feed(frame(()) * 2)
    assert radar.heard == [targets for _, targets in sent] + [(), ()]


@given(st.lists(TARGETS, min_size=3, max_size=6), st.data())
def test_a_lost_byte_costs_its_frame_and_no_other(
    ld2450: ModuleType, sent: list[tuple[Target, ...]], data: st.DataObject
) -> None:
    frames = [frame(targets) for targets in sent]
    assume(all(unmistakable(each) for each in frames))
    spoilt = data.draw(st.integers(0, len(frames) - 2))
    at = data.draw(st.integers(0, 29))
    frames[spoilt] = frames[spoilt][:at] + frames[spoilt][at + 1 :]
    radar = Radar(ld2450)
    radar.feed(b"".join(frames))
    assert radar.heard == sent[:spoilt] + sent[spoilt + 1 :]
    # Without the last byte of its head it still begins as a frame, where a zero follows.
    assert radar.driver.bad == 1 if at >= len(HEAD) else radar.driver.bad <= 1


@given(st.binary(max_size=400))
def test_nothing_that_comes_is_too_much(ld2450: ModuleType, noise: bytes) -> None:
    radar = Radar(ld2450)
    radar.feed(noise)
    assert len(radar.driver._buffer) < 30 + 120
    radar.feed(frame(()) * 3)
    assert radar.heard[-1] == ()


def test_somebody_beyond_its_reach_is_a_spoilt_frame(ld2450: ModuleType) -> None:
    radar = Radar(ld2450)
    for target in ((0, 8001, 0), (-8001, 100, 0), (0, -1, 0)):
        radar.feed(frame((target,)))
    assert radar.heard == []
    assert radar.driver.bad == 3


def test_a_radar_that_is_silent_for_weeks_stays_silent(
    ld2450: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The difference of two ticks is negative from 2^29 ms on."""
    clock = [0]
    monkeypatch.setattr(ld2450, "ticks_ms", lambda: clock[0] % 2**30)
    wrapped = lambda a, b: (a - b + 2**29) % 2**30 - 2**29  # noqa: E731
    monkeypatch.setattr(ld2450, "ticks_diff", wrapped)
    radar = Radar(ld2450)
    for clock[0] in range(200, 4000, 200):
        radar.driver.poll()
    for clock[0] in range(4000, 2**31, 2**24):
        radar.driver.poll()
        assert radar.driver.fault() == "radar_silent"
    radar.feed(frame(()))
    assert radar.driver.fault() is None


def simulated(folder: Path, *deeds: tuple[int, str, Any], baud: int = 256_000) -> list[Any]:
    config: dict[str, Any] = compile_config(
        load("people-counter-ld2450"),
        device="c-1",
        hall="demo",
        broker_host="127.0.0.1",
        broker_port=1883,
    )
    flash = folder / "flash.bin"
    flash.touch()
    done = micropython.run(
        Path(__file__).with_name("mp_ld2450.py"),
        str(flash),
        str(folder / "rtc.bin"),
        path=[micropython.modules(), micropython.simulation()],
        stdin=json.dumps({"config": config, "deeds": deeds, "until_ms": 20_000, "baud": baud}),
    )
    return [json.loads(line) for line in done.output.splitlines()]


def test_the_simulated_radar_sees_somebody_come_in(tmp_path: Path) -> None:
    lines = simulated(tmp_path, (5000, "walk", {"dir": "in", "ms": 2800}))
    frames = [line for line in lines if "targets" in line]
    assert 195 <= len(frames) <= 201, "ten a second"
    there = [(line["at"], line["targets"][0]) for line in frames if line["targets"]]
    assert 4900 <= there[0][0] <= 5200
    assert 7600 <= there[-1][0] <= 7900
    # From outside the doorway, two metres away, towards the radar.
    assert there[0][1][1] > 2800
    assert there[-1][1][1] < 1200
    assert lines[-1] == {"bad": 0, "fault": None}


def test_a_noisy_line_costs_some_frames(tmp_path: Path) -> None:
    lines = simulated(tmp_path, (2000, "noisy", True), (8000, "noisy", False))
    frames = [line for line in lines if "targets" in line]
    assert 140 <= len(frames) < 200
    assert all(line["targets"] == [] for line in frames)
    assert lines[-1]["fault"] is None


def test_a_radar_that_is_gone_is_a_fault_until_it_is_back(tmp_path: Path) -> None:
    silent, well, *_ = simulated(tmp_path, (0, "gone", True), (9000, "gone", False))
    assert silent["fault"] == "radar_silent"
    assert 3000 <= silent["at"] <= 3200
    assert 9000 <= well["at"] <= 9200
    assert well["targets"] == []


def test_another_baud_rate_is_silence(tmp_path: Path) -> None:
    lines = simulated(tmp_path, baud=115_200)
    assert not [line for line in lines if "targets" in line]
    assert lines[-1]["fault"] == "radar_silent"
