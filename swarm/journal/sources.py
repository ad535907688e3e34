"""What a run rests on, as its journal's first line holds it: weights, examples, the run that it continues."""

from dataclasses import dataclass

from pydantic import BaseModel, SerializerFunctionWrapHandler, model_serializer


@dataclass(frozen=True, slots=True)
class Item:
    """One example as the journal keeps it for the report, with its prompt cut."""

    id: str
    task: str
    prompt: str
    answer: str
    group: str = ""

    @model_serializer(mode="wrap")
    def _without_no_group(self, dump: SerializerFunctionWrapHandler) -> dict[str, str]:
        content: dict[str, str] = dump(self)
        return content if self.group else {key: value for key, value in content.items() if key != "group"}


class Source(BaseModel):
    """Where weights were read from.

    fingerprint: a hash of the weights.
    trained_on: files that an expert was trained on, where the config names them.
    """

    path: str
    fingerprint: str
    trained_on: tuple[str, ...] = ()


class Continued(BaseModel):
    """The run whose scores a search started with.

    run: its directory.
    evaluations: how many evaluations of its search are known.
    tested: whether the test split had been opened, by it or by a run that it continued.
    """

    run: str
    evaluations: int
    tested: bool
