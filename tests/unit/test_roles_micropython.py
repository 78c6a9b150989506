"""The roles with their real drivers, as `.mpy` in the real MicroPython with a device's heap.

The scenarios are the main paths of the roles' own tests; the pins are scripted, time is simulated.
"""

import json
from pathlib import Path
from typing import Any

import pytest
from hall_profiles import compile_config, load
from hall_tools.mpy import firmware_root
from support import micropython

SCRIPT = Path(__file__).parent / "mp_role.py"
UNIX = 1_700_000_000_000


def path() -> list[Path]:
    """The application's modules, and the simulation's for the scan that logs its stores."""
    return [micropython.modules(), micropython.simulation()]


def run(profile: str, until: int, config: dict[str, Any] | None = None, **job: Any) -> Any:
    config = config or dict(
        compile_config(
            load(profile), device="d-1", hall="demo", broker_host="127.0.0.1", broker_port=1883
        )
    )
    everything = {
        "config": config,
        "glyphs": str(firmware_root() / "hall" / "glyphs.bin"),
        "until": until,
        "high": {},
        "ohms": [],
        "desired": [],
        "down": [],
        **job,
    }
    done = micropython.run(SCRIPT, stdin=json.dumps(everything) + "\n", path=path())
    lines = [json.loads(line) for line in done.output.splitlines()]
    return {
        "events": [line["event"] for line in lines if "event" in line],
        "outputs": [line["output"] for line in lines if "output" in line],
        "refused": [line["refused"] for line in lines if "refused" in line],
        **lines[-1],
    }


def test_keypad_bounces_lights_and_locks():
    pins = load("keypad-5").pins
    touches = [[1000, 1003], [1006, 1008], [1012, 1300], [1305, 1310]]
    done = run(
        "keypad-5",
        8000,
        high={str(pins["key_2"]): touches, str(pins["key_4"]): [[6000, 6100]]},
        desired=[
            [500, {"rev": 7, "session": {"ticket": "A1", "until": UNIX + 30500, "window_s": 30}}]
        ],
    )
    assert [(kind, data) for _, kind, data in done["events"]] == [
        ("press", {"key": 2, "session": 7}),
        ("close", {"session": 7, "why": "lock"}),
        ("press", {"key": 4, "session": None}),
    ]
    beep = next(now for now, pin, on in done["outputs"] if pin == pins["buzzer"] and on)
    assert beep - 1000 <= 50
    assert done["state"] == {"session": None, "stuck": []}
    assert done["selftest"] == {"keys_released": True}


def test_keypad_refuses_a_nonsense_session():
    done = run("keypad-3", 100, desired=[[0, {"rev": 7, "session": 3}]])
    assert done["refused"] == ["session must be null or an object"]
    assert done["events"] == []


def test_beams_count_the_whole_path_only():
    pins = load("people-counter-beams").pins
    a, b = str(pins["beam_a"]), str(pins["beam_b"])
    done = run(
        "people-counter-beams",
        8000,
        high={
            a: [[1000, 1300], [3100, 3400], [5000, 5300]],
            b: [[1100, 1400], [3000, 3300], [5100, 5200]],
        },
    )
    assert [data for _, _, data in done["events"]] == [{"dir": "in"}, {"dir": "out"}]
    assert done["state"] == {"in": 1, "out": 1, "stuck": 0}
    assert done["selftest"] == {"beam_a": True, "beam_b": True}


