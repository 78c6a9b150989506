"""Whether what a rule file names stands in the hall.

Here: windows, zones and devices that the settings do not have. Not here: anything that makes a rule
file wrong (rules_file.py): a hall is rebuilt, and its rules wait for that, or follow.
"""

from hall_profiles.errors import Problem

from hall_gateway.plan import Plan
from hall_gateway.rules_file import RuleSet
from hall_gateway.toml_input import nearest


def strangers(ruleset: RuleSet, plan: Plan) -> list[Problem]:
    """What the rules name and `plan` does not have, each with its line."""
    known = {"window": set(plan.windows), "zone": plan.every_zone, "device": set(plan.devices)}
    return [
        Problem(
            ruleset.file,
            mention.line,
            mention.field,
            f'there is no {mention.kind} "{mention.id}" in this hall',
            nearest(mention.id, known[mention.kind]),
        )
        for rule in ruleset.rules
        for mention in rule.mentions
        if mention.id not in known[mention.kind]
    ]
