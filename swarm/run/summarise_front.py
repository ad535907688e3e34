"""The front and the floors of a run, as a function of its journal.

Shape suffixes: M members, K objectives, P examples of an objective.
"""

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from swarm.core.candidates import Candidate, Evaluation
from swarm.core.examples import Split
from swarm.core.recipes import Recipe
from swarm.core.space import Array
from swarm.journal.front_summary import FloorKept, FrontSummary, Member
from swarm.journal.summary import SPLITS, Coefficients
from swarm.preferences import Rule
from swarm.preferences.front import hypervolume
from swarm.search.front import Front, stacked
from swarm.search.front_selection import FrontSelection
from swarm.statistics.intervals import CONFIDENCE, Score, mean_interval

RESAMPLES = 500


def summarise_front(
    selection: FrontSelection, winner: Candidate, rule: Rule, coefficients: Callable[[Candidate], Coefficients]
) -> FrontSummary | None:
    """None where no one was scored on the select split. rule: the one that chose the winner."""
    front = selection.front(selection.selected())
    if front is None:
        return None
    rows = front.eligible()
    compared = front.members(rule.needs_examples)
    members = _members(selection, front, coefficients)
    return FrontSummary(
        objectives=front.objectives,
        apart=bool(front.goals.apart),
        reference=dict(zip(front.objectives, map(float, front.reference_K), strict=True)),
        floors={name: str(floor) for name, floor in front.goals.floors.items()},
        confidence=front.confidence,
        rule=rule.model_dump(mode="json", exclude_none=True),
        inputs=rule.inputs(compared.only(rows) if len(rows) else compared),
        kept=bool(front.keeps_floors()[[c.position for c in front.candidates].index(winner.position)]),
        members=members,
        hypervolume=_hypervolumes(selection, front),
    )


def recipe_coefficients(recipe: Recipe) -> Coefficients:
    """Expert -> group -> coefficient; a single group has no name."""
    weights = recipe.weights
    names = [group.name for group in weights.groups] if len(weights.groups) > 1 else [""]
    return {name: dict(zip(names, values, strict=True)) for name, values in weights.coefficients.items()}


def _members(
    selection: FrontSelection, front: Front, coefficients: Callable[[Candidate], Coefficients]
) -> tuple[Member, ...]:
    dominated_M, bounds_MF = front.dominated(), front.slack_bounds()
    groups = front.members().groups
    found = []
    for row, candidate in enumerate(front.candidates):
        scores = {split: _scores(selection, candidate, split) for split in SPLITS}
        floors = {
            name: FloorKept(low=float(bound + floor.value), kept=bool(bound >= 0.0))
            for (name, floor), bound in zip(front.goals.floors.items(), bounds_MF[row], strict=False)
        }
        found.append(
            Member(
                id=candidate.id,
                coefficients=coefficients(candidate),
                **scores,
                groups={label: float(utility_M[row]) for label, utility_M in groups.items()},
                dominated_by=front.candidates[dominated_M[row]].id if dominated_M[row] >= 0 else "",
                floors=floors,
            )
        )
    first = front.objectives[0]
    return tuple(sorted(found, key=lambda member: -(member.select or {})[first].mean))


def _scores(selection: FrontSelection, candidate: Candidate, split: Split) -> Mapping[str, Score] | None:
    found = _full(selection, candidate, split)
    return None if found is None else {name: mean_interval(scores) for name, scores in found.examples.items()}


def _full(selection: FrontSelection, candidate: Candidate, split: Split) -> Evaluation | None:
    found = selection.archive.at(candidate.position, split)
    return found if found and found.status == "ok" else None


def _hypervolumes(selection: FrontSelection, front: Front) -> dict[str, Score]:
    """By split; on the search split of all that the search scored, as it looks before fresh examples."""
    if not front.goals.apart:
        return {}
    kept = [front.candidates[row] for row in np.flatnonzero(front.dominated() < 0)]
    found = {"search": _hypervolume(front, selection.searched())}
    for split in SPLITS[1:]:
        scored = [e for candidate in kept if (e := _full(selection, candidate, split))]
        if scored:
            found[split] = _hypervolume(front, scored)
    return found


def _hypervolume(front: Front, evaluations: Sequence[Evaluation]) -> Score:
    """With a percentile interval over the examples, which are common to all members."""
    examples = stacked(evaluations)
    rng = np.random.default_rng(0)
    seen = _covered(front, examples, None)
    drawn = [_covered(front, examples, rng) for _ in range(RESAMPLES)]
    low, high = np.quantile(drawn, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    # Noise in the drawn examples widens every front: both ends are reduced by what that adds on average.
    excess = float(np.mean(drawn)) - seen
    return Score(seen, float(low) - excess, float(high) - excess, min(rows.shape[1] for rows in examples.values()))


def _covered(front: Front, examples: Mapping[str, Array], rng: np.random.Generator | None) -> float:
    means = []
    for name in front.objectives:
        scores_MP = examples[name]
        columns = slice(None) if rng is None else rng.integers(scores_MP.shape[1], size=scores_MP.shape[1])
        means.append(scores_MP[:, columns].mean(axis=1))
    return hypervolume(np.stack(means, axis=1), front.reference_K)
