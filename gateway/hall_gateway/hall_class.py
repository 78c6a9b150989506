"""The class of a hall: what its figures are measured by.

Here: the table. Not here: the figures (kpis.py), the setting (config_figures.py).
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class HallClass:
    """`min_n`: ratings that a window needs to have a place in the ranking. `wait_mean_min` and
    `wait_p90_min`: minutes that the mean wait, and that of nine customers in ten, should not
    exceed."""

    name: str
    min_n: int
    wait_mean_min: int = 15
    wait_p90_min: int = 30


# Classes differ in how many come, from a city's main hall (A) to a township's (D), not in what a
# customer may expect: so in the ratings that a ranking needs, not in the limits. min_n is our own
# choice: with 20 ratings and none bad, up to 16 % may be bad (Wilson); with 50, up to 7 %. A mean
# wait of 15 minutes is Southern Grid's promise as reposted, 30 minutes the wait at which 武安 opens
# another window; both should be confirmed for the hall.
CLASSES: dict[str, HallClass] = {
    each.name: each
    for each in (HallClass("A", 50), HallClass("B", 30), HallClass("C", 20), HallClass("D", 10))
}
