"""A profile that is wrong as YAML, and one that is wrong in many places: every error, with line."""

import random
import time
from importlib import resources
from pathlib import Path

import pytest
from hall_profiles import (
    ConfigError,
    Problem,
    ProfileError,
    Setting,
    builtin_names,
    compile_config,
    load,
)
from hypothesis import example, given
from hypothesis import strategies as st


def good(name: str) -> str:
    """The text of a built-in profile."""
    return (resources.files("hall_device_profiles") / f"{name}.yaml").read_text(encoding="utf-8")


def errors(folder: Path, text: str, name: str = "keypad-5") -> list[str]:
    """What load() says about `text` in a file `name`.yaml, without the folder."""
    path = folder / f"{name}.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ProfileError) as caught:
        load(path)
    return str(caught.value).replace(f"{folder}/", "").splitlines()


@pytest.mark.parametrize(
    ("text", "error"),
    [
        (
            "name: x\ntitle: a: b\n",
            "keypad-5.yaml:2: not YAML: mapping values are not allowed here; "
            'one field a line; quote a text with ": " in it',
        ),
        (
            "name: x\n\tversion: 1\n",
            "keypad-5.yaml:2: not YAML: found character '\\t' that cannot start any token, "
            "while scanning for the next token; indent with spaces, YAML allows no tabs",
        ),
        (
            "name: 'x\nversion: 1\n",
            "keypad-5.yaml:1: not YAML: found unexpected end of stream, "
            "while scanning a quoted scalar; close the quote that is opened here",
        ),
        (
            "pins: {a: 1\nrole: keypad\n",
            "keypad-5.yaml:2: not YAML: expected ',' or '}', but got ':', while parsing a flow "
            'mapping; close the bracket, a comma between items; quote a text with { or ": "',
        ),
        (
            "name: x\n---\nname: y\n",
            "keypad-5.yaml:2: not YAML: but found another document, expected a single document "
            "in the stream; one document a file, without a second ---",
        ),
        (
            "name: *x\n",
            "keypad-5.yaml:1: not YAML: found undefined alias 'x'; quote a text that begins with *",
        ),
        (
            "name: \x07\n",
            "keypad-5.yaml:1: not YAML: unacceptable character #x0007: special characters are not "
            'allowed in "<unicode string>", position 6; plain UTF-8 text',
        ),
        ("", "keypad-5.yaml:1: the file is empty; a profile, which begins with name: and version:"),
        (
            "- a\n",
            'keypad-5.yaml:1: the file is ["a"]; a profile, which begins with name: and version:',
        ),
        (
            "[" * 5000,
            "keypad-5.yaml:1: not YAML: nested too deeply; a profile has seven levels",
        ),
        (
            "#" * 70_000,
            "keypad-5.yaml:1: the file is over 64 KB; a profile, which takes a few KB",
        ),
    ],
    ids=lambda value: value[:12],
)
def test_a_file_that_is_no_yaml_is_one_error(text: str, error: str, tmp_path: Path) -> None:
    assert errors(tmp_path, text) == [error]


def test_a_key_that_is_there_twice_is_found_each_time(tmp_path: Path) -> None:
    text = good("keypad-3").replace("version: 1\n", "version: 1\nversion: 2\nversion: 3\n")
    text = text.replace("  key_1: 13\n", "  key_1: 13\n  key_1: 4\n")
    lines = text.splitlines()
    version, key = lines.index("version: 1") + 1, lines.index("  key_1: 13") + 1
    assert errors(tmp_path, text, "keypad-3") == [
        f"keypad-3.yaml:{version + 1}: version: is there twice, first in line {version}; only one",
        f"keypad-3.yaml:{version + 2}: version: is there twice, first in line {version}; only one",
        f"keypad-3.yaml:{key + 1}: pins.key_1: is there twice, first in line {key}; only one",
    ]


@pytest.mark.parametrize(
    ("old", "new", "what"),
    [
        ("  beam_a: 18", "  beam_a: &pin 18", None),
        ("  beam_b: 19", "  beam_b: !gpio 19", "pins.beam_b: has the YAML tag !gpio; "
         "a plain value without a tag"),
        ("  beam_b: 19", "  beam_b: 19\n  27: 4", "pins: the key 27 is not a name; "
         "a name of letters, digits and _"),
        ("  beam_b: 19", "  beam_b: 19\n  [1]: 4", "pins: the key [...] is not a name; "
         "a name of letters, digits and _"),
        ("  beam_b: 19", "  beam_b: 0x13", 'pins.beam_b: is "0x13"; '
         "one of 4, 13, 14, 16, 17, 19, 21, 22, 23, 25, 26, 27, 32, 33"),
    ],
)  # fmt: skip
def test_yaml_that_a_profile_does_not_need_is_refused(
    old: str, new: str, what: str | None, tmp_path: Path
) -> None:
    text = good("people-counter-beams")
    line = text[: text.index(old)].count("\n") + 1 + new.count("\n")
    text = text.replace(old, new)
    if what is None:
        path = tmp_path / "people-counter-beams.yaml"
        path.write_text(text, encoding="utf-8")
        assert load(path).pins == {"beam_a": 18, "beam_b": 19}
    else:
        found = errors(tmp_path, text, "people-counter-beams")
        assert f"people-counter-beams.yaml:{line}: {what}" in found


def test_an_alias_is_refused_where_it_stands_and_not_followed(tmp_path: Path) -> None:
    bomb = "a: &a [x, x]\n" + "".join(
        f"{here}: &{here} [{', '.join([f'*{before}'] * 9)}]\n"
        for before, here in zip("abcdefgh", "bcdefghi", strict=True)
    )
    start = time.perf_counter()
    found = errors(tmp_path, bomb)
    assert time.perf_counter() - start < 5
    assert "keypad-5.yaml:2: b[1]: is a YAML alias; the value itself, written out" in found


