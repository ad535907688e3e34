"""Shared by the tests of exports: experts of every kind, and recipes of them."""

from pathlib import Path

import torch

from support.models import ATTENTION, make_adapter, make_base, make_checkpoint
from swarm.compositions.weights import Weights
from swarm.experts.alignment_vectors import make_vector
from swarm.experts.catalog import Catalog, ExpertSpec, open_catalog
from swarm.experts.merge_model import composed_tensors
from swarm.experts.safetensors_files import TensorFiles
from swarm.experts.sparsify import Sparsification
from swarm.export import Exported


def make_experts(folder: Path) -> Path:
    """A base in float32 and experts of every kind."""
    base = make_base(folder / "base")
    make_adapter(folder / "plain", base, seed=1)
    make_adapter(folder / "same", base, seed=2)
    make_adapter(folder / "narrow", base, seed=3, r=2, targets=ATTENTION, use_rslora=True)
    make_adapter(folder / "mixed", base, seed=4, rank_pattern={"up_proj": 3}, alpha_pattern={"up_proj": 5})
    make_adapter(folder / "embedding", base, seed=5, targets=["embed_tokens", "lm_head", "q_proj"])
    make_adapter(folder / "saved", base, seed=6, targets=["q_proj"], modules_to_save=["lm_head"])
    checkpoint = make_checkpoint(folder / "full", base, seed=7, max_shard_size="20KB")
    make_vector(base, checkpoint, folder / "vector.safetensors")
    return folder


def opened(folder: Path, *names: str, **sparsification: float) -> Catalog:
    specs = [ExpertSpec(Path(name).stem, folder / name, Sparsification(**sparsification)) for name in names]
    return open_catalog(folder / "base", specs)


def exported(catalog: Catalog, dtype: str = "float32", **composition: object) -> Exported:
    """A recipe with a different coefficient for each expert and group."""
    weights = Weights(**composition)
    dimensions = weights.space(catalog).dimensions
    position = [0.7 - 0.31 * i + 0.05 * i * i for i in range(dimensions)]
    return Exported(catalog, weights.recipe(position, catalog), dtype, None, "", "3-1")


def assert_holds(checkpoint: Path, what: Exported) -> None:
    """The checkpoint's tensors are the composed ones, bit for bit."""
    found = TensorFiles.of(checkpoint)
    expected = dict(composed_tensors(what.catalog, what.recipe, what.torch_dtype))
    assert set(found.info) == set(expected)
    for name, tensor in expected.items():
        assert found.read(name).dtype == tensor.dtype
        assert torch.equal(found.read(name), tensor), name
