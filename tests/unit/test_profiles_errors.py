"""Every way in which a profile can be wrong, with the exact line that its author reads."""

import re
from importlib import resources
from pathlib import Path
from typing import NamedTuple

import pytest
from hall_profiles import ProfileError, load

DISPLAY = "call-display-p10-64x16"
F375 = "call-display-f375-64x32"
HUB75 = "call-display-hub75-64x32"
MATRIX = "call-display-max7219-64x16"


class Slip(NamedTuple):
    """One edit of a good profile; the error stands on the edited line, or on line `at`."""

    profile: str
    old: str
    new: str
    error: str
    at: str = ""


def good(name: str) -> str:
    """The text of a built-in profile."""
    return (resources.files("hall_device_profiles") / f"{name}.yaml").read_text(encoding="utf-8")


def errors(tmp_path: Path, name: str, text: str) -> list[str]:
    """What load() says about `text` in a file `name`.yaml, without the folder."""
    path = tmp_path / f"{name}.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ProfileError) as caught:
        load(path)
    return str(caught.value).replace(f"{tmp_path}/", "").splitlines()


def line_of(text: str, part: str) -> int:
    """The line on which `part` begins, from 1."""
    return text[: text.index(part)].count("\n") + 1


SLIPS: dict[str, Slip] = {
    "a typo in a section": Slip(
        "keypad-5", "\nboard:", "\nbord:", "bord: is not a field here; did you mean board?",
        "bord:",
    ),
    "an unknown section": Slip(
        "keypad-5", "\nrole: keypad", "\ncolour: red\nrole: keypad",
        "colour: is not a field here; leave it out", "colour:",
    ),
    "a missing section": Slip(
        "wet-floor-mains", "\ndesired: {}", "",
        "desired: is missing; the fields of the desired state, {} when there are none", "#",
    ),
    "a missing header field": Slip(
        "keypad-5", "version: 1\n", "", "version: is missing; an integer from 1 to 9999", "#",
    ),
    "the name of another file": Slip(
        "keypad-5", "name: keypad-5", "name: keypad-6",
        'name: is "keypad-6"; keypad-5, as the file is called',
    ),
    "a name that is none": Slip(
        "keypad-5", "name: keypad-5", "name: Keypad_5",
        'name: is "Keypad_5"; the file\'s own name: lower-case letters, digits and -, at most 32',
    ),
    "a version that is text": Slip(
        "keypad-5", "version: 1", 'version: "1"', 'version: is "1"; an integer from 1 to 9999',
    ),
    "a version out of range": Slip(
        "keypad-5", "version: 1", "version: 0", "version: is 0; an integer from 1 to 9999",
    ),
    "an unknown role": Slip(
        "keypad-5", "role: keypad", "role: keypads",
        'role: is "keypads"; one of call_display, keypad, people_counter, wet_floor',
    ),
    "an unknown transport": Slip(
        "keypad-5", "transport: mqtt", "transport: http",
        'transport: is "http"; one of mqtt, coap, gateway',
    ),
    "a title in one language": Slip(
        "keypad-5", ", en: Five-key rating keypad", "", "title.en: is missing; the English title",
        "title:",
    ),
    "a title that is text": Slip(
        "keypad-5", "title: {zh: 五键评价器, en: Five-key rating keypad}", "title: 五键评价器",
        'title: is "五键评价器"; a title with zh and en',
    ),
    "cells of no capacity": Slip(
        "wet-floor-battery", "capacity_mah: 2000", "capacity_mah: 0",
        "battery.capacity_mah: is 0; of the cells, 1 to 1000000 mAh",
    ),
    "a current with a fraction": Slip(
        "wet-floor-battery", "sleep_ua: 14 ", "sleep_ua: 14.5 ",
        "battery.sleep_ua: is 14.5; asleep, the whole device, in µA",
    ),
    "cells in a device that never sleeps": Slip(
        "wet-floor-battery", "transport: coap", "transport: mqtt",
        'battery: is there, with transport "mqtt"; no battery, or transport: coap, whose devices '
        'sleep', "battery:",
    ),
    "an unknown chip": Slip(
        "keypad-5", "chip: esp32", "chip: esp8266",
        'board.chip: is "esp8266"; one of esp32, esp32s3, esp32c3, raspberrypi',
    ),
    "a flash of no size there is": Slip(
        "keypad-5", "flash_mb: 4", "flash_mb: 2",
        "board.flash_mb: is 2; flash size, one of 4, 8, 16 (MB)",
    ),
    "a panel on the gateway that speaks MQTT": Slip(
        "call-display-p10-64x16-pi", "transport: gateway", "transport: mqtt",
        'transport: is "mqtt"; gateway, which drives a panel on its own header',
    ),
    "a chip that is no gateway": Slip(
        "keypad-5", "transport: mqtt", "transport: gateway",
        'board.chip: is "esp32"; raspberrypi, where transport is gateway', "  chip:",
    ),
    "a Raspberry Pi that is flashed": Slip(
        "call-display-p10-64x16-pi", "  chip: raspberrypi", "  chip: raspberrypi\n  flash_mb: 4",
        "board.flash_mb: is not a field here; one of name, chip", "  flash_mb:",
    ),
    "a driver that the gateway does not have": Slip(
        "call-display-7seg-max7219",
        "transport: mqtt\n\nboard:\n  name: ESP32-DevKitC V4 (WROOM-32E)\n"
        "  chip: esp32\n  flash_mb: 4\n  psram: none\n",
        "transport: gateway\n\nboard:\n  name: Raspberry Pi\n  chip: raspberrypi\n",
        'driver.name: is "max7219"; one of hub12, hub08, hub75, which a Raspberry Pi can scan',
        "  name: max7219",
    ),
    "a pin of the Raspberry Pi's console": Slip(
        "call-display-p10-64x16-pi", "oe: 18", "oe: 14",
        "pins.oe: is GPIO 14, the serial console (UART); one of "
        "2, 3, 5, 6, 7, 8, 9, 10, 12, 13, 16, 18, 19, 20, 21, 24, 25, 26, 27",
    ),
}  # fmt: skip