def test_all_errors_of_a_file_come_at_once_in_the_order_of_its_lines(tmp_path: Path) -> None:
    text = good("keypad-5")
    for old, new in (
        ("version: 1", "version: one"),
        ("flash_mb: 4", "flash_mb: 3"),
        ("marks: [5, 4, 3, 2, 1]", "marks: [5, 4, 3, 2, 9]"),
        ("key_2: 14", "key_2: 13"),
        ("key_3: 16", "key_3: 6"),
        ("lamp_1: 19", "lamp_1: 34"),
        ("lamp_5: 25", "lmap_5: 25"),
        ("value: 20, unit: ms", "value: 200, unit: s"),
        ("  lock_s: ", "  lock_sec: "),
        ("  close:\n", "  cloes:\n"),
        ("max_chars: 8}\n      until", "max_char: 8}\n      until"),
        ("shows:\n  session: {type: integer, min: 1", "shows:\n  session: {type: integer, min: -x"),
    ):
        assert old in text
        text = text.replace(old, new)
    found = errors(tmp_path, text)
    numbers = [int(line.split(":")[1]) for line in found]
    assert numbers == sorted(numbers)
    assert [line.split(": ")[1] for line in found] == [
        "version",
        "board.flash_mb",
        "driver.marks[5]",
        "pins.key_2",
        "pins.key_3",
        "pins.lamp_1",
        "pins.lmap_5",
        "settings.debounce_ms.unit",
        "settings.debounce_ms.value",
        "settings.lock_sec",
        "events.cloes",
        "desired.session.fields.ticket.max_char",
        "shows.session.min",
    ]


WORDS = ["", "0", "-1", "999999999999999999999", "1.5", ".nan", "null", "true", "[]", "{}", "x",
         "[[1]]", "{a: 1}", "中", "*a", "&a", "!t", "- ", ": ", "\t", "\n", "#", "'", '"', "low",
         "esp32", "keys", "integer", "object", "array", "34"]  # fmt: skip


@given(name=st.sampled_from(builtin_names()), seed=st.integers(0, 2**32), edits=st.integers(1, 4))
@example(name="keypad-5", seed=0, edits=1)
def test_a_mutated_profile_is_a_profile_or_a_profile_error(
    name: str, seed: int, edits: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    dice = random.Random(seed)
    text = good(name)
    for _ in range(edits):
        text = mutated(text, dice)
    path = tmp_path_factory.mktemp("mutated") / f"{name}.yaml"
    path.write_text(text, encoding="utf-8")
    for problem in problems_of(path):
        assert 1 <= problem.line <= text.count("\n") + 1
        assert problem.what
        assert problem.right
        assert "\n" not in str(problem)


def problems_of(path: Path) -> list[Problem]:
    """What is wrong with a file; nothing only when it is a profile."""
    try:
        assert load(path).name == path.stem
    except ProfileError as error:
        return error.problems
    return []


def mutated(text: str, dice: random.Random) -> str:
    """`text` with one edit: a token replaced, a line dropped, doubled, indented or cut off."""
    lines = text.split("\n")
    at = dice.randrange(len(lines))
    line = lines[at]
    edit = dice.randrange(6)
    if edit == 0:
        del lines[at]
    elif edit == 1:
        lines.insert(at, line)
    elif edit == 2:
        lines[at] = " " * dice.randrange(5) + line.lstrip()
    elif edit == 3:
        lines[at] = line[: dice.randrange(len(line) + 1)]
    elif edit == 4:
        start = dice.randrange(len(line) + 1)
        end = min(len(line), start + dice.randrange(8))
        lines[at] = line[:start] + dice.choice(WORDS) + line[end:]
    else:
        head, colon, _ = line.partition(": ")
        lines[at] = head + colon + dice.choice(WORDS)
    return "\n".join(lines)


@given(data=st.data())
def test_settings_within_their_ranges_compile_and_all_others_are_refused(
    data: st.DataObject,
) -> None:
    profile = load(data.draw(st.sampled_from(builtin_names())))
    overrides = {
        name: data.draw(st.integers(setting.min, setting.max), label=name)
        for name, setting in profile.settings.items()
        if data.draw(st.booleans())
    }
    place = {"device": "d-1", "hall": "h", "broker_host": "::1", "broker_port": 1883}
    values = {name: overrides.get(name, setting.value) for name, setting in
              profile.settings.items()}  # fmt: skip
    if contradicts(values):
        with pytest.raises(ConfigError, match="but"):
            compile_config(profile, **place, settings=overrides)
    else:
        assert compile_config(profile, **place, settings=overrides)["settings"] == values
    name, setting = data.draw(st.sampled_from(sorted(profile.settings.items(), key=str)))
    beyond = data.draw(outside(setting))
    with pytest.raises(ConfigError, match=f"setting {name} is"):
        compile_config(profile, **place, settings={name: beyond})


def contradicts(values: dict[str, int]) -> bool:
    """Whether the thresholds of a wet floor are in no order."""
    if "wet_ohms" not in values:
        return False
    ohms = [values[name] for name in ("short_ohms", "wet_ohms", "dry_ohms", "open_ohms")]
    return ohms != sorted(set(ohms)) or values["wet_samples"] > values["of_samples"]


def outside(setting: Setting) -> st.SearchStrategy[object]:
    """Values that a setting must not have."""
    return st.one_of(
        st.integers(max_value=setting.min - 1),
        st.integers(min_value=setting.max + 1),
        st.floats(),
        st.booleans(),
        st.text(),
        st.none(),
    )
