"""What preparation changes and truncation by `svd` loses of an expert, in notes for the user."""

import math

from swarm.experts.catalog import Catalog
from swarm.experts.expert import Expert
from swarm.experts.prepared_together import preparation_notes
from swarm.experts.sparsify import truncated
from swarm.experts.updates import delta_of


def change_notes(catalog: Catalog) -> list[str]:
    """What the user should know about experts that are not scored as they are on disk."""
    return [*preparation_notes(catalog.experts), *truncation_notes(catalog)]


def truncation_notes(catalog: Catalog) -> list[str]:
    """A line for every expert that is truncated to a rank."""
    truncated = [expert for expert in catalog.experts if expert.sparsification.svd is not None]
    return [
        f"expert {expert.name}: svd: {expert.sparsification.svd} truncates its update with a relative error of "
        f"{100 * truncation_error(expert, catalog):.1f} % (Frobenius norm)"
        for expert in truncated
    ]


def truncation_error(expert: Expert, catalog: Catalog) -> float:
    """The norm of what `svd` drops of the expert's updates, as a share of their norm (Frobenius, all parameters)."""
    lost = whole = 0.0
    for parameter in catalog.parameters():
        if expert.changes(parameter):
            base = catalog.base.tensors.read(parameter)
            delta = expert.pruned(parameter, catalog.base)
            lost += float((delta - delta_of(truncated(delta, expert.sparsification), base)).square().sum())
            whole += float(delta.square().sum())
    return math.sqrt(lost / whole) if whole else 0.0