SLIPS |= {
    "an unknown driver": Slip(
        DISPLAY, "name: hub12", "name: hub21", 'driver.name: is "hub21"; did you mean hub12?',
    ),
    "a driver's name that is a list": Slip(
        "keypad-5", "name: keys", "name: [keys]", 'driver.name: is ["keys"]; did you mean keys?',
    ),
    "more reasons than keys": Slip(
        "keypad-4", "  reasons:\n", "  reasons:\n    - {zh: 其他, en: Another reason}\n",
        "driver.reasons: has 5 reasons for 4 keys; at most one reason a key", "  reasons:",
    ),
    "a reason in one language": Slip(
        "keypad-4", "{zh: 等候太久, en: Too long a wait}", "{en: Too long a wait}",
        "driver.reasons[2].zh: is missing; the Chinese title", "{en: Too long a wait}",
    ),
    "a reader with one line": Slip(
        "keypad-6", "  d1: 35\n", "",
        "pins.d1: is missing; one of 4, 33, 35, 36, 37, 38, 39", "pins:",
    ),
    "another role's driver": Slip(
        "keypad-5", "name: keys", "name: probe",
        'driver.name: is "probe", no driver for this role; one of keys, keys_matrix',
    ),
    "no driver name": Slip(
        DISPLAY, "  name: hub12\n", "",
        "driver.name: is missing; one of hub12, hub08, hub75, max7219, max7219_matrix", "driver:",
    ),
    "an unknown driver setting": Slip(
        DISPLAY, "  scan: 4 ", "  scann: 4 ",
        "driver.scann: is not a field here; did you mean scan?",
    ),
    "a driver setting missing": Slip(
        DISPLAY, "  refresh_hz: 100 ", "  # ", "driver.refresh_hz: is missing; "
        "frames a second, 10 to 150 Hz", "driver:",
    ),
    "more frames than there is time for": Slip(
        DISPLAY, "refresh_hz: 100", "refresh_hz: 200",
        "driver.refresh_hz: is 200; frames a second, 10 to 150 Hz",
    ),
    "a wrong scan": Slip(
        DISPLAY, "scan: 4", "scan: 16", "driver.scan: is 16; 4, the steps of a 1/4 scan",
    ),
    "a wrong polarity": Slip(
        DISPLAY, "oe_active: high", "oe_active: on",
        'driver.oe_active: is "on"; the level of OE (EN) that lights the row, high or low',
    ),
    "a width of no number of modules": Slip(
        DISPLAY, "width: 64", "width: 72",
        "driver.width: is 72; a multiple of 32, a module's width",
    ),
    "a height of no number of modules": Slip(
        F375, "height: 32", "height: 48",
        "driver.height: is 48; 16 or 32 or 64, of modules 32 high",
    ),
    "a height that only other modules have": Slip(
        HUB75, "height: 32", "height: 16", "driver.height: is 16; 32 or 64, of modules 32 high",
    ),
    "a chain too short": Slip(
        DISPLAY, "chain: 2", "chain: 1", "driver.chain: is 1 for 64×16; 2, of modules 32×16",
    ),
    "a chain too short for its storeys": Slip(
        F375, "height: 32", "height: 64", "driver.chain: is 1 for 64×64; 2, of modules 64×32",
        "  chain:",
    ),
    "a row twice in the order": Slip(
        DISPLAY, "  scan: 4 ", "  row_order: [0, 1, 1, 3]\n  scan: 4 ",
        "driver.row_order: is [0, 1, 1, 3]; each of 0 to 3 once, "
        "the row that address 0 lights first",
    ),
    "an order of too few rows": Slip(
        F375, "  scan: 16 ", "  row_order: [1, 0]\n  scan: 16 ",
        "driver.row_order: is [1, 0]; each of 0 to 15 once, the row that address 0 lights first",
    ),
    "an order that is no list": Slip(
        F375, "  scan: 16 ", "  row_order: 1\n  scan: 16 ",
        "driver.row_order: is 1; the row of a scan that each address lights, address 0 first",
    ),
    "storeys from the side": Slip(
        DISPLAY, "  scan: 4 ", "  storeys: left\n  scan: 4 ",
        'driver.storeys: is "left"; the storey that is sent first: top_first or bottom_first',
    ),
    "half a module of eight columns": Slip(
        MATRIX, "width: 64", "width: 60",
        "driver.width: is 60; columns of the whole display, 32, 40 ... 128",
    ),
    "marks for other keys": Slip(
        "keypad-5", "marks: [5, 4, 3, 2, 1]", "marks: [5, 4, 3]",
        "driver.marks: has 3 marks for 5 keys; one mark a key, key 1 first",
    ),
    "a mark there is not": Slip(
        "keypad-5", "marks: [5, 4, 3, 2, 1]", "marks: [5, 4, 3, 2, 0]",
        "driver.marks[5]: is 0; the mark 5 to 1 of each key, key 1 first",
    ),
    "a driver that is text": Slip(
        "people-counter-beams", "driver:\n  name: beams\n  active: low", "driver: beams #",
        'driver: is "beams"; fields: name, ...',
    ),
}  # fmt: skip

