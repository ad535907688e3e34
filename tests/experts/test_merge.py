"""Updates, their sums, sparsification and groups: the arithmetic that everything else rests on."""

from pathlib import Path

import pytest
import torch
from peft import PeftModel
from torch import Tensor

from support.models import ATTENTION, load, make_adapter, make_base, make_checkpoint, make_gpt2
from swarm.compositions.weights import Weights
from swarm.core.errors import ConfigError
from swarm.core.recipes import Group, Recipe, WeightRecipe
from swarm.engines.transformers.merged_weights import MergedWeights
from swarm.experts.catalog import Catalog, ExpertSpec, open_catalog
from swarm.experts.merge import BLOCK_ELEMENTS, StackedFactors, compose, merge_plan
from swarm.experts.merge_model import composed_tensor, composed_tensors, execute_plans
from swarm.experts.parameter_groups import group_index, make_groups
from swarm.experts.sparsify import Sparsification
from swarm.experts.thread_pool import parallel_for
from swarm.experts.updates import Delta, LowRank, Replacement, Term, delta_of

ADAPTERS = {
    "plain": {},
    "attention": {"targets": ATTENTION},
    "rslora": {"use_rslora": True, "r": 3, "alpha": 5},
    "patterns": {"r": 2, "rank_pattern": {"q_proj": 5, "layers.1.mlp.up_proj": 3}, "alpha_pattern": {"down_proj": 7}},
    "patterned_rslora": {"use_rslora": True, "rank_pattern": {"v_proj": 3}, "alpha_pattern": {r"layers\.0\..*": 3}},
    "saved": {"modules_to_save": ["lm_head"], "targets": ["q_proj"]},
    "embedding": {"targets": ["embed_tokens", "lm_head", "v_proj"]},
}
PARAMETER = "model.layers.0.self_attn.q_proj.weight"


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_base(tmp_path_factory.mktemp("composing") / "base")


@pytest.fixture(scope="module")
def catalog(base: Path) -> Catalog:
    """Two adapters and a full fine-tune."""
    paths = [make_adapter(base.parent / name, base, seed) for seed, name in enumerate(("one", "two"))]
    paths.append(make_checkpoint(base.parent / "full", base, seed=3))
    return open_catalog(base, [ExpertSpec(path.name, path) for path in paths])


def recipe(algebra: str = "delta", **coefficients: float) -> Recipe:
    values = {name: (c,) for name, c in coefficients.items()}
    return Recipe(WeightRecipe(algebra, (Group("all", ("*",)),), values))  # type: ignore[arg-type]


def sparsified(catalog: Catalog, name: str = "one", **sparsification: float) -> Tensor:
    """The update of PARAMETER, sparsified."""
    path = catalog.base.path.parent / name
    catalog = open_catalog(catalog.base.path, [ExpertSpec(name, path, Sparsification(**sparsification))])
    update = catalog.experts[0].update(PARAMETER, catalog.base)
    return delta_of(update, catalog.base.tensors.read(PARAMETER))


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", ADAPTERS)
def test_an_adapter_alone_is_what_peft_merges_bit_for_bit(base: Path, tmp_path: Path, kind: str) -> None:
    path = make_adapter(tmp_path / kind, base, seed=7, **ADAPTERS[kind])
    merged = PeftModel.from_pretrained(load(base, torch.float32), path).merge_and_unload().state_dict()
    catalog = open_catalog(base, [ExpertSpec("it", path)])
    for name, tensor in composed_tensors(catalog, recipe(it=1.0), torch.float32):
        assert torch.equal(tensor, merged[name]), name
    assert any(not torch.equal(merged[name], catalog.base.tensors.read(name)) for name in catalog.parameters())


@pytest.mark.filterwarnings("ignore")
def test_an_adapter_of_transposed_weights_is_what_peft_merges(tmp_path: Path) -> None:
    base = make_gpt2(tmp_path / "base")
    path = make_adapter(tmp_path / "it", base, seed=1, targets=["c_attn", "c_proj", "c_fc"], fan_in_fan_out=True)
    merged = PeftModel.from_pretrained(load(base, torch.float32), path).merge_and_unload().state_dict()
    for name, tensor in composed_tensors(open_catalog(base, [ExpertSpec("it", path)]), recipe(it=1.0), torch.float32):
        assert torch.equal(tensor, merged[name]), name


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_one_hot_is_the_expert_and_zero_the_base_bit_for_bit(catalog: Catalog, dtype: torch.dtype) -> None:
    full = catalog.experts[2].source.files
    for name in catalog.base.tensors.info:
        neutral = composed_tensor(catalog, recipe(one=0.0, two=0.0, full=0.0), name, dtype)
        alone = composed_tensor(catalog, recipe(one=0.0, two=0.0, full=1.0), name, dtype)
        assert torch.equal(neutral, catalog.base.tensors.read(name).to(dtype))
        assert torch.equal(alone, full.read(name).to(dtype))


