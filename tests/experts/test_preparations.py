"""Preparations under mergekit's names: each against values computed by hand, and as part of experts and recipes."""

from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
from torch import Tensor

from support.exports import assert_holds, exported
from support.models import load, make_adapter, make_base, make_checkpoint
from swarm.config.load import parse_config
from swarm.core.errors import ExpertError
from swarm.engines.transformers.merged_weights import MergedWeights
from swarm.experts.catalog import Catalog, ExpertSpec, open_catalog
from swarm.experts.merge_model import composed_tensors
from swarm.experts.preparations import PREPARATIONS, Preparation
from swarm.experts.prepared_together import preparation_notes
from swarm.experts.pruning import magprune_probabilities, uniforms
from swarm.experts.sparsify import Sparsification
from swarm.experts.svd_error import truncation_notes
from swarm.experts.updates import delta_of
from swarm.export import export, read_recipe
from swarm.export.base import sparsification_of
from swarm.run.provenance import settings_of

PARAMETER = "model.layers.0.self_attn.q_proj.weight"
# Two experts' updates of one matrix, and what is made of them.
FIRST = [[0.5, -3.0, 1.0, 4.0], [-2.0, 0.25, 8.0, -1.5]]
SECOND = [[1.0, 2.0, -1.5, 0.5], [-4.0, -0.75, -6.0, 3.0]]
SETTINGS: dict[str, dict[str, object]] = {
    "ties": {"density": 0.5},
    "dare_linear": {"density": 0.5},
    "dare_ties": {"density": 0.5, "seed": 3},
    "breadcrumbs": {"density": 0.5, "gamma": 0.125},
    "breadcrumbs_ties": {"density": 0.5, "gamma": 0.125},
    "della_linear": {"density": 0.5, "epsilon": 0.25},
    "della": {"density": 0.5, "epsilon": 0.25},
    "ram": {"epsilon": 0.5},
    "ramplus_tl": {"epsilon": 0.5, "r": 0.5, "alpha": 5.0},
}


def preparation(kind: str, **settings: object) -> Preparation:
    return PREPARATIONS[kind].model_validate({"type": kind, **SETTINGS[kind], **settings})


def prepared(prepare: Preparation, *deltas: Sequence[Sequence[float]]) -> list[Tensor]:
    alone = [prepare.alone(torch.tensor(delta), f"{i}/{PARAMETER}") for i, delta in enumerate(deltas)]
    return prepare.rule.together(alone) if prepare.rule else alone


@pytest.mark.parametrize(
    ("kind", "settings", "first", "second"),
    [
        ("ties", {}, [[0, -3, 0, 4], [-2, 0, 8, 0]], [[0, 0, 0, 0], [-4, 0, 0, 3]]),
        ("ties", {"normalize": True}, [[0, -3, 0, 4], [-1, 0, 8, 0]], [[0, 0, 0, 0], [-2, 0, 0, 3]]),
        ("ties", {"consensus": "count"}, [[0, 0, 0, 4], [-2, 0, 8, 0]], [[0, 2, 0, 0], [-4, 0, 0, 3]]),
        ("ties", {"density": 1, "lambda": 2}, [[1, -6, 0, 8], [-4, 0, 16, 0]], [[2, 0, -3, 1], [-8, -1.5, 0, 6]]),
        (
            "ties",  # factors 20.25 / 17 and 18.75 / 15
            {"density": 0.5, "rescale": True},
            [[0, -60.75 / 17, 0, 81 / 17], [-40.5 / 17, 0, 162 / 17, 0]],
            [[0, 0, 0, 0], [-5, 0, 0, 3.75]],
        ),
        ("breadcrumbs", {}, [[0, -3, 0, 4], [-2, 0, 0, -1.5]], [[0, 2, -1.5, 0], [-4, 0, 0, 3]]),
        ("breadcrumbs", {"gamma": 0}, [[0, -3, 0, 4], [-2, 0, 8, 0]], [[0, 2, 0, 0], [-4, 0, -6, 3]]),
        ("breadcrumbs", {"density": 0.75, "gamma": 0.5}, [[0.5, -3, 1, 0], [-2, 0.25, 0, -1.5]], None),
        ("breadcrumbs_ties", {}, [[0, -3, 0, 4], [-2, 0, 0, 0]], [[0, 0, -1.5, 0], [-4, 0, 0, 3]]),
        ("ram", {}, [[0, -1.5, 0.5, 4], [-1, 0, 4, -0.75]], [[1, 1, -0.75, 0], [-2, -0.75, -3, 1.5]]),
        # Five shared entries each; the first expert has one of its own, the second two.
        ("ramplus_tl", {}, [[0, -1.5, 0.5, 14], [-1, 0, 4, -0.75]], [[2.25, 1, -0.75, 0], [-2, -1.6875, -3, 1.5]]),
        ("ramplus_tl", {"alpha": 2.0}, [[0, -1.5, 0.5, 8], [-1, 0, 4, -0.75]], [[2, 1, -0.75, 0], [-2, -1.5, -3, 1.5]]),
    ],
)
def test_by_hand(
    kind: str, settings: dict[str, object], first: list[list[float]], second: list[list[float]] | None
) -> None:
    found = prepared(preparation(kind, **settings), FIRST, SECOND)
    for ours, wanted in zip(found, (first, second), strict=True):
        if wanted is not None:
            torch.testing.assert_close(ours, torch.tensor(wanted, dtype=torch.float32))


