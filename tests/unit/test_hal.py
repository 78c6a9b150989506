"""The real hal on the simulated board: pins, uptime, why the chip was reset, and the watchdog."""

import json
import signal
from pathlib import Path
from typing import Any

import pytest
from hall_profiles import compile_config, load
from hall_tools import deploy
from support import micropython

SCRIPT = Path(__file__).with_name("mp_hal.py")
KILLED = 128 + signal.SIGKILL


@pytest.fixture
def chip(tmp_path: Path) -> Any:
    config: dict[str, Any] = compile_config(
        load("keypad-5"), device="kp-1", hall="demo", broker_host="127.0.0.1", broker_port=1883
    )
    deploy.deploy(tmp_path / "flash.bin", config, {"device": "kp-1", "psk": None, "wifi": []})

    def run(deed: str, *, check: bool = True) -> micropython.Finished:
        return micropython.run(
            SCRIPT,
            str(tmp_path / "flash.bin"),
            str(tmp_path / "rtc.bin"),
            deed,
            path=[micropython.modules(), micropython.simulation()],
            check=check,
        )

    return run


def test_uptime_goes_on_over_the_wrap_of_the_ticks(chip: Any):
    passed, _, counted = chip("uptime").output.split()
    assert passed == counted == str(3_200_000_000)


def test_pins_have_their_active_level(chip: Any):
    lines = chip("pins").output.splitlines()
    moves = [json.loads(line) for line in lines if line.startswith("{")]
    times = [move.pop("t_us") for move in moves]
    assert times == sorted(times)
    # The low-active lamp is dark with a high pin.
    assert moves == [
        {"pin": "lamp_2", "value": 1},
        {"pin": "lamp_1", "value": 1},
        {"pin": "lamp_1", "value": 0},
        {"pin": "lamp_2", "value": 0},
        {"pin": "lamp_2", "value": 1},
    ]
    assert lines[-2:] == ["key low 0 1", "key high 0 1"]


def test_what_the_chip_does_not_have_is_refused(chip: Any):
    assert chip("wrong").output.splitlines() == [
        "refused chip esp8266 is not in this firmware",
        "refused pin can only be input",
        "refused invalid pin",
        "refused flash: no partition romfs",
    ]


def test_the_cause_of_a_boot_is_told_apart(chip: Any, tmp_path: Path):
    assert chip("cause").output.startswith("('power_on', None)")
    # A process that ends without a word is a panic of the chip.
    assert chip("cause").output.startswith("('hard', None)")
    meant = chip("reset", check=False)
    assert '"reset":"soft"' in meant.output
    assert chip("cause").output.startswith("('soft', 'for a test')")
    (tmp_path / "rtc.bin").unlink()
    assert chip("cause").output.startswith("('power_on', None)")


def test_a_power_on_with_intact_rtc_memory_is_a_suspect(chip: Any, tmp_path: Path):
    chip("cause")
    kept = (tmp_path / "rtc.bin").read_bytes()
    (tmp_path / "rtc.bin").write_bytes(b"\x01" + kept[1:])
    assert chip("cause").output.startswith("('power_on', 'RTC memory was intact: brown-out?')")


def test_what_is_kept_outlives_resets_and_no_power_cut(chip: Any, tmp_path: Path):
    first, refused = chip("remember").output.splitlines()
    assert (first, refused) == ("b''", "refused RTC memory has no room for 1296 bytes")
    assert chip("forgotten").output == "('hard', None) b'over a sleep'\n"
    chip("note", check=False)
    note = r"\u74f7" * 60
    assert chip("forgotten").output == f"('soft', '{note}') b'over a reset'\n"
    (tmp_path / "rtc.bin").unlink()
    assert chip("forgotten").output == "('power_on', None) b''\n"


def test_the_last_errors_outlive_what_ended_the_device(chip: Any, tmp_path: Path):
    chip("errors")
    last = [[7, 1, f"error {n}"] for n in (2, 3, 4, 5)] + [[7, 2, "error 6"]]
    told = chip("errors_before").output
    assert told == f"('soft', 'and so it ends')\n[] {last} b'over a crash'\n"
    last = [*last[1:], [0, 1, "another"]]
    assert chip("errors_before").output == f"('hard', None)\n[] {last} b'over a crash'\n"
    rtc = tmp_path / "rtc.bin"
    whole = rtc.read_bytes()
    rtc.write_bytes(whole.replace(b"another", b"anotheR"))
    assert chip("errors_before").output == "('hard', None)\n[] [] b'over a crash'\n"
    rtc.unlink()
    assert chip("errors_before").output == "('power_on', None)\n[] [] b''\n"


def test_errors_take_no_more_room_than_they_have(chip: Any):
    chip("long_errors")
    assert "瓷6瓷6" in chip("errors_before").output.encode().decode("unicode_escape")


def test_memory_that_lost_a_bit_or_saw_no_power_is_not_trusted(chip: Any, tmp_path: Path):
    rtc = tmp_path / "rtc.bin"
    chip("remember")
    whole = rtc.read_bytes()
    at = whole.index(b"sleep")
    rtc.write_bytes(whole[:at] + b"S" + whole[at + 1 :])
    assert chip("forgotten").output == "('hard', None) b''\n"
    rtc.write_bytes(b"\x01" + whole[1:])
    assert chip("forgotten").output == "('power_on', 'RTC memory was intact: brown-out?') b''\n"


def test_time_goes_on_over_a_sleep(chip: Any):
    assert chip("clock").output == "True\nTrue\n"


def test_a_sleep_keeps_memory_and_levels(chip: Any, tmp_path: Path):
    asleep = chip("sleep", check=False).output
    line = json.loads(asleep.splitlines()[-1])
    assert (line["sleep"], line["wake"]) == (1000, [1, 0])
    assert b"kept" in (tmp_path / "rtc.bin").read_bytes()
    assert b'"held": [[3, 0], [5, 1]]' in (tmp_path / "rtc.bin").read_bytes()
    assert chip("forgotten").output == "('deep_sleep', None) b'kept'\n"


def test_no_access_point_and_no_error_of_the_radio_end_the_joining(chip: Any):
    assert chip("wifi").output == "still trying after 500\n"


def test_a_watchdog_that_is_not_fed_ends_a_busy_loop(chip: Any):
    bitten = chip("watchdog", check=False)
    fed, half, line = bitten.output.splitlines()
    assert (fed, half) == ("fed", '{"t_us":1,"half a line":')
    assert json.loads(line)["reset"] == "watchdog"
    assert bitten.exit_code in (KILLED, -signal.SIGKILL)
    assert chip("cause").output.startswith("('watchdog', None)")
