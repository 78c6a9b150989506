"""The scan of every LED panel, as the waveform on its cable against a model of the panel."""

import importlib
from typing import Any

import pytest
from hall_profiles import builtin_names, compile_config, load
from hypothesis import given, settings
from hypothesis import strategies as st
from support.panel_model import CLEAR, SET, PanelModel

PANELS = ("hub12", "hub08", "hub75")


def profiles() -> list[dict[str, Any]]:
    configs = [
        compile_config(
            load(name), device="disp-1", hall="demo", broker_host="127.0.0.1", broker_port=1883
        )
        for name in builtin_names()
    ]
    return [config for config in configs if config["driver"]["name"] in PANELS]


PROFILES = {config["profile"]: config for config in profiles()}

# Shapes and polarities that clones of the panels have, beside the profiles'.
VARIANTS: dict[str, dict[str, Any]] = {
    "hub12 two storeys": {"name": "hub12", "width": 64, "height": 32},
    "hub12 one module": {"name": "hub12", "width": 32, "height": 16},
    "hub12 long chain": {"name": "hub12", "width": 128, "height": 16},
    "hub12 inverted": {"name": "hub12", "width": 32, "oe_active": "low", "data_active": "high"},
    "hub08 one line": {"name": "hub08", "width": 64, "height": 16},
    "hub08 inverted": {"name": "hub08", "oe_active": "high", "lat_active": "low"},
    "hub08 two colours": {"name": "hub08", "colours": 2},
    "hub75 inverted": {"name": "hub75", "data_active": "low", "oe_active": "high"},
    "hub75 chain of two": {"name": "hub75", "width": 128},
}


def variant(change: dict[str, Any]) -> dict[str, Any]:
    config = next(c for c in PROFILES.values() if c["driver"]["name"] == change["name"])
    pins = dict(config["pins"])
    if change.get("colours") == 2:
        pins |= {"g1": 27, "g2": 4}
    return {**config, "driver": {**config["driver"], **change}, "pins": pins}


CONFIGS = PROFILES | {name: variant(change) for name, change in VARIANTS.items()}


def make(config: dict[str, Any], brightness: int = 60) -> tuple[Any, PanelModel]:
    model = PanelModel(config["driver"], config["pins"])
    driver = importlib.import_module(f"hall_firmware.hall.drivers.{config['driver']['name']}")
    settings = {**config["settings"], "brightness": brightness}
    panel = driver.make_panel(config["driver"], config["pins"], settings, model)
    return panel, model


def drawn(picture: bytes, width: int) -> list[str]:
    """A picture in framebuf's MONO_HLSB format as rows of `#` and `.`."""
    stride = width // 8
    rows = [picture[at : at + stride] for at in range(0, len(picture), stride)]
    return ["".join(f"{byte:08b}" for byte in row).translate({48: ".", 49: "#"}) for row in rows]


def test_the_profiles_cover_every_panel():
    assert {config["driver"]["name"] for config in PROFILES.values()} == set(PANELS)


@pytest.mark.parametrize("name", CONFIGS)
@settings(max_examples=8, deadline=None)
@given(data=st.data())
def test_what_is_seen_is_the_picture(name, data):
    config = CONFIGS[name]
    width, height = config["driver"]["width"], config["driver"]["height"]
    panel, model = make(config, data.draw(st.integers(5, 100), "brightness"))
    size = width * height // 8
    for picture in data.draw(st.lists(st.binary(min_size=size, max_size=size), max_size=3)):
        panel.show(picture)
        for _ in range(2):
            panel.scan()
            assert model.dark()
            assert model.frame() == drawn(picture, width)


