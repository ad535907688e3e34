"""Angles between the updates of experts, exactly. Products of low-rank factors are never multiplied out.

Shape suffixes: O rows and I columns of a weight (out, in), R and S ranks.
"""

import math
from collections.abc import Mapping
from itertools import combinations_with_replacement

import torch
from torch import Tensor

from swarm.experts.catalog import Catalog
from swarm.experts.updates import LowRank, Replacement, Update, delta_of, oriented

ROWS = 4096  # of a whole update that are in double precision at a time

Inner = Mapping[tuple[str, str], float]


def cosines(catalog: Catalog) -> tuple[dict[str, dict[str, float]], dict[str, float]]:
    """Expert -> expert -> cosine, and expert -> Frobenius norm of its update over all parameters.

    An expert that changes nothing has the cosine 0 with all others.
    """
    inner = _inner_products(catalog)
    norms = {name: math.sqrt(max(0.0, inner[name, name])) for name in catalog.names}

    def cosine(one: str, other: str) -> float:
        both = norms[one] * norms[other]
        product = inner.get((one, other), inner.get((other, one), 0.0))
        return 1.0 if one == other and both else max(-1.0, min(1.0, product / both)) if both else 0.0

    return {one: {other: cosine(one, other) for other in catalog.names} for one in catalog.names}, norms


def _inner_products(catalog: Catalog) -> Inner:
    sums = dict.fromkeys(combinations_with_replacement(catalog.names, 2), 0.0)
    for parameter in catalog.parameters():
        changed = {e.name: e.update(parameter, catalog.base) for e in catalog.experts if e.changes(parameter)}
        replaced = any(isinstance(update, Replacement) for update in changed.values())
        base = catalog.base.tensors.read(parameter) if replaced else torch.empty(0)
        for one, other in sums:
            if one in changed and other in changed:
                sums[one, other] += inner_product(changed[one], changed[other], base)
    return sums


def inner_product(one: Update, other: Update, base: Tensor) -> float:
    """The sum of the products of both updates' elements. base: the parameter, where one of them replaces it."""
    if isinstance(one, LowRank) and isinstance(other, LowRank):
        other = oriented(other, one.transposed)
        # <B A, D C> = tr(A' B' D C) = sum of (B' D) * (A C'), both R x S
        of_b_RS = one.b_OR.double().T @ other.b_OR.double()
        of_a_RS = one.a_RI.double() @ other.a_RI.double().T
        return one.scaling * other.scaling * float((of_b_RS * of_a_RS).sum())
    if isinstance(other, LowRank):
        one, other = other, one
    if isinstance(one, LowRank):
        whole_OI = delta_of(other, base).double()
        whole_OI = whole_OI.T if one.transposed else whole_OI
        return one.scaling * float(((one.b_OR.double().T @ whole_OI) * one.a_RI.double()).sum())
    rows = zip(torch.split(delta_of(one, base), ROWS), torch.split(delta_of(other, base), ROWS), strict=True)
    return math.fsum(float((ours.double() * theirs.double()).sum()) for ours, theirs in rows)
