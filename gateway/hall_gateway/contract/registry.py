"""Every CloudEvent type that leaves the gateway, by its name.

Here: the sum of the nouns' tables. Not here: the models (ratings.py, services.py, …).
"""

from hall_gateway.contract import (
    counts,
    devices,
    floors,
    queue,
    ratings,
    rules,
    services,
    staff,
    updates,
)
from hall_gateway.contract.words import EventType

_NOUNS = (queue, services, ratings, staff, counts, floors, devices, updates, rules)

EVENTS: dict[str, EventType] = {each.name: each for noun in _NOUNS for each in noun.TYPES}
"""In the order of the documents."""