def test_the_same_recipe_gives_the_same_bits(catalog: Catalog) -> None:
    twice = [dict(composed_tensors(catalog, recipe(one=0.3, two=-0.7, full=0.4), torch.bfloat16)) for _ in range(2)]
    assert all(torch.equal(twice[0][name], twice[1][name]) for name in twice[0])


def test_delta_is_the_sum_of_the_updates(catalog: Catalog) -> None:
    base = catalog.base.tensors.read(PARAMETER)
    coefficients = {"one": 0.3, "two": -0.7, "full": 0.4}
    updates = {expert.name: delta_of(expert.update(PARAMETER, catalog.base), base) for expert in catalog.experts}
    expected = base.double() + sum(c * updates[name].double() for name, c in coefficients.items())
    found = composed_tensor(catalog, recipe(**coefficients), PARAMETER, torch.float32)
    torch.testing.assert_close(found.double(), expected, rtol=0, atol=1e-6)


def test_factors_is_the_product_of_the_sums(catalog: Catalog) -> None:
    adapters = Catalog(catalog.base, catalog.experts[:2])
    one, two = (expert.update(PARAMETER, catalog.base) for expert in adapters.experts)
    a = 0.3 * one.a_RI + 0.8 * two.a_RI
    b = 0.3 * one.scaling * one.b_OR + 0.8 * two.scaling * two.b_OR
    found = composed_tensor(adapters, recipe("factors", one=0.3, two=0.8), PARAMETER, torch.float32)
    torch.testing.assert_close(found, catalog.base.tensors.read(PARAMETER) + b @ a, rtol=0, atol=1e-6)
    alone = composed_tensor(adapters, recipe("factors", one=1.0, two=0.0), PARAMETER, torch.float32)
    delta = composed_tensor(adapters, recipe(one=1.0, two=0.0), PARAMETER, torch.float32)
    assert torch.equal(alone, delta)


def test_a_sum_is_cast_once(catalog: Catalog) -> None:
    """Small updates survive in bfloat16 as far as a single rounding allows."""
    mixed = recipe(one=0.3, two=-0.7, full=0.4)
    exact = composed_tensor(catalog, mixed, PARAMETER, torch.float32)
    assert torch.equal(composed_tensor(catalog, mixed, PARAMETER, torch.bfloat16), exact.to(torch.bfloat16))


def test_trim_keeps_the_largest_entries(catalog: Catalog) -> None:
    whole, part = sparsified(catalog), sparsified(catalog, trim=0.25)
    kept = part != 0
    assert kept.sum() == round(0.25 * whole.numel())
    assert torch.equal(part[kept], whole[kept])
    assert whole[kept].abs().min() >= whole[~kept].abs().max()


def test_dare_drops_at_random_and_rescales_the_rest(catalog: Catalog) -> None:
    whole, part = sparsified(catalog), sparsified(catalog, dare=0.75)
    kept = part != 0
    assert kept.float().mean() == pytest.approx(0.25, abs=0.05)
    torch.testing.assert_close(part[kept], whole[kept] * 4)
    assert torch.equal(part, sparsified(catalog, dare=0.75))
    assert not torch.equal(kept, sparsified(catalog, "two", dare=0.75) != 0)


def test_svd_keeps_the_best_approximation_of_a_rank(catalog: Catalog) -> None:
    whole, part = sparsified(catalog, "full"), sparsified(catalog, "full", svd=3)
    assert torch.linalg.matrix_rank(part) == 3
    lost = torch.linalg.svdvals(whole)[3:].square().sum().sqrt()
    torch.testing.assert_close((whole - part).norm(), lost, rtol=1e-4, atol=0)


GROUPINGS = ["all", "modules", "layers:1", "layers:2", {"first": ["*layers.0.*"], "head": ["lm_head.*"]}]


@pytest.mark.parametrize("spec", GROUPINGS, ids=str)
def test_groups_own_every_parameter_exactly_once(catalog: Catalog, spec: object) -> None:
    groups = make_groups(spec, catalog.parameters())  # type: ignore[arg-type]
    owners = {name: group_index(groups, name) for name in catalog.parameters()}
    assert set(owners.values()) == set(range(len(groups)))
    assert len({group.name for group in groups}) == len(groups)


def test_blocks_of_layers_take_embeddings_first_and_head_last(catalog: Catalog) -> None:
    groups = make_groups("layers:2", catalog.parameters())
    owner = {name: group_index(groups, name) for name in catalog.parameters()}
    assert owner["model.embed_tokens.weight"] == 0
    assert owner["model.layers.0.mlp.up_proj.weight"] == 0
    assert owner["model.layers.1.mlp.up_proj.weight"] == 1
    assert owner["model.norm.weight"] == owner["lm_head.weight"] == 1


