"""base + 1 * vector is the aligned model."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from support.models import ATTENTION, make_adapter, make_base, make_checkpoint
from swarm.core.errors import ExpertError, UserError
from swarm.core.recipes import Group, Recipe, WeightRecipe
from swarm.experts.alignment_vectors import make_vector
from swarm.experts.catalog import Catalog, ExpertSpec, open_catalog
from swarm.experts.merge_model import composed_tensor, composed_tensors
from swarm.experts.safetensors_files import TensorFiles
from swarm.experts.vector_files import VECTOR_FORMAT


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_base(tmp_path_factory.mktemp("vectors") / "base")


@pytest.fixture(scope="module")
def half_base(base: Path) -> Path:
    return make_base(base.parent / "half", dtype=torch.bfloat16)


def opened(base: Path, *experts: Path) -> Catalog:
    return open_catalog(base, [ExpertSpec(path.stem, path) for path in experts])


def recipe(**coefficients: float) -> Recipe:
    return Recipe(WeightRecipe("delta", (Group("all", ("*",)),), {name: (c,) for name, c in coefficients.items()}))


def test_a_bfloat16_checkpoint_comes_back_bit_for_bit(half_base: Path, tmp_path: Path) -> None:
    aligned = make_checkpoint(tmp_path / "aligned", half_base, seed=1)
    make_vector(half_base, aligned, tmp_path / "v.safetensors")
    catalog = opened(half_base, tmp_path / "v.safetensors")
    expected = TensorFiles.of(aligned)
    for name, tensor in composed_tensors(catalog, recipe(v=1.0), torch.bfloat16):
        assert torch.equal(tensor, expected.read(name)), name


def test_a_float32_checkpoint_comes_back_within_one_rounding(base: Path, tmp_path: Path) -> None:
    aligned = make_checkpoint(tmp_path / "aligned", base, seed=1, max_shard_size="20KB")
    make_vector(base, aligned, tmp_path / "v.safetensors")
    expected, before = TensorFiles.of(aligned), TensorFiles.of(base)
    for name, tensor in composed_tensors(opened(base, tmp_path / "v.safetensors"), recipe(v=1.0), torch.float32):
        theirs, ours = expected.read(name), before.read(name)
        step = torch.maximum(theirs.abs(), ours.abs()) * torch.finfo(torch.float32).eps
        assert ((tensor - theirs).abs() <= step).all(), name
        near = (theirs / ours > 0.5) & (theirs / ours < 2)
        assert torch.equal(tensor[near], theirs[near]), name


def test_a_vector_is_an_expert_that_adds(base: Path, tmp_path: Path) -> None:
    aligned = make_checkpoint(tmp_path / "aligned", base, seed=1)
    make_vector(base, aligned, tmp_path / "v.safetensors")
    catalog = opened(base, tmp_path / "v.safetensors", aligned)
    assert catalog.experts[0].kind == "vector"
    name = "model.layers.0.mlp.up_proj.weight"
    by_vector = composed_tensor(catalog, recipe(v=0.4, aligned=0.0), name, torch.float32)
    by_checkpoint = composed_tensor(catalog, recipe(v=0.0, aligned=0.4), name, torch.float32)
    torch.testing.assert_close(by_vector, by_checkpoint, rtol=0, atol=1e-7)


def test_the_file_records_what_it_is_made_from(base: Path, tmp_path: Path) -> None:
    aligned = make_checkpoint(tmp_path / "aligned", base, seed=1)
    make_vector(base, aligned, tmp_path / "v.safetensors")
    assert TensorFiles.of(tmp_path / "v.safetensors").metadata == {
        "format": VECTOR_FORMAT,
        "base_fingerprint": TensorFiles.of(base).fingerprint,
        "base_path": str(base),
        "aligned_fingerprint": TensorFiles.of(aligned).fingerprint,
        "aligned_path": str(aligned),
    }
    assert [file.name for file in tmp_path.glob("*v.safe*")] == ["v.safetensors"]


def test_only_what_differs_is_stored(base: Path, tmp_path: Path) -> None:
    aligned = tmp_path / "aligned"
    shutil.copytree(base, aligned)
    tensors = load_file(aligned / "model.safetensors")
    tensors["model.norm.weight"] += 1
    save_file(tensors, aligned / "model.safetensors", {"format": "pt"})
    reported: list[tuple[int, int]] = []
    make_vector(base, aligned, tmp_path / "v.safetensors", progress=lambda done, total: reported.append((done, total)))
    found = load_file(tmp_path / "v.safetensors")
    assert list(found) == ["model.norm.weight"]
    assert torch.equal(found["model.norm.weight"], torch.ones(32))
    assert reported == [(i + 1, len(tensors)) for i in range(len(tensors))]


def test_no_difference_is_an_error_and_leaves_no_file(base: Path, tmp_path: Path) -> None:
    with pytest.raises(ExpertError, match="no difference"):
        make_vector(base, base, tmp_path / "v.safetensors")
    assert list(tmp_path.iterdir()) == []


def test_a_vector_of_a_checkpoint_and_its_adapter(base: Path, tmp_path: Path) -> None:
    adapter = make_adapter(tmp_path / "adapter", base, seed=1)
    make_vector(base, adapter, tmp_path / "v.safetensors")
    catalog = opened(base, adapter, tmp_path / "v.safetensors")
    assert set(catalog.experts[1].source.parameters()) == set(catalog.experts[0].source.parameters())
    for name in catalog.parameters():
        by_adapter = composed_tensor(catalog, recipe(adapter=1.0, v=0.0), name, torch.float32)
        assert torch.equal(composed_tensor(catalog, recipe(adapter=0.0, v=1.0), name, torch.float32), by_adapter)


def test_a_vector_between_two_adapters(base: Path, tmp_path: Path) -> None:
    before = make_adapter(tmp_path / "before", base, seed=1, r=2, targets=ATTENTION)
    after = make_adapter(tmp_path / "after", base, seed=2, r=3, use_rslora=True)
    make_vector(before, after, tmp_path / "v.safetensors")
    catalog = opened(base, before, after, tmp_path / "v.safetensors")
    assert catalog.experts[2].source.files.metadata["base_fingerprint"] == catalog.base.tensors.fingerprint
    for name in catalog.parameters():
        there = composed_tensor(catalog, recipe(before=1.0, after=0.0, v=1.0), name, torch.float32)
        expected = composed_tensor(catalog, recipe(before=0.0, after=1.0, v=0.0), name, torch.float32)
        torch.testing.assert_close(there, expected, rtol=0, atol=1e-7)


def test_modules_saved_whole_are_subtracted(base: Path, tmp_path: Path) -> None:
    saved = {"targets": ["q_proj"], "modules_to_save": ["lm_head"]}
    first, second = (make_adapter(tmp_path / str(seed), base, seed, **saved) for seed in (1, 2))
    make_vector(first, second, tmp_path / "v.safetensors")
    key = "base_model.model.lm_head.weight"
    expected = TensorFiles.of(second, "adapter_model").read(key) - TensorFiles.of(first, "adapter_model").read(key)
    assert torch.equal(load_file(tmp_path / "v.safetensors")["lm_head.weight"], expected)
    plain = make_adapter(tmp_path / "plain", base, seed=3)
    with pytest.raises(ExpertError, match="saved whole in one adapter"):
        make_vector(plain, first, tmp_path / "w.safetensors")


def test_pairs_that_do_not_belong_together_are_refused(base: Path, tmp_path: Path) -> None:
    adapter = make_adapter(tmp_path / "adapter", base, seed=1)
    elsewhere = make_adapter(tmp_path / "elsewhere", make_base(tmp_path / "another", seed=9), seed=1)
    out = tmp_path / "v.safetensors"
    with pytest.raises(UserError, match=r"is an adapter and .* is a checkpoint; give two checkpoints"):
        make_vector(adapter, base, out)
    with pytest.raises(ExpertError, match="num_hidden_layers"):
        make_vector(base, make_base(tmp_path / "deep", layers=3), out)
    with pytest.raises(ExpertError, match="fingerprint"):
        make_vector(adapter, elsewhere, out)
    narrow = make_adapter(tmp_path / "narrow", make_base(tmp_path / "small", hidden=16), seed=1)
    config = json.loads((narrow / "adapter_config.json").read_text()) | {"base_model_name_or_path": "some/model"}
    (narrow / "adapter_config.json").write_text(json.dumps(config))
    with pytest.raises(ExpertError, match=r"is \[.*give two adapters of one base"):
        make_vector(adapter, narrow, out)
    assert not out.exists()


def test_a_vector_of_another_base_is_refused_as_expert(base: Path, tmp_path: Path) -> None:
    make_vector(base, make_checkpoint(tmp_path / "aligned", base, seed=1), tmp_path / "v.safetensors")
    with pytest.raises(ExpertError, match="made from a base with fingerprint"):
        opened(make_base(tmp_path / "other", seed=5), tmp_path / "v.safetensors")
    stamped = {"format": VECTOR_FORMAT, "base_fingerprint": "d2" * 5000}
    save_file(load_file(tmp_path / "v.safetensors"), tmp_path / "long.safetensors", stamped)
    with pytest.raises(ExpertError, match=r"fingerprint d2d2[d2]{20,30}\.\.\., this base"):
        opened(base, tmp_path / "long.safetensors")


def test_a_narrower_dtype_is_allowed(base: Path, tmp_path: Path) -> None:
    aligned = make_checkpoint(tmp_path / "aligned", base, seed=1)
    make_vector(base, aligned, tmp_path / "v.safetensors", dtype=torch.bfloat16)
    assert {info.dtype for info in TensorFiles.of(tmp_path / "v.safetensors").info.values()} == {"BF16"}
    with pytest.raises(UserError, match=r"name it .*v\.safetensors"):
        make_vector(base, aligned, tmp_path / "v.pt")


def test_values_that_are_not_finite_are_refused(base: Path, tmp_path: Path) -> None:
    for value in (torch.nan, torch.inf, -torch.inf):
        aligned = tmp_path / str(value)
        shutil.copytree(base, aligned)
        tensors = load_file(aligned / "model.safetensors")
        tensors["model.norm.weight"][3] = value
        save_file(tensors, aligned / "model.safetensors", {"format": "pt"})
        with pytest.raises(ExpertError, match=r"model\.norm\.weight: aligned minus base is not finite"):
            make_vector(base, aligned, tmp_path / "v.safetensors")
    assert not (tmp_path / "v.safetensors").exists()


def test_a_vector_of_other_than_floating_point_numbers_is_refused(base: Path, tmp_path: Path) -> None:
    shape = TensorFiles.of(base).info["model.norm.weight"].shape
    for dtype in (torch.complex64, torch.int8):
        tensors = {"model.norm.weight": torch.ones(shape, dtype=dtype)}
        save_file(tensors, tmp_path / "v.safetensors", metadata={"format": VECTOR_FORMAT})
        with pytest.raises(ExpertError, match=r"model\.norm\.weight in .* holds (C64|I8)"):
            opened(base, tmp_path / "v.safetensors")
