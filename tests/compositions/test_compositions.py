"""What every composition promises, over the registry, with the experts and groups that it allows."""

from collections.abc import Iterator
from contextlib import chdir
from pathlib import Path

import numpy as np
import pytest
import torch
from peft import PeftModel

from support.models import load
from support.routers import write_random_router
from support.runs import ADAPTERS, make_workshop, opened
from swarm.compositions import COMPOSITIONS, Composition
from swarm.compositions.weights import Weights
from swarm.core.errors import ConfigError
from swarm.core.recipes import Recipe
from swarm.experts.catalog import Catalog
from swarm.experts.merge_model import composed_tensors
from swarm.experts.parameter_groups import group_index

PATTERNS = {"low": ["*layers.0.*"], "head": ["lm_head*", "*norm*"]}
WEIGHTS = [
    {"algebra": algebra, "groups": groups} for algebra in ("delta", "factors") for groups in ("all", "modules")
] + [{"groups": "layers:2"}, {"groups": {"low": ["*layers.0.*"]}}, {"low": -1.0, "high": 1.0}]
ROUTED = [{"router": "router", "by": by} for by in ("logits", "clusters")]  # the folder lies in the working directory
SETTINGS: dict[str, list[dict[str, object]]] = {"weights": WEIGHTS, "routed": ROUTED}
CASES = [
    pytest.param(COMPOSITIONS[kind](**settings), id=f"{kind}-{settings}")
    for kind in COMPOSITIONS
    for settings in SETTINGS.get(kind, [{}])
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = make_workshop(tmp_path_factory.mktemp("compositions"))
    write_random_router(folder / "router", opened(folder, *ADAPTERS))
    with chdir(folder):
        yield folder


@pytest.fixture(scope="module")
def adapters(folder: Path) -> Catalog:
    return opened(folder, *ADAPTERS)


@pytest.fixture(scope="module")
def everything(folder: Path) -> Catalog:
    return opened(folder)


def coefficients(recipe: Recipe) -> dict[str, tuple[float, ...]]:
    return dict(recipe.weights.coefficients)


def tensors(catalog: Catalog, recipe: Recipe) -> dict[str, torch.Tensor]:
    return dict(composed_tensors(catalog, recipe, torch.float32))


def equal(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return all(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.parametrize("composition", CASES)
def test_a_space_is_consistent(composition: Composition, adapters: Catalog) -> None:
    space = composition.space(adapters)
    n = space.dimensions
    assert len(set(space.coordinates)) == n == len(space.low_D) == len(space.high_D) == len(space.neutral_D)
    assert space.experts_ED.shape == (len(adapters.experts), n)
    assert space.uniforms_UD.shape[1] == n
    assert len(space.uniforms_UD) >= 1
    baselines_BD = np.stack([baseline.position_D for baseline in space.baselines])
    assert (baselines_BD >= space.low_D).all()
    assert (baselines_BD <= space.high_D).all()


@pytest.mark.parametrize("composition", CASES)
def test_a_baseline_has_the_coefficients_that_its_id_states(composition: Composition, adapters: Catalog) -> None:
    space = composition.space(adapters)
    assert space.base.id == "base"
    assert [baseline.id for baseline in space.experts] == [f"expert:{name}" for name in adapters.names]
    assert [baseline.id for baseline in space.uniforms] == [f"uniform:{each.scale:.4g}" for each in space.uniforms]
    assert len({baseline.id for baseline in space.baselines}) == len(space.baselines)
    for baseline in space.baselines:
        alone = baseline.id.removeprefix("expert:")
        recipe = composition.recipe(baseline.position_D.tolist(), adapters)
        for name, found in coefficients(recipe).items():
            takes_part = alone == name or baseline in space.uniforms
            assert found == pytest.approx((baseline.scale if takes_part else 0.0,) * len(found)), baseline.id


@pytest.mark.parametrize("composition", CASES)
def test_space_and_recipe_are_pure(composition: Composition, adapters: Catalog) -> None:
    one, other = composition.space(adapters), composition.space(adapters)
    assert one.coordinates == other.coordinates
    np.testing.assert_array_equal(one.uniforms_UD, other.uniforms_UD)
    position = tuple(one.uniforms_UD[0])
    assert composition.recipe(position, adapters) == composition.recipe(position, adapters)


@pytest.mark.parametrize("composition", CASES)
def test_the_neutral_position_is_the_base(composition: Composition, adapters: Catalog) -> None:
    found = tensors(adapters, composition.recipe(composition.space(adapters).neutral_D.tolist(), adapters))
    base = adapters.base.tensors
    assert equal(found, {name: base.read(name) for name in base.info})


@pytest.mark.filterwarnings("ignore::FutureWarning")
@pytest.mark.parametrize("composition", CASES)
def test_an_expert_alone_is_that_expert(composition: Composition, adapters: Catalog) -> None:
    for expert, x_D in zip(adapters.experts, composition.space(adapters).experts_ED, strict=True):
        merged = PeftModel.from_pretrained(load(adapters.base.path), expert.path).merge_and_unload().state_dict()
        assert equal(tensors(adapters, composition.recipe(x_D.tolist(), adapters)), merged)


def test_a_full_checkpoint_alone_is_that_checkpoint(everything: Catalog) -> None:
    full = everything.experts[-1].source.files
    for groups in ("all", "modules", "layers:2"):
        composition = Weights(groups=groups)
        x_D = composition.space(everything).experts_ED[-1]
        found = tensors(everything, composition.recipe(x_D.tolist(), everything))
        assert equal(found, {name: full.read(name) for name in full.info})


@pytest.mark.parametrize(
    ("groups", "names"),
    [
        ("modules", ["attention", "mlp", "other"]),
        ("layers:2", ["layers0-0", "layers1-1"]),
        (PATTERNS, ["low", "head", "rest"]),
        ("layers:1", None),
        ("all", None),
    ],
    ids=str,
)
def test_coordinates_are_named_for_experts_and_groups(everything: Catalog, groups: object, names: object) -> None:
    composition = Weights(groups=groups)  # type: ignore[arg-type]
    experts = everything.names
    expected = [f"{e}.{g}" for e in experts for g in names] if isinstance(names, list) else list(experts)
    space = composition.space(everything)
    assert list(space.coordinates) == expected
    recipe = composition.recipe([float(i) for i in range(space.dimensions)], everything)
    flat = [c for name in experts for c in recipe.weights.coefficients[name]]
    assert flat == list(range(space.dimensions))


@pytest.mark.parametrize("groups", ["all", "modules", "layers:1", "layers:2", PATTERNS], ids=str)
def test_every_parameter_has_one_owner_and_every_group_a_parameter(everything: Catalog, groups: object) -> None:
    weights = Weights(groups=groups)  # type: ignore[arg-type]
    made = weights.recipe([0.0] * weights.space(everything).dimensions, everything).weights.groups
    owners = [group_index(made, parameter) for parameter in everything.parameters()]
    assert set(owners) == set(range(len(made)))
    assert made[-1].patterns[-1] == "*"


@pytest.mark.parametrize("n", [1, 2, 3, 4])
def test_uniform_averages_are_sorted_and_sum_to_whole_numbers(folder: Path, n: int) -> None:
    catalog = opened(folder, *(*ADAPTERS, "full")[:n])
    uniforms_UD = Weights().space(catalog).uniforms_UD
    assert (uniforms_UD == uniforms_UD[:, :1]).all()
    assert (np.diff(uniforms_UD[:, 0]) > 0).all()
    assert uniforms_UD[0].sum() == pytest.approx(1.0)
    assert uniforms_UD.max() <= 1.0
    np.testing.assert_allclose(uniforms_UD.sum(axis=1), np.arange(1, n + 1))


@pytest.mark.parametrize(
    "bounds", [{"low": 0.1}, {"high": 0.9}, {"low": float("nan")}, {"high": float("inf")}], ids=str
)
def test_bounds_enclose_the_base_and_the_experts(bounds: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=r"must enclose|finite number"):
        Weights(**bounds)  # type: ignore[arg-type]


def test_factors_are_refused_for_what_has_none(everything: Catalog) -> None:
    with pytest.raises(ConfigError, match=r"composition.algebra: factors .* expert full is not a plain LoRA adapter"):
        Weights(algebra="factors").space(everything)
