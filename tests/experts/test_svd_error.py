"""`svd` loses no more than the best approximation of the rank does, and the user learns how much."""

from pathlib import Path

import pytest
import torch

from support.models import make_base, make_checkpoint
from swarm.experts.catalog import ExpertSpec, open_catalog
from swarm.experts.sparsify import Sparsification, sparsify
from swarm.experts.svd_error import truncation_error, truncation_notes
from swarm.experts.updates import Delta, delta_of


def test_a_sketch_of_a_wide_matrix_is_as_good_as_its_svd() -> None:
    torch.manual_seed(0)
    delta = torch.randn(300, 400) * 0.01 + torch.randn(300, 10) @ torch.randn(10, 400) * torch.linspace(0.1, 1, 400)
    for rank in (3, 8, 20):
        cut = delta_of(sparsify(Delta(delta), delta, Sparsification(svd=rank), ""), delta)
        best = torch.linalg.svdvals(delta)[rank:].square().sum().sqrt()
        assert (delta - cut).norm() <= 1.01 * best
        assert torch.equal(cut, delta_of(sparsify(Delta(delta), delta, Sparsification(svd=rank), ""), delta))


def test_the_error_is_reported_for_experts_that_are_truncated(tmp_path: Path) -> None:
    base = make_base(tmp_path / "base")
    full = make_checkpoint(tmp_path / "full", base, 1)
    specs = [
        ExpertSpec("whole", full),
        ExpertSpec("cut", full, Sparsification(svd=4)),
        ExpertSpec("all", full, Sparsification(svd=999)),
    ]
    catalog = open_catalog(base, specs)
    (_, cut, everything) = catalog.experts
    lost = whole = 0.0
    for name in catalog.parameters():
        delta = delta_of(full_update := catalog.experts[0].update(name, catalog.base), catalog.base.tensors.read(name))
        assert full_update is not None
        whole += float(delta.square().sum())
        lost += float(torch.linalg.svdvals(delta)[4:].square().sum()) if delta.ndim == 2 else 0.0
    assert truncation_error(cut, catalog) == pytest.approx((lost / whole) ** 0.5, rel=0.01)
    assert truncation_error(everything, catalog) < 1e-5
    notes = truncation_notes(catalog)
    assert [note.split(":")[0] for note in notes] == ["expert cut", "expert all"]
    assert f"{100 * truncation_error(cut, catalog):.1f} %" in notes[0]