SLIPS |= {
    "the same pin twice": Slip(
        "people-counter-beams", "beam_b: 19", "beam_b: 18",
        "pins.beam_b: is GPIO 18, which beam_a has; "
        "one of 4, 13, 14, 16, 17, 19, 21, 22, 23, 25, 26, 27, 32, 33",
    ),
    "an input-only pin as an output": Slip(
        "wet-floor-mains", "drive_b: 19", "drive_b: 35",
        "pins.drive_b: is GPIO 35, which is input only, and the driver drives it; "
        "one of 4, 13, 14, 16, 17, 19, 23, 25, 26, 27, 32, 33",
    ),
    "a pin without the pull resistor it needs": Slip(
        "people-counter-beams", "beam_b: 19", "beam_b: 36",
        "pins.beam_b: is GPIO 36, which has no pull resistor, and the driver needs it; "
        "one of 4, 13, 14, 16, 17, 19, 21, 22, 23, 25, 26, 27, 32, 33",
    ),
    "a strapping pin": Slip(
        DISPLAY, "  r: 25", "  r: 12",
        "pins.r: is GPIO 12, a strapping pin (flash voltage); "
        "one of 4, 13, 14, 16, 17, 25, 26, 27",
    ),
    "a flash pin": Slip(
        DISPLAY, "  r: 25", "  r: 6",
        "pins.r: is GPIO 6, wired to the flash chip; one of 4, 13, 14, 16, 17, 25, 26, 27",
    ),
    "the console's pin": Slip(
        "people-counter-vl53l1x", "int: 7", "int: 21",
        "pins.int: is GPIO 21, the serial console (UART0); one of 0, 1, 3, 7, 10",
    ),
    "the USB port's pin": Slip(
        HUB75, "oe: 12", "oe: 19",
        "pins.oe: is GPIO 19, the USB port (serial and JTAG); one of 1, 2, 12, 13, 14, 21",
    ),
    "a pin of the PSRAM": Slip(
        "keypad-3", "psram: none", "psram: quad",
        "pins.key_3: is GPIO 16, wired to the PSRAM; one of 4, 18, 23, 25, 27, 32, 33",
        "  key_3: 16",
    ),
    "a pin that the chip does not have": Slip(
        "keypad-3", "buzzer: 26", "buzzer: 24",
        "pins.buzzer: is GPIO 24, which esp32 does not have; "
        "one of 4, 17, 18, 23, 25, 26, 27, 32, 33",
    ),
    "a panel pin in the other register": Slip(
        DISPLAY, "  r: 25", "  r: 33",
        "pins.r: is GPIO 33, and a panel is written through the registers of GPIO 0 to 31; "
        "one of 4, 13, 14, 16, 17, 25, 26, 27",
    ),
    "ADC2 with Wi-Fi": Slip(
        "wet-floor-mains", "sense: 34", "sense: 27",
        "pins.sense: is GPIO 27, on ADC2, which cannot be read while Wi-Fi is on; "
        "one of 32, 33, 34, 35, 36, 37, 38, 39",
    ),
    "a sense pin without ADC": Slip(
        "wet-floor-battery", "sense: 4 ", "sense: 10 ",
        "pins.sense: is GPIO 10, which has no ADC; one of 0, 4",
    ),
    "a pin that does not wake": Slip(
        "wet-floor-battery", "wake: 1", "wake: 7",
        "pins.wake: is GPIO 7, which cannot end a deep sleep of this chip; one of 0, 1",
    ),
    "a pin that is text": Slip(
        "keypad-3", "buzzer: 26", "buzzer: GPIO26",
        'pins.buzzer: is "GPIO26"; one of 4, 17, 18, 23, 25, 26, 27, 32, 33',
    ),
    "a typo in a pin's name": Slip(
        "keypad-3", "buzzer: 26", "buzer: 26",
        "pins.buzer: is no pin of this driver; did you mean buzzer?",
    ),
    "a pin missing": Slip(
        "keypad-3", "  buzzer: 26\n", "",
        "pins.buzzer: is missing; one of 4, 17, 18, 23, 25, 26, 27, 32, 33", "pins:",
    ),
    "a pin too many": Slip(
        "keypad-3", "  buzzer: 26\n", "  buzzer: 26\n  lamp_4: 27\n",
        "pins.lamp_4: is no pin of this driver; leave it out", "  lamp_4: 27",
    ),
    "pins that are a list": Slip(
        "people-counter-beams", "pins:\n  beam_a: 18\n  beam_b: 19", "pins: [18, 19]\n\n",
        "pins: is [18, 19]; fields: beam_a, beam_b",
    ),
}  # fmt: skip

