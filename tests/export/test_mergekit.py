"""mergekit's own merge of the exported configuration has the weights that the engine composes.

Run with SWARM_MERGEKIT=/path/to/mergekit-yaml (mergekit pins its own versions, so it needs an environment of its own).
"""

import os
import subprocess
from pathlib import Path

import pytest
import torch

from support.models import ATTENTION, make_adapter, make_base, make_checkpoint
from swarm.compositions.weights import Weights
from swarm.experts.catalog import Catalog, ExpertSpec, open_catalog
from swarm.experts.merge_model import composed_tensors
from swarm.experts.parameter_groups import GroupSpec
from swarm.experts.safetensors_files import TensorFiles
from swarm.export import Exported, export

MERGEKIT = os.environ.get("SWARM_MERGEKIT", "")
LORA_OPTIONS = ("--lora-merge-dtype", "float32", "--lora-merge-cache")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not MERGEKIT, reason="SWARM_MERGEKIT names no mergekit-yaml executable"),
]


def make_catalog(folder: Path, dtype: torch.dtype, tied: bool) -> Catalog:
    """Adapters of two ranks, one that saves a module whole (untied bases only), and a sharded full fine-tune."""
    base = make_base(folder / "base", dtype=dtype, tied=tied, layers=3)
    saved = {} if tied else {"modules_to_save": ["lm_head"]}
    paths = [
        make_adapter(folder / "one", base, seed=1),
        make_adapter(folder / "two", base, seed=2, r=2, targets=ATTENTION, use_rslora=True, **saved),
        make_checkpoint(folder / "full", base, seed=3, max_shard_size="50KB"),
    ]
    return open_catalog(base, [ExpertSpec(path.name, path) for path in paths])


@pytest.mark.parametrize(
    ("groups", "base_dtype", "dtype", "tied"),
    [
        ("all", "float32", "float32", False),
        ("modules", "float32", "float32", False),
        ("layers:2", "float32", "float32", False),
        ({"early": ["*layers.0.*"], "up": ["*up_proj*"]}, "bfloat16", "float32", True),
        ("layers:2", "bfloat16", "bfloat16", True),
        ("all", "bfloat16", "bfloat16", False),
    ],
    ids=str,
)
def test_mergekit_merges_the_same_weights(
    tmp_path: Path, groups: GroupSpec, base_dtype: str, dtype: str, tied: bool
) -> None:
    catalog = make_catalog(tmp_path, getattr(torch, base_dtype), tied)
    weights = Weights(groups=groups)
    position = [0.7 - 0.31 * i + 0.05 * i * i for i in range(weights.space(catalog).dimensions)]
    what = Exported(catalog, weights.recipe(position, catalog), dtype, None, "", "0-0")
    config = export(what, tmp_path / "config", "mergekit") / "mergekit.yaml"
    command = [MERGEKIT, str(config), str(tmp_path / "out"), *LORA_OPTIONS, str(tmp_path / "cache")]
    subprocess.run(command, check=True, capture_output=True, env=os.environ | {"HF_HUB_OFFLINE": "1"})
    found = TensorFiles.of(tmp_path / "out")
    largest, unequal, total = 0.0, 0, 0
    for name, ours in composed_tensors(catalog, what.recipe, what.torch_dtype):
        theirs = found.read(name)
        assert theirs.dtype == ours.dtype
        difference = (theirs.double() - ours.double()).abs()
        # Where summands cancel, what is left is their rounding in float32, whatever the dtype of the result.
        step = torch.maximum(theirs.abs(), ours.abs()).double() * torch.finfo(ours.dtype).eps + 1e-8
        assert (difference <= (step if dtype == "bfloat16" else 1e-6)).all(), name
        largest = max(largest, float(difference.max()))
        unequal, total = unequal + int((difference > 0).sum()), total + ours.numel()
    print(f"\n{groups}, {base_dtype} -> {dtype}: largest difference {largest:.2g}, {unequal} of {total} weights differ")
    assert dtype == "float32" or unequal < total / 1000
