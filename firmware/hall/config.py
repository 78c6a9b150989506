"""The device's config, compiled from its profile: read and checked before anything uses it.

Here: /config.json as a whole. Not here: what a driver's setting means, and secrets (ident.py).
"""

import json

VERSION = 1

_FIELDS = {
    "device": str,
    "hall": str,
    "profile": str,
    "chip": str,
    "role": str,
    "transport": str,
    "driver": dict,
    "pins": dict,
    "settings": dict,
}


def load(path):
    """The checked config. ValueError names the field and what is wrong with it."""
    try:
        with open(path) as file:
            config = json.load(file)
    except OSError:
        raise ValueError("%s: missing, write this device's config again" % path)
    except ValueError:
        raise ValueError("%s: is not JSON" % path)
    if not isinstance(config, dict):
        raise ValueError("%s: is not an object" % path)
    if config.get("v") != VERSION:
        have = (path, config.get("v"), VERSION)
        raise ValueError("%s: v is %s, this firmware reads %d" % have)
    for name, kind in _FIELDS.items():
        _check(path, config, name, kind)
    # Who it speaks to: a broker over MQTT, or the gateway itself over CoAP.
    peer = "gateway" if config["transport"] == "coap" else "broker"
    _check(path, config, peer, dict)
    _check(path, config[peer], "host", str)
    _check(path, config[peer], "port", int)
    if peer == "broker" and config[peer].get("tls") not in ("none", "psk"):
        raise ValueError("%s: tls is neither none nor psk" % path)
    # A simulated device's broker is on its own machine; on a network nothing is said in the clear.
    if config[peer].get("tls") == "none" and not config[peer]["host"].startswith("127."):
        raise ValueError("%s: without tls only to 127.0.0.1, not %s" % (path, config[peer]["host"]))
    _check(path, config["driver"], "name", str)
    for name in config["pins"]:
        _check(path, config["pins"], name, int)
    return config


def _check(path, fields, name, kind):
    if name not in fields:
        raise ValueError("%s: %s is missing" % (path, name))
    if type(fields[name]) is not kind:
        raise ValueError("%s: %s is not %s" % (path, name, kind.__name__))