SLIPS |= {
    "a default outside its range": Slip(
        "keypad-5", "value: 20, unit: ms", "value: 51, unit: ms",
        "settings.debounce_ms.value: is 51; 5 to 50 ms",
    ),
    "a night that begins after midnight": Slip(
        "call-display-p10-64x16", "22, unit: h, min: 0, max: 23", "22, unit: h, min: 0, max: 24",
        "settings.night_from_h.max: is 24; within 0 to 23 h, what the role can use",
    ),
    "a brightness of nothing": Slip(
        "call-display-p10-64x16", 'value: 60, unit: "%", min: 5', 'value: 60, unit: "%", min: 0',
        "settings.brightness.min: is 0; within 1 to 100 %, what the role can use",
    ),
    "a range upside down": Slip(
        "keypad-5", "min: 5, max: 50,", "min: 50, max: 5,",
        "settings.debounce_ms.min: is 50, above max; at most 5",
    ),
    "a wrong unit": Slip(
        "keypad-5", "value: 20, unit: ms", "value: 20, unit: s",
        "settings.debounce_ms.unit: is s; ms, in which the firmware counts it",
    ),
    "a unit there is not": Slip(
        "keypad-5", "value: 20, unit: ms", "value: 20, unit: msec",
        'settings.debounce_ms.unit: is "msec"; one of ms, s, min, h, ohm, kohm, mm, %, Hz, samples',
    ),
    "no unit": Slip(
        "keypad-5", "value: 20, unit: ms", "value: 20",
        "settings.debounce_ms.unit: is missing; one of ms, s, min, h, ohm, kohm, mm, %, Hz, "
        "samples",
        "  debounce_ms:",
    ),
    "a value that is no integer": Slip(
        "keypad-5", "value: 20, unit: ms", "value: 20.5, unit: ms",
        "settings.debounce_ms.value: is 20.5; the value as shipped, an integer",
    ),
    "a typo in a setting": Slip(
        "keypad-5", "  debounce_ms:", "  debonce_ms:",
        "settings.debonce_ms: is no setting of this role; did you mean debounce_ms?",
    ),
    "thresholds that contradict each other": Slip(
        "wet-floor-mains", "value: 240000", "value: 70000",
        "settings.wet_ohms.value: is 80000, but dry_ohms is 70000; below dry_ohms",
        "    {value: 80000",
    ),
    "more wet samples than samples": Slip(
        "wet-floor-mains", "value: 3, unit: samples", "value: 6, unit: samples",
        "settings.wet_samples.value: is 6, but of_samples is 5; at most of_samples",
    ),
    "a short circuit that the converter never reads": Slip(
        "wet-floor-mains", "min: 2500,", "min: 2332,",
        "settings.short_ohms.min: is 2332, but a short circuit reads 2332 ohm; above 2332",
    ),
    "a cut cable that the converter never reads": Slip(
        "wet-floor-mains", "max: 900000,", "max: 20000000,",
        "settings.open_ohms.max: is 20000000, but a cut cable reads 947230 ohm; below 947230",
    ),
    "a dry floor that is a cut cable": Slip(
        "wet-floor-mains", "min: 600000,", "min: 470000,",
        "settings.open_ohms.min: is 470000, but a dry floor reads 470000 ohm; above 470000",
    ),
    "a dry floor that the end resistor hides": Slip(
        "wet-floor-mains", "max: 400000,", "max: 500000,",
        "settings.dry_ohms.max: is 500000, but a dry floor reads 470000 ohm; below 470000",
    ),
}  # fmt: skip