def test_a_group_has_its_own_coefficients(catalog: Catalog) -> None:
    weights = Weights(groups="modules")
    position = [0.0] * 9
    position[1] = 1.0  # the first expert's mlp
    mixed = weights.recipe(position, catalog)
    attention, mlp = PARAMETER, "model.layers.0.mlp.up_proj.weight"
    assert torch.equal(composed_tensor(catalog, mixed, attention, torch.float32), catalog.base.tensors.read(attention))
    alone = composed_tensor(catalog, recipe(one=1.0, two=0.0, full=0.0), mlp, torch.float32)
    assert torch.equal(composed_tensor(catalog, mixed, mlp, torch.float32), alone)


@pytest.mark.parametrize("spec", ["layer", "layers:0", "layers:3", {"x": ["*nothing*"]}, {"rest": ["*mlp*"]}], ids=str)
def test_unknown_groups_are_refused(catalog: Catalog, spec: object) -> None:
    with pytest.raises(ConfigError, match=r"composition\.groups"):
        make_groups(spec, catalog.parameters())  # type: ignore[arg-type]


@pytest.mark.parametrize("architecture", ["llama", "gpt2"])
def test_a_pair_is_the_sum_of_its_halves_whatever_form_their_updates_have(tmp_path: Path, architecture: str) -> None:
    """Plain LoRA and SVD-truncated updates, on Linear, Conv1D and embeddings, have factors of two orientations."""
    make, targets = (
        (make_gpt2, ["c_attn", "c_proj"]) if architecture == "gpt2" else (make_base, ["q_proj", "embed_tokens"])
    )
    base = make(tmp_path / "base")
    options = {"fan_in_fan_out": True} if architecture == "gpt2" else {}
    specs = [
        ExpertSpec(name, make_adapter(tmp_path / name, base, seed, targets=targets, **options), sparsification)
        for seed, (name, sparsification) in enumerate({"plain": Sparsification(), "cut": Sparsification(svd=2)}.items())
    ]
    opened = open_catalog(base, specs)
    for name in opened.parameters():
        zero, one, two, both = (
            composed_tensor(opened, recipe(plain=c, cut=d), name, torch.float32)
            for c, d in ((0.0, 0.0), (0.5, 0.0), (0.0, 0.5), (0.5, 0.5))
        )
        assert torch.allclose(both - zero, (one - zero) + (two - zero), atol=1e-6), name


SHAPES = [(7, 5), (300, 64), (1000,), (), (40, 3, 3)]


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("threads", [1, 2])
def test_blocks_cover_a_parameter_and_change_nothing(
    shape: tuple[int, ...], threads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Many small blocks give the same bits on any number of cores, and up to rounding what one block gives."""
    base, value, delta = (torch.randn(shape, dtype=torch.bfloat16) for _ in range(3))
    terms: list[Term] = [(0.3, Replacement(value)), (0.4, Delta(delta))]
    if len(shape) == 2:
        rows, columns = shape
        terms += [(0.7, LowRank(torch.randn(2, columns), torch.randn(rows, 2), 2.0))]
        terms += [(-0.2, LowRank(torch.randn(3, rows), torch.randn(columns, 3), 1.0, transposed=True))]
    before = torch.get_num_threads()
    whole = compose(base, terms, "delta", torch.float32)
    monkeypatch.setitem(BLOCK_ELEMENTS, "cpu", 256)
    blockwise = compose(base, terms, "delta", torch.float32)
    out = torch.empty(shape)
    try:
        torch.set_num_threads(threads)
        execute_plans(
            [(out, merge_plan(base, terms, "delta", StackedFactors.of([update for _, update in terms], base.device)))]
        )
        assert torch.get_num_threads() == threads
    finally:
        torch.set_num_threads(before)
    assert torch.equal(out, blockwise)
    torch.testing.assert_close(out, whole)


def test_a_live_model_holds_what_is_exported_bit_for_bit(catalog: Catalog) -> None:
    model = load(catalog.base.path, torch.bfloat16)
    merged = MergedWeights(model, catalog)
    for mixed in (
        recipe(one=0.3, two=-0.7, full=0.4),
        recipe(one=0.0, two=0.0, full=1.0),
        recipe(one=1, two=0, full=0),
    ):
        merged.put(mixed)
        live = dict(model.named_parameters())
        for name in catalog.parameters():
            assert torch.equal(live[name], composed_tensor(catalog, mixed, name, torch.bfloat16)), name


def test_an_error_in_a_thread_is_raised() -> None:
    def fails(item: int) -> None:
        raise ValueError(str(item))

    with pytest.raises(ValueError, match="1"):
        parallel_for(fails, [1, 1, 1])
