"""Right answers that are longer than `max_new_tokens`, told to the user."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from swarm.core.requests import Generation
from swarm.engines import Encoder
from swarm.evaluation.workload import EncodedExample, Workload


def answer_length_notes(workloads: Iterable[Workload], encoder: Encoder) -> list[str]:
    """A line for every objective with right answers that are too long to be written, over these splits together."""
    questions: dict[str, list[EncodedExample]] = defaultdict(list)
    for workload in workloads:
        for name, asked in workload.questions.items():
            questions[name] += asked
    found = {name: [cut for each in asked if (cut := _cut(each, encoder))] for name, asked in questions.items()}
    return [
        f"{name}: {len(cuts)} of {len(questions[name])} right answers, as the data have them, are longer than "
        f"max_new_tokens: {cuts[0].limit} (that of {cuts[0].example}: {cuts[0].needed} tokens); raise it to "
        f"{max(cut.needed for cut in cuts)}"
        for name, cuts in found.items()
        if cuts
    ]


@dataclass(frozen=True)
class _Cut:
    """A right answer of more tokens than may be written."""

    example: str
    needed: int
    limit: int


def _cut(question: EncodedExample, encoder: Encoder) -> _Cut | None:
    for item in question.requests:
        if not isinstance(item.request, Generation):
            continue
        limit = item.request.max_new_tokens
        if min(map(len, item.targets), default=0) <= limit:  # with what ends it
            continue
        needed = min(len(encoder.tokenizer.encode(text, add_special_tokens=False)) for text in item.request.targets)
        if needed > limit:
            return _Cut(question.example.id, needed, limit)
    return None
