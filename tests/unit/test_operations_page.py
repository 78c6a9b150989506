"""docs/operations.md says what the code does."""

import re
from pathlib import Path

import pytest
from hall_gateway import health
from hall_gateway.control import NEWS
from hall_gateway.metric_families import FAMILIES
from hall_gateway.metrics import COMMIT_MEANING, COMMIT_SECONDS
from prometheus_client.core import CounterMetricFamily

PAGE = Path(__file__).parents[2] / "docs" / "operations.md"


def metrics_table() -> str:
    lines = ["| metric | labels | what it is |", "|---|---|---|"]
    for family in FAMILIES:
        name = family.name + ("_total" if family.kind is CounterMetricFamily else "")
        labels = ", ".join(f"`{label}`" for label in family.labels)
        lines.append(f"| `{name}` | {labels} | {family.meaning} |")
    lines.append(f"| `{COMMIT_SECONDS}` | histogram | {COMMIT_MEANING} |")
    return "\n".join(lines)


def test_every_metric_is_on_the_page_as_the_code_has_it() -> None:
    text = PAGE.read_text()
    found = re.search(r"<!-- metrics -->\n(.*)\n<!-- end of metrics -->", text, re.DOTALL)
    assert found is not None
    assert found[1].strip() == metrics_table(), f"put this there:\n{metrics_table()}"


def test_every_reason_of_health_is_on_the_page() -> None:
    source = Path(health.__file__).read_text()
    codes = set(re.findall(r'Reason\(\s*"(\w+)"', source))
    brokers = ("devices", "hall", "home_assistant")
    codes |= {f"{name}_{what}" for name in brokers for what in ("broker", "intake")}
    text = PAGE.read_text()
    assert codes
    for code in codes:
        assert f"`{code}`" in text


@pytest.mark.parametrize("name", NEWS)
def test_every_kind_of_news_is_on_the_page(name: str) -> None:
    assert f"`{name}`" in PAGE.read_text()
