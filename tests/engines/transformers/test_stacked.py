"""Many particles in one batch answer as each does alone, and the cost model predicts when stacking is faster."""

import math
from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
from transformers import OPTConfig, OPTForCausalLM, PreTrainedModel, Qwen3Config, Qwen3ForCausalLM

from support.models import ATTENTION, VOCABULARY, make_adapter, make_base, make_checkpoint, make_gpt2, make_tokenizer
from support.runs import engine
from swarm.compositions.weights import Weights
from swarm.core.errors import ConfigError, EvaluationError
from swarm.core.recipes import Recipe
from swarm.core.requests import Continuation, Generation, Likelihood, Reply, Request
from swarm.engines import Encoder, Requests
from swarm.engines.encoding import Encoded
from swarm.engines.transformers.cost_model import RATES, CostModel
from swarm.engines.transformers.engine import TransformersEngine, TransformersSettings
from swarm.experts.catalog import Catalog, ExpertSpec, open_catalog
from swarm.experts.sparsify import Sparsification

POSITIONS = [(0.7, -0.4, 0.2), (0.0, 0.0, 0.0), (1.0, 0.0, 0.0), (-0.5, 1.5, 0.9), (0.3, 0.3, 0.3)]
TOLERANCE = {"float32": 1e-3, "bfloat16": 0.5}  # nats per continuation; in bfloat16 merging rounds every weight


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Experts of several ranks and targets, equal ones for `factors`, full fine-tunes, and a GPT-2 with experts."""
    folder = tmp_path_factory.mktemp("stacked")
    base = make_base(folder / "base", layers=3, tied=True)
    make_adapter(folder / "small", base, 1, r=2, scale=0.2)
    make_adapter(folder / "large", base, 2, r=8, scale=0.2)
    make_adapter(folder / "part", base, 3, r=4, scale=0.2, targets=ATTENTION, use_rslora=True)
    for seed, name in enumerate(("a", "b", "c")):
        make_adapter(folder / name, base, seed, scale=0.2)
    make_checkpoint(folder / "full", base, 9)
    make_checkpoint(folder / "other", base, 10)
    untied = make_base(folder / "untied", layers=2, tied=False)
    make_checkpoint(folder / "untied_full", untied, 9)
    make_checkpoint(folder / "untied_other", untied, 10)
    make_adapter(folder / "untied_lora", untied, 1, scale=0.2)
    gpt2 = make_gpt2(folder / "gpt2")
    for seed, name in enumerate(("g1", "g2", "g3")):
        make_adapter(folder / name, gpt2, seed, scale=0.1, targets=("c_attn", "c_fc", "c_proj"))
    return folder


def catalog(folder: Path, *names: str, base: str = "base", svd: int | None = None) -> Catalog:
    return open_catalog(folder / base, [ExpertSpec(name, folder / name, Sparsification(svd=svd)) for name in names])


def requests(catalog: Catalog, n: int = 6) -> Requests:
    asked: list[Request] = [Continuation(f"say {i}", text) for i in range(n) for text in (" yes", " never")]
    asked += [Generation(f"go {i}", 4 + i % 3) for i in range(n)]
    return Encoder.of(catalog.base.path).encode(asked)


def recipes(catalog: Catalog, composition: Weights) -> list[Recipe]:
    dimensions = composition.space(catalog).dimensions
    return [composition.recipe(list(p) * (dimensions // 3), catalog) for p in POSITIONS]


def assert_close(one: Reply, other: Reply, atol: float) -> None:
    for left, right in zip(one.answers, other.answers, strict=True):
        if isinstance(left, Likelihood):
            assert isinstance(right, Likelihood)
            assert left.log_likelihood == pytest.approx(right.log_likelihood, abs=atol)
        elif atol < 0.1:
            assert left == right


CASES = {
    "full fine-tunes cut to a rank": (("full", "other", "small"), "base", Weights()),
    "with an untied head": (("untied_full", "untied_other", "untied_lora"), "untied", Weights()),
    "ranks and targets that differ": (("small", "large", "part"), "base", Weights()),
    "a coefficient per layer group": (("small", "large", "part"), "base", Weights(groups="layers:3")),
    "factors": (("a", "b", "c"), "base", Weights(algebra="factors")),
    "weights stored as (in, out)": (("g1", "g2", "g3"), "gpt2", Weights()),
}


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("case", CASES)
def test_stacked_and_merged_give_the_same_answers(folder: Path, case: str, dtype: str) -> None:
    names, base, composition = CASES[case]
    known = catalog(folder, *names, base=base, svd=8 if "full" in names[0] else None)
    asked, mixed = requests(known), recipes(known, composition)
    stacked = engine(known, dtype=dtype, method="stacked").answer(mixed, asked)
    merged = engine(known, dtype=dtype, method="merged").answer(mixed, asked)
    assert {reply.method for reply in stacked} == {"stacked"}
    assert {reply.method for reply in merged} == {"merged"}
    for one, other in zip(stacked, merged, strict=True):
        assert_close(one, other, TOLERANCE[dtype])
    assert len({reply.answers for reply in stacked}) == len(POSITIONS)


def test_norms_within_heads_are_stacked(tmp_path: Path) -> None:
    """Qwen3 normalises queries and keys: four dimensions, with rows in the first."""
    torch.manual_seed(0)
    config = Qwen3Config(
        vocab_size=VOCABULARY, hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=2, head_dim=8, max_position_embeddings=256, tie_word_embeddings=True,
    )  # fmt: skip
    known = alien(tmp_path, Qwen3ForCausalLM(config), svd=4)
    mixed, asked = [Weights().recipe(p, known) for p in ([0.8, -0.4], [0.1, 0.9], [-0.5, 0.5])], requests(known)
    held = engine(known, method="stacked")
    assert held.joins(mixed, asked)
    for one, other in zip(held.answer(mixed, asked), engine(known, method="merged").answer(mixed, asked), strict=True):
        assert_close(one, other, 1e-3)


def test_layers_that_are_called_on_flattened_rows_are_merged(tmp_path: Path) -> None:
    torch.manual_seed(0)
    config = OPTConfig(
        vocab_size=VOCABULARY, hidden_size=32, ffn_dim=64, num_hidden_layers=2, num_attention_heads=4,
        max_position_embeddings=256, word_embed_proj_dim=32,
    )  # fmt: skip
    known = alien(tmp_path, OPTForCausalLM(config), targets=("fc1", "fc2"))
    mixed, asked = [Weights().recipe(p, known) for p in ([0.8, -0.4], [0.1, 0.9])], requests(known)
    held = engine(known, method="stacked")
    found = held.answer(mixed, asked)
    assert {reply.method for reply in found} <= {"merged", "stacked"}
    for one, other in zip(found, engine(known, method="merged").answer(mixed, asked), strict=True):
        assert_close(one, other, 1e-3)


def alien(folder: Path, model: PreTrainedModel, svd: int | None = None, targets: Sequence[str] = ()) -> Catalog:
    """A base of another family with two experts: adapters of the targets, or full fine-tunes cut to a rank."""
    model.save_pretrained(folder / "base")
    make_tokenizer().save_pretrained(folder / "base")
    for seed, name in enumerate(("one", "two")):
        if targets:
            make_adapter(folder / name, folder / "base", seed, scale=0.2, targets=targets)
        else:
            make_checkpoint(folder / name, folder / "base", seed)
    return catalog(folder, "one", "two", svd=svd)


def test_a_score_does_not_depend_on_the_other_candidates_in_the_batch(folder: Path) -> None:
    """Alone, after a resume or a retry, a candidate is put in place as it was beside others."""
    known = catalog(folder, "a", "b", "c")
    held, mixed, asked = engine(known, method="stacked"), recipes(known, Weights()), requests(known)
    together = held.answer(mixed, asked)
    alone = [held.answer([each], asked)[0] for each in mixed]
    assert {reply.method for reply in alone} == {"stacked"}
    for one, other in zip(together, alone, strict=True):
        assert_close(one, other, 1e-4)


def test_small_batches_and_large_ones_agree(folder: Path) -> None:
    known = catalog(folder, "a", "b", "c")
    mixed, asked = recipes(known, Weights()), requests(known)
    few = engine(known, method="stacked", batch_tokens=40).answer(mixed, asked)
    for one, other in zip(few, engine(known, method="stacked").answer(mixed, asked), strict=True):
        assert_close(one, other, 1e-3)
        assert one.tokens == other.tokens


def test_the_model_is_the_plain_base_afterwards(folder: Path) -> None:
    known = catalog(folder, "a", "b", "c")
    held, asked, mixed = engine(known, method="stacked"), requests(known), recipes(known, Weights())
    before = held.answer(mixed[:1], asked)
    held.answer(mixed, asked)
    assert held.answer(mixed[:1], asked)[0].answers == before[0].answers


def held_together(folder: Path, *names: str, svd: int | None = None) -> bool:
    known = catalog(folder, *names, svd=svd)
    settings = TransformersSettings(dtype="float32", method="stacked")
    mixed = [Weights().recipe([0.1] * len(names), known), Weights().recipe([0.2] * len(names), known)]
    joins = settings.open(known).joins(mixed, requests(known))
    assert settings.together(known, requests(known)) == (8 if joins else 1)
    return joins


def test_full_updates_are_stacked_only_where_the_user_allows_a_rank(folder: Path) -> None:
    assert held_together(folder, "a", "large")
    assert held_together(folder, "a", "large", svd=2)
    assert held_together(folder, "full", "other", svd=2)
    with pytest.raises(ConfigError, match="changes a matrix as a whole"):
        held_together(folder, "a", "full")
    assert not engine(catalog(folder, "a", "full")).joins([], requests(catalog(folder, "a", "full")))


def test_one_particle_out_of_range_fails_for_all_of_its_batch(folder: Path) -> None:
    """The evaluator then asks for one at a time, so that the failure is that of one candidate."""
    known = catalog(folder, "a", "b", "c")
    held, mixed = engine(known, method="stacked"), recipes(known, Weights())
    with pytest.raises(EvaluationError, match="not finite"):
        held.answer([*mixed, Weights().recipe([1e30, 0.0, 1e30], known)], requests(known))
    assert all(math.isfinite(a.log_likelihood) for a in first(held, mixed[0], known) if isinstance(a, Likelihood))


def first(held: TransformersEngine, recipe: Recipe, known: Catalog) -> tuple[object, ...]:
    return held.answer([recipe], requests(known))[0].answers


def costs(tokens: int, particles: int, rank: int = 8, layers: int = 32, width: int = 4096) -> tuple[float, float]:
    """Seconds merged and stacked, of square layers on a large accelerator."""
    rates = RATES["cuda", torch.bfloat16]
    weights = 7 * layers * width * width
    known = CostModel(rates, weights, weights, rank * weights, 7 * layers * rank * 2 * width, 7 * layers, 2, 8192)
    asked = Requests((Encoded(Continuation("", ""), tuple(range(tokens)), (1,)),))
    return known.merged(particles, asked), known.stacked(particles, asked)


def test_few_tokens_are_stacked_and_many_merged() -> None:
    merged, stacked = costs(tokens=32, particles=8)
    assert stacked < merged
    merged, stacked = costs(tokens=200_000, particles=8)
    assert merged < stacked
