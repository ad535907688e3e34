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
from swarm.engines.transformers.logit_mix import mix_of
from swarm.experts.catalog import Catalog
from swarm.experts.control_layer import write_control_layer
from swarm.experts.layer_copy import control_layer_of, with_control_layer
from swarm.experts.merge_model import composed_tensors
from swarm.experts.parameter_groups import group_index

PATTERNS = {"low": ["*layers.0.*"], "head": ["lm_head*", "*norm*"]}
WEIGHTS = [
    {"algebra": algebra, "groups": groups} for algebra in ("delta", "factors") for groups in ("all", "modules")
] + [{"groups": "layers:2"}, {"groups": {"low": ["*layers.0.*"]}}, {"low": -1.0, "high": 1.0}]
ROUTED = [{"router": "router", "by": by} for by in ("logits", "clusters")]  # the folder lies in the working directory
MIXED: list[dict[str, object]] = [
    {"logits": list(ADAPTERS)},
    {"weights": ["one", "two"], "logits": ["two", "three"], "scales": {"one.weights": 1.44, "two.logits": 0.707}},
    {"groups": "modules", "logits": ["three"]},
    {"weights": []},
]
LOGITS: list[dict[str, object]] = [{}, {"combine": "probabilities"}, {"low": -1.0, "high": 2.0}]
SETTINGS: dict[str, list[dict[str, object]]] = {
    "weights": WEIGHTS, "logits": LOGITS, "mixed": MIXED, "routed": ROUTED,
}  # fmt: skip
CASES = [
    pytest.param(COMPOSITIONS[kind](**settings), id=f"{kind}-{settings}")
    for kind in COMPOSITIONS
    for settings in SETTINGS.get(kind, [{}])
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = make_workshop(tmp_path_factory.mktemp("compositions"))
    write_random_router(folder / "router", opened(folder, *ADAPTERS))
    base = opened(folder, *ADAPTERS).base
    for i, name in enumerate(CONTROLS):
        copied = control_layer_of(with_control_layer(load(folder / "base"), None)).state_dict()
        layer = {key: tensor.clone() for key, tensor in copied.items()}
        layer["mlp.down_proj.weight"] += 0.1 * (i + 1)
        (folder / name).mkdir()
        write_control_layer(folder / name, layer, str(folder / "base"), base.tensors.fingerprint)
    with chdir(folder):
        yield folder


CONTROLS = ("first", "second")


@pytest.fixture(scope="module")
def adapters(folder: Path) -> Catalog:
    return opened(folder, *ADAPTERS)


@pytest.fixture
def catalog(request: pytest.FixtureRequest, folder: Path) -> Catalog:
    """What a composition is made for: control layers, or adapters."""
    composition = request.getfixturevalue("composition")
    return opened(folder, *(CONTROLS if composition.type == "control" else ADAPTERS))


@pytest.fixture(scope="module")
def everything(folder: Path) -> Catalog:
    return opened(folder)


def coefficients(recipe: Recipe) -> dict[str, tuple[float, ...]]:
    """By the name of a baseline: of an expert on weights, or on logits, which `expert:NAME.logits` is in a mixture."""
    found = {name: values for name, values in recipe.weights.coefficients.items() if any(values)}
    for name, value in (recipe.logits.coefficients if recipe.logits else {}).items():
        if value:
            found[f"{name}.logits"] = (value,)
    return found


def tensors(catalog: Catalog, recipe: Recipe) -> dict[str, torch.Tensor]:
    return dict(composed_tensors(catalog, recipe, torch.float32))


def equal(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return all(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.parametrize("composition", CASES)
def test_a_space_is_consistent(composition: Composition, catalog: Catalog) -> None:
    space = composition.space(catalog)
    n = space.dimensions
    assert len(set(space.coordinates)) == n == len(space.low_D) == len(space.high_D) == len(space.neutral_D)
    assert space.experts_ED.shape[1] == n == space.uniforms_UD.shape[1]
    assert len(space.uniforms_UD) >= 1
    baselines_BD = np.stack([baseline.position_D for baseline in space.baselines])
    assert (baselines_BD >= space.low_D).all()
    assert (baselines_BD <= space.high_D).all()


@pytest.mark.parametrize("composition", CASES)
def test_every_source_is_a_baseline_and_has_the_coefficient_1(composition: Composition, catalog: Catalog) -> None:
    space = composition.space(catalog)
    assert space.base.id == "base"
    assert not coefficients(composition.recipe(space.base.position_D.tolist(), catalog))
    alone = [baseline.id.removeprefix("expert:") for baseline in space.experts]
    assert {name.removesuffix(".logits") for name in alone} == {source.name for source in catalog.sources}
    assert len({baseline.id for baseline in space.baselines}) == len(space.baselines)
    for name, baseline in zip(alone, space.experts, strict=True):
        ((found, values),) = coefficients(composition.recipe(baseline.position_D.tolist(), catalog)).items()
        assert found in (name, f"{name}.logits")
        assert set(values) == {1.0}


@pytest.mark.parametrize("composition", CASES)
def test_a_uniform_average_has_one_coefficient_for_all(composition: Composition, catalog: Catalog) -> None:
    for baseline in composition.space(catalog).uniforms:
        assert baseline.id == f"uniform:{baseline.scale:.4g}"
        found = coefficients(composition.recipe(baseline.position_D.tolist(), catalog))
        values = [value for each in found.values() for value in each]
        assert values == pytest.approx([baseline.scale] * len(values))
        assert len(found) > 1


@pytest.mark.parametrize("composition", CASES)
def test_space_and_recipe_are_pure(composition: Composition, catalog: Catalog) -> None:
    one, other = composition.space(catalog), composition.space(catalog)
    assert one.coordinates == other.coordinates
    np.testing.assert_array_equal(one.uniforms_UD, other.uniforms_UD)
    position = tuple(one.uniforms_UD[0])
    assert composition.recipe(position, catalog) == composition.recipe(position, catalog)


@pytest.mark.parametrize("composition", CASES)
def test_the_neutral_position_is_the_base(composition: Composition, catalog: Catalog) -> None:
    recipe = composition.recipe(composition.space(catalog).neutral_D.tolist(), catalog)
    base = catalog.base.tensors
    assert mix_of(recipe, catalog).weights == {"base": 1.0}
    assert equal(tensors(catalog, recipe), {name: base.read(name) for name in base.info})


@pytest.mark.filterwarnings("ignore::FutureWarning")
@pytest.mark.parametrize("composition", CASES)
def test_an_expert_alone_is_that_expert(composition: Composition, catalog: Catalog) -> None:
    """Its weights, bit for bit, or its own logits, of which the engine's tests have the bits."""
    for baseline in composition.space(catalog).experts:
        recipe = composition.recipe(baseline.position_D.tolist(), catalog)
        name = baseline.id.removeprefix("expert:").removesuffix(".logits")
        if recipe.logits is not None and recipe.logits.coefficients.get(name):
            (model,) = mix_of(recipe, catalog).weights.items()
            assert model == (f"{'control' if composition.type == 'control' else 'expert'}:{name}", 1.0)
            continue
        path = next(expert.path for expert in catalog.experts if expert.name == name)
        merged = PeftModel.from_pretrained(load(catalog.base.path), path).merge_and_unload().state_dict()
        assert equal(tensors(catalog, recipe), merged)


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
