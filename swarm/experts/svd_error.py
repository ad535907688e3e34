"""What truncation by `svd` loses of an expert, in a note for the user."""

import math

from swarm.experts.catalog import Catalog
from swarm.experts.expert import Expert
from swarm.experts.sparsify import sparsify
from swarm.experts.updates import delta_of


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
    before = expert.sparsification.model_copy(update={"svd": None})
    lost = whole = 0.0
    for parameter in catalog.parameters():
        if expert.changes(parameter):
            base, key = catalog.base.tensors.read(parameter), f"{expert.name}/{parameter}"
            delta = delta_of(sparsify(expert.source.update(parameter), base, before, key), base)
            lost += float((delta - delta_of(expert.update(parameter, catalog.base), base)).square().sum())
            whole += float(delta.square().sum())
    return math.sqrt(lost / whole) if whole else 0.0
