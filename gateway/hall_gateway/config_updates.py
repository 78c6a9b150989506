"""How the devices' firmware is updated.

Here: the model of the table [updates]. Not here: releases (release_store.py), when a device has its
turn (rollout.py).
"""

from pydantic import Field, PrivateAttr, model_validator

from hall_gateway.config_base import FilePath, Settings
from hall_gateway.release import PublicKey
from hall_gateway.release_keys import ReleaseKeyError, public_key_of
from hall_gateway.toml_input import Loc, ProblemsError

MAX_KEYS = 2
"""A release key, and another for the day on which that is lost or stolen."""


class UpdatesConfig(Settings):
    """Whose releases are taken, and when devices take them. Without keys there are no updates."""

    keys: tuple[FilePath, ...] = Field(
        default=(),
        max_length=MAX_KEYS,
        strict=False,
        description='one or two files of hall update keys, e.g. ["release.pub", "recovery.pub"]',
    )
    from_hour: int = Field(
        default=22,
        alias="from",
        ge=0,
        le=23,
        description="the hour of the hall's clock from which devices are updated, 0 to 23",
    )
    to_hour: int = Field(
        default=6,
        alias="to",
        ge=0,
        le=23,
        description="the hour until which devices are updated, 0 to 23; the same as from: any time",
    )
    folder: FilePath | None = Field(
        default=None,
        description='where releases are kept, e.g. "releases"; beside the store when left out',
    )
    _trusted: tuple[PublicKey, ...] = PrivateAttr(default=())

    @model_validator(mode="after")
    def _read(self) -> "UpdatesConfig":
        problems: list[tuple[Loc, str]] = []
        trusted: list[PublicKey] = []
        for index, file in enumerate(self.keys):
            try:
                key = public_key_of(file)
            except ReleaseKeyError as error:
                problems.append((("keys", index), str(error)))
                continue
            if key in trusted:
                problems.append((("keys", index), f"{file}: the same key twice"))
            trusted.append(key)
        if problems:
            raise ProblemsError(problems)
        self._trusted = tuple(trusted)
        return self

    @property
    def trusted(self) -> tuple[PublicKey, ...]:
        """The keys as they were when the settings were read."""
        return self._trusted
