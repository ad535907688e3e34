"""KL(base || candidate): 0 for the base, that of the logits for others, the same merged and stacked."""

from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM

from support.models import make_adapter, make_base, make_checkpoint
from swarm.compositions.weights import Weights
from swarm.core.errors import ConfigError
from swarm.core.requests import Continuation, Generation, Likelihood, Request
from swarm.engines import Encoder, Requests
from swarm.engines.transformers.base_distributions import TOP, BaseDistribution
from swarm.engines.transformers.engine import TransformersSettings
from swarm.engines.vllm.requests import AssignedRequest, answers_to
from swarm.experts.catalog import Catalog, ExpertSpec, open_catalog

TEXTS = [
    ("the sky is", " blue today"),
    ("the sky is", " green"),
    ("1+2=", "3"),
    ("a longer prompt than all others", "."),
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("divergence")
    base = make_base(folder / "base")
    make_adapter(folder / "one", base, 1, scale=0.3)
    make_adapter(folder / "two", base, 2, scale=0.3)
    make_checkpoint(folder / "full", base, 9)
    return folder


def catalog(folder: Path, *names: str) -> Catalog:
    return open_catalog(folder / "base", [ExpertSpec(name, folder / name) for name in names])


def encoded(catalog: Catalog, divergence: bool = True) -> Requests:
    asked: list[Request] = [Continuation(prompt, text, divergence=divergence) for prompt, text in TEXTS]
    return Encoder.of(catalog.base.path).encode([*asked, Generation("go", 3)])


def divergences(catalog: Catalog, positions: list[tuple[float, ...]], **settings: object) -> list[list[float]]:
    """For each position the divergence of every text."""
    engine = TransformersSettings(device="cpu", dtype="float32", **settings).open(catalog)
    found = engine.answer([Weights().recipe(each, catalog) for each in positions], encoded(catalog))
    again = engine.answer([Weights().recipe(each, catalog) for each in positions], encoded(catalog))
    assert [reply.answers for reply in found] == [reply.answers for reply in again]
    values = [[each.divergence for each in reply.answers if isinstance(each, Likelihood)] for reply in found]
    return [[value for value in row if value is not None] for row in values]


def classes(logits_MV: torch.Tensor, ids_MK: torch.Tensor) -> torch.Tensor:
    shares_MV = torch.softmax(logits_MV.double(), dim=1)
    kept_MK = shares_MV.gather(1, ids_MK)
    return torch.cat([kept_MK, 1 - kept_MK.sum(dim=1, keepdim=True)], dim=1)


@pytest.mark.parametrize("method", ["merged", "stacked"])
def test_the_base_is_at_distance_nothing_and_others_are_further(folder: Path, method: str) -> None:
    base, little, much = divergences(catalog(folder, "one", "two"), [(0, 0), (0.05, 0), (1, -1)], method=method)
    assert base == [0.0] * len(TEXTS)
    assert min(little) > 0
    assert sum(little) < sum(much)


def test_merged_and_stacked_agree(folder: Path) -> None:
    positions = [(0.7, -0.4), (0.0, 1.0), (0.0, 0.0)]
    merged, stacked = (divergences(catalog(folder, "one", "two"), positions, method=m) for m in ("merged", "stacked"))
    for one, other in zip(merged, stacked, strict=True):
        assert one == pytest.approx(other, rel=1e-3, abs=1e-6)


def test_it_is_the_divergence_of_the_models_own_logits(folder: Path) -> None:
    opened = catalog(folder, "full")
    (found,) = divergences(opened, [(1.0,)])
    base, full = (AutoModelForCausalLM.from_pretrained(folder / name, dtype=torch.float32) for name in ("base", "full"))
    for value, item in zip(found, encoded(opened).items, strict=False):
        ids = torch.tensor([[*item.prompt, *item.continuation]])
        first = len(item.prompt) - 1
        with torch.inference_mode():
            of_base, of_full = (model(ids).logits[0, first:-1] for model in (base, full))
        top_MK = of_base.topk(TOP, dim=1).indices
        p_MC, q_MC = classes(of_base, top_MK), classes(of_full, top_MK)
        assert value == pytest.approx(float((p_MC * (p_MC / q_MC).log()).sum(dim=1).mean()), rel=1e-3, abs=1e-7)
        p_MV, q_MV = (torch.softmax(logits.double(), dim=1) for logits in (of_base, of_full))
        assert value <= float((p_MV * (p_MV / q_MV).log()).sum(dim=1).mean()) + 1e-7, "never overstated"


def test_by_hand() -> None:
    base = BaseDistribution.of(torch.tensor([[0.5, 0.25, 0.25]]).log())
    other = torch.tensor([[0.25, 0.5, 0.25]]).log()
    expected = 0.5 * torch.tensor(2.0).log() + 0.25 * torch.tensor(0.5).log()
    assert float(base.divergence(other, other.logsumexp(dim=1))) == pytest.approx(float(expected), abs=1e-6)


def test_a_token_that_the_base_never_says_counts_nothing() -> None:
    base = BaseDistribution.of(torch.tensor([[0.0, 0.0, float("-inf"), float("-inf")]]))
    uniform = torch.zeros(1, 4)
    assert float(base.divergence(uniform, uniform.logsumexp(dim=1))) == pytest.approx(0.6931472, abs=1e-6)


def test_it_is_answered_only_where_it_is_asked(folder: Path) -> None:
    opened = catalog(folder, "one")
    engine = TransformersSettings(device="cpu", dtype="float32").open(opened)
    (reply,) = engine.answer([Weights().recipe((1.0,), opened)], encoded(opened, divergence=False))
    (asked,) = engine.answer([Weights().recipe((1.0,), opened)], encoded(opened))
    plain, measured = ([each for each in every.answers if isinstance(each, Likelihood)] for every in (reply, asked))
    assert {each.divergence for each in plain} == {None}
    assert [each.log_likelihood for each in plain] == [each.log_likelihood for each in measured]


def test_vllm_refuses_it_with_a_remedy(folder: Path) -> None:
    class Server:
        def generate(self, *_: object, **__: object) -> list[object]:
            raise AssertionError("nothing is asked")

    (item, *_) = encoded(catalog(folder)).items
    with pytest.raises(ConfigError, match=r"type knowledge compares; set engine\.type to transformers"):
        answers_to(Server(), None, (), [AssignedRequest(item)])
