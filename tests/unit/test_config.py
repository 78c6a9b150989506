"""The device reads every profile's config, and refuses a wrong one with the field's name."""

import json
from pathlib import Path
from typing import Any

import pytest
from hall_profiles import builtin_names, compile_config, load
from support import micropython

SCRIPT = Path(__file__).with_name("mp_config.py")


def compiled(profile: str = "keypad-5") -> dict[str, Any]:
    return compile_config(
        load(profile), device="kp-1", hall="demo", broker_host="127.0.0.1", broker_port=1883
    )


def answer(folder: Path, content: str | None) -> str:
    file = folder / "config.json"
    if content is not None:
        file.write_text(content)
    return micropython.run(SCRIPT, str(file)).output.replace(f"{file}: ", "").strip()


@pytest.mark.parametrize(
    "profile", [name for name in builtin_names() if load(name).transport != "gateway"]
)
def test_what_a_profile_compiles_to_is_read(tmp_path: Path, profile: str):
    assert answer(tmp_path, json.dumps(compiled(profile))) == "device kp-1"


def without(*path: str) -> dict[str, Any]:
    config = compiled()
    inner = config
    for name in path[:-1]:
        inner = inner[name]
    del inner[path[-1]]
    return config


@pytest.mark.parametrize(
    ("content", "refusal"),
    [
        (None, "missing, write this device's config again"),
        ("", "is not JSON"),
        ('{"v":1', "is not JSON"),
        ("[]", "is not an object"),
        (json.dumps({**compiled(), "v": 2}), "v is 2, this firmware reads 1"),
        (json.dumps(without("v")), "v is None, this firmware reads 1"),
        (json.dumps(without("device")), "device is missing"),
        (json.dumps(without("pins")), "pins is missing"),
        (json.dumps(without("broker", "port")), "port is missing"),
        (json.dumps(without("driver", "name")), "name is missing"),
        (json.dumps({**compiled(), "settings": 5}), "settings is not dict"),
        (
            json.dumps({**compiled(), "broker": {"host": "10.0.0.1", "port": 1, "tls": "none"}}),
            "without tls only to 127.0.0.1, not 10.0.0.1",
        ),
        (json.dumps({**compiled(), "device": 7}), "device is not str"),
        (json.dumps({**compiled(), "pins": {"key_1": "13"}}), "key_1 is not int"),
        (
            json.dumps({**compiled(), "broker": {"host": "h", "port": 1, "tls": "maybe"}}),
            "tls is neither none nor psk",
        ),
    ],
)
def test_a_wrong_config_is_refused_by_name(tmp_path: Path, content: str | None, refusal: str):
    assert answer(tmp_path, content) == f"refused {refusal}"
