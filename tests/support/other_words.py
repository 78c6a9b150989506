"""Firmware with other words in one of its modules, for what would take a test too long as it is.

Here: that the devices which are deployed from now on have them in their slot a. Not here: what is
changed, and releases (tests/hall/test_updates.py).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hall_tools import mpy
from hall_tools.image import assembly


def other_words(
    monkeypatch: pytest.MonkeyPatch, folder: Path, name: str, changes: dict[str, str]
) -> None:
    """`changes`: what is replaced in hall/`name`.py, each of which is there once, by what.

    `folder` takes the changed source.
    """
    text = (mpy.firmware_root() / "hall" / f"{name}.py").read_text(encoding="utf-8")
    for old, new in changes.items():
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    source = folder / f"{name}.py"
    source.write_text(text, encoding="utf-8")
    module = {f"a/hall/{name}.mpy": mpy.compile_module(source, f"hall/{name}.py")}
    files_of = assembly.file_system

    def file_system(*given: Any, **more: Any) -> dict[str, bytes]:
        files = files_of(*given, **more)
        assert module.keys() <= files.keys()
        return files | module

    monkeypatch.setattr(assembly, "file_system", file_system)
