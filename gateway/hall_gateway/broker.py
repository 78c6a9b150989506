"""The embedded broker: what lets a demo run without installing one. Never for a real hall.

Here: amqtt in the gateway's own process, on loopback only, and mending what would break the demo.
Not here: any use of the broker; the gateway talks to it over TCP like everything else.

Its limits, beside mosquitto with the settings of docs/: no access control, so any local program can
speak for any device; nothing survives the process; a session is forgotten a second after its
connection ends, so what a client misses while it is away does not come later; a message that is
not PUBACKed within 5 s is dropped, not redelivered. For events, application acks and the outbox
make up for that, as with a mosquitto that is restarted without its persistence; a hall system
that must not miss one while it is away needs mosquitto.
"""

# pyright: reportMissingTypeStubs=false
# amqtt is annotated, but ships no py.typed.

import asyncio
import logging
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress

from amqtt.broker import Broker
from amqtt.contexts import BrokerConfig as AmqttConfig
from amqtt.contexts import ListenerConfig
from amqtt.errors import BrokerError
from amqtt.session import Session

from hall_gateway.config_links import is_loopback
from hall_gateway.wanted import BrokerStartError

KEEPALIVE_GRACE_S = 15
"""amqtt ends a connection after one keepalive without a packet; MQTT 3.1.1, 3.1.2.10 says 1.5."""

SHUTDOWN_S = 3.0
"""amqtt waits for ever for a client that ends while its session begins; its sockets end with us."""


class _Broker(Broker):
    """amqtt, without giving a client that connects the retained messages of others' topics."""

    async def _publish_retained_messages_for_subscription(
        self, subscription: tuple[str, int], session: Session
    ) -> None:
        subscribers = self.subscriptions.get(subscription[0], [])
        if any(other.client_id == session.client_id for other, _ in subscribers):
            await super()._publish_retained_messages_for_subscription(subscription, session)


@asynccontextmanager
async def embedded_broker(host: str, port: int) -> AsyncGenerator[None, None]:
    """Run a broker on `host`:`port` of the loopback interface while the context lasts.

    Raises BrokerStartError when the address is not loopback or cannot be bound.
    """
    if not is_loopback(host):
        raise BrokerStartError(f"the embedded broker listens on loopback only, not on {host}")
    for name in ("amqtt", "transitions"):
        logging.getLogger(name).setLevel(logging.ERROR)
    broker = _Broker(
        AmqttConfig(
            listeners={"default": ListenerConfig(bind=f"{host}:{port}")},
            timeout_disconnect_delay=KEEPALIVE_GRACE_S,
            plugins={"amqtt.plugins.authentication.AnonymousAuthPlugin": {"allow_anonymous": True}},
        )
    )
    try:
        await broker.start()
    except BrokerError as error:
        raise BrokerStartError(f"embedded broker on {host}:{port}: {error}") from None
    try:
        yield
    finally:
        with suppress(TimeoutError):
            async with asyncio.timeout(SHUTDOWN_S):
                await broker.shutdown()
