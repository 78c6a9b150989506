"""Devices join a hall, leave it, and take each other's places: keys, hall.toml and the broker.

Here: the three as one step each, which can be done again when it broke off half way. Not here: the
parts (hall_gateway.keys, registry.py, device_broker.py), options and output (commands).

Files first, in an order that any prefix of is safe: keys that nobody has been given yet open
nothing, and a withdrawn device is shut out by the first file that says so. Then the broker is told.
The gateway sees by itself that hall.toml has changed (hall_gateway.settings_file).
"""

import os
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from hall_gateway.config import GATEWAY_ID, load_profile
from hall_gateway.keys import DeviceKeys, KeyStore, KeyStoreError
from hall_profiles import Profile, ProfileError

from hall_tools.device_broker import Told, cut, tell
from hall_tools.errors import UserError
from hall_tools.registry import Place, Registry

KEYS, MOSQUITTO = "keys", "mosquitto"


@dataclass(frozen=True)
class Board:
    """A device that is to join; without a place it is a spare."""

    device: str
    profile: str
    place: Place | None


@dataclass(frozen=True)
class Enrolled:
    """`keys` None: it is a part of the gateway and needs none."""

    board: Board
    keys: DeviceKeys | None


@dataclass(frozen=True)
class Replaced:
    """`settings`: other values than the profile's, which the new board's image has to have."""

    profile: str
    place: Place
    settings: dict[str, int]
    told: Told


