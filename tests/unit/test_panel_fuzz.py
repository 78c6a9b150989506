"""Whatever hall_panel's C modules are given, they neither crash nor touch what is not theirs: run
with the address and undefined-behaviour sanitizers, in a process of its own."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FUZZ = ROOT / "tests/support/native/fuzz_scan.py"
CORE = ROOT / "firmware/native"
BINDING = ROOT / "gateway/hall_panel"
SANITIZE = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-fno-omit-frame-pointer"]
EXAMPLES = 1000


def build(folder: Path, core: Path) -> None:
    """Both modules, sanitized, from the C core in `core`."""
    headers = subprocess.check_output(
        [sys.executable, "-c", "import sysconfig; print(sysconfig.get_path('include'))"], text=True
    ).strip()
    for name in ("_scan", "_refresh"):
        command = ["gcc", "-O1", "-g", *SANITIZE, "-shared", "-fPIC", "-pthread"]
        command += [f"-I{core}", f"-I{headers}", str(BINDING / f"{name}.c")]
        subprocess.run([*command, "-o", str(folder / f"{name}.so")], check=True)


def fuzz(folder: Path, examples: int) -> subprocess.CompletedProcess[str]:
    runtime = subprocess.check_output(["gcc", "-print-file-name=libasan.so"], text=True).strip()
    environment = {
        **os.environ,
        "LD_PRELOAD": runtime,
        "ASAN_OPTIONS": "detect_leaks=0",  # the interpreter frees not everything as it ends
        "PYTHONMALLOC": "malloc",  # else small buffers stand in a pool, side by side
    }
    command = [sys.executable, str(FUZZ), str(folder), str(examples)]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=110)


def test_nothing_crashes_or_writes_where_it_must_not(tmp_path: Path):
    build(tmp_path, CORE)
    done = fuzz(tmp_path, EXAMPLES)
    assert done.returncode == 0, done.stdout + done.stderr


# File, text, what is planted in its place, and what must be reported.
PLANTED = {
    "the picture is read behind its end": (
        *("scan.c", "at >= picture_bytes", "0"),
        "ERROR: AddressSanitizer: ",
    ),
    "the log is written behind its end": (
        *("port.h", "((size_t)((port)->end - (port)->next) >= (words))", "1"),
        "AddressSanitizer: heap-buffer-overflow",
    ),
    "words are read from where none begins": (
        *("scan.c", "((uintptr_t)word | (uintptr_t)program->words) & 3", "0"),
        "runtime error: load of misaligned address",
    ),
    "something is logged before an error": (
        *("port.h", "((size_t)((port)->end", "(*(port)->level ^= 1, (size_t)((port)->end"),
        "an error, and yet something was logged",
    ),
}


@pytest.mark.parametrize("name", PLANTED)
def test_a_planted_error_is_reported(name: str, tmp_path: Path):
    file, text, planted, report = PLANTED[name]
    core = shutil.copytree(CORE, tmp_path / "native")
    source = (core / file).read_text()
    assert source.count(text) == 1, f"{file} has changed: plant another error"
    (core / file).write_text(source.replace(text, planted))
    build(tmp_path, core)
    done = fuzz(tmp_path, EXAMPLES)
    assert done.returncode != 0
    assert report in done.stderr
