"""The base of every settings model: strict, frozen, unknown keys refused."""

from pydantic import BaseModel, ConfigDict


class Settings(BaseModel):
    """Frozen settings. A kind of a seam (an optimizer, an objective) is a Settings with methods."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)
