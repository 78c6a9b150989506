"""A hall's report, from its store.

Here: reading the facts of a period and having them computed. Not here: SQL (store_figures.py), what
a figure is (kpis.py), who opens the store.
"""

import sqlite3

from hall_gateway.config import GatewayConfig
from hall_gateway.figures_model import Report
from hall_gateway.hall_class import CLASSES
from hall_gateway.hall_clock import HallClock
from hall_gateway.kpi_services import Period, Rules
from hall_gateway.kpis import compute
from hall_gateway.limits import Limits
from hall_gateway.store_figures import Figures


def rules_of(config: GatewayConfig) -> Rules:
    """What the settings say that figures are measured by."""
    count, figures = config.occupancy, config.figures
    return Rules(
        config.hall,
        HallClock(count.reset_hour, count.utc_offset_min),
        frozenset(count.areas),
        CLASSES[figures.hall_class],
        Limits(figures.limits, figures.limit_min),
    )


def report(
    connection: sqlite3.Connection, rules: Rules, from_ms: int, to_ms: int, now: int
) -> Report:
    """From unix ms `from_ms` until before `to_ms`; what goes on still counts until `now`.

    `connection` may be one that only reads, while the gateway runs.
    """
    facts = Figures(connection).between(from_ms, to_ms)
    return compute(facts, rules, Period(from_ms, to_ms, now))