SLIPS |= {
    "a typo in an event kind": Slip(
        "keypad-5", "  press:\n", "  pres:\n",
        "events.pres: is no event of this role; did you mean press?",
    ),
    "an event of another role": Slip(
        "people-counter-beams", "events:\n", "events:\n  wet: {}\n",
        "events.wet: is no event of this role; leave it out", "  wet:",
    ),
    "an event of every device": Slip(
        "people-counter-beams", "events:\n", "events:\n  boot: {}\n",
        "events.boot: is an event of every device; leave it out here", "  boot:",
    ),
    "a typo in an event field": Slip(
        "keypad-5", "      key:     {", "      kye:     {",
        "events.press.data.kye: is no field of this role; did you mean key?",
    ),
    "a field of another type": Slip(
        "keypad-5", "key:     {type: integer", "key:     {type: string",
        'events.press.data.key.type: is "string"; integer, as the role\'s code has it',
    ),
    "a field without type": Slip(
        "keypad-5", "key:     {type: integer, ", "key:     {",
        "events.press.data.key.type: is missing; integer, as the role's code has it",
    ),
    "a range of a field upside down": Slip(
        "keypad-5", "key:     {type: integer, min: 1", "key:     {type: integer, min: 6",
        "events.press.data.key.min: is 6, above max; at most 5",
    ),
    "a field's unit against its name": Slip(
        "wet-floor-mains", "      ohms: {type: integer, unit: ohm,", "      ohms: {type: integer,",
        "events.wet.data.ohms.unit: is missing; ohm, as the name ohms says",
    ),
    "an event too long for the journal": Slip(
        "wet-floor-mains", "unit: kohm, min: 0, max: 9999}", "unit: kohm, min: 0, max: 10000}",
        'events.fault.data: takes 42 bytes at worst: fault{"code":"probe_frozen","value":10000}; '
        "at most 41; narrow a range or shorten a word",
        "    data:\n      code:",
    ),
    "an enum word twice": Slip(
        "keypad-5", "enum: [lock, end, next, late]", "enum: [lock, end, next, lock]",
        'events.close.data.why.enum[4]: is "lock" again; each word once',
    ),
    "an enum word that is no word": Slip(
        "keypad-5", "enum: [lock, end, next, late]", "enum: [lock, end, next, Late]",
        'events.close.data.why.enum[4]: is "Late"; a-z, then at most 15 of a-z, 0-9, _',
    ),
    "an enum that is a number": Slip(
        "keypad-5", "enum: [lock, end, next, late]", "enum: [lock, 1]",
        "events.close.data.why.enum[2]: is 1; the list of legal words",
    ),
    "text without a limit": Slip(
        "keypad-5", "ticket:   {type: string, max_chars: 8}", "ticket:   {type: string}",
        "desired.session.fields.ticket: has neither enum nor max_chars; "
        "a list of words, or a length, not both",
    ),
    "a desired field that the role does not take": Slip(
        "keypad-5", "  window: {type: string", "  windows: {type: string",
        "desired.windows: is no field of this role; did you mean window?",
    ),
    "a desired state of a role without one": Slip(
        "people-counter-beams", "desired: {}", "desired: {rev: {}}",
        "desired.rev: goes with every desired state; leave it out here",
    ),
    "a typo in a field of an object": Slip(
        "keypad-5", "      until:    {", "      untill:   {",
        "desired.session.fields.untill: is no field of this role; did you mean until?",
    ),
    "a section without content": Slip(
        "people-counter-beams", "desired: {}", "desired:",
        "desired: is empty; fields, {} when there are none",
    ),
    "a list's items without type": Slip(
        "keypad-5", "items: {type: integer, min", "items: {min",
        "shows.stuck.items.type: is missing; integer",
    ),
    "a view that is not there": Slip(
        DISPLAY, "  caution: {may: [text]}", "  cautoin: {may: [text]}",
        "views.cautoin: is not in desired.view; did you mean caution?",
    ),
    "a view that needs an unknown field": Slip(
        DISPLAY, "needs: [ticket, window]", "needs: [tickets, window]",
        'views.call.needs[1]: is "tickets", no field of desired; did you mean ticket?',
    ),
    "a shown field that the role does not report": Slip(
        "wet-floor-mains", "  fault: {type: string", "  faults: {type: string",
        "shows.faults: is no field of this role; did you mean fault?",
    ),
    "a typo in a shown field that may be left out": Slip(
        "call-display-p10-64x16-pi", "  fault:   {type: string", "  falt:   {type: string",
        "shows.falt: is no field of this role; did you mean fault?",
    ),
    "a shown field that may be left out, of another type": Slip(
        "call-display-p10-64x16-pi", "  fault:   {type: string, max_chars: 160",
        "  fault:   {type: boolean",
        'shows.fault.type: is "boolean"; string, as the role\'s code has it',
    ),
    "a list without a limit": Slip(
        "keypad-5", "max_items: 5, ", "",
        "shows.stuck.max_items: is missing; the longest legal list, an integer to 64", "  stuck: ",
    ),
    "an unknown type": Slip(
        "keypad-5", "session:\n    type: object", "session:\n    type: objct",
        'desired.session.type: is "objct"; object, as the role\'s code has it',
        "    type: objct",
    ),
}  # fmt: skip