def test_a_majority_is_of_sums_or_of_counts() -> None:
    for consensus, kept in (("sum", [False, False, True]), ("count", [True, True, False])):
        found = prepared(preparation("ties", density=1, consensus=consensus), [[1.0]], [[2.0]], [[-4.0]])
        assert [bool(each) for each in found] == kept


def test_of_equal_magnitudes_as_many_are_kept_as_the_density_says() -> None:
    (kept,) = prepared(preparation("breadcrumbs", density=0.5, gamma=0.25), [[1.0, -1.0, 1.0, 1.0]])
    assert kept.tolist() == [[0.0, -1.0, 1.0, 0.0]]
    (kept,) = prepared(preparation("ties", density=0.25), [[1.0, -1.0, 1.0, 1.0]])
    assert kept.tolist() == [[0.0, 0.0, 0.0, 1.0]]


def test_magprune_drops_the_smaller_of_a_row_more_often() -> None:
    found = magprune_probabilities(torch.tensor(FIRST), 0.5, 0.15)
    rows = [[0.35, 0.55, 0.45, 0.65], [0.55, 0.35, 0.65, 0.45]]
    torch.testing.assert_close(found, torch.tensor(rows))
    torch.testing.assert_close(magprune_probabilities(torch.tensor(FIRST[0]), 0.5, 0.15), torch.tensor(rows[0]))
    assert magprune_probabilities(torch.ones(3, 1), 0.5, 0.15).tolist() == [[0.5]] * 3


@pytest.mark.parametrize("kind", ["dare_linear", "della_linear"])
def test_drops_are_random_and_keep_the_sum_of_magnitudes(kind: str) -> None:
    delta = torch.randn(200, 50, generator=torch.Generator().manual_seed(0))
    prepare = preparation(kind)
    kept = prepare.alone(delta, "a/w")
    assert abs(float((kept != 0).float().mean()) - 0.5) < 0.02
    torch.testing.assert_close(kept.abs().sum(), delta.abs().sum())
    assert torch.equal(kept, preparation(kind).alone(delta, "a/w"))
    others = [prepare.alone(delta, "b/w"), prepare.alone(delta, "a/v"), preparation(kind, seed=1).alone(delta, "a/w")]
    assert not any(torch.equal(kept != 0, other != 0) for other in others)
    plain = preparation(kind, rescale=False).alone(delta, "a/w")
    assert torch.equal(plain, torch.where(kept != 0, delta, 0.0))


def test_dare_draws_as_mergekits_bernoulli() -> None:
    """An entry is kept where its random number is below the density."""
    (kept,) = prepared(preparation("dare_linear", rescale=False), FIRST)
    below = uniforms(kept, f"0/0/{PARAMETER}") < 0.5
    assert torch.equal(kept, torch.where(below, torch.tensor(FIRST), 0.0))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("preparations")
    base = make_base(folder / "base")
    for seed, name in enumerate(("one", "two")):
        make_adapter(folder / name, base, seed)
    make_checkpoint(folder / "full", base, seed=3)
    return folder


def opened(folder: Path, kinds: dict[str, Preparation | None], **sparsification: float) -> Catalog:
    specs = [
        ExpertSpec(name, folder / name, Sparsification(prepare=prepare, **sparsification))
        for name, prepare in kinds.items()
    ]
    return open_catalog(folder / "base", specs)


