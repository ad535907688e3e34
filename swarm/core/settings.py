"""The base class of all settings: strict, frozen, unknown keys refused."""

from collections.abc import Mapping

from pydantic import BaseModel, ConfigDict, model_validator
from pydantic_core import PydanticCustomError

SWITCH = "switch_for_a_number"  # pydantic's name of the error
NUMBERS = (int, float, int | None, float | None)


class Settings(BaseModel):
    """Frozen settings. Every optimizer, objective, engine and so on is a Settings with methods."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _no_switch_for_a_number(cls, values: object) -> object:
        """pydantic takes true for 1."""
        for name, value in values.items() if isinstance(values, Mapping) else ():
            if isinstance(value, bool) and name in cls.model_fields and cls.model_fields[name].annotation in NUMBERS:
                raise PydanticCustomError(SWITCH, "must be a number, not {value}", {"name": name, "value": str(value)})
        return values
