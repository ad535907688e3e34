"""The front and the floors of a run, as a function of its journal.

Shape suffixes: M members, F floors.
"""

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from swarm.core.candidates import Candidate, Evaluation
from swarm.core.examples import Split
from swarm.core.recipes import Recipe
from swarm.journal.front_summary import FloorKept, FrontSummary, Member
from swarm.journal.router_use import STRENGTH
from swarm.journal.summary import SPLITS, Coefficients
from swarm.preferences import Rule
from swarm.search.coverage import coverage, coverage_gain
from swarm.search.front import CONFIDENCE, Front
from swarm.search.front_selection import FrontSelection
from swarm.statistics.intervals import ANY, Difference, Score, mean_interval

ALL = "all"  # the group of weights, where these have one coefficient per expert or none
LOGITS = "logits"  # the place of an expert's coefficients beside groups of weights


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
    baselines, gain = _against_baselines(selection, front)
    return FrontSummary(
        objectives=front.objectives,
        apart=bool(front.goals.apart),
        reference=_reference(front),
        floors={name: str(floor) for name, floor in front.goals.floors.items()},
        confidence=CONFIDENCE,
        rule=rule.model_dump(mode="json", exclude_none=True),
        inputs=rule.inputs(compared.only(rows) if len(rows) else compared),
        kept=bool(front.keeps_floors()[[c.position for c in front.candidates].index(winner.position)]),
        members=members,
        hypervolume=_hypervolumes(selection, front),
        baselines=baselines,
        gain=gain,
    )


def recipe_coefficients(recipe: Recipe, coordinates: Sequence[str], position: Sequence[float]) -> Coefficients:
    """Expert -> group or place -> coefficient, without a name where an expert has one place.

    That is one group of weights, or logits alone; where both may act, each place is named that an expert has a
    coordinate for, whatever the coefficients.
    coordinates, position: where the recipe was found. With a router, these are its coefficients: beside the experts'
        scales how the router is used (`router.strength`, `router.bias.NAME`), in the units of the search.
    """
    weights, logits, routing = recipe.weights, recipe.logits, recipe.routing
    if routing is not None:
        at = dict(zip(coordinates, map(float, position), strict=True)) | {STRENGTH: routing.strength}
        return {name: {"": value} for name, value in at.items()}
    names = [group.name for group in weights.groups]
    alone = len(names) == 1 and (logits is None or names == [ALL])
    names = [""] if alone else names
    found = {name: dict(zip(names, values, strict=True)) for name, values in weights.coefficients.items()}
    if logits is None:
        return found
    if alone:
        return {name: {"": value} for name, value in logits.coefficients.items()}
    acting = {
        name: {group: value for group, value in own.items() if f"{name}.{group}" in coordinates}
        for name, own in found.items()
    }
    return {
        name: acting.get(name, {}) | ({LOGITS: logits.coefficients[name]} if name in logits.coefficients else {})
        for name in dict.fromkeys([*found, *logits.coefficients])
    }


def _members(
    selection: FrontSelection, front: Front, coefficients: Callable[[Candidate], Coefficients]
) -> tuple[Member, ...]:
    dominated_M, bounds_MF, kept_M = front.dominated(), front.slack_bounds(), front.keeps_floors()
    groups = front.members().groups
    found = []
    for row, candidate in enumerate(front.candidates):
        scores = {split: _scores(selection, candidate, split) for split in SPLITS}
        floors = {
            name: FloorKept(low=float(bound + floor.value), kept=bool(bound >= 0.0 and kept_M[row]))
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
    if found is None:
        return None
    ranges = selection.ranges
    return {name: mean_interval(scores, ranges.get(name, ANY)) for name, scores in found.examples.items()}


def _full(selection: FrontSelection, candidate: Candidate, split: Split) -> Evaluation | None:
    found = selection.archive.at(candidate.position, split)
    return found if found and found.status == "ok" else None


def _hypervolumes(selection: FrontSelection, front: Front) -> dict[str, Score]:
    """By split; on the search split of all that the search scored, as it looks before fresh examples."""
    if not front.goals.apart:
        return {}
    kept, reference = _kept(front), _reference(front)
    found = {"search": coverage(selection.searched(), reference)}
    for split in SPLITS[1:]:
        if scored := _scored(selection, kept, split):
            found[split] = coverage(scored, reference)
    return found


def _against_baselines(selection: FrontSelection, front: Front) -> tuple[Score | None, Difference | None]:
    """The hypervolume on test of the baselines alone, and what the members have over it."""
    everyone = {candidate.position for candidate in selection.baselines.all()}
    baselines = _scored(selection, [c for c in front.candidates if c.position in everyone], "test")
    members = _scored(selection, _kept(front), "test")
    if not (front.goals.apart and baselines and members):
        return None, None
    reference = _reference(front)
    return coverage(baselines, reference), coverage_gain(members, baselines, reference)


def _kept(front: Front) -> list[Candidate]:
    """Those that no one dominates with significance on the select split."""
    return [front.candidates[row] for row in np.flatnonzero(front.dominated() < 0)]


def _scored(selection: FrontSelection, candidates: Sequence[Candidate], split: Split) -> list[Evaluation]:
    return [found for candidate in candidates if (found := _full(selection, candidate, split))]


def _reference(front: Front) -> dict[str, float]:
    return dict(zip(front.objectives, map(float, front.reference_K), strict=True))
