"""What every table of the gateway's settings is made of.

Here: the base of the models and the types of values that several have. Not here: the tables
(config_*.py), the file (config.py).
"""

from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationInfo


def _beside_config(path: Path, info: ValidationInfo) -> Path:
    folder = info.context.get("folder") if info.context else None
    return folder / path if folder else path


Id = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,31}$")]
Port = Annotated[int, Field(ge=1, le=65535)]
FilePath = Annotated[Path, Field(strict=False), AfterValidator(_beside_config)]

ID_RULE = "1 to 32 of a-z, 0-9 and '-', not beginning with '-'"


class Settings(BaseModel):
    """A table: no unknown key, no conversion, never changed once it is read."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)
