"""The AsyncAPI 3.0 document of one side, from the gateway's point of view.

Here: channels, operations, messages, servers and security, as AsyncAPI words them
(https://www.asyncapi.com/docs/reference/specification/v3.0.0). Not here: what goes over the topics
(hall_side.py, device_side.py).

The document refers to nothing outside itself, so that it can be put into any tool as it is.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from hall_gateway.contract.schema import ordered
from hall_gateway.contract.topics import Message, MessageName, Side, Topic
from hall_gateway.contract.vocabulary import spoken
from hall_gateway.state import Json

VERSION = "1"
"""Of the contract, as in the topics: …/v1/…. Within it, fields and types are only added."""

_MQTT = "0.2.0"  # of the MQTT binding, https://github.com/asyncapi/bindings/tree/master/mqtt


def document(side: Side, examples: Mapping[str, Sequence[Any]]) -> Json:
    """The whole document; `examples` are payloads by the name of their message."""
    return {
        "asyncapi": "3.0.0",
        "id": f"urn:hallkit:contract:v{VERSION}:{side.name}",
        "info": {
            "title": side.title,
            "version": VERSION,
            "description": side.text,
            "license": {"name": "MIT", "url": "https://opensource.org/license/mit"},
        },
        "defaultContentType": "application/json",
        "servers": _SERVERS[side.name],
        "channels": {topic.name: _channel(side, topic) for topic in side.topics} | _webhook(side),
        "operations": dict(_operation(topic) for topic in side.topics) | _post(side),
        "components": {
            "messages": {
                _key(name): _message(message, examples.get(name, ()))
                for name, message in side.messages().items()
            },
            "securitySchemes": _SECURITY[side.name],
        },
    }


def _channel(side: Side, topic: Topic) -> Json:
    channel: Json = {
        "address": topic.address,
        "description": topic.text,
        "servers": [{"$ref": f"#/servers/{'coap' if topic.address[0] == '/' else 'mqtt'}"}],
        "messages": {
            _key(message.name): {"$ref": f"#/components/messages/{_key(message.name)}"}
            for message in topic.messages
        },
    }
    parameters = {
        name: {
            "description": parameter.text,
            **({"location": parameter.location} if parameter.location else {}),
        }
        for name, parameter in side.parameters.items()
        if f"{{{name}}}" in topic.address
    }
    return channel | ({"parameters": parameters} if parameters else {})


def _operation(topic: Topic) -> tuple[str, Json]:
    """Named by what the gateway does: send.hall.rating.given, receive.command.call."""
    verb = "send" if topic.gateway == "sends" else "receive"
    wanted = topic.replies[1] if topic.replies else ()
    own = [message for message in topic.messages if message.name not in wanted]
    operation: Json = {
        "action": verb,
        "channel": {"$ref": f"#/channels/{topic.name}"},
        "summary": topic.text,
        "messages": [_of_channel(topic.name, message.name) for message in own or topic.messages],
    }
    if topic.address[0] != "/":
        expiry = {} if topic.expiry_s is None else {"messageExpiryInterval": topic.expiry_s}
        operation["bindings"] = {
            "mqtt": {"qos": 1, "retain": topic.retained, **expiry, "bindingVersion": _MQTT}
        }
    if topic.replies:
        channel, messages = topic.replies
        operation["reply"] = {
            "channel": {"$ref": f"#/channels/{channel}"},
            "messages": [_of_channel(channel, name) for name in messages],
        }
    if topic.limit is not None:
        operation["x-max-bytes"] = topic.limit
    return f"{verb}.{topic.name}", operation


def _events(side: Side) -> list[MessageName]:
    return [m.name for topic in side.topics for m in topic.messages if m.name.startswith("hall.")]


def _webhook(side: Side) -> Json:
    """The endpoint of a receiver that takes events by HTTPS: any of them, at its one address."""
    names = [_key(name) for name in _events(side)]
    if not names:
        return {}
    messages = {name: {"$ref": f"#/components/messages/{name}"} for name in names}
    return {
        "webhook": {
            "address": None,
            "description": "The `url` of a [[webhook]] in the settings, with the types it wants.",
            "servers": [{"$ref": "#/servers/webhook"}],
            "messages": messages,
        }
    }


def _post(side: Side) -> Json:
    if not _events(side):
        return {}
    return {
        "send.webhook": {
            "action": "send",
            "channel": {"$ref": "#/channels/webhook"},
            "summary": "One event a request, in order, signed (Standard Webhooks) and sent again "
            "until it is answered 2xx: structured (application/cloudevents+json), or binary.",
            "messages": [_of_channel("webhook", name) for name in _events(side)],
            "bindings": {"http": {"method": "POST", "bindingVersion": "0.3.0"}},
        }
    }


def _message(message: Message, examples: Sequence[Any]) -> Json:
    body: Json = {
        "name": message.name,
        **spoken(message.title),
        "summary": message.text,
        "contentType": message.content_type,
        "payload": ordered(message.schema),
    }
    if message.correlation is not None:
        body["correlationId"] = {
            "description": "the same in a command and in its reply",
            "location": message.correlation,
        }
    if examples:
        body["examples"] = [{"payload": example} for example in examples]
    return body


def _of_channel(channel: str, message: str) -> Json:
    return {"$ref": f"#/channels/{channel}/messages/{_key(message)}"}


def _key(name: str) -> str:
    """A name within the document; what a message is called stands in its `name`."""
    return name.replace(".", "_")


_SERVERS: dict[str, Json] = {
    "hall": {
        "mqtt": {
            "host": "{host}:{port}",
            "protocol": "mqtt",
            "protocolVersion": "3.1.1",
            "description": "The hall system's own broker, [upstream] in the gateway's settings. "
            "With MQTT 5 (`protocol`) a command's response topic gets its reply, with its "
            "correlation data, where `response_topics` allows that, and states expire.",
            "variables": {
                "host": {"default": "127.0.0.1", "description": "a host name or an IP address"},
                "port": {"default": "1883", "description": "8883 as a rule with TLS"},
            },
            "security": [
                {"$ref": "#/components/securitySchemes/user"},
                {"$ref": "#/components/securitySchemes/tls"},
            ],
            "bindings": {
                "mqtt": {
                    "clientId": "hallkit-{hall}",
                    "cleanSession": False,
                    "lastWill": {
                        "topic": "hall/v1/{hall}/online",
                        "qos": 1,
                        "message": "0",
                        "retain": True,
                    },
                    "bindingVersion": _MQTT,
                }
            },
        },
        "webhook": {
            "host": "{host}",
            "protocol": "https",
            "description": "Endpoints of the back office, each a [[webhook]] in the settings.",
            "variables": {"host": {"default": "office.example", "description": "in its `url`"}},
            "security": [{"$ref": "#/components/securitySchemes/signature"}],
        },
    },
    "devices": {
        "mqtt": {
            "host": "{host}:{port}",
            "protocol": "mqtts",
            "protocolVersion": "3.1.1",
            "description": "The gateway's broker for devices. A device may write its own up/# and "
            "read its own down/#; its client id is its TLS-PSK identity.",
            "variables": {
                "host": {"default": "192.168.1.10", "description": "`device_host` of [broker]"},
                "port": {"default": "8883", "description": "`device_port` of [broker]"},
            },
            "security": [{"$ref": "#/components/securitySchemes/psk"}],
        },
        "coap": {
            "host": "{host}:{port}",
            "protocol": "coap",
            "description": "The gateway's endpoint for battery devices, over UDP.",
            "variables": {
                "host": {"default": "192.168.1.10", "description": "`host` of [coap]"},
                "port": {"default": "5683", "description": "`port` of [coap]"},
            },
            "security": [{"$ref": "#/components/securitySchemes/oscore"}],
        },
    },
}

_SECURITY: dict[str, Json] = {
    "hall": {
        "user": {
            "type": "userPassword",
            "description": "`username` and `password_file` of [upstream].",
        },
        "tls": {
            "type": "X509",
            "description": "`tls` of [upstream]: the broker's certificate is always verified, "
            "against `ca_file` or the system's CAs.",
        },
        "signature": {
            "type": "httpApiKey",
            "in": "header",
            "name": "webhook-signature",
            "description": "HMAC-SHA256 of `{webhook-id}.{webhook-timestamp}.{body}`, as Standard "
            "Webhooks have it.",
        },
    },
    "devices": {
        "psk": {
            "type": "symmetricEncryption",
            "description": "TLS 1.2 with a pre-shared key of 32 bytes for each device (RFC 4279), "
            "made by `hall enroll`; the identity is the device's id.",
        },
        "oscore": {
            "type": "symmetricEncryption",
            "description": "OSCORE (RFC 8613), a master secret for each device, made by "
            "`hall enroll`; the sender id is the device's.",
        },
    },
}
