"""One search as Swarm runs it, in this process, and the votes of its personal bests, as a Record.

Baselines and the first generation are the same for most variants of a seed: a weighting that was scored in full is not
scored again, but counts as if it had been.
"""

import hashlib
import tempfile
from collections import Counter, deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from common import ROOT

from study.record import Record
from swarm.config.load import dump_config
from swarm.config.references import resolve
from swarm.config.schema import Config
from swarm.core.candidates import Candidate, Evaluation, PruningBounds, Task
from swarm.core.examples import Example, Split
from swarm.core.outcomes import Feed, Outcome
from swarm.core.requests import Text
from swarm.evaluation.workload import Workload
from swarm.journal.archive import Archive
from swarm.journal.summary import BaselineScores
from swarm.objectives.exact_match import ExactMatch
from swarm.objectives.extraction import EXTRACTIONS
from swarm.preferences.weighted_sum import utility
from swarm.run.directory import new_run
from swarm.run.pipeline import Run
from swarm.run.plan import Plan, make_plan
from swarm.run.provenance import start_record
from swarm.statistics.intervals import Score
from swarm.workers.pool import LocalPool

Known = dict[tuple[object, ...], Evaluation]


class Quiet:
    """A listener that reports nothing."""

    def phase(self, text: str) -> None: ...

    def note(self, text: str) -> None: ...

    def evaluated(self, evaluation: object, status: object) -> None: ...


@dataclass
class CachedPool:
    """A pool that answers from `known` where a candidate is not raced; raced candidates are scored."""

    plan: Plan
    known: Known
    workers: int = 1
    _pool: LocalPool = field(init=False)
    _loaded: set[Split] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._pool = LocalPool(self.plan.spec)

    @property
    def notes(self) -> tuple[str, ...]:
        return self._pool.notes

    def load(self, split: Split, workload: Workload) -> None:
        if split not in self._loaded:
            self._pool.load(split, workload)
            self._loaded.add(split)

    def run(self, feed: Feed) -> Iterator[Outcome]:
        to_score, keys = deque[Task](), {}
        while feed:
            task = feed.popleft()
            key = (*self._key(task.candidate), task.split)
            if task.pruning != PruningBounds():
                to_score.append(task)
            elif key in self.known:
                yield replace(self.known[key], candidate=task.candidate)
            else:
                to_score.append(task)
                keys[task.candidate.id, task.split] = key
        for outcome in self._pool.run(to_score):
            asked = keys.get((outcome.candidate.id, outcome.split)) if isinstance(outcome, Evaluation) else None
            if isinstance(outcome, Evaluation) and asked is not None and outcome.status == "ok":
                self.known[asked] = outcome
            yield outcome

    def close(self) -> None:
        """Stays open: the votes are scored after the run."""

    def _key(self, candidate: Candidate) -> tuple[object, ...]:
        """The composition, and the experts with a coefficient other than zero; sequential searches also need surrogate
        scores."""
        config = self.plan.config
        pairs = zip(config.experts, candidate.position, strict=True)
        composition = config.composition.model_dump_json()
        return (config.racing.sequential, composition, *((expert.path, c) for expert, c in pairs if c))


def key_of(config: Config, voters: Sequence[int]) -> str:
    """A hash of everything that determines a record."""
    return hashlib.sha256(f"{dump_config(config)}{list(voters)}".encode()).hexdigest()[:16]


def searched(config: Config, variant: str, voters: Sequence[int], known: Known) -> Record:
    """Search, select, test and vote. `config` is unresolved; the variants of a seed share `known`."""
    plan = make_plan(resolve(config, ROOT))
    pool = CachedPool(plan, known)
    with tempfile.TemporaryDirectory() as folder, new_run(Path(folder) / "run") as archive:
        archive.append(start_record(plan))
        summary = Run(plan, Path(folder) / "run", archive, Quiet(), open_pool=lambda plan, note: pool).carry_on()
    best = summary.best
    assert best.test is not None
    bests = personal_bests(archive, plan.weights)
    ranked = sorted(bests.values(), key=lambda e: (-utility(e.scores, plan.weights), e.candidate.age))
    votes = voted(plan, pool, [evaluation.candidate for evaluation in ranked], voters)
    made = archive.searched()
    return Record(
        key=key_of(config, voters),
        variant=variant,
        seed=config.seed,
        test=mean(best.test),
        finalist=tested(pool, finalist(archive, plan)),
        delivered=best.id,
        source=best.source,
        examples=sum(evaluation.n_examples for evaluation in made),
        evaluations=len(made),
        stopped=sum(evaluation.status == "stopped" for evaluation in made),
        starts=starts(archive, plan.weights),
        bests=[utility(bests[i].scores, plan.weights) for i in sorted(bests)],
        leader=ranked[0].candidate.particle or 0,
        votes=votes,
        experts=experts(summary.baselines),
    )


