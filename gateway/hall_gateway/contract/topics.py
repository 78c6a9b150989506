"""Topics and what goes over them, as values that the documents are made of.

Here: the shape of a topic and of a message. Not here: which there are (hall_side.py,
device_side.py).
"""

from dataclasses import dataclass, field
from typing import Literal

from hall_profiles.fields import Title

from hall_gateway.state import Json

MessageName = str
"""Of its schema's file too: hall.rating.given, command.call, reply.failed, up.event.press."""


@dataclass(frozen=True)
class Message:
    """One kind of payload. `text`: what it is sent for, one sentence."""

    name: MessageName
    title: Title
    text: str
    schema: Json
    correlation: str | None = None
    """Where the id stands that joins a command and its reply."""
    content_type: str = "application/json"


@dataclass(frozen=True)
class Topic:
    """A topic, from the gateway's side: it sends what is there, or receives it.

    `replies`: the topic, and the messages there, that a command on this one is answered by.
    `limit`: bytes of a payload, where the gateway refuses more. `expiry_s`: with MQTT 5 the broker
    forgets it then.
    """

    name: str
    address: str
    gateway: Literal["sends", "receives"]
    messages: tuple[Message, ...]
    text: str
    retained: bool = False
    replies: tuple[str, tuple[MessageName, ...]] | None = None
    limit: int | None = None
    expiry_s: int | None = None


@dataclass(frozen=True)
class Parameter:
    """A level of a topic that stands for something."""

    text: str
    location: str | None = None


@dataclass(frozen=True)
class Side:
    """Everything between the gateway and one of its two sides."""

    name: str
    title: str
    text: str
    topics: tuple[Topic, ...]
    parameters: dict[str, Parameter] = field(default_factory=dict[str, Parameter])

    def messages(self) -> dict[MessageName, Message]:
        """Every message by its name, each once."""
        return {m.name: m for topic in self.topics for m in topic.messages}
