"""Settings of curation: which of many examples are worth training on."""

from typing import Annotated, Literal, get_args

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from swarm.core.settings import Settings
from swarm.data.patterns import check_pattern

Script = Literal[
    "latin", "cyrillic", "greek", "arabic", "hebrew", "devanagari", "bengali", "thai", "han", "japanese", "korean"
]
SCRIPTS: tuple[str, ...] = get_args(Script)
Pattern = Annotated[str, AfterValidator(check_pattern)]
OneOrMore = BeforeValidator(lambda v: [v] if isinstance(v, str) else v, json_schema_input_type=str | list[str])


class Bounds(Settings):
    """The shortest and the longest that a text may be."""

    low: int = Field(0, ge=0, description="shortest length that is kept")
    high: int | None = Field(None, ge=1, description="longest length that is kept; not given: any")

    @model_validator(mode="after")
    def _ordered(self) -> "Bounds":
        if self.high is not None and self.low > self.high:
            raise ValueError(f"low {self.low} is above high {self.high}, which nothing can be; exchange them")
        return self


class Quota(Settings):
    """How many examples of each kind are chosen."""

    by: str = Field("task", min_length=1, description="the field of the data that says what kind an example is")
    counts: Literal["equal"] | dict[str, Annotated[int, Field(ge=1)]] = Field(
        "equal",
        description="equal: as many of each kind as possible; or the most of a kind, by its name, where other kinds "
        "get what is left",
    )


class Curation(Settings):
    """Which examples of a file are chosen for training: at most so many, of those that pass every filter."""

    examples: int = Field(ge=1, description="the most examples that are chosen")
    unit: Literal["characters", "tokens"] = Field("characters", description="what lengths are counted in")
    prompt: Bounds = Field(default_factory=Bounds, description="length of the prompt, with its context and choices")
    answer: Bounds = Field(default_factory=Bounds, description="length of the answer")
    script: Script | None = Field(None, description="the script that letters must be of")
    share: float = Field(0.9, gt=0, le=1, description="least share of an example's letters that are of the script")
    must_match: Annotated[list[Pattern], OneOrMore] = Field(
        default_factory=list, description="regular expressions that must be found in the answer, each of them"
    )
    must_not_match: Annotated[list[Pattern], OneOrMore] = Field(
        default_factory=list, description="regular expressions that must not be found in the answer, none of them"
    )
    against: Annotated[list[str], OneOrMore] = Field(
        default_factory=list,
        description="data files and configs of searches, of whose splits no example may be among the chosen ones",
    )
    quota: Quota | None = Field(None, description="how many examples of each kind")
    choose: Literal["diverse", "random"] = Field(
        "diverse", description="diverse: each time the example that is farthest from those before; or at random"
    )
    embedding: Literal["ngrams", "model"] = Field(
        "ngrams", description="what distances are between: counts of character 3-grams, or a model's mean hidden states"
    )
    seed: int = Field(0, ge=0, description="decides which of duplicates is kept, and ties")

    @model_validator(mode="after")
    def _within_the_whole(self) -> "Curation":
        counts = self.quota.counts if self.quota and isinstance(self.quota.counts, dict) else {}
        if sum(counts.values()) > self.examples:
            raise ValueError(
                f"quota.counts {counts} add up to {sum(counts.values())}, above examples {self.examples}; "
                "lower a count or raise examples"
            )
        return self
