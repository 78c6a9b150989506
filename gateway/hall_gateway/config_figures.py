"""What a hall's figures are measured by.

Here: the model of the table [figures]. Not here: the figures (kpis.py), the classes
(hall_class.py).
"""

from typing import Annotated, Literal

from pydantic import Field

from hall_gateway.config_base import Settings
from hall_gateway.limits import OTHER_MIN, PAYMENT_MIN
from hall_gateway.models import Name

Minutes = Annotated[int, Field(ge=1, le=600)]


class FiguresConfig(Settings):
    """The hall's class, and how long a service may take."""

    hall_class: Literal["A", "B", "C", "D"] = Field(
        default="B", alias="class", description='the class of the hall: "A", "B", "C" or "D"'
    )
    limit_min: Minutes = Field(
        default=OTHER_MIN,
        description="minutes that a service may take, 1 to 600, where `limits` names none",
    )
    limits: dict[Name, Minutes] = Field(
        default_factory=lambda: dict(PAYMENT_MIN),
        description='minutes by business as `call` and `take` name it, e.g. { "缴费" = 5 }',
    )
