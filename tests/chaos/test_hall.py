"""A whole hall that fails by plan: nothing is lost or doubled, and everything comes back.

The long form, with all devices, is `hall bench chaos --minutes 20`.
"""

import json

import pytest
from hall_tools.chaos.places import PLACES
from hall_tools.chaos.plan import plan
from hall_tools.chaos.run import run

SECONDS = 75
DEVICES = 8
"""A keypad, a display, a door and a floor, and the like again: what two busy cores can run."""


@pytest.mark.timeout(900)
async def test_nothing_is_lost_or_doubled_whatever_fails() -> None:
    places = PLACES[:DEVICES]
    drawn = plan(1, SECONDS, [place.device for place in places])
    report = await run(drawn, places, print)
    print(json.dumps(report.as_json(), ensure_ascii=False))
    assert report.wrong == []
    # That it was a hall, and that it failed.
    assert report.online == DEVICES
    assert report.certain > 30
    assert report.journalled > 100
    assert report.received > report.journalled
    assert report.promised > 20
    assert sum(report.done.values()) > 20
    assert report.starts["gateway"] > 1
    assert report.starts["device-broker"] > 1
