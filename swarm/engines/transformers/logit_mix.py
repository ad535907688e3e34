"""A recipe's next-token logits as a weighted sum of those of whole models: l = sum of w_m l_m.

A coefficient c of a path adds c to the weight of the model that is added and takes it from the one that is subtracted,
so the base's weight is 1 minus the coefficients of all paths that subtract it. Models with weight 0 take no part, and
where one model alone has weight 1, its logits are what comes out, bit for bit: those of the base at c = 0, of M+ at
c = 1 where M- is the base, of one model of a one-hot mixture.

Shape suffixes: R rows, V vocabulary, A models that take part.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from swarm.core.recipes import Combined, Recipe
from swarm.experts.catalog import Catalog
from swarm.experts.path_models import ModelPair

BASE = "base"  # with the recipe's own weights in place
PRISTINE = "pristine"  # the base without experts, where weights have coefficients, too


@dataclass(frozen=True)
class Mix:
    """weights: model -> its weight, without those of weight 0. combined: whether logits or probabilities are summed."""

    combined: Combined
    weights: Mapping[str, float]


def expert_key(name: str) -> str:
    """The base with one expert merged."""
    return f"expert:{name}"


def control_key(name: str) -> str:
    """The base behind a control layer."""
    return f"control:{name}"


def pair_keys(pair: ModelPair) -> tuple[str, str | None]:
    """The models that a pair adds and subtracts; None for the base. Equal weights are one model."""
    return f"model:{pair.plus.tensors.fingerprint}", (
        f"model:{pair.minus.tensors.fingerprint}" if pair.minus is not None else None
    )


def mix_of(recipe: Recipe, catalog: Catalog) -> Mix:
    """The models of a recipe, and the weight of each."""
    merged = any(any(values) for values in recipe.weights.coefficients.values())
    if recipe.logits is None:
        return Mix("logits", {BASE: 1.0})
    if recipe.logits.combined == "probabilities":
        return _average(recipe.logits.coefficients, catalog)
    base = PRISTINE if merged else BASE
    found = {BASE: 1.0}
    for name, c in recipe.logits.coefficients.items():
        plus, minus = _models(name, catalog)
        found[plus] = found.get(plus, 0.0) + c
        found[minus or base] = found.get(minus or base, 0.0) - c
    return Mix("logits", {model: weight for model, weight in found.items() if weight != 0.0})


def _average(coefficients: Mapping[str, float], catalog: Catalog) -> Mix:
    """Weights of an average: none below 0, and together 1, the base's share included."""
    shares = {name: max(0.0, c) for name, c in coefficients.items()}
    total = sum(shares.values())
    found = {BASE: 1.0 - total} if total < 1.0 else {}
    for name, share in shares.items():
        model, _ = _models(name, catalog)
        found[model] = found.get(model, 0.0) + share / max(1.0, total)
    return Mix("probabilities", {model: weight for model, weight in found.items() if weight != 0.0})


def _models(name: str, catalog: Catalog) -> tuple[str, str | None]:
    for model in catalog.models:
        if model.name == name:
            return pair_keys(model) if isinstance(model, ModelPair) else (control_key(name), None)
    return expert_key(name), None


def combine(parts: Sequence[Tensor], weights_AR: Tensor, vocabulary: int, combined: Combined) -> Tensor:
    """The combination of each row, in float32; one model's logits as they are where it alone has weight 1.

    parts: the logits of each model, shape (R, V of that model).
    weights_AR: the weight of each model in each row.
    vocabulary: how many tokens the tokenizer knows: columns beyond it are padding, and where several models take part
        they are -inf. So is a token that is -inf in a model that takes part.
    """
    if len(parts) == 1 and bool((weights_AR == 1.0).all()):
        return parts[0]
    width = max(part.shape[1] for part in parts)
    whole = [_widened(part, width) for part in parts]
    averaged = combined == "probabilities"
    sums_RV = _probabilities(whole, weights_AR, vocabulary) if averaged else _sum(whole, weights_AR)
    several_R = (weights_AR != 0).sum(dim=0) > 1
    if vocabulary < width:
        sums_RV[:, vocabulary:].masked_fill_(several_R[:, None], -torch.inf)
    for part, weight_R in zip(whole, weights_AR, strict=True):
        alone_R = (weight_R == 1.0) & ~several_R
        if bool(alone_R.any()):
            sums_RV[alone_R] = part[alone_R].float()
    return sums_RV


def _sum(parts: Sequence[Tensor], weights_AR: Tensor) -> Tensor:
    """The weighted sum; -inf where a model that takes part has -inf, as a difference of two would be NaN."""
    sums_RV, hidden_RV = torch.zeros_like(parts[0], dtype=torch.float32), None
    for part, weight_R in zip(parts, weights_AR, strict=True):
        if bool((part.amin(dim=1) == -torch.inf).any()):
            own_RV = part == -torch.inf
            part = part.masked_fill(own_RV, 0.0)
            takes_RV = own_RV & (weight_R != 0)[:, None]
            hidden_RV = takes_RV if hidden_RV is None else hidden_RV | takes_RV
        if bool((weight_R == weight_R[0]).all()):
            sums_RV.add_(part, alpha=float(weight_R[0]))
        else:
            sums_RV.addcmul_(part.float(), weight_R[:, None])
    return sums_RV if hidden_RV is None else sums_RV.masked_fill_(hidden_RV, -torch.inf)


def _probabilities(parts: Sequence[Tensor], weights_AR: Tensor, vocabulary: int) -> Tensor:
    """log of the sum of w softmax(l) over the tokens that there are; padding takes no part of a model's probability."""
    sums_RV = torch.full_like(parts[0], -torch.inf, dtype=torch.float32)
    known_RV = sums_RV[:, :vocabulary]
    for part, weight_R in zip(parts, weights_AR, strict=True):
        # As logarithms: the probability of an unlikely token is 0 in float32.
        logs_RV = torch.log_softmax(part[:, :vocabulary].float(), dim=1).add_(weight_R.log()[:, None])
        torch.logaddexp(known_RV, logs_RV, out=known_RV)
    return sums_RV


def _widened(part: Tensor, width: int) -> Tensor:
    missing = width - part.shape[1]
    return part if not missing else torch.nn.functional.pad(part, (0, missing), value=-torch.inf)
