"""What systemd has to say of units that are not installed.

Here: asking it. Not here: which units, and what they ought to say.
"""

import os
import subprocess
from pathlib import Path

DEBIANS = Path("/lib/systemd/system")
CHECK_S = 60.0


def verify(folder: Path, unit: str) -> str:
    """Its findings on a unit in `folder`, all it knows beside Debian's own; "" when it has none."""
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(folder / unit)],
        capture_output=True,
        text=True,
        timeout=CHECK_S,
        env={**os.environ, "SYSTEMD_UNIT_PATH": f"{folder}:{DEBIANS}"},
    )
    return done.stderr + ("" if done.returncode == 0 else f"exit code {done.returncode}")
