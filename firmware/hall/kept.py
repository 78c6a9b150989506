"""What a device has learnt at its place, such as a calibration: it survives a restart.

Here: one small file, replaced by rename so that a power cut leaves the old one or the new one. A
new flash image begins without it. Not here: what the values mean.
"""

import json
import os


def load(path):
    """The dict in the file; {} when there is no file. ValueError: it cannot be read."""
    try:
        with open(path) as file:
            kept = json.load(file)
    except OSError:
        return {}
    except ValueError:
        kept = None
    if not isinstance(kept, dict):
        raise ValueError("%s: not readable, calibrate this device again" % path)
    return kept


def save(path, kept):
    """OSError: the flash does not take it; the file is as it was."""
    new = path + ".new"
    with open(new, "w") as file:
        json.dump(kept, file)
    os.rename(new, path)
