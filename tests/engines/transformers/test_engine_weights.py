"""What the engine's model holds: the weights of the recipe that was asked last, and the base again afterwards."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from peft import PeftModel

from support.models import load
from support.runs import engine, recipe, reply
from swarm.core.errors import EvaluationError
from swarm.core.requests import Continuation, Generation, Request
from swarm.engines.transformers.engine import TransformersEngine, TransformersSettings
from swarm.experts.catalog import Catalog
from swarm.experts.merge_model import composed_tensors
from swarm.experts.safetensors_files import TensorFiles

MIX = {"one": 0.7, "two": -0.4, "full": 0.5}


@pytest.mark.parametrize("request_", [Continuation("a", "b"), Generation("a", 3)], ids=str)
@pytest.mark.parametrize("coefficient", [float("nan"), float("inf")])
def test_weights_out_of_range_fail_the_evaluation(
    shared: TransformersEngine, catalog: Catalog, request_: Request, coefficient: float
) -> None:
    with pytest.raises(EvaluationError, match="not finite"):
        reply(shared, catalog, request_, full=coefficient)


@pytest.mark.parametrize("request_", [Continuation("a", "b"), Generation("a", 3)], ids=str)
def test_an_overflow_of_float16_names_the_dtype_that_helps(catalog: Catalog, request_: Request) -> None:
    narrow, wide = (TransformersSettings(dtype=dtype).open(catalog) for dtype in ("float16", "bfloat16"))
    with pytest.raises(EvaluationError, match=r"not finite.*set engine.dtype to bfloat16"):
        reply(narrow, catalog, request_, full=1e7)
    reply(wide, catalog, request_, full=1e7)
    reply(narrow, catalog, request_, full=1.0)


def live(one: TransformersEngine) -> dict[str, torch.Tensor]:
    return {name: tensor.clone() for name, tensor in one._model.named_parameters()}


def assert_holds(one: TransformersEngine, expected: Callable[[str], torch.Tensor]) -> None:
    for name, tensor in live(one).items():
        assert torch.equal(tensor, expected(name)), name


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_the_base_is_restored_after_many_recipes(folder: Path, catalog: Catalog, dtype: str) -> None:
    one, ask = engine(catalog, dtype=dtype), Continuation("a", "b")
    fresh = load(folder / "base", getattr(torch, dtype)).state_dict()
    first = reply(one, catalog, ask, **MIX).answers
    mixed = live(one)
    for i in range(20):
        reply(one, catalog, ask, one=0.1 * i, two=1.0 - 0.3 * i, three=-0.5, full=0.05 * i)
    reply(one, catalog, ask)
    assert_holds(one, fresh.__getitem__)
    assert reply(one, catalog, ask, **MIX).answers == first
    assert_holds(one, mixed.__getitem__)


def test_the_base_is_restored_after_weights_out_of_range(
    folder: Path, catalog: Catalog, shared: TransformersEngine
) -> None:
    with pytest.raises(EvaluationError):
        reply(shared, catalog, Continuation("a", "b"), one=float("nan"), full=float("nan"))
    reply(shared, catalog, Continuation("a", "b"))
    assert_holds(shared, load(folder / "base").state_dict().__getitem__)


@pytest.mark.filterwarnings("ignore::FutureWarning")  # PEFT's, of transformers
def test_a_one_hot_recipe_puts_the_expert_in_place(folder: Path, catalog: Catalog, shared: TransformersEngine) -> None:
    for name in ("one", "two", "three"):
        reply(shared, catalog, Continuation("a", "b"), **{name: 1.0})
        merged = PeftModel.from_pretrained(load(folder / "base"), folder / name).merge_and_unload().state_dict()
        assert_holds(shared, merged.__getitem__)
    reply(shared, catalog, Continuation("a", "b"), full=1.0)
    assert_holds(shared, TensorFiles.of(folder / "full").read)


def test_in_bfloat16_the_sums_are_made_in_float32_and_cast_once(catalog: Catalog) -> None:
    one = engine(catalog, dtype="bfloat16")
    reply(one, catalog, Continuation("a", "b"), **MIX)
    exact = dict(composed_tensors(catalog, recipe(catalog, **MIX), torch.float32))
    assert_holds(one, lambda name: exact[name].to(torch.bfloat16))
