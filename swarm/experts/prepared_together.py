"""Experts whose preparation needs the updates of the others, bound together."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from swarm.core.errors import ExpertError
from swarm.experts.expert import Base, Expert
from swarm.experts.joint_preparation import JointPreparation, Member


def prepared_together(experts: Sequence[Expert], base: Base) -> tuple[Expert, ...]:
    """The experts, in which those that are prepared together know one another.

    Raises ExpertError where they are to be prepared by different rules.
    """
    joined = [expert for expert in experts if expert.sparsification.rule is not None]
    if not joined:
        return tuple(experts)
    first, rule = joined[0], joined[0].sparsification.rule
    assert rule is not None, "the experts were chosen by it"
    for other in joined:
        if other.sparsification.rule != rule:
            raise ExpertError(
                f"expert {other.name}: prepare: {_named(other)} is not the {_named(first)} of expert "
                f"{first.name}, or has other rules, and both are prepared together; give both the same prepare:"
            )
    members = {expert.name: Member(expert.changes, partial(expert.pruned_alone, base=base)) for expert in joined}
    joint = JointPreparation(members, rule)
    return tuple(replace(expert, joint=joint if expert.name in members else None) for expert in experts)


def preparation_notes(experts: Sequence[Expert]) -> list[str]:
    """A line where experts are prepared: as baselines they are scored so, and not as they are on disk."""
    prepared = [expert for expert in experts if expert.sparsification.prepare]
    if not prepared:
        return []
    names = ", ".join(f"{expert.name} ({_named(expert)})" for expert in prepared)
    return [f"experts are prepared, alone and in the baselines too: {names}"]


def _named(expert: Expert) -> str:
    prepare = expert.sparsification.prepare
    assert prepare is not None, "only experts that are prepared are named"
    return prepare.type
