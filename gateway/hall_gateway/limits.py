"""How long a service may take, by its business: what the figures and the rules both go by.

Here: the limits and their defaults. Not here: the setting (config_figures.py), who is told of a
service over its limit (rules.yaml), how many there were (kpi_services.py).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

OTHER_MIN = 20
"""Minutes for whatever has no limit of its own (xnnu.com, a copy of a service standard; weak)."""

PAYMENT_MIN: Mapping[str, int] = dict.fromkeys(("收费", "缴费", "居民收费", "电费缴纳", "交费"), 5)
"""Minutes for a payment, by the names that halls have for it (the same copy, as weak)."""


@dataclass(frozen=True)
class Limits:
    """`by_business`: minutes by the business's name; `other` for all that are not in it."""

    by_business: Mapping[str, int] = field(default_factory=lambda: PAYMENT_MIN)
    other: int = OTHER_MIN

    def minutes(self, business: str | None) -> int:
        """How many minutes a service of `business` may take; None is for one that names none."""
        return self.by_business.get(business or "", self.other)