def finalist(archive: Archive, plan: Plan) -> Candidate:
    """The finalist that is best on the select split: delivered if the baselines took no part."""

    def select_then_search(evaluation: Evaluation) -> tuple[float, float]:
        selected = archive.at(evaluation.candidate.position, "select")
        assert selected is not None, "every finalist is scored there"
        return utility(selected.scores, plan.weights), utility(evaluation.scores, plan.weights)

    return max(archive.ranked(plan.weights)[: plan.config.selection.finalists], key=select_then_search).candidate


def tested(pool: CachedPool, candidate: Candidate) -> float:
    """The score on the test split."""
    (outcome,) = pool.run(deque([Task(candidate, split="test")]))
    assert isinstance(outcome, Evaluation)
    return utility(outcome.scores, pool.plan.weights)


def starts(archive: Archive, weights: Mapping[str, float]) -> list[float]:
    """Search scores of the first generation, by particle."""
    first = [evaluation for evaluation in archive.history() if evaluation.candidate.iteration == 0]
    return [utility(e.scores, weights) for e in sorted(first, key=lambda e: e.candidate.age)]


def personal_bests(archive: Archive, weights: Mapping[str, float]) -> dict[int, Evaluation]:
    """Particle -> its best evaluation in full; of equal ones the earliest."""
    found: dict[int, Evaluation] = {}
    for evaluation in sorted(archive.history(), key=lambda e: e.candidate.age):
        i = evaluation.candidate.particle
        assert i is not None, "every candidate of a search is a particle"
        if evaluation.status != "ok":
            continue
        if i not in found or utility(evaluation.scores, weights) > utility(found[i].scores, weights):
            found[i] = evaluation
    return {i: found[i] for i in sorted(found)}


def voted(plan: Plan, pool: CachedPool, ranked: Sequence[Candidate], voters: Sequence[int]) -> dict[str, float]:
    """Size of the ensemble -> test score of the majority answers. `ranked`: the members, the best first."""
    (objective,) = plan.config.objectives
    assert isinstance(objective, ExactMatch), "only exact_match has answers to vote with"
    pool.load("test", plan.workloads["test"])
    distinct = {candidate.position: candidate for candidate in reversed(ranked)}
    members = [candidate for candidate in ranked if distinct[candidate.position] is candidate][: max(voters)]
    outcomes = pool.run(deque(Task(member, split="test") for member in members))
    made = {outcome.candidate.id: outcome for outcome in outcomes if isinstance(outcome, Evaluation)}
    written = [made[candidate.id].outputs[objective.name] for candidate in members]
    examples = plan.examples("test")[objective.name]
    shares = {k: majority(objective, examples, written[:k]) for k in voters}
    return {str(k): sum(scores) / len(scores) for k, scores in shares.items()}


def majority(objective: ExactMatch, examples: Sequence[Example], written: Sequence[Sequence[str]]) -> list[float]:
    """Scores of the majority answers; of equally frequent ones the one whose first voter ranks highest."""
    assert isinstance(objective.extract, str)
    find = EXTRACTIONS[objective.extract]
    scores = []
    for example, texts in zip(examples, zip(*written, strict=True), strict=True):
        answer = Counter(map(find, texts)).most_common(1)[0][0]  # the first of equals
        scores.append(objective.score(example, [Text(answer, 0)]).score)
    return scores


def experts(baselines: Mapping[str, BaselineScores]) -> dict[str, tuple[float, float]]:
    """Expert -> mean scores on search and test, out of a summary's baselines."""
    named = {name.removeprefix("expert:"): one for name, one in baselines.items() if name.startswith("expert:")}
    return {name: (mean(one.scores["search"]), mean(one.scores["test"])) for name, one in named.items()}


def mean(scores: Mapping[str, Score]) -> float:
    """The score of the only objective."""
    (score,) = scores.values()
    return score.mean
