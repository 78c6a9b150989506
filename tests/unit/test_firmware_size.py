"""`hall firmware size`: what each device loads is measured, and has a budget."""

import json
from typing import Any

import pytest
from hall_profiles import builtin_names, compile_config, load
from hall_tools import mpy
from hall_tools.commands import firmware
from hall_tools.errors import UserError
from hall_tools.loaded import Load, loaded


def _ships(monkeypatch: pytest.MonkeyPatch, role_bytes: int, free: int = 20 * 1024) -> None:
    """Every profile's device loads the app and its role, of so many bytes in sum."""
    # Data is not counted, nor what ships and is not loaded.
    files = {"hall/app.mpy": bytes(1000), "hall/x.mpy": bytes(99_999), "hall/g.bin": bytes(99_999)}
    roles = ("call_display", "keypad", "people_counter", "wet_floor")
    files |= {f"hall/roles/{role}.mpy": bytes(role_bytes - 1000) for role in roles}
    monkeypatch.setattr(mpy, "application", lambda: files)

    def loaded(config: dict[str, Any]) -> Load:
        return Load(["hall/app.mpy", f"hall/roles/{config['role']}.mpy"], free)

    monkeypatch.setattr(firmware, "loaded", loaded)


def test_a_device_may_load_the_whole_budget(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    _ships(monkeypatch, 60 * 1024)
    firmware.size()
    out = capsys.readouterr().out
    assert "keypad-5" in out
    assert "call-display-p10-64x16-pi" not in out  # a part of the gateway
    assert "61,440" in out


def test_one_byte_more_is_refused_with_the_profiles_names(monkeypatch: pytest.MonkeyPatch):
    _ships(monkeypatch, 60 * 1024 + 1)
    with pytest.raises(UserError, match=r"61,440 bytes: .*keypad-5 loads 61,441 bytes") as caught:
        firmware.size()
    assert caught.value.exit_code == 1


def test_one_byte_less_of_free_heap_is_refused_with_the_profiles_names(
    monkeypatch: pytest.MonkeyPatch,
):
    _ships(monkeypatch, 60 * 1024, free=20 * 1024 - 1)
    with pytest.raises(UserError, match=r"20,480 bytes of .*keypad-5 has 20,479") as caught:
        firmware.size()
    assert caught.value.exit_code == 1


def test_what_each_device_loads_fits_its_budget(capsys: pytest.CaptureFixture[str]):
    firmware.size(as_json=True)
    told = json.loads(capsys.readouterr().out)
    sizes = {n: len(code) for n, code in mpy.application().items() if n.endswith(".mpy")}
    assert told["modules"] == sizes
    assert told["total"] == sum(sizes.values())
    flashed = {name for name in builtin_names() if load(name).transport != "gateway"}
    assert told["missing"] == {}
    assert {*told["loads"]} == flashed
    for profile, loads in told["loads"].items():
        assert loads["bytes"] == sum(sizes[name] for name in loads["modules"])
        assert loads["bytes"] <= 60 * 1024, profile
        assert loads["free"] >= 20 * 1024, profile
        role, transport = load(profile).role, load(profile).transport
        always = {"app", "journal", f"roles/{role}", transport}
        assert {f"hall/{name}.mpy" for name in always} <= {*loads["modules"]}, profile
        # What composes a device goes back to its heap.
        for once in ("build", "compose", "config"):
            assert f"hall/{once}.mpy" not in loads["modules"], profile
    # Only what the profile needs.
    others = {"roles/call_display", "drivers/beams", "canvas", "drivers/panel"}
    assert not {f"hall/{name}.mpy" for name in others} & {*told["loads"]["keypad-5"]["modules"]}


@pytest.mark.parametrize(
    ("without", "why"),
    [("pins", "error: config: beam_a is missing"), ("broker", "not loaded hall.mqtt")],
)
def test_a_device_that_is_not_complete_has_no_size(without: str, why: str):
    config: dict[str, Any] = compile_config(
        load("people-counter-beams"),
        device="dev",
        hall="hall",
        broker_host="127.0.0.1",
        broker_port=1883,
    )
    config[without] = {}
    with pytest.raises(UserError, match=f"^people-counter-beams: the device is not .*{why}"):
        loaded(config)
