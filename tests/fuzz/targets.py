"""Every target by its name: the one list from which both hypothesis and atheris run."""

from fuzz import (
    targets_device,
    targets_files,
    targets_fleet,
    targets_gateway,
    targets_http,
    targets_updates,
)
from fuzz.target import Target

TARGETS: dict[str, Target] = {
    target.name: target
    for group in (
        targets_device,
        targets_gateway,
        targets_http,
        targets_files,
        targets_updates,
        targets_fleet,
    )
    for target in group.TARGETS
}
