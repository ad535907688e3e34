"""Why a base may have no example of a sample right, or all of them: notes for the user, with what to change."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from swarm.objectives.base import Objective
from swarm.objectives.generating import GeneratingObjective
from swarm.run.base_answers import ShownExample

FEWEST = 5  # examples that say anything
MOST = 2  # causes in a note: the first ones explain the rest


@dataclass(frozen=True)
class Sample:
    """What the base made of the first examples of an objective.

    has_template: whether the base has a chat template.
    """

    objective: Objective
    examples: Sequence[ShownExample]
    has_template: bool

    @property
    def n(self) -> int:
        return len(self.examples)

    def count(self, holds: Callable[[ShownExample], bool]) -> int:
        return sum(map(holds, self.examples))


def sample_notes(
    objectives: Sequence[Objective], shown: Mapping[str, Sequence[ShownExample]], has_template: bool
) -> list[str]:
    """A note for every objective on which the base has the lowest score in all of the sample, or the highest."""
    notes = []
    for objective in objectives:
        sample = Sample(objective, shown[objective.name], has_template)
        scores = {example.score for example in sample.examples}
        low, high = objective.signed_range
        if sample.n < FEWEST or scores not in ({low}, {high}):
            continue
        share, causes = ("100 %", _causes_of_all) if scores == {high} else ("0 %", _causes_of_none)
        likely = "; ".join(list(causes(sample))[:MOST])
        notes.append(f"{objective.name}: the base has {share} of the first {sample.n} search examples: {likely}")
    return notes


def _causes_of_none(sample: Sample) -> Iterator[str]:
    """The likeliest first."""
    objective = sample.objective
    if isinstance(objective, GeneratingObjective):
        yield from _causes_in_texts(sample, objective)
    if sample.has_template and not objective.chat:
        yield "the base has a chat template, and the prompts are plain texts; set chat: true"
    yield from _always_the_same(sample)
    yield from _always_the_extreme(sample)
    if not sample.has_template:
        yield "the base has no chat template, so it may only continue texts; show it the form of an answer in template"
    yield "compare what it answers with what counts as right"


def _causes_in_texts(sample: Sample, objective: GeneratingObjective) -> Iterator[str]:
    n_cut = sample.count(lambda example: example.is_cut)
    cut = f"max_new_tokens: {objective.max_new_tokens} cuts {n_cut} of {sample.n} texts; raise it"
    if sample.count(lambda example: not (example.written or "").strip()) == sample.n:
        yield f"every text is empty: it ends at once, at an end token or at stop: {list(objective.stop)}; set stop: []"
    elif sample.count(lambda example: not example.found.strip()) == sample.n:
        yield "the extraction finds nothing in any text" + ("" if n_cut else "; change extract, or ask for its form")
    if 2 * n_cut >= sample.n:
        yield cut
    if 2 * sample.count(_holds_right) >= sample.n:
        yield "most texts hold the right answer among other words; choose an extract that finds it there"


def _causes_of_all(sample: Sample) -> Iterator[str]:
    right = {example.right for example in sample.examples}
    if len(right) == 1:
        yield f"every right answer is {_shown(next(iter(right))[0])}; mix them, or a constant answer wins"
    if sample.examples[0].written is not None and sample.count(_tells_right) == sample.n:
        yield "every prompt holds its right answer; take it out of the prompts"
    yield "nothing is left for a search to improve; take harder examples"


def _always_the_same(sample: Sample) -> Iterator[str]:
    found = {example.found for example in sample.examples}
    if len(found) == 1 and (answer := found.pop()).strip():
        yield f"every answer is {_shown(answer)}; see whether the prompt shows what is asked"


def _always_the_extreme(sample: Sample) -> Iterator[str]:
    """Choices that are picked for their length alone."""
    for name, extreme in (("shortest", min), ("longest", max)):
        lengths = [{each.key: len(each.text) for each in example.choices} for example in sample.examples]
        if not all(len(set(each.values())) > 1 for each in lengths):
            continue
        pairs = zip(lengths, sample.examples, strict=True)
        if all(example.found in each and each[example.found] == extreme(each.values()) for each, example in pairs):
            yield f"it always picks the {name} choice; change normalise"


def _holds_right(example: ShownExample) -> bool:
    return any(_within(right, example.written or "") for right in example.right)


def _tells_right(example: ShownExample) -> bool:
    return any(_within(right, example.prompt) for right in example.right)


def _within(words: str, text: str) -> bool:
    return re.search(rf"(?<!\w){re.escape(words)}(?!\w)", text) is not None


def _shown(answer: str) -> str:
    return repr(answer if len(answer) <= 40 else answer[:37] + "...")
