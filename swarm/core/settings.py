"""The base class of all settings: strict, frozen, unknown keys refused."""

from pydantic import BaseModel, ConfigDict


class Settings(BaseModel):
    """Frozen settings. Every optimizer, objective, engine and so on is a Settings with methods."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)