def test_probe_measures_both_ways_and_says_wet_and_dry():
    config = compile_config(
        load("wet-floor-mains"),
        device="d-1",
        hall="demo",
        broker_host="127.0.0.1",
        broker_port=1883,
        settings={"dry_after_s": 5},
    )
    pins = config["pins"]
    done = run(
        "wet-floor-mains",
        30_000,
        config=config,
        ohms=[[0, 430_000], [5000, 40_000], [12_000, 430_000], [24_000, None]],
    )
    wet, dry, fault = [event for event in done["events"] if event[1] != "rain"]
    assert (wet[1], dry[1], fault[2]["code"]) == ("wet", "dry", "probe_open")
    assert wet[2]["ohms"] == pytest.approx(40_000, rel=0.001)
    assert dry[2]["ohms"] == pytest.approx(430_000, rel=0.001)
    assert done["state"]["fault"] == "open"
    # Alternating: every pulse one way is followed by one the other way, and then rest.
    pulses = [pin for _, pin, on in done["outputs"] if on]
    assert pulses[::2] == [pins["drive_a"]] * (len(pulses) // 2)
    assert pulses[1::2] == [pins["drive_b"]] * (len(pulses) // 2)
    levels = [on for _, _, on in done["outputs"]]
    assert levels == [1, 0] * (len(levels) // 2)


@pytest.mark.parametrize(
    "profile",
    [
        "call-display-p10-64x16",
        "call-display-p10-128x16",
        "call-display-f375-64x32",
        "call-display-hub75-64x32",
    ],
)
def test_panels_show_a_call_and_go_stale(profile: str):
    call = {"rev": 9, "view": "call", "ticket": "A015", "window": "3", "ttl_s": 10}
    done = run(profile, 6000, desired=[[200, call]], down=[[5000, 11_000]])
    assert [data for _, _, data in done["events"]] == [{"rev": 9}]
    assert done["state"] == {"view": "wait", "stale": True, "missing": 0}
    assert done["selftest"] == {"glyphs": True}
    # Dark for every other 250 ms of the first 3 s in which the number blinks.
    assert 400 < done["scans"] < 500


def test_seven_segments_show_a_call():
    call = {"rev": 9, "view": "call", "ticket": "A015", "window": "3"}
    done = run("call-display-7seg-max7219", 4000, desired=[[200, call]])
    assert [data for _, _, data in done["events"]] == [{"rev": 9}]
    assert done["state"] == {"view": "call", "ticket": "A015", "stale": False, "missing": 0}
    # The leftmost digit is register 8.
    assert [8, 0x77] in done["frames"]


def test_a_matrix_shows_a_call():
    call = {"rev": 9, "view": "call", "ticket": "A015", "window": "3"}
    done = run("call-display-max7219-64x16", 4000, desired=[[200, call]])
    assert [data for _, _, data in done["events"]] == [{"rev": 9}]
    assert done["state"] == {"view": "call", "ticket": "A015", "stale": False, "missing": 0}
    # Sixteen chips: one register of each in a frame of the bus.
    assert {len(frame) for frame in done["frames"]} == {32}


@pytest.mark.parametrize(
    ("profile", "limit"),
    [
        ("keypad-5", 0),
        ("people-counter-beams", 6_400),
        ("wet-floor-mains", 100),
        ("call-display-p10-64x16", 1_000),
        ("call-display-7seg-max7219", 2_000),
        ("call-display-max7219-64x16", 1_000),
    ],
)
def test_steps_hardly_allocate(profile: str, limit: int):
    """A second of steps on the unix port, in bytes of 64-bit words; a device has half of it. What
    is left is a frame's own: the pair of beams, the text that the digits are compared with."""
    job: dict[str, Any] = {"quiet": True, "ohms": [[0, 430_000]]}
    if profile.startswith("call"):
        job["desired"] = [[0, {"rev": 9, "view": "call", "ticket": "A015", "window": "3"}]]
    assert run(profile, 4000, **job)["heap"] <= limit


@pytest.mark.parametrize("profile", ["call-display-p10-64x16", "call-display-max7219-64x16"])
def test_a_display_that_has_been_on_for_weeks_hardly_allocates(profile: str):
    """On a chip the milliseconds of 12.4 days are too many for a small integer; here those of
    2**62. What each step calculates with them takes heap, a hundred times a second."""
    call = {"rev": 9, "view": "call", "ticket": "A015", "window": "3"}
    assert run(profile, 4000, quiet=True, desired=[[0, call]], on_ms=1 << 62)["heap"] <= 10_000


def test_what_is_not_in_this_firmware_is_refused():
    config = compile_config(
        load("people-counter-vl53l1x"),
        device="d-1",
        hall="demo",
        broker_host="127.0.0.1",
        broker_port=1883,
    )
    for change, words in (
        ({"driver": {"name": "camera"}}, "ValueError: driver camera is not in this firmware"),
        ({"role": "coffee"}, "ValueError: role coffee is not in this firmware"),
        ({"role": "call_display"}, "ValueError: driver vl53l1x is not in this firmware"),
    ):
        job = {"config": {**config, **change}, "glyphs": "", "high": {}, "ohms": []}
        done = micropython.run(SCRIPT, stdin=json.dumps(job) + "\n", path=path(), check=False)
        assert done.exit_code == 1
        assert words in done.output
