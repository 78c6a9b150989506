"""Where the hall's rules stand.

Here: the model of this table. Not here: the rules (rules_model.py), reading them (rules_file.py).
"""

from pydantic import Field

from hall_gateway.config_base import FilePath, Settings


class RulesConfig(Settings):
    """The hall's own rules. Without this table those that ship with Hallkit are followed."""

    file: FilePath = Field(strict=False, description='a rule file, e.g. "rules.yaml"')
