"""`hall firmware size` fails when the firmware has outgrown its budget."""

import pytest
from hall_tools import mpy
from hall_tools.commands import firmware
from hall_tools.errors import UserError


@pytest.mark.parametrize(("extra", "refused"), [(0, False), (1, True)])
def test_the_budget_is_a_limit(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], extra: int, refused: bool
):
    # Data and native code are not counted.
    files = {"hall/app.mpy": bytes(firmware.BUDGET_BYTES + extra), "hall/glyphs.bin": bytes(9999)}
    monkeypatch.setattr(mpy, "application", lambda: files)
    if refused:
        with pytest.raises(UserError, match="61441 bytes, 1 above the budget") as caught:
            firmware.size()
        assert caught.value.exit_code == 1
    else:
        firmware.size()
    assert f"{firmware.BUDGET_BYTES + extra:,}" in capsys.readouterr().out
