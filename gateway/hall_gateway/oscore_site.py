"""A CoAP site that only speaks OSCORE (RFC 8613, section 8): what is not protected is refused.

Here: which context a request is under, whether it is genuine and new, protecting the response, and
counting what is refused, by reason. Not here: what a request means (devices_coap.py), contexts
(oscore_contexts.py), sockets (coap_server.py).

aiocoap's own OscoreSiteWrapper passes unprotected requests on, answers EDHOC, and fails over some
malformed options; this one has none of that.
"""

# aiocoap has no types.
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportIncompatibleVariableOverride=false, reportIncompatibleMethodOverride=false

import logging
from collections import Counter
from collections.abc import Mapping
from typing import Any, Protocol

import aiocoap
from aiocoap import error, interfaces, oscore
from aiocoap.numbers import codes
from aiocoap.numbers.optionnumbers import OptionNumber

from hall_gateway.coap_gate import Gate
from hall_gateway.oscore_contexts import Contexts, DeviceContext
from hall_gateway.values import StoreError

log = logging.getLogger(__name__)

BUSY_S = 60
"""Max-Age of a 5.03 while the store takes nothing, in s: how long a device lets it be."""

REASONS = (
    "unprotected",  # no OSCORE option
    "malformed",  # an OSCORE option, or what is under it, that is none
    "unknown_key",  # a kid of no device: a stranger, or one whose key was withdrawn
    "not_genuine",  # a known kid, but another key, or altered on the way
    "replayed",  # a number that was seen before
    "wrong_device",  # speaks for another than its key is of, or is no device of CoAP any more
    "no_such_resource",
    "too_large",
    "unreadable",  # of a device, but nothing can be told from it
    "busy",  # a device that has several requests in work, or the gateway ends
    "kept_out",  # a device that sent too much, or made no sense
    "store",  # the store took nothing
    "defect",  # of ours
)

_UNDERSTOOD = {
    OptionNumber.URI_HOST,
    OptionNumber.URI_PORT,
    OptionNumber.URI_PATH,
    OptionNumber.CONTENT_FORMAT,
    OptionNumber.ACCEPT,
}

_oscore: Any = oscore
_error: Any = error


class Resource(Protocol):
    """What stands at a path. `device` is whose key the request was protected with."""

    async def post(self, device: str, request: Any) -> Any:
        """The response. Raises RefusedError, and StoreError when nothing was committed."""
        ...


class RefusedError(Exception):
    """`reason` is one of REASONS."""

    def __init__(self, reason: str, code: codes.Code, why: str = "", max_age: int | None = None):
        super().__init__(why or reason)
        self.reason, self.code, self.why, self.max_age = reason, code, why, max_age

    def message(self) -> Any:
        return aiocoap.Message(code=self.code, payload=self.why.encode(), max_age=self.max_age)


class OscoreSite(interfaces.Resource):
    """`resources` by path, for the devices of `contexts`. `refused` counts, `challenged` too."""

    def __init__(
        self,
        contexts: Contexts,
        resources: Mapping[tuple[str, ...], Resource],
        refused: Counter[str],
        gate: Gate,
    ) -> None:
        self.refused = refused
        self.challenged = 0
        self._contexts = contexts
        self._gate = gate
        self._resources = resources

    async def render_to_pipe(self, pipe: Any) -> None:
        """Answer the request of `pipe`, protected as soon as its context is known."""
        try:
            response = await self._answer(pipe.request)
        except RefusedError as refusal:
            response = self._refuse(refusal, pipe.request)
        except _oscore.ReplayErrorWithEcho as challenge:
            self.challenged += 1
            response = challenge.to_message()
        except StoreError:
            response = self._refuse(_no_store(), pipe.request)
        except Exception:
            log.exception("a request of %s", pipe.request.remote.hostinfo)
            response = self._refuse(_defect(), pipe.request)
        pipe.add_response(response, is_last=True)

    async def needs_blockwise_assembly(self, request: Any) -> bool:
        """Never: a request is a datagram."""
        return False

    async def render(self, request: Any) -> Any:
        raise NotImplementedError("aiocoap calls render_to_pipe")

    async def _answer(self, request: Any) -> Any:
        kid = _kid(request)
        context = await self._contexts.find(kid)
        if context is None:
            raise RefusedError("unknown_key", codes.UNAUTHORIZED, "Security context not found")
        inner, under = _unprotect(context, request)
        self._gate.genuine(request.remote.sockaddr[0], kid)
        inner.remote = request.remote
        try:
            response = await self._serve(context, inner)
        except RefusedError as refusal:
            response = self._refuse(refusal, request, context.device)
        except StoreError:
            response = self._refuse(_no_store(), request, context.device)
        except Exception:
            log.exception("a request of %s", context.device)
            response = self._refuse(_defect(), request, context.device)
        protected, _ = context.protect(response, under)
        return protected

    async def _serve(self, context: DeviceContext, request: Any) -> Any:
        resource = self._resources.get(tuple(request.opt.uri_path))
        if resource is None:
            raise RefusedError("no_such_resource", codes.NOT_FOUND)
        if request.code is not codes.POST:
            raise RefusedError("no_such_resource", codes.METHOD_NOT_ALLOWED)
        for option in request.opt.option_list():
            if option.number.is_critical() and option.number not in _UNDERSTOOD:
                raise RefusedError("malformed", codes.BAD_OPTION, str(option.number))
        return await resource.post(context.device, request)

    def _refuse(self, refusal: RefusedError, request: Any, device: str | None = None) -> Any:
        self.refused[refusal.reason] += 1
        if self.refused[refusal.reason] == 1:
            who = device or request.remote.hostinfo
            log.warning("refused, and counted from now on: %s: %s", who, refusal)
        return refusal.message()


def _kid(request: Any) -> bytes:
    """The kid of a protected request. Only what RFC 8613 has for a request without a context for
    its kid: a partial IV of 1 to 5 bytes and a kid (section 6.1)."""
    option: bytes | None = request.opt.oscore
    if option is None:
        raise RefusedError("unprotected", codes.UNAUTHORIZED, "OSCORE only")
    if request.code is not codes.POST:
        raise RefusedError("malformed", codes.METHOD_NOT_ALLOWED)
    size = option[0] & 7 if option else 0
    if not option or option[0] != (0x08 | size) or not 1 <= size <= 5 or len(option) < 1 + size:
        raise RefusedError("malformed", codes.BAD_OPTION, "Failed to decode COSE")
    return option[1 + size :]


def _unprotect(context: DeviceContext, request: Any) -> tuple[Any, Any]:
    """The request inside, and what its response has to be protected under."""
    try:
        return context.unprotect(request)
    except _oscore.ReplayErrorWithEcho:
        raise
    except _oscore.ReplayError:
        text = "Replay detected"
        raise RefusedError("replayed", codes.UNAUTHORIZED, text, max_age=0) from None
    except _oscore.DecodeError:
        raise RefusedError("malformed", codes.BAD_OPTION, "Failed to decode COSE") from None
    except _oscore.ProtectionInvalid:
        raise RefusedError("not_genuine", codes.BAD_REQUEST, "Decryption failed") from None
    except (_error.Error, ValueError):  # a genuine message with options that are none
        raise RefusedError("malformed", codes.BAD_REQUEST, "No CoAP message inside") from None


def _no_store() -> RefusedError:
    return RefusedError("store", codes.SERVICE_UNAVAILABLE, "The store takes nothing", BUSY_S)


def _defect() -> RefusedError:
    return RefusedError("defect", codes.INTERNAL_SERVER_ERROR)