@pytest.mark.parametrize("name", CONFIGS)
def test_all_rows_are_equally_bright_and_brightness_is_the_lit_share(name):
    picture = bytes(range(256)) * 2
    shares = []
    for brightness in (5, 60, 100):
        panel, model = make(CONFIGS[name], brightness)
        panel.show(picture[: panel.width * panel.height // 8])
        before = model.stores
        panel.scan()
        assert len(model.lit) == model.steps
        assert len(set(model.lit.values())) == 1
        shares.append(sum(model.lit.values()) / (model.stores - before))
    low, middle, full = shares
    # A slot has some 70 pairs, so brightness comes in steps of 1.5 %.
    assert low / full == pytest.approx(0.05, abs=0.02)
    assert middle / full == pytest.approx(0.6, abs=0.02)
    # The rest: control stores, and one row that is shifted in the dark before the first frame.
    assert full > 0.7


@pytest.mark.parametrize("name", CONFIGS)
def test_a_new_panel_is_dark_and_shows_nothing(name):
    panel, model = make(CONFIGS[name])
    assert model.stores == 0
    assert model.dark()
    panel.scan()
    assert set("".join(model.frame())) == {"."}
    # Every line of the cable is an output, and nothing else is.
    assert set(model.outputs) == set(CONFIGS[name]["pins"].values())


@pytest.mark.parametrize("name", CONFIGS)
def test_only_red_is_lit(name):
    panel, model = make(CONFIGS[name])
    panel.show(b"\xff" * (panel.width * panel.height // 8))
    panel.scan()
    halves = 1 if panel.height == 16 or CONFIGS[name]["driver"]["name"] == "hub12" else 2
    assert model.colours() == sum(part[0] for part in model.parts[:halves])


@pytest.mark.parametrize("name", PROFILES)
def test_an_interrupted_scan_ends_dark(name):
    panel, model = make(PROFILES[name])
    picture = bytes(range(256))[: panel.width * panel.height // 8]
    panel.show(picture)

    class Wire:
        """Passes stores on, and is interrupted once, as the second row is being shifted."""

        lit = 0

        def __setitem__(self, register: int, mask: int) -> None:
            self.lit += not model.dark()
            if self.lit == 20:
                raise KeyboardInterrupt
            # The order of stores around an interruption is not the scan's.
            model.last_address = None
            model[register] = mask

    panel.scan()
    panel._memory = Wire()
    with pytest.raises(KeyboardInterrupt):
        panel.scan()
    assert model.dark()
    model.picture, model.lit = {}, {}
    panel._memory = model
    panel.scan()
    assert model.frame() == drawn(picture, panel.width)


def test_stores_per_clock_stay_near_two_for_text():
    """A bound on work: text-like pictures need little more than one pair a pixel clock."""
    panel, model = make(PROFILES["call-display-p10-64x16"])
    panel.show((b"\x00\x18\x24\x42\x7e\x42\x42\x00" * 16)[:128])
    panel.scan()
    before = model.stores
    panel.scan()
    clocks = 64 * 4 * model.steps
    assert (model.stores - before) / clocks < 2 * 1.35


def test_a_pin_in_the_other_register_is_refused():
    config = PROFILES["call-display-p10-64x16"]
    with pytest.raises(ValueError, match="panel pin 33: only pins 0 to 31 can be scanned"):
        make({**config, "pins": {**config["pins"], "lat": 33}})


def test_the_model_refuses_what_a_panel_would_not_forgive():
    """The model itself can fail: each rule, broken by hand."""
    config = PROFILES["call-display-p10-64x16"]
    pins = config["pins"]
    oe, lat, clk, red = (1 << pins[name] for name in ("oe", "lat", "clk", "r"))
    for stores, message in (
        ([(SET, clk), (SET, red)], "same register twice"),
        ([*[(SET, 0), (CLEAR, 0)] * 2, (SET, oe), (CLEAR, 0), (SET, lat)], "while a row was lit"),
        ([(SET, oe | lat)], "as a row was lit"),
        ([(SET, clk | red)], "with the rising clock"),
        ([(SET, clk), (CLEAR, 0), (SET, red)], "under a high clock"),
        ([(SET, lat), (CLEAR, lat), (SET, oe)], "no dead time"),
    ):
        model = PanelModel(config["driver"], pins)
        *rest, last = stores
        for register, mask in rest:
            model[register] = mask
        with pytest.raises(AssertionError, match=message):
            model[last[0]] = last[1]
