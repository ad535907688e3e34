"""Notes for the user on right answers that are longer than `max_new_tokens`: no candidate can write them."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from swarm.core.requests import Generation
from swarm.engines import Encoder
from swarm.evaluation.workload import EncodedExample, Workload


def answer_length_notes(workloads: Iterable[Workload], encoder: Encoder) -> list[str]:
    """One line per objective with right answers that are too long, over all these splits together."""
    examples: dict[str, list[EncodedExample]] = defaultdict(list)
    for workload in workloads:
        for name, own in workload.examples.items():
            examples[name] += own
    found = {name: [long for each in own if (long := _too_long(each, encoder))] for name, own in examples.items()}
    return [
        f"{name}: {len(answers)} of {len(examples[name])} right answers are longer than max_new_tokens: "
        f"{answers[0].limit} (that of example {answers[0].example}: {answers[0].needed} tokens); raise it to "
        f"{max(answer.needed for answer in answers)}"
        for name, answers in found.items()
        if answers
    ]


@dataclass(frozen=True)
class _TooLong:
    """A right answer of more tokens than may be written.

    example: its id.
    needed: the tokens of the shortest right answer.
    limit: max_new_tokens.
    """

    example: str
    needed: int
    limit: int


def _too_long(encoded: EncodedExample, encoder: Encoder) -> _TooLong | None:
    for item in encoded.requests:
        if not isinstance(item.request, Generation):
            continue
        limit = item.request.max_new_tokens
        if min(map(len, item.targets), default=0) <= limit:  # with the stop token, so the text alone fits too
            continue
        needed = min(len(encoder.tokenizer.encode(text, add_special_tokens=False)) for text in item.request.targets)
        if needed > limit:
            return _TooLong(encoded.example.id, needed, limit)
    return None
