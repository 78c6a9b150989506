"""What all handlers of the gateway's own HTTP share: bodies in, answers and errors out.

Here: reading a body into a model, and that every error is JSON {"error"} with the right status. Not
here: what is served (control.py and the areas' own modules), and where.
"""

import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Annotated, TypeVar

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field

from hall_gateway.core import Core
from hall_gateway.heart import Heart
from hall_gateway.models import Printable
from hall_gateway.payload import PayloadError, parse
from hall_gateway.values import StoreError, StoreFullError
from hall_gateway.wire import compact, one_line

MAX_BODY = 256 * 1024
"""Bytes of a request: room for a settings file."""

By = Annotated[
    str,
    Field(min_length=1, max_length=64, description="who does it: 1 to 64 printable characters"),
    Printable,
]

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

log = logging.getLogger(__name__)


class Asked(BaseModel):
    """The body of a POST. `by` is who does it: a login of the console, a user of this machine."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    by: By


Model = TypeVar("Model", bound=Asked)
Done = TypeVar("Done")


class ApiError(Exception):
    """A request that is not done: the HTTP status, and what is wrong and would be right."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


async def attempt(
    core: Core, work: Callable[[Heart, int], Done], statuses: Mapping[type[Exception], int]
) -> Done:
    """What `work` returns. Raises ApiError for an exception of `statuses`, with its first word on
    why not: a refusal is an answer, no failure of the transaction that others are in, too."""

    def attempted(heart: Heart, now: int) -> Done | ApiError:
        try:
            return work(heart, now)
        except tuple(statuses) as error:
            status = next(status for kind, status in statuses.items() if isinstance(error, kind))
            return ApiError(status, str(error.args[0]))

    result = await core.do(attempted)
    if isinstance(result, ApiError):
        raise result
    return result


async def asked(request: web.Request, model: type[Model]) -> Model:
    """The body of `request` as `model`. Raises ApiError."""
    try:
        return parse(model, await request.read(), limit=MAX_BODY)
    except PayloadError as error:
        raise ApiError(400, str(error)) from None


def answer(body: object, status: int = 200) -> web.Response:
    """`body` as JSON."""
    return web.Response(body=compact(body), status=status, content_type="application/json")


@web.middleware
async def errors_as_json(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Whatever goes wrong in a handler as {"error"}."""
    try:
        return await handler(request)
    except ApiError as error:
        return answer({"error": str(error)}, error.status)
    except web.HTTPRequestEntityTooLarge:
        return answer({"error": f"a body has at most {MAX_BODY} bytes"}, 413)
    except web.HTTPException as error:
        if error.status < 400:
            raise
        return answer({"error": f"{request.method} {request.path}: {error.reason}"}, error.status)
    except StoreFullError as error:
        return answer({"error": f"the store is full: {error}; see hall doctor"}, 507)
    except StoreError as error:
        return answer({"error": f"{error}; try again, and see hall doctor"}, 503)
    except Exception:
        log.exception("%s %s failed", request.method, one_line(request.path))
        return answer({"error": "a defect of the gateway; its log has more"}, 500)
