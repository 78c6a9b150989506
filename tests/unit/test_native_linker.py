"""The linker: files as MicroPython reads them, and a clear refusal of what they cannot carry."""

import json
import os
from pathlib import Path

import pytest
from hall_tools.errors import UserError
from hall_tools.native import build as building
from hall_tools.native.build import build, build_own, own_source
from hall_tools.native.emulator import Call, run
from hall_tools.native.loader import Reader, decode
from hall_tools.native.mpyfile import variable
from hall_tools.native.xtensa import prepare_assembly
from support import micropython
from support.native import built
from typer.testing import CliRunner

ARCHITECTURES = {"x64": 0x0B06, "xtensawin": 0x2B06, "rv32imc": 0x2F06}

# What the documentation shows as a first module.
EXAMPLE = (Path(__file__).parents[2] / "docs" / "native-linker.md").read_text()
EXAMPLE = EXAMPLE.split("```c\n")[1].split("```")[0]


def source(folder: Path, text: str) -> Path:
    path = folder / "small.c"
    path.write_text(text.replace('"abi.h"', f'"{own_source().with_name("abi.h")}"'))
    return path


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_the_own_module_as_an_independent_decoder_reads_it(architecture: str):
    module = decode(built.module(architecture))
    assert module.mpy == ARCHITECTURES[architecture]
    assert module.names == ["scan.mpy", "ValueError", "blank", "build", "frame", "version"]
    bases = [base for _, base in module.adjusted]
    # One pointer at the function table; on Xtensa also the addresses of functions that are called.
    assert bases.count("fun_table") == 1
    assert (bases.count("text") > 0) == (architecture == "xtensawin")
    for offset, _ in module.adjusted:
        assert offset % {"x64": 8}.get(architecture, 4) == 0


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_equal_bytes_each_time_and_wherever_the_source_lies(
    architecture: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    copy = tmp_path / "elsewhere"
    copy.mkdir()
    for file in own_source().parent.glob("*.[ch]"):
        (copy / file.name).write_bytes(file.read_bytes())
    monkeypatch.setattr(building, "own_source", lambda: copy / "module.c")
    assert build_own(architecture) == built.module(architecture)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_size(architecture: str):
    assert len(built.module(architecture)) <= 2048


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_what_is_shipped_is_what_the_source_gives(architecture: str):
    shipped = own_source().parent / "prebuilt" / f"scan_{architecture}.mpy"
    assert shipped.read_bytes() == built.module(architecture), (
        "firmware/native has changed: hall native build --out firmware/native/prebuilt"
    )


def test_the_example_runs_in_micropython(tmp_path: Path):
    (tmp_path / "small.mpy").write_bytes(build(source(tmp_path, EXAMPLE), "x64", "small"))
    script = tmp_path / "script.py"
    script.write_text(
        "import small\nprint(small.add(40, 2))\n"
        "try:\n    small.add(1)\nexcept TypeError:\n    print('refused')\n"
    )
    assert micropython.run(script, path=[tmp_path]).output == "42\nrefused\n"


@pytest.mark.parametrize("architecture", ["xtensawin", "rv32imc"])
def test_the_example_runs_on_the_chips_machine_code(architecture: str, tmp_path: Path):
    module = build(source(tmp_path, EXAMPLE), architecture, "small")
    calls = [Call("add", [40, 2]), Call("add", [1, -3 & 0x7FFFFFFF])]
    run(architecture, module, calls)
    assert [call.error for call in calls] == [None, None]
    assert [call.value for call in calls] == [42, -2]


ENTRY = (
    '#include "abi.h"\n'
    "mp_object mpy_init(struct mp_function *self, size_t n, size_t k, mp_object *a)\n"
)
REFUSED = {
    "undefined symbol": (
        "int helper(int);\n"
        + ENTRY
        + "{ (void)self; (void)k; (void)a; return mp_from_int(helper((int)n)); }",
        "small.c: undefined symbol helper: only the function table of MicroPython can be called",
    ),
    "a copied struct": (
        "struct s { char c[200]; }; void *memcpy(void *, const void *, unsigned long);\n"
        + ENTRY
        + "{ (void)self; (void)k; struct s s; memcpy(&s, a, 200); return mp_from_int(s.c[n]); }",
        "undefined symbol memcpy: the compiler copies a struct: pass a pointer",
    ),
    "a string": (
        ENTRY
        + '{ (void)self; (void)k; (void)a; return mp_from_int("a string of some length"[n]); }',
        r"bytes in \.rodata\S* \(constant data",
    ),
    "a static variable": (
        "int count;\n"
        + ENTRY
        + "{ (void)self; (void)k; (void)a; return mp_from_int(count += n); }",
        r"4 bytes in \.bss \(a static variable\): a module without static data is all",
    ),
    "an initial value": (
        "int count = 3;\n"
        + ENTRY
        + "{ (void)self; (void)k; (void)a; return mp_from_int(count += n); }",
        r"4 bytes in \.data \(a variable with an initial value\)",
    ),
    "no entry": ("int other(void) { return 1; }\n", "small.c: has no function mpy_init"),
    "no C": ("int other(void) { return }\n", r"small\.c:1:\d+: error: expected expression"),
}


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("what", REFUSED)
def test_what_cannot_be_linked_is_refused_and_named(what: str, architecture: str, tmp_path: Path):
    text, message = REFUSED[what]
    with pytest.raises(UserError, match=message) as caught:
        build(source(tmp_path, text), architecture, "small")
    assert caught.value.exit_code == os.EX_DATAERR
    assert "\n" not in str(caught.value)


def test_division_is_named_on_a_machine_without_it(tmp_path: Path):
    text = ENTRY + "{ (void)self; (void)a; return mp_from_int((int)n / (int)k); }"
    with pytest.raises(UserError, match="undefined symbol __divsi3: this machine code has no div"):
        build(source(tmp_path, text), "xtensawin", "small")
    # RISC-V's letter M is multiplication and division.
    assert build(source(tmp_path, text), "rv32imc", "small")


def test_an_unknown_relocation_is_refused(tmp_path: Path):
    text = '__asm__(".text\\n.globl t\\nt: .quad mpy_init");\n' + ENTRY
    text += "{ (void)self; (void)n; (void)k; (void)a; return mp_none(); }"
    with pytest.raises(UserError, match=r"\.text\+0x0: relocation of type 1 is not supported"):
        build(source(tmp_path, text), "x64", "small")


@pytest.mark.parametrize(
    ("architecture", "program", "package"),
    [
        ("x64", "gcc", "gcc"),
        ("xtensawin", "clang-22", "clang-22"),
        ("rv32imc", "clang-22", "clang-22"),
    ],
)
def test_a_missing_compiler_is_named_with_its_package(
    architecture: str, program: str, package: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(
        UserError, match=f"{program} is missing: install Debian's package {package}"
    ) as e:
        build_own(architecture)
    assert e.value.exit_code == os.EX_UNAVAILABLE


def test_a_missing_source(tmp_path: Path):
    with pytest.raises(UserError, match=r"nothing\.c: no such file") as caught:
        build(tmp_path / "nothing.c", "x64", "nothing")
    assert caught.value.exit_code == os.EX_NOINPUT


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_what_is_not_in_utf_8_is_the_compiler_s_to_refuse(architecture: str, tmp_path: Path):
    path = tmp_path / "gbk.c"
    path.write_bytes("int 显示;".encode("gbk"))
    with pytest.raises(UserError, match="error: "):
        build(path, architecture, "gbk")


def test_the_command(tmp_path: Path):
    from hall_tools.cli import app

    done = CliRunner().invoke(app, ["native", "build", "--out", str(tmp_path), "--json"])
    assert done.exit_code == 0
    files = {line["arch"]: line for line in json.loads(done.output)}
    assert set(files) == set(ARCHITECTURES)
    for architecture, line in files.items():
        content = Path(line["file"]).read_bytes()
        assert line["bytes"] == len(content)
        assert content == built.module(architecture)


@pytest.mark.parametrize("value", [0, 1, 127, 128, 300, 16383, 16384, 1 << 28])
def test_numbers_of_variable_length(value: int):
    assert Reader(variable(value)).number() == value


@pytest.mark.parametrize(
    ("wide", "narrow"),
    [
        ("\tl32i\ta8, a1, 60", "\tl32i.n\ta8, a1, 60"),
        ("\tl32i\ta8, a1, 64", None),
        ("\ts32i\ta12, a10, 0                      # spill", "\ts32i.n\ta12, a10, 0"),
        ("\tor\ta7, a1, a1", "\tmov.n\ta7, a1"),
        ("\tor\ta7, a1, a2", None),
        ("\taddi\ta3, a3, 15", "\taddi.n\ta3, a3, 15"),
        ("\taddi\ta3, a3, 16", None),
        ("\taddi\ta3, a3, -1", "\taddi.n\ta3, a3, -1"),
        ("\taddi\ta3, a3, 0", None),
        ("\tmovi\ta3, 95", "\tmovi.n\ta3, 95"),
        ("\tmovi\ta3, 96", None),
        ("\tmovi\ta3, -32", "\tmovi.n\ta3, -32"),
        ("\tmovi\ta3, -33", None),
        ("\tadd\ta3, a4, a5", "\tadd.n\ta3, a4, a5"),
    ],
)
def test_narrow_forms_of_xtensa(wide: str, narrow: str | None):
    assert prepare_assembly(wide) == (narrow or wide)
