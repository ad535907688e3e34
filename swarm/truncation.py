"""What `svd` loses of an expert and `max_new_tokens` of right answers, told to the user."""

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from swarm.engines import Encoder
from swarm.experts import Catalog, Expert
from swarm.thinning import thin
from swarm.types import Generation
from swarm.updates import delta_of
from swarm.workload import Question, Workload


def truncation_notes(catalog: Catalog) -> list[str]:
    """A line for every expert that is cut to a rank."""
    cut = [expert for expert in catalog.experts if expert.thinning.svd is not None]
    return [
        f"expert {expert.name}: at svd: {expert.thinning.svd} its update is off by "
        f"{100 * truncation_error(expert, catalog):.1f} % (norm of what is lost)"
        for expert in cut
    ]


def truncation_error(expert: Expert, catalog: Catalog) -> float:
    """The norm of what `svd` drops of the expert's update, over the norm of the whole."""
    before = expert.thinning.model_copy(update={"svd": None})
    lost = whole = 0.0
    for parameter in catalog.parameters():
        if parameter in expert.source.parameters():
            base, key = catalog.base.tensors.read(parameter), f"{expert.name}/{parameter}"
            delta = delta_of(thin(expert.source.update(parameter), base, before, key), base)
            lost += float((delta - delta_of(expert.update(parameter, catalog.base), base)).square().sum())
            whole += float(delta.square().sum())
    return math.sqrt(lost / whole) if whole else 0.0


def cut_answer_notes(workloads: Iterable[Workload], encoder: Encoder) -> list[str]:
    """A line for every objective with right answers that are too long to be written."""
    questions: dict[str, list[Question]] = defaultdict(list)
    for workload in workloads:
        for name, asked in workload.questions.items():
            questions[name] += asked
    found = {name: [cut for question in asked for cut in _cut(question, encoder)] for name, asked in questions.items()}
    return [
        f"{name}: {len(cuts)} of {len(questions[name])} right answers are longer than max_new_tokens: {cuts[0].limit} "
        f"(that of {cuts[0].example}: {cuts[0].needed} tokens), so no text is right there; raise it to "
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


def _cut(question: Question, encoder: Encoder) -> Iterator[_Cut]:
    for item in question.requests:
        if not isinstance(item.request, Generation):
            continue
        limit = item.request.max_new_tokens
        if min(map(len, item.targets), default=0) <= limit:  # with what ends it
            continue
        needed = min(len(encoder.tokenizer.encode(text, add_special_tokens=False)) for text in item.request.targets)
        if needed > limit:
            yield _Cut(question.example.id, needed, limit)
