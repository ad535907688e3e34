"""The keys of a curation's config, which is a document of its own: a data file, and what is chosen from it."""

from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path

from pydantic import BaseModel, Field, ValidationError
from pydantic_core import ErrorDetails

from swarm.config.load import read_document
from swarm.config.messages import explain
from swarm.core.errors import ConfigError
from swarm.core.settings import Settings
from swarm.data.curation_settings import Bounds, Curation, Quota

SECTIONS: dict[str, type[BaseModel]] = {"curate": Curation, "prompt": Bounds, "answer": Bounds, "quota": Quota}


class CurateConfig(Settings):
    """One curation."""

    data: str = Field(description="the file of examples")
    out: str = Field("curated", description="the folder that gets curated.jsonl and manifest.jsonl")
    base: str | None = Field(
        None, description="zoo:NAME, a local folder or a hub id, whose tokenizer counts tokens and whose states embed"
    )
    curate: Curation


def load_curation(path: Path, overrides: Sequence[str] = ()) -> CurateConfig:
    """Read, override and validate. Raises ConfigError: key, value and remedy in one line."""
    raw = read_document(path, overrides, "data: and curate:")
    try:
        return CurateConfig.model_validate(raw)
    except ValidationError as error:
        errors = error.errors()
        unknown = next((each for each in errors if each["type"] == "extra_forbidden"), None)
        problem = _unknown(unknown) if unknown else explain(errors)
        raise ConfigError(f"{path}: {problem}") from None


def _unknown(error: ErrorDetails) -> str:
    *parents, key = map(str, error["loc"])
    model = SECTIONS.get(parents[-1], CurateConfig) if parents else CurateConfig
    near = get_close_matches(key, model.model_fields, n=1, cutoff=0.5)
    remedy = f"did you mean {near[0]!r}?" if near else f"known are {', '.join(model.model_fields)}"
    return f"{'.'.join([*parents, key])}: unknown key {key!r}; {remedy}"