def all_three(folder: Path, prepare: Preparation, **sparsification: float) -> Catalog:
    return opened(folder, dict.fromkeys(("one", "two", "full"), prepare), **sparsification)


@pytest.mark.parametrize("kind", PREPARATIONS)
def test_an_engine_a_checkpoint_and_a_recipe_hold_the_same_weights(folder: Path, tmp_path: Path, kind: str) -> None:
    catalog = all_three(folder, preparation(kind))
    what = exported(catalog)
    model = load(folder / "base", torch.float32)
    MergedWeights(model, catalog).put(what.recipe)
    again = all_three(folder, preparation(kind))
    for name, tensor in composed_tensors(again, what.recipe, torch.float32):
        assert torch.equal(model.state_dict()[name], tensor), name
    changed = [e.update(PARAMETER, again.base) for e in reversed(again.experts)]
    whole = [delta_of(e.source.update(PARAMETER), again.base.tensors.read(PARAMETER)) for e in reversed(again.experts)]
    assert not any(torch.equal(delta_of(ours, whole[0]), theirs) for ours, theirs in zip(changed, whole, strict=True))
    read = read_recipe(export(what, tmp_path / "recipe", "recipe"))
    assert_holds(export(read, tmp_path / "hf", "hf"), what)


def test_experts_without_a_preparation_take_no_part(folder: Path) -> None:
    ties = preparation("ties", density=1)
    base = open_catalog(folder / "base", []).base
    both = opened(folder, {"one": ties, "two": None, "full": ties})
    pair = opened(folder, {"one": ties, "full": ties})
    for name in ("one", "full"):
        ours, theirs = (
            next(e for e in catalog.experts if e.name == name).pruned(PARAMETER, base) for catalog in (both, pair)
        )
        assert torch.equal(ours, theirs)
    assert both.experts[1].is_plain_adapter
    alone = opened(folder, {"one": ties}).experts[0]
    assert torch.equal(alone.pruned(PARAMETER, base), alone.pruned_alone(PARAMETER, base))


def test_a_rank_comes_after_the_election(folder: Path) -> None:
    catalog = opened(folder, dict.fromkeys(("one", "two"), preparation("ties")), svd=2)
    whole = opened(folder, dict.fromkeys(("one", "two"), preparation("ties")))
    for cut, expert in zip(catalog.experts, whole.experts, strict=True):
        delta = expert.pruned(PARAMETER, whole.base)
        u, s, v = torch.linalg.svd(delta)
        found = delta_of(cut.update(PARAMETER, catalog.base), delta)
        torch.testing.assert_close(found, u[:, :2] * s[:2] @ v[:2], rtol=0, atol=1e-6)
        assert (cut.rank(PARAMETER), expert.rank(PARAMETER)) == (2, None)
    assert all("truncates its update" in note for note in truncation_notes(catalog))


def test_different_rules_do_not_go_together(folder: Path) -> None:
    with pytest.raises(ExpertError, match=r"expert full: prepare: ram is not the ties of expert one, .*give both the"):
        opened(folder, {"one": preparation("ties"), "two": None, "full": preparation("ram")})
    mixed = opened(folder, {"one": preparation("ties"), "full": preparation("breadcrumbs_ties", density=0.3)})
    assert preparation_notes(mixed.experts) == [
        "experts are prepared, alone and in the baselines too: one (ties), full (breadcrumbs_ties)"
    ]
    assert [sparsification_of(expert) for expert in mixed.experts] == [
        "ties (density 0.5)",
        "breadcrumbs_ties (density 0.3, gamma 0.125)",
    ]


def test_an_experts_own_preparation_takes_the_place_of_the_configs() -> None:
    small = {"base": "b", "objectives": [{"name": "words", "type": "multiple_choice", "data": "d.jsonl"}]}
    ties, other = {"type": "ties", "density": 0.5}, {"type": "ties", "density": 0.2}
    common = parse_config(small | {"prepare": ties, "experts": ["a", {"path": "b", "prepare": other}]}, "test")
    assert [common.sparsification(expert).prepare.density for expert in common.experts] == [0.5, 0.2]
    own = parse_config(small | {"experts": [{"path": "a", "prepare": ties}, {"path": "b", "prepare": other}]}, "test")
    plain = parse_config(small | {"experts": ["a", "b"]}, "test")
    assert settings_of(common) == settings_of(own) != settings_of(plain)
