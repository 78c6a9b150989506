"""Every page of the console under axe: no serious or critical finding, in both languages."""

from collections.abc import Iterator

import pytest
from axe_playwright_python.sync_playwright import Axe
from hall_gateway.rollout_model import Target
from hall_gateway.updates import Offer
from support.console import Visit, visited


@pytest.fixture(scope="module")
def hall(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Visit]:
    with visited(tmp_path_factory.mktemp("axe")) as visit:
        stage = visit.stage
        for number in range(3):
            stage.command("take", ticket=f"T{number}")
            stage.rate("kp-1", stage.serve("1", f"A{number}", staff="王敏"), 5 - 2 * number)
        stage.command("call", window="1", ticket="A010", staff="王敏", business="过户")
        stage.command("start", window="1")
        stage.event("floor-1", "wet", {"ohms": 3000})
        stage.event("count-1", "passage", {"dir": "in"})
        stage.event("disp-1", "fault", {"code": "panel_dark", "value": 3})
        stage.online("kp-1", online=False)
        stage.state("disp-1", update={"v": "0.1.0", "slot": "a", "s": "fetch", "p": 40})
        offer = Offer("0.2.0", 7, {"esp32": Target("ab" * 32, 7000)}, {"esp32": "esp32"})
        stage.do(
            lambda core: core.do(lambda heart, now: heart.updates.begin(offer, [], "tech", now))
        )
        stage.do(lambda core: core.do(lambda heart, now: heart.updates.stop("tech", now)))
        stage.tick()
        yield visit


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_no_serious_finding(hall: Visit, lang: str) -> None:
    found: list[str] = []
    paths = ("/", "/?wall", "/figures", "/alerts", "/devices", "/webhooks", "/account", "/none")
    page = hall.page("tech", "/", lang=lang)
    for path in paths:
        page.goto(hall.address + path)
        found += [f"{path}: {text}" for text in _serious(page)]
    found += [f"/login: {text}" for text in _serious(hall.page(None, "/login", lang=lang))]
    assert found == []


def _serious(page: object) -> list[str]:
    results = Axe().run(page)
    return [
        f"{each['id']} ({each['impact']}): {each['nodes'][0]['html'][:160]}"
        for each in results.response["violations"]
        if each["impact"] in ("serious", "critical")
    ]
