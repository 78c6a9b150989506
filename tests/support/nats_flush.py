"""Waiting until a NATS server has what a client of nats-py was given."""

from nats.aio.client import Client


async def flushed(client: Client) -> None:
    """Twice: nats-py writes the first PING before what it was given earlier, and a subscription
    would be there after the answer."""
    for _ in range(2):
        await client.flush()
