"""Compiled sums of full tensors: the bits of the eager ones, and no trouble where they cannot be compiled."""

from collections.abc import Sequence

import pytest
import torch
from torch import Tensor

from swarm.experts import merge_compiled
from swarm.experts.merge import MergePlan, merge_plan
from swarm.experts.merge_compiled import OnePass
from swarm.experts.merge_model import fill
from swarm.experts.updates import Delta, LowRank, Replacement, Update

SHAPE = (300, 257)


def drawn(dtype: torch.dtype) -> Tensor:
    return torch.randn(SHAPE, dtype=torch.float32).to(dtype)


def composed(whole: MergePlan, dtype: torch.dtype, one_pass: OnePass | None) -> Tensor:
    out = torch.empty(SHAPE, dtype=dtype)
    fill([(out, whole)], one_pass)
    return out


def whole(dtype: torch.dtype, updates: Sequence[type[Replacement] | type[Delta]]) -> MergePlan:
    terms: list[tuple[float, Update]] = [(0.37 - 0.6 * i, update(drawn(dtype))) for i, update in enumerate(updates)]
    return merge_plan(drawn(dtype), terms, "delta", None)


@pytest.fixture(scope="module")
def one_pass() -> OnePass:
    return OnePass()


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float32], ids=str)
@pytest.mark.parametrize("updates", [[Replacement, Delta], [Delta] * 4], ids=len)
def test_compiled_and_eager_give_the_same_bits(
    one_pass: OnePass, dtype: torch.dtype, updates: list[type[Delta]]
) -> None:
    torch.manual_seed(1)
    what = whole(dtype, updates)
    out = torch.empty(SHAPE, dtype=dtype)
    assert one_pass.write(out, what), "it was compiled"
    assert torch.equal(out, composed(what, dtype, None))


def test_what_is_no_sum_of_full_tensors_is_left_to_others(one_pass: OnePass) -> None:
    base, lora = drawn(torch.float32), LowRank(torch.randn(2, SHAPE[1]), torch.randn(SHAPE[0], 2), 1.0)
    for what in (merge_plan(base, [], "delta", None), merge_plan(base, [(0.5, lora)], "delta", None)):
        assert not one_pass.write(torch.empty(SHAPE), what)
        assert torch.equal(composed(what, torch.float32, one_pass), composed(what, torch.float32, None))


def test_without_a_compiler_composing_is_eager_and_says_so_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def compiler(*_: object) -> None:
        raise RuntimeError("no g++")

    broken = OnePass()
    monkeypatch.setattr(broken, "_combine", compiler)
    what = whole(torch.float32, [Replacement])
    for _ in range(2):
        assert torch.equal(composed(what, torch.float32, broken), composed(what, torch.float32, None))
    assert caplog.text.count("composing is not compiled") == 1


def test_few_weights_are_not_worth_compiling() -> None:
    assert merge_compiled.WORTH >= 100e6
