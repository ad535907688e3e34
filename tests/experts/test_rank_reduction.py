"""An adapter at a lower rank, against numpy's SVD of the whole update."""

from pathlib import Path

import numpy as np
import pytest
import torch

from support.exports import exported, make_experts, opened
from swarm.core.errors import ExpertError
from swarm.experts.composed_adapter import ComposedAdapter, ComposedModule
from swarm.experts.rank_reduction import reduced_to_rank


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_experts(tmp_path_factory.mktemp("experts"))


def module(out: int, inner: int, rank: int, seed: int = 0) -> ComposedModule:
    random = torch.Generator().manual_seed(seed)
    a_RI, b_OR = torch.randn(rank, inner, generator=random), torch.randn(out, rank, generator=random)
    return ComposedModule(a_RI, b_OR, embedding=False, transposed=False)


def update(module: ComposedModule) -> np.ndarray:
    return module.b_OR.double().numpy() @ module.a_RI.double().numpy()


def truncated(update_OI: np.ndarray, rank: int) -> tuple[np.ndarray, float]:
    """numpy's SVD of the whole matrix, cut, and the relative error that is measured and not derived."""
    u, s, v = np.linalg.svd(update_OI, full_matrices=False)
    nearest = (u[:, :rank] * s[:rank]) @ v[:rank]
    return nearest, float(np.linalg.norm(update_OI - nearest) / np.linalg.norm(update_OI))


@pytest.mark.parametrize("rank", [1, 2, 5, 9])
@pytest.mark.parametrize("shape", [(24, 16, 10), (16, 24, 10), (8, 30, 10), (30, 8, 10), (6, 7, 12)], ids=str)
def test_it_is_what_numpy_cuts(shape: tuple[int, int, int], rank: int) -> None:
    """Tall, wide, and with more rank than rows, columns or both."""
    whole = module(*shape)
    found = reduced_to_rank(ComposedAdapter({"it": whole}), rank)
    reduced = found.adapter.modules["it"]
    nearest, error = truncated(update(whole), rank)
    assert reduced.rank <= rank
    np.testing.assert_allclose(update(reduced), nearest, rtol=0, atol=2e-6 * np.linalg.norm(nearest))
    assert found.loss.errors["it"] == pytest.approx(error, abs=1e-7)


def test_of_a_composed_adapter_too(folder: Path) -> None:
    what = exported(opened(folder, "plain", "same", "narrow", "embedding"))
    found = reduced_to_rank(what.adapter, 3)
    measured = {}
    for name, whole in what.adapter.modules.items():
        nearest, measured[name] = truncated(update(whole), 3)
        np.testing.assert_allclose(update(found.adapter.modules[name]), nearest, rtol=0, atol=1e-6)
    assert max(found.adapter.ranks) == 3
    assert found.loss.errors == pytest.approx(measured, abs=1e-7)
    assert found.loss.largest == pytest.approx(max(measured.values()), abs=1e-7)
    assert found.loss.largest > 0.1
    assert found.loss.mean == pytest.approx(np.mean(list(measured.values())), abs=1e-7)
    worst = max(measured, key=lambda name: measured[name])
    assert f"at most ({worst})" in found.loss.text
    assert f"over {len(measured)} matrices" in found.loss.text


def test_the_full_rank_is_the_same_update(folder: Path) -> None:
    """With as many ranks as the adapter has, and as many as the update has though the adapter has more."""
    whole = exported(opened(folder, "plain", "same")).adapter
    same = reduced_to_rank(whole, max(whole.ranks))
    assert all(torch.equal(same.adapter.modules[name].a_RI, each.a_RI) for name, each in whole.modules.items())
    assert (same.loss.largest, same.loss.mean) == (0.0, 0.0)
    wide = ComposedAdapter({"it": module(5, 9, 20)})
    found = reduced_to_rank(wide, 5)
    np.testing.assert_allclose(update(found.adapter.modules["it"]), update(wide.modules["it"]), rtol=0, atol=1e-5)
    assert found.loss.largest < 1e-7


def test_nothing_stays_nothing() -> None:
    zero = ComposedModule(torch.zeros(4, 6), torch.zeros(8, 4), embedding=False, transposed=False)
    found = reduced_to_rank(ComposedAdapter({"it": zero}), 1)
    assert not update(found.adapter.modules["it"]).any()
    assert found.loss.largest == 0.0
    assert reduced_to_rank(ComposedAdapter({}), 1).loss.mean == 0.0


def test_factors_that_are_not_finite_are_refused() -> None:
    broken = module(8, 6, 4)
    broken.a_RI[0, 0] = float("nan")
    with pytest.raises(ExpertError, match="it is not finite"):
        reduced_to_rank(ComposedAdapter({"it": broken}), 2)