class Enrolment:
    """A hall's devices, as the folder of its hall.toml has them. Every method raises UserError."""

    def __init__(self, config: Path) -> None:
        self._config = config
        self.store = KeyStore(config.parent / KEYS)

    def devices(self) -> list[DeviceKeys]:
        """The keys of every device that was ever enrolled, by its id."""
        with _told():
            return self.store.devices()

    def as_before(self, devices: Sequence[str]) -> list[Board]:
        """`devices` as they stand in hall.toml, or as they were enrolled when they do not."""
        registry = Registry(self._config)
        return [self._as_before(registry, device) for device in devices]

    def enroll(self, boards: Sequence[Board]) -> tuple[list[Enrolled], Told]:
        """All of `boards` join, or none. One that is there already gets new keys."""
        with self._registry() as registry:
            profiles = [_profile(board) for board in boards]
            self._check_ids(boards)
            for board in boards:
                self._check_clash(registry, board)
                if board.place is not None:
                    registry.put(board.device, board.profile, board.place)
            enrolled: list[Enrolled] = []
            for board, profile in zip(boards, profiles, strict=True):
                inside = profile.transport == "gateway"
                keys = None if inside else self.store.enrol(board.device, profile)
                enrolled.append(Enrolled(board, keys))
            self._write(registry)
            again = [e.board.device for e in enrolled if e.keys and e.keys.generation > 1]
            return enrolled, _tell(registry, again)

    def revoke(self, devices: Sequence[str]) -> Told:
        """None of `devices` can join, speak or hear any more."""
        with self._registry() as registry:
            known = [device for device in devices if self.store.get(device) is not None]
            for device in devices:
                if device not in known and registry.device(device) is None:
                    raise UserError(
                        f"{device}: is no device of this hall; nothing was done. {registry.path} "
                        f"and {self.store.folder} have: {self._all(registry)}"
                    )
                self._check_apart(registry, device)
            for device in known:
                self.store.revoke(device)
            for device in devices:
                registry.revoke(device)
            self._write(registry)
            return _tell(registry, devices)

    def replace(self, old: str, new: str) -> Replaced:
        """`new`, a spare, has the place of `old`, which is revoked."""
        with self._registry() as registry:
            was = registry.device(old)
            done = registry.device(new)
            self._check_apart(registry, old)
            if was is None and done is not None and done.replaces == old:
                found = done  # it broke off after hall.toml was written
            else:
                self._check_spare(registry, old, new)
                found = registry.replace(old, new)
            if self.store.get(old) is not None:
                self.store.revoke(old)
            self._write(registry)
            told = _tell(registry, [old])
            place = Place(found.window, found.zone)
            return Replaced(found.profile, place, found.settings, told)

    @contextmanager
    def _registry(self) -> Generator[Registry]:
        """hall.toml, while nobody else changes it or the keys."""
        Registry(self._config)  # no folder is made beside a file that is not there
        with _told(), self.store.locked():
            self.store.devices()  # before anything is done, for all of them are written out after
            yield Registry(self._config)

    def _as_before(self, registry: Registry, device: str) -> Board:
        if found := registry.device(device):
            return Board(device, found.profile, Place(found.window, found.zone))
        with _told():
            keys = self.store.get(device)
        if keys is None:
            raise UserError(
                f"{device}: is new here, so --profile is missing; hall profile list names them",
                os.EX_USAGE,
            )
        return Board(device, keys.profile, None)

    def _write(self, registry: Registry) -> None:
        self.store.write_mosquitto(self._config.parent / MOSQUITTO)
        registry.save()

    def _check_ids(self, boards: Sequence[Board]) -> None:
        seen: set[str] = set()
        for board in boards:
            try:
                self.store.path(board.device)
            except KeyStoreError as error:
                raise UserError(str(error)) from None
            if board.device == GATEWAY_ID:
                raise UserError(f'"{GATEWAY_ID}" is the gateway\'s own id; choose another')
            if board.device in seen:
                raise UserError(f"{board.device}: is named twice; every board has its own id")
            seen.add(board.device)

    def _check_clash(self, registry: Registry, board: Board) -> None:
        keys, found = self.store.get(board.device), registry.device(board.device)
        if board.place is None and found is not None:
            raise UserError(
                f"{board.device}: stands at {Place(found.window, found.zone)}, and a spare stands "
                "nowhere; give this board another id"
            )
        if keys and keys.revoked is None and keys.profile != board.profile:
            raise UserError(
                f"{board.device}: is enrolled as a {keys.profile}, not as a {board.profile}; give "
                f"this board another id, or run: hall revoke {board.device}"
            )

    def _check_apart(self, registry: Registry, device: str) -> None:
        """That the device is not a part of the gateway."""
        found = registry.device(device)
        if found and load_profile(found.profile).transport == "gateway":
            raise UserError(
                f"{device}: is a part of the gateway and has no keys; to be rid of it, remove its "
                f"[[device]] from {registry.path} and start the gateway again"
            )

    def _check_spare(self, registry: Registry, old: str, new: str) -> None:
        was, there, keys = registry.device(old), registry.device(new), self.store.get(new)
        if was is None:
            known = ", ".join(device.id for device in registry.settings.devices) or "none"
            raise UserError(f"{old}: has no place in {registry.path}; devices there: {known}")
        if there is not None:
            raise UserError(
                f"{new}: stands at {Place(there.window, there.zone)} already; take a spare"
            )
        if keys is None or keys.revoked is not None:
            what = "was never enrolled" if keys is None else "is revoked"
            raise UserError(
                f"{new}: {what}; first: hall enroll {new} --profile {was.profile} --spare"
            )
        if keys.profile != was.profile:
            raise UserError(
                f"{new}: is a {keys.profile}, and the place of {old} needs a {was.profile}"
            )

    def _all(self, registry: Registry) -> str:
        ids = {device.id for device in registry.settings.devices}
        return ", ".join(sorted(ids | {keys.device for keys in self.store.devices()})) or "none"


@contextmanager
def _told() -> Generator[None]:
    try:
        yield
    except KeyStoreError as error:
        raise UserError(str(error), os.EX_CONFIG) from None


def _profile(board: Board) -> Profile:
    try:
        profile = load_profile(board.profile)
    except ProfileError as error:
        raise UserError(str(error)) from None
    if profile.transport == "gateway" and board.place is None:
        raise UserError(f"{board.device}: a {profile.name} is a part of the gateway, no spare")
    return profile


def _tell(registry: Registry, shut_out: Sequence[str]) -> Told:
    """The broker reads its files; the connections of `shut_out` end."""
    broker = registry.settings.broker
    told = tell(broker)
    if told is Told.RELOADED:
        cut(broker, shut_out)
    return told
