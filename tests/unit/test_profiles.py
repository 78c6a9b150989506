"""The built-in profiles: they load, compile to a config, and judge events and desired states."""

import json
import time
from importlib import resources
from pathlib import Path

import pytest
from hall_profiles import (
    MARKS,
    PAYLOAD_BYTES,
    ConfigError,
    PayloadError,
    Profile,
    ProfileError,
    builtin_names,
    compile_config,
    load,
    validate_desired,
    validate_event,
)

NAMES = [
    "call-display-7seg-max7219",
    "call-display-f375-64x32",
    "call-display-hub75-64x32",
    "call-display-hub75-64x32-pi",
    "call-display-max7219-64x16",
    "call-display-p10-128x16",
    "call-display-p10-64x16",
    "call-display-p10-64x16-pi",
    "keypad-3",
    "keypad-4",
    "keypad-5",
    "keypad-6",
    "people-counter-beams",
    "people-counter-ld2450",
    "people-counter-vl53l1x",
    "wet-floor-battery",
    "wet-floor-mains",
]
REV = 1_790_000_000
CALL = {"rev": REV, "view": "call", "ticket": "A015", "window": "12", "ttl_s": 30}


def config(profile: Profile, **changes: object) -> dict[str, object]:
    place = {"device": "kp-1", "hall": "demo", "broker_host": "127.0.0.1", "broker_port": 1883}
    return compile_config(profile, **{**place, **changes})


def test_the_built_in_profiles_are_all_there() -> None:
    assert builtin_names() == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_a_built_in_profile_loads_by_name_and_by_path(name: str) -> None:
    profile = load(name)
    assert profile.name == name
    path = Path(str(resources.files("hall_device_profiles"))) / f"{name}.yaml"
    assert load(path) == profile == load(str(path))


@pytest.mark.parametrize("name", NAMES)
def test_a_config_is_json_and_fits_four_kilobytes(name: str) -> None:
    compiled = config(load(name), device="d" * 32, hall="h" * 32, tls="psk")
    text = json.dumps(compiled)
    assert json.loads(text) == compiled
    assert len(text.encode()) < 4096


def test_a_config_has_everything_the_device_reads() -> None:
    assert config(load("keypad-5"), tls="psk", settings={"debounce_ms": 30}) == {
        "v": 1,
        "device": "kp-1",
        "hall": "demo",
        "profile": "keypad-5",
        "profile_version": 1,
        "chip": "esp32",
        "role": "keypad",
        "transport": "mqtt",
        "broker": {"host": "127.0.0.1", "port": 1883, "tls": "psk"},
        "driver": {"name": "keys", "keys": 5, "active": "low", "marks": [5, 4, 3, 2, 1]},
        "pins": {
            "key_1": 13,
            "key_2": 14,
            "key_3": 16,
            "key_4": 17,
            "key_5": 18,
            "lamp_1": 19,
            "lamp_2": 21,
            "lamp_3": 22,
            "lamp_4": 23,
            "lamp_5": 25,
            "buzzer": 26,
        },
        "settings": {"debounce_ms": 30, "lock_s": 3, "feedback_ms": 150, "stuck_s": 5},
    }


