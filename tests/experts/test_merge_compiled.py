"""Compiled sums of full tensors: the same bits as eager sums, which take over where nothing can be compiled."""

from collections.abc import Sequence

import pytest
import torch
from torch import Tensor

from swarm.experts import merge_compiled
from swarm.experts.merge import MergePlan, merge_plan
from swarm.experts.merge_compiled import CompiledMerge
from swarm.experts.merge_model import execute_plans
from swarm.experts.updates import Delta, LowRank, Replacement, Update

SHAPE = (300, 257)


def drawn(dtype: torch.dtype) -> Tensor:
    return torch.randn(SHAPE, dtype=torch.float32).to(dtype)


def composed(plan: MergePlan, dtype: torch.dtype, compiled: CompiledMerge | None) -> Tensor:
    out = torch.empty(SHAPE, dtype=dtype)
    execute_plans([(out, plan)], compiled)
    return out


def plan(dtype: torch.dtype, updates: Sequence[type[Replacement] | type[Delta]]) -> MergePlan:
    terms: list[tuple[float, Update]] = [(0.37 - 0.6 * i, update(drawn(dtype))) for i, update in enumerate(updates)]
    return merge_plan(drawn(dtype), terms, "delta", None)


@pytest.fixture(scope="module")
def compiled() -> CompiledMerge:
    return CompiledMerge()


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float32], ids=str)
@pytest.mark.parametrize("updates", [[Replacement, Delta], [Delta] * 4], ids=len)
def test_compiled_and_eager_give_the_same_bits(
    compiled: CompiledMerge, dtype: torch.dtype, updates: list[type[Delta]]
) -> None:
    torch.manual_seed(1)
    what = plan(dtype, updates)
    out = torch.empty(SHAPE, dtype=dtype)
    assert compiled.write(out, what), "it was compiled"
    assert torch.equal(out, composed(what, dtype, None))


def test_what_is_not_a_sum_of_full_tensors_is_left_to_others(compiled: CompiledMerge) -> None:
    base, lora = drawn(torch.float32), LowRank(torch.randn(2, SHAPE[1]), torch.randn(SHAPE[0], 2), 1.0)
    for what in (merge_plan(base, [], "delta", None), merge_plan(base, [(0.5, lora)], "delta", None)):
        assert not compiled.write(torch.empty(SHAPE), what)
        assert torch.equal(composed(what, torch.float32, compiled), composed(what, torch.float32, None))


def test_without_a_compiler_merging_is_eager_and_warns_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def compiler(*_: object) -> None:
        raise RuntimeError("no g++")

    broken = CompiledMerge()
    monkeypatch.setattr(broken, "_combine", compiler)
    what = plan(torch.float32, [Replacement])
    for _ in range(2):
        assert torch.equal(composed(what, torch.float32, broken), composed(what, torch.float32, None))
    assert caplog.text.count("merging is not compiled") == 1


def test_few_weights_are_not_worth_compiling() -> None:
    assert merge_compiled.MIN_WEIGHTS >= 100e6
