"""The contract with the hall system as models: what the gateway sends and takes, byte for byte.

Here: a model of the data of every CloudEvent type and of every other payload, with titles in both
languages, units and ranges, and what is made of them: JSON Schemas, an AsyncAPI document, a page.
Not here: making or reading any of these at run time; nothing of this is imported while the
gateway works, and tests hold what it really sends against it.

A new CloudEvent type gets its model in the module of its noun, and one line in that module's
`TYPES`; then `hall contract build` writes docs/reference/contract/ anew.
"""

from hall_gateway.contract.registry import EVENTS
from hall_gateway.contract.words import EventType, Told

__all__ = ["EVENTS", "EventType", "Told"]
