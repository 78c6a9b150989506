"""A CloudEvent as an HTTP request, and its signature.

Here: the CloudEvents HTTP protocol binding 1.0.2 (structured and binary content mode) and the
Standard Webhooks headers. Pure. Not here: attributes as headers (cloud_event_headers.py), sending
it (webhook_client.py).

The signature covers `webhook-id`, `webhook-timestamp` and the body. In binary mode the other
attributes are in headers, which it does not cover: that is why structured mode is the default.
"""

import base64
import hashlib
import hmac
from collections.abc import Iterable
from typing import Literal

from hall_gateway.cloud_event_headers import binary
from hall_gateway.values import OutboxRow

Mode = Literal["structured", "binary"]


def request(row: OutboxRow, mode: Mode) -> tuple[dict[str, str], bytes]:
    """Headers and body for one event, without its signature."""
    if mode == "structured":
        return {"Content-Type": "application/cloudevents+json; charset=utf-8"}, row.body
    headers, content_type, data = binary(row.body)
    return {"Content-Type": content_type, **headers}, data


def signature(secrets: Iterable[bytes], id: str, unix_s: int, body: bytes) -> dict[str, str]:
    """The headers that say who sent it and when. Several secrets, while one replaces another:
    one signature each, and a receiver needs to know one of them."""
    signed = f"{id}.{unix_s}.".encode() + body
    digests = (hmac.new(secret, signed, hashlib.sha256).digest() for secret in secrets)
    signatures = " ".join(f"v1,{base64.b64encode(digest).decode()}" for digest in digests)
    return {
        "webhook-id": id,
        "webhook-timestamp": str(unix_s),
        "webhook-signature": signatures,
    }