@pytest.mark.parametrize("slip", SLIPS.values(), ids=SLIPS.keys())
def test_a_slip_is_one_error_with_its_line_and_what_would_be_right(
    slip: Slip, tmp_path: Path
) -> None:
    text = good(slip.profile)
    assert text.count(slip.old) >= 1
    text = text.replace(slip.old, slip.new, 1)
    edited = line_of(text, slip.at or slip.new.lstrip("\n"))
    assert errors(tmp_path, slip.profile, text) == [f"{slip.profile}.yaml:{edited}: {slip.error}"]


@pytest.mark.parametrize(
    ("name", "section", "left", "error"),
    [
        (
            "people-counter-beams",
            r"  stuck_s:.*\n.*\n",
            "",
            "settings.stuck_s: is missing; a setting in s with value, unit, min, max, title",
        ),
        (
            DISPLAY,
            r"events:\n(  .*\n)+",
            "events: {}\n",
            "events.shown: is missing; a title and data, because the role journals it",
        ),
        (
            DISPLAY,
            r"views:\n(  .*\n)+",
            "",
            "views: is missing; what each view needs: idle, call, closed, text, caution, test",
        ),
        (
            "keypad-5",
            r"  press:\n(    .*\n)+",
            "  press: {}\n",
            "events.press.title: is missing; a title with zh and en",
        ),
    ],
)
def test_a_section_left_out_is_named(
    name: str, section: str, left: str, error: str, tmp_path: Path
) -> None:
    text, cuts = re.subn(section, left, good(name), count=1)
    assert cuts == 1
    field = error.split(":")[0].split(".")
    parent = (
        line_of(text, f"  {field[1]}:" if len(field) == 3 else f"{field[0]}:")
        if (len(field) > 1)
        else 1
    )
    assert f"{name}.yaml:{parent}: {error}" in errors(tmp_path, name, text)