def test_a_part_of_the_gateway_needs_no_broker() -> None:
    compiled = config(load("call-display-hub75-64x32-pi"), device="board")
    assert "broker" not in compiled
    assert (compiled["chip"], compiled["transport"]) == ("raspberrypi", "gateway")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"settings": {"debounce_ms": 51}},
            "setting debounce_ms is 51; right: an integer from 5 to 50 ms",
        ),
        (
            {"settings": {"lock_s": 2.5}},
            "setting lock_s is 2.5; right: an integer from 1 to 3 s",
        ),
        (
            {"settings": {"stuck_s": True}},
            "setting stuck_s is true; right: an integer from 2 to 10 s",
        ),
        (
            {"settings": {"debounce": 20}},
            "setting debounce is none of keypad-5; right: did you mean debounce_ms?",
        ),
        (
            {"device": "KP_1"},
            'device "KP_1" is no id; right: a-z, 0-9 and -, at most 32, no - first',
        ),
        (
            {"device": "gateway"},
            'device "gateway" is the gateway\'s own id; right: another, such as disp-1',
        ),
        ({"hall": ""}, 'hall "" is no id; right: a-z, 0-9 and -, at most 32, no - first'),
        (
            {"broker_host": "a b"},
            'broker host "a b" is no address; right: an IP address or a host name',
        ),
        ({"broker_port": 0}, "broker port 0 is no TCP port; right: 1 to 65535"),
    ],
)
def test_a_wrong_config_says_what_would_be_right(changes: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        config(load("keypad-5"), **changes)
    assert str(caught.value) == message


def test_settings_that_contradict_each_other_are_refused() -> None:
    wet_floor = load("wet-floor-mains")
    with pytest.raises(ConfigError) as caught:
        config(
            wet_floor,
            settings={"wet_ohms": 200_000, "dry_ohms": 150_000, "of_samples": 2, "dry_after_s": 0},
        )
    assert str(caught.value).splitlines() == [
        "setting dry_after_s is 0; right: an integer from 1 to 7200 s",
        "setting wet_ohms is 200000, but dry_ohms is 150000; right: below dry_ohms",
        "setting wet_samples is 3, but of_samples is 2; right: at most of_samples",
    ]


def test_a_keypad_of_three_keys_has_the_marks_that_stand_on_its_keys() -> None:
    assert [MARKS[mark].zh for mark in getattr(load("keypad-3").driver, "marks", [])] == [
        "满意",
        "一般",
        "不满意",
    ]


@pytest.mark.parametrize(
    ("name", "kind", "data"),
    [
        ("keypad-5", "press", {"key": 5, "session": REV}),
        ("keypad-5", "press", {"key": 1, "session": None}),
        ("keypad-5", "close", {"session": REV, "why": "late"}),
        ("keypad-3", "fault", {"code": "key_stuck", "value": 3}),
        ("call-display-p10-64x16", "shown", {"rev": REV}),
        ("people-counter-beams", "passage", {"dir": "in"}),
        ("wet-floor-mains", "wet", {"ohms": 40_000}),
        ("wet-floor-mains", "dry", {"ohms": 9_999_999}),
        ("wet-floor-mains", "fault", {"code": "probe_range", "value": 9_999}),
        ("wet-floor-mains", "boot", {"cause": "deep_sleep"}),
        ("keypad-5", "gap", {"from": 1, "to": 4_294_967_295}),
        ("keypad-5", "press", {"key": 5, "session": None, "of_a_newer_firmware": 1}),
    ],
)
def test_an_event_that_the_profile_promises_is_accepted(
    name: str, kind: str, data: dict[str, object]
) -> None:
    validate_event(load(name), kind, data)


@pytest.mark.parametrize(
    ("kind", "data", "message"),
    [
        (
            "passage",
            {"dir": "in"},
            "keypad-5 has no event 'passage'; right: one of press, close, fault, boot, gap, update",
        ),
        (
            "press",
            {"key": 6, "session": None},
            "keypad-5 event press: key is 6; right: an integer from 1 to 5",
        ),
        (
            "press",
            {"key": True, "session": None},
            "keypad-5 event press: key is true; right: an integer from 1 to 5",
        ),
        (
            "press",
            {"key": None, "session": None},
            "keypad-5 event press: key is null; right: an integer from 1 to 5",
        ),
        (
            "press",
            {"key": 5},
            "keypad-5 event press: session is missing; "
            "right: an integer from 1 to 9999999999 or null",
        ),
        (
            "close",
            {"session": REV, "why": "bored"},
            'keypad-5 event close: why is "bored"; right: one of lock, end, next, late',
        ),
        (
            "close",
            {"session": REV, "why": "x" * 2000},
            f'keypad-5 event close: why is "{"x" * 36}...; right: one of lock, end, next, late',
        ),
        (
            "press",
            [1],
            "keypad-5 event press: data is not an object; right: an object with key, session, n",
        ),
        (
            "gap",
            {"from": 9, "to": 8},
            "keypad-5 event gap: from 9 is after to 8; right: from not above to",
        ),
    ],
)
def test_an_event_outside_the_profile_is_refused_in_words(
    kind: str, data: object, message: str
) -> None:
    with pytest.raises(PayloadError) as caught:
        validate_event(load("keypad-5"), kind, data)
    assert str(caught.value) == message


def test_an_event_is_judged_in_well_under_a_tenth_of_a_millisecond() -> None:
    keypad = load("keypad-5")
    data = {"key": 5, "session": REV}
    best = min(_seconds(keypad, data) for _ in range(5))
    assert best / 1000 < 100e-6


def _seconds(profile: Profile, data: dict[str, object]) -> float:
    start = time.perf_counter()
    for _ in range(1000):
        validate_event(profile, "press", data)
    return time.perf_counter() - start


@pytest.mark.parametrize(
    ("name", "desired"),
    [
        ("call-display-p10-64x16", CALL),
        ("call-display-7seg-max7219", {"rev": 1, "view": "closed"}),
        ("call-display-f375-64x32", {"rev": 1, "view": "caution"}),
        ("call-display-f375-64x32", {"rev": 1, "view": "caution", "text": "小心地滑"}),
        ("call-display-hub75-64x32", {"rev": 1, "view": "idle", "name": "综合业务", "ttl_s": 60}),
        ("keypad-5", {"rev": REV, "session": None, "window": "1"}),
        (
            "keypad-5",
            {
                "rev": REV,
                "session": {"ticket": "A015", "until": 1_790_000_030_000, "window_s": 30},
                "window": "1",
            },
        ),
    ],
)
def test_a_desired_state_of_the_contract_is_accepted(name: str, desired: dict[str, object]) -> None:
    validate_desired(load(name), desired)


@pytest.mark.parametrize(
    ("name", "desired", "message"),
    [
        (
            "call-display-p10-64x16",
            {"rev": 1, "view": "call", "ticket": "A015"},
            "call-display-p10-64x16 desired: window is missing; right: 1 to 8 printable characters",
        ),
        (
            "call-display-p10-64x16",
            {**CALL, "name": "综合业务"},
            "call-display-p10-64x16 desired: name is not a field here; "
            "right: only rev, view, ticket, window, ttl_s",
        ),
        (
            "call-display-p10-64x16",
            {**CALL, "ticket": "A015\n"},
            'call-display-p10-64x16 desired: ticket is "A015\\n"; '
            "right: 1 to 8 printable characters",
        ),
        (
            "call-display-p10-64x16",
            {"rev": 1, "view": "clock"},
            'call-display-p10-64x16 desired: view is "clock"; '
            "right: one of idle, call, closed, text, caution, test",
        ),
        (
            "call-display-p10-64x16",
            {"view": "closed"},
            "call-display-p10-64x16 desired: rev is missing; "
            "right: an integer from 1 to 9999999999",
        ),
        (
            "keypad-5",
            {"rev": 1, "session": {"ticket": "A015", "until": 1}, "window": "1"},
            "keypad-5 desired: session.window_s is missing; right: an integer from 1 to 300 s",
        ),
        (
            "keypad-5",
            7,
            "keypad-5 desired: data is not an object; right: "
            "an object with rev, session, window, free",
        ),
        (
            "wet-floor-mains",
            {"rev": 1},
            "wet-floor-mains takes no desired state; right: send none",
        ),
    ],
)
def test_a_desired_state_outside_the_profile_is_refused_in_words(
    name: str, desired: object, message: str
) -> None:
    with pytest.raises(PayloadError) as caught:
        validate_desired(load(name), desired)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("keypad5", "keypad5: is no built-in profile; did you mean keypad-5?"),
        (
            "zzz",
            "zzz: is no built-in profile; one of " + ", ".join(NAMES) + ", or the path of a file",
        ),
        (
            "no/such.yaml",
            "no/such.yaml: cannot be read: No such file or directory; the path of a profile",
        ),
    ],
)
def test_a_profile_that_is_not_there_is_said_so(name: str, message: str) -> None:
    with pytest.raises(ProfileError) as caught:
        load(name)
    assert str(caught.value) == message


def test_a_file_that_is_not_text_is_said_so(tmp_path: Path) -> None:
    path = tmp_path / "keypad-5.yaml"
    path.write_bytes(b"name: \xff\n")
    with pytest.raises(ProfileError) as caught:
        load(path)
    right = "is not UTF-8: invalid start byte at byte 6; a YAML file saved as UTF-8"
    assert str(caught.value) == f"{path}: {right}"


def test_the_journal_holds_the_longest_event_that_any_profile_allows() -> None:
    longest = 'close{"session":9999999999,"why":"lock"}'
    assert len(longest) <= PAYLOAD_BYTES
    fault = 'fault{"code":"probe_frozen","value":9999}'
    assert len(fault) == PAYLOAD_BYTES
