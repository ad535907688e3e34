"""Routed composition: what a position means, where a search starts, and routers that do not belong."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from support.routers import write_random_router
from support.runs import ADAPTERS, make_workshop, opened
from swarm.compositions.routed import Routed
from swarm.core.errors import ExpertError
from swarm.core.recipes import LogitRecipe, RoutingRecipe
from swarm.experts.calibrators import Calibration
from swarm.experts.catalog import Catalog
from swarm.experts.router_files import fingerprint, open_router
from swarm.optimizers.initial_design import initial_design


@pytest.fixture(scope="module")
def workshop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = make_workshop(tmp_path_factory.mktemp("routed"))
    write_random_router(folder / "router", opened(folder, *ADAPTERS))
    return folder


@pytest.fixture(scope="module")
def catalog(workshop: Path) -> Catalog:
    return opened(workshop, *ADAPTERS)


@pytest.fixture
def copy(workshop: Path, tmp_path: Path) -> Path:
    return shutil.copytree(workshop / "router", tmp_path / "router")


def composed(folder: Path, **settings: object) -> Routed:
    return Routed(**{"router": str(folder), **settings})  # type: ignore[arg-type]


def routing(folder: Path, catalog: Catalog, start: int = 0, **settings: object) -> RoutingRecipe:
    """What the composition makes of one of its starts."""
    composition = composed(folder, **settings)
    found = composition.recipe(composition.space(catalog).starts[start].tolist(), catalog).routing
    assert found is not None
    return found


@pytest.mark.parametrize("calibration", ["platt", "isotonic"])
def test_a_router_is_read_as_it_was_written(calibration: Calibration, catalog: Catalog, tmp_path: Path) -> None:
    made = write_random_router(tmp_path / "router", catalog, calibration)
    read = open_router(tmp_path / "router", catalog)
    features_NH = np.random.default_rng(1).normal(size=(7, 32))
    recipe = routing(tmp_path / "router", catalog)
    np.testing.assert_allclose(read.weights(features_NH, recipe), made.weights(features_NH, recipe), rtol=1e-9)
    np.testing.assert_array_equal(read.centres(recipe), made.centres(recipe))
    assert (read.report, read.experts, read.layer) == (made.report, made.experts, 1)


@pytest.mark.parametrize("by", ["logits", "clusters"])
def test_baselines_are_plain_recipes_without_a_router(by: str, workshop: Path, catalog: Catalog) -> None:
    """Coefficients on logits or on weights that are the same for every prompt: exactly 0, one-hot or uniform."""
    composition = composed(workshop / "router", by=by)
    for baseline in composition.space(catalog).baselines:
        recipe = composition.recipe(baseline.position_D.tolist(), catalog)
        alone = baseline.id.removeprefix("expert:")
        part = {n: baseline.scale if alone == n or baseline.id.startswith("uniform") else 0.0 for n in catalog.names}
        assert recipe.routing is None
        on_weights = {name: (value if by == "clusters" else 0.0,) for name, value in part.items()}
        assert dict(recipe.weights.coefficients) == on_weights
        assert recipe.logits == (LogitRecipe("logits", part) if by == "logits" else None)


def test_the_first_start_is_the_router_as_it_was_fitted(workshop: Path, catalog: Catalog) -> None:
    found = routing(workshop / "router", catalog, base_share=0.1, by="clusters", clusters=2)
    assert found == RoutingRecipe(
        router=str(workshop / "router"),
        by="clusters",
        clusters=2,
        fractal=0.6,
        natural=0.4,
        temperature=1.0,
        base_share=0.1,
        strength=1.0,
        biases=dict.fromkeys(ADAPTERS, 0.0),
        scales=dict.fromkeys(ADAPTERS, 1.0),
    )


@pytest.mark.parametrize(
    ("scores", "weights"),
    [("none", (0.0, 0.0)), ("fractal", (0.6, 0.0)), ("natural", (0.0, 0.4)), ("both", (0.6, 0.4))],
)
def test_a_score_that_is_left_out_has_neither_weight_nor_coordinate(
    scores: str, weights: tuple[float, float], workshop: Path, catalog: Catalog
) -> None:
    found = routing(workshop / "router", catalog, scores=scores)
    assert (found.fractal, found.natural) == weights
    coordinates = composed(workshop / "router", scores=scores).space(catalog).coordinates
    shown = {name.removeprefix("router.") for name in coordinates}
    assert shown & {"fractal", "natural"} == {n for n, w in zip(("fractal", "natural"), weights, strict=True) if w}


def test_a_position_by_its_definition(workshop: Path, catalog: Catalog) -> None:
    composition = composed(workshop / "router")
    at = dict.fromkeys(composition.space(catalog).coordinates, 0.0)
    at |= {"one": 0.5, "three": -0.25, "router.bias.two": 0.25, "router.strength": 1.4, "router.sharpness": 0.5}
    at |= {"router.natural": -0.1}
    found = composition.recipe(list(at.values()), catalog).routing
    assert found is not None
    assert dict(found.scales) == {"one": 0.5, "two": 0.0, "three": -0.25}
    assert dict(found.biases) == {"one": 0.0, "two": 0.5, "three": 0.0}
    assert (found.strength, found.fractal) == (1.0, 0.6)
    assert (found.temperature, found.natural) == pytest.approx((np.exp(-1.0), 0.3))


@pytest.mark.parametrize("extreme", [-1e6, 1e6])
def test_positions_far_outside_have_finite_weights(extreme: float, workshop: Path, catalog: Catalog) -> None:
    composition = composed(workshop / "router")
    position = np.full(composition.space(catalog).dimensions, extreme)
    position[composition.space(catalog).coordinates.index("router.strength")] = 1.0
    found = composition.recipe(position.tolist(), catalog).routing
    assert found is not None
    weights_NE = open_router(workshop / "router", catalog).weights(np.zeros((1, 32)), found)
    assert np.isfinite(weights_NE).all()


def test_a_search_starts_from_the_router_and_varies_how_it_is_used(workshop: Path, catalog: Catalog) -> None:
    """Without it, a search that moves between its particles would never leave strength 0."""
    space = composed(workshop / "router").space(catalog)
    x_ND = initial_design(space, 0, 20)
    np.testing.assert_array_equal(x_ND[: len(space.starts)], space.starts)
    assert all(len(np.unique(column_N)) > 3 for column_N in x_ND.T)
    assert ((x_ND >= space.low_D) & (x_ND <= space.high_D)).all()


def test_weights_follow_the_prompt(workshop: Path, catalog: Catalog) -> None:
    features_NH = np.tile(4 * np.eye(8)[:3], 4)
    weights_NE = open_router(workshop / "router", catalog).weights(
        features_NH, routing(workshop / "router", catalog, 1)
    )
    np.testing.assert_array_equal(weights_NE.argmax(axis=1), [0, 1, 2])
    np.testing.assert_allclose(weights_NE.sum(axis=1), 1.0)


def test_a_router_that_changed_is_another_setting(copy: Path) -> None:
    composition = composed(copy)
    before = composition.decisive()
    assert before["router"] == fingerprint(copy)
    moved = copy.rename(copy.with_name("moved"))
    assert composed(moved).decisive() == before
    about = json.loads((moved / "router.json").read_text())
    (moved / "router.json").write_text(json.dumps(about | {"layer": 2}))
    assert composed(moved).decisive() != before


def test_no_folder_and_a_file_are_refused(catalog: Catalog, tmp_path: Path) -> None:
    for path in (tmp_path / "none", tmp_path):
        with pytest.raises(ExpertError, match=r"composition.router: .* make one with swarm fit-router"):
            composed(path).space(catalog)


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("base", "0" * 16, "fitted to a base with fingerprint 0000000000000000"),
        ("experts", {"one": "x", "two": "y"}, "three is an expert that the router does not know"),
        ("experts", dict.fromkeys((*ADAPTERS, "four"), "x"), "four is an expert that the router knows, and"),
        ("experts", dict.fromkeys(ADAPTERS, "x"), "expert one has fingerprint .* to one with x"),
        ("format", "swarm-recipe", "format in router.json is wrong"),
        ("version", 1, "its version is 1, which stands for other probabilities"),
        ("version", 3, "version in router.json is wrong"),
        ("layer", "two", "layer in router.json is wrong"),
        ("spreads", [0.0, 1.0], "spreads.0 in router.json is wrong"),
        ("more", 1, "more in router.json is wrong"),
    ],
)
def test_a_router_of_others_is_refused(key: str, value: object, words: str, copy: Path, catalog: Catalog) -> None:
    about = json.loads((copy / "router.json").read_text())
    (copy / "router.json").write_text(json.dumps(about | {key: value}))
    with pytest.raises(ExpertError, match=words) as error:
        composed(copy).space(catalog)
    assert "\n" not in str(error.value)
    assert "swarm fit-router" in str(error.value)


@pytest.mark.parametrize("name", ["mean_H", "best_ME", "natural_ME"])
@pytest.mark.parametrize("damage", ["missing", "short", "other", "nan"])
def test_damaged_arrays_are_refused(name: str, damage: str, copy: Path, catalog: Catalog) -> None:
    arrays = load_file(copy / "router.safetensors")
    array = arrays.pop(name)
    if damage != "missing":
        broken = {"short": array[:-1], "other": array.astype(np.float32), "nan": np.where(True, np.nan, array)}
        arrays[name] = np.ascontiguousarray(broken[damage])
    save_file(arrays, copy / "router.safetensors")
    with pytest.raises(
        ExpertError, match=r"\w+ (is missing|is not what a router holds|has the shape .* 32 numbers); fit it again"
    ):
        open_router(copy, catalog)


@pytest.mark.parametrize("file", ["router.json", "router.safetensors"])
def test_files_that_were_cut_off_are_refused(file: str, copy: Path, catalog: Catalog) -> None:
    content = (copy / file).read_bytes()
    for kept in (0, len(content) // 2, len(content) - 2):
        (copy / file).write_bytes(content[:kept])
        with pytest.raises(ExpertError):
            open_router(copy, catalog)
