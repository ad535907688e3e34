"""Angles between updates equal those of the updates multiplied out, whatever kind each expert is."""

from pathlib import Path

import numpy as np
import pytest
import torch

from support.models import make_adapter, make_base, make_checkpoint, make_gpt2
from swarm.experts.alignment_vectors import make_vector
from swarm.experts.catalog import Catalog, ExpertSpec, open_catalog
from swarm.experts.cosines import cosines
from swarm.experts.sparsify import Sparsification
from swarm.experts.updates import delta_of


def whole(catalog: Catalog) -> np.ndarray:
    """Each expert's update over all parameters as one row."""
    rows = []
    for expert in catalog.experts:
        parts = []
        for name in catalog.parameters():
            base = catalog.base.tensors.read(name)
            update = (
                delta_of(expert.update(name, catalog.base), base) if expert.changes(name) else torch.zeros_like(base)
            )
            parts.append(update.double().flatten())
        rows.append(torch.cat(parts).numpy())
    return np.array(rows)


def check(catalog: Catalog) -> dict[str, dict[str, float]]:
    rows = whole(catalog)
    lengths = np.linalg.norm(rows, axis=1)
    found, norms = cosines(catalog)
    assert list(norms.values()) == pytest.approx(lengths.tolist(), rel=1e-5)
    expected = rows @ rows.T / np.outer(lengths, lengths)
    assert [list(row.values()) for row in found.values()] == [pytest.approx(row, abs=1e-5) for row in expected.tolist()]
    return found


def test_adapters_a_fine_tune_a_vector_and_a_trimmed_adapter(tmp_path: Path) -> None:
    base = make_base(tmp_path / "base")
    make_adapter(tmp_path / "one", base, 1)
    make_adapter(tmp_path / "two", base, 2, r=8, targets=["q_proj", "down_proj"])
    make_checkpoint(tmp_path / "full", base, 3)
    make_vector(base, tmp_path / "full", tmp_path / "v.safetensors")
    specs = [ExpertSpec(name, tmp_path / name) for name in ("one", "two", "full")]
    specs += [
        ExpertSpec("v", tmp_path / "v.safetensors"),
        ExpertSpec("cut", tmp_path / "one", Sparsification(trim=0.3)),
    ]
    found = check(open_catalog(base, specs))
    assert found["full"]["v"] == pytest.approx(1.0)
    assert found["one"]["cut"] > 0.7


def test_weights_stored_as_in_out(tmp_path: Path) -> None:
    base = make_gpt2(tmp_path / "base")
    for seed in (1, 2):
        make_adapter(tmp_path / str(seed), base, seed, targets=["c_attn", "c_fc"], fan_in_fan_out=True)
    check(open_catalog(base, [ExpertSpec(name, tmp_path / name) for name in ("1", "2")]))
