"""What the control socket serves of updates: releases in, roll-outs begun, stopped and looked at.

Here: routes and their handlers. Not here: the socket (control.py), what a roll-out does
(updates.py), where releases lie (release_store.py).
"""

import asyncio
from dataclasses import asdict
from typing import Annotated

from aiohttp import web
from pydantic import Field

from hall_gateway.bundle import MAX_BUNDLE_BYTES, BundleError, read_bundle
from hall_gateway.control_api import ApiError, Asked, answer, asked, attempt
from hall_gateway.core import Core
from hall_gateway.files import FileError
from hall_gateway.models import DeviceId
from hall_gateway.release import Manifest, SignatureError
from hall_gateway.release_store import ReleaseStore
from hall_gateway.rollout_model import RollOut, Target
from hall_gateway.state import Json, RefusedError
from hall_gateway.updates import Offer

_REFUSALS: dict[type[Exception], int] = {RefusedError: 409}
_ID = "^[0-9a-f]{64}$"


class RollOutAsked(Asked):
    """Which release, by the ids of its manifests, and for which devices: all without any."""

    releases: Annotated[
        list[Annotated[str, Field(pattern=_ID)]],
        Field(min_length=1, max_length=8, description="ids of manifests, as POST /releases said"),
    ]
    devices: list[DeviceId] = Field(
        default_factory=list, max_length=10_000, description="ids of devices"
    )


def routes(core: Core, releases: ReleaseStore) -> list[web.RouteDef]:
    """`POST /releases` (a bundle's bytes), `GET /updates`, and `POST /updates/roll-out`, `/stop`
    and `/resume`, whose body says `by` whom."""

    async def take(request: web.Request) -> web.Response:
        content = bytearray()
        async for piece in request.content.iter_any():
            content += piece
            if len(content) > MAX_BUNDLE_BYTES:
                raise ApiError(413, f"a release has at most {MAX_BUNDLE_BYTES} bytes")
        if not releases.keys:
            raise ApiError(
                409,
                "this hall takes no updates: name the keys that sign its releases, in hall.toml as "
                '[updates] keys = ["release.pub"], and start the gateway again',
            )
        used = await core.do(lambda heart, _now: heart.updates.used())
        return answer(await asyncio.to_thread(_taken, releases, bytes(content), used))

    async def status(_request: web.Request) -> web.Response:
        rollouts = await core.do(lambda heart, _now: heart.updates.all())
        kept = await asyncio.to_thread(_kept, releases)
        devices = await core.do(lambda heart, _now: heart.updates.reported())
        told = [shown(rollout) for rollout in rollouts]
        return answer({"roll_outs": told, "releases": kept, "devices": devices})

    async def roll_out(request: web.Request) -> web.Response:
        body = await asked(request, RollOutAsked)
        offer = await asyncio.to_thread(_offer, releases, body.releases)
        begun = await attempt(
            core,
            lambda heart, now: heart.updates.begin(offer, body.devices, body.by, now),
            _REFUSALS,
        )
        return answer(shown(begun))

    async def stop(request: web.Request) -> web.Response:
        by = (await asked(request, Asked)).by
        rollout = await attempt(core, lambda heart, now: heart.updates.stop(by, now), _REFUSALS)
        return answer(shown(rollout))

    async def resume(request: web.Request) -> web.Response:
        by = (await asked(request, Asked)).by
        rollout = await attempt(core, lambda heart, now: heart.updates.resume(by, now), _REFUSALS)
        return answer(shown(rollout))

    return [
        web.post("/releases", take),
        web.get("/updates", status),
        web.post("/updates/roll-out", roll_out),
        web.post("/updates/stop", stop),
        web.post("/updates/resume", resume),
    ]


def shown(rollout: RollOut) -> Json:
    """A roll-out as JSON has it."""
    return asdict(rollout)


def _taken(releases: ReleaseStore, content: bytes, used: list[str]) -> Json:
    try:
        bundle = read_bundle(content)
        ids = releases.take(bundle, used)
    except (BundleError, SignatureError) as error:
        raise ApiError(400, f"refused: {error}") from None
    except FileError as error:
        raise ApiError(507, f"the release could not be kept: {error}") from None
    except OSError as error:
        text = f"the release could not be kept: {releases.folder}: {error.strerror}"
        raise ApiError(507, text) from None
    told = [_told(ids[family], manifest) for family, manifest in bundle.manifests.items()]
    return {"version": bundle.version, "counter": bundle.counter, "releases": told}


def _kept(releases: ReleaseStore) -> list[Json]:
    try:
        return [_told(id, manifest) for id, manifest in releases.manifests().items()]
    except OSError as error:
        raise ApiError(503, f"{releases.folder}: {error.strerror}") from None


def _told(id: str, manifest: Manifest) -> Json:
    return {
        "id": id,
        "version": manifest.version,
        "counter": manifest.counter,
        "hardware": manifest.hardware,
        "size": len(manifest.content),
        "signed_by": manifest.key,
    }


def _offer(releases: ReleaseStore, ids: list[str]) -> Offer:
    """Raises ApiError."""
    try:
        known = releases.manifests()
        missing = [id for id in ids if not releases.has(id)]
    except OSError as error:
        raise ApiError(503, f"{releases.folder}: {error.strerror}") from None
    if missing:
        raise ApiError(404, f"release {missing[0]} is not here, or not whole; hand it in again")
    manifests = {id: known[id] for id in ids}
    if len({(each.version, each.counter) for each in manifests.values()}) != 1:
        raise ApiError(400, "releases: right: the manifests of one release")
    targets: dict[str, Target] = {}
    chips: dict[str, str] = {}
    for id, manifest in manifests.items():
        family = manifest.hardware[0]
        targets[family] = Target(id, len(manifest.content))
        chips.update(dict.fromkeys(manifest.hardware, family))
    first = next(iter(manifests.values()))
    return Offer(first.version, first.counter, targets, chips)
