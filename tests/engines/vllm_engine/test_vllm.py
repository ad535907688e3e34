"""The vLLM engine answers as the transformers engine does, whatever was in its weights and caches before.

`make test-vllm` runs these in a separate environment; those that need no vLLM also run with the other tests.
"""

import importlib.util
import json
import random
import subprocess
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import torch
import yaml
from peft import PeftModel

from support.models import load, make_adapter, make_base, make_checkpoint
from support.playground import command, examples, write_lines
from support.runs import ADAPTERS, answer, engine, opened, recipe
from swarm.core.errors import ConfigError, DataError, EvaluationError, ExpertError
from swarm.core.recipes import Group, Recipe, WeightRecipe
from swarm.core.requests import Answer, Continuation, Generation, Likelihood, Request, Text
from swarm.engines.base import Engine
from swarm.engines.vllm.engine import SHARED_MEMORY, VllmEngine, VllmSettings
from swarm.engines.vllm.lora_files import Ranks, write_composed
from swarm.engines.vllm.requests import AssignedRequest
from swarm.experts.catalog import Catalog, ExpertSpec, open_catalog
from swarm.experts.merge_model import composed_tensors

ZOO = Path("~/.cache/swarm/zoo/smollm2").expanduser()
HIDDEN = 128  # heads of 32, the narrowest that vLLM attends with
MIX = {"one": 0.7, "two": -0.4, "full": 0.5}
LONG = "a prompt that is longer than a block of the key-value cache, which holds 32 tokens on a CPU; "
GENERATIONS = [Generation(text, 12) for text in ("a", "hello there", LONG, LONG + "and more", "xyz" * 12)]
CONTINUATIONS = [
    Continuation(p, t, greedy=t == "n") for p in ("a", "hello ", LONG) for t in (" yes", "n", "a longer one " * 3)
]

ALIVE: list[VllmEngine] = []


def make_tiny(folder: Path) -> Path:
    """A base whose head is tied to the embeddings, three adapters, and a fine-tune that changes all of it."""
    base = make_base(folder / "base", tied=True, hidden=HIDDEN)
    for seed, name in enumerate(ADAPTERS):
        make_adapter(folder / name, base, seed, scale=0.15)
    make_checkpoint(folder / "full", base, seed=9, scale=0.1)
    return folder


def vllm(catalog: Catalog, **settings: object) -> VllmEngine:
    """An engine that lives until the end: deleting one destroys what all vLLMs of a process share."""
    given = {"dtype": "float32", "kv_cache_gb": 0.125, **settings}
    ALIVE.append(VllmSettings.model_validate(given).open(catalog))
    return ALIVE[-1]


def factors(catalog: Catalog, **coefficients: float) -> Recipe:
    values = {name: (coefficients.get(name, 0.0),) for name in catalog.names}
    return Recipe(WeightRecipe("factors", (Group("all", ("*",)),), values))


def asked(held: Engine, catalog: Catalog, what: Recipe, *requests: Request) -> tuple[Answer, ...]:
    (reply,) = answer(held, catalog, [what], requests)
    assert reply.method == "merged"
    return reply.answers


def assert_same(found: tuple[Answer, ...], expected: tuple[Answer, ...]) -> None:
    for one, other in zip(found, expected, strict=True):
        if isinstance(other, Likelihood):
            assert one == Likelihood(pytest.approx(other.log_likelihood, abs=2e-3), other.n_tokens, other.greedy)
        else:
            assert one == other


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny(tmp_path_factory.mktemp("vllm"))


@pytest.fixture(scope="module")
def catalog(folder: Path) -> Catalog:
    return opened(folder)


@pytest.fixture(scope="module")
def lora_catalog(folder: Path) -> Catalog:
    return opened(folder, *ADAPTERS)


@pytest.mark.skipif(importlib.util.find_spec("vllm") is not None, reason="vLLM is installed")
def test_without_vllm_one_line_says_what_to_install(catalog: Catalog) -> None:
    with pytest.raises(ConfigError, match=r"^engine\.type: vllm .*pip install \"swarm-experts\[vllm\]\"") as raised:
        VllmSettings().open(catalog)
    assert "\n" not in str(raised.value)


@pytest.mark.vllm
def test_once_it_is_installed_as_the_message_says_check_accepts_and_times_it(folder: Path, tmp_path: Path) -> None:
    """The remedy of the message above: this environment is the one that it names."""
    write_lines(tmp_path / "data.jsonl", examples(60))
    config = {
        "base": str(folder / "base"),
        "experts": [str(folder / name) for name in ADAPTERS],
        "objectives": [{"name": "words", "type": "multiple_choice", "data": str(tmp_path / "data.jsonl")}],
        "splits": {"search": 16, "select": 16, "test": "rest"},
        "engine": {"type": "vllm", "dtype": "float32", "kv_cache_gb": 0.125},
        "cluster": {"type": "local"},
    }
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(config))
    done = subprocess.run(
        command("check", tmp_path / "config.yaml", "--json"), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "short timing of your model" in json.loads(done.stdout)["time_basis"]


@pytest.mark.parametrize("algebra", ["delta", "factors"])
def test_the_composed_adapter_is_the_composed_weights(
    folder: Path, lora_catalog: Catalog, tmp_path: Path, algebra: str
) -> None:
    of = {"delta": recipe, "factors": factors}[algebra](lora_catalog, one=0.7, two=-0.4, three=0.2)
    write_composed(lora_catalog, of, tmp_path / "adapter")
    merged = PeftModel.from_pretrained(load(folder / "base"), tmp_path / "adapter").merge_and_unload().state_dict()
    for name, tensor in composed_tensors(lora_catalog, of, torch.float32):
        torch.testing.assert_close(merged[name], tensor, atol=1e-5, rtol=1e-4)


def test_which_recipes_are_adapters(folder: Path, catalog: Catalog, lora_catalog: Catalog, tmp_path: Path) -> None:
    assert Ranks.of(catalog) is None, "a full fine-tune is not an adapter"
    ranks = Ranks.of(lora_catalog)
    assert ranks is not None
    assert ranks.allowed == 16, "three of rank 4 side by side"
    assert ranks.admit(recipe(lora_catalog, one=0.5, two=1.0, three=2.0))
    assert not ranks.admit(recipe(lora_catalog)), "the base itself"
    make_adapter(tmp_path / "large", folder / "base", 1, r=510, targets=("q_proj",))
    specs = [ExpertSpec("large", tmp_path / "large"), ExpertSpec("one", folder / "one")]
    wide = open_catalog(folder / "base", specs)
    known = Ranks.of(wide)
    assert known is not None
    assert known.admit(recipe(wide, large=1.0))
    assert not known.admit(recipe(wide, large=1.0, one=1.0)), "rank 514"
    assert VllmSettings(adapters=4).together(lora_catalog, None) == 4  # type: ignore[arg-type]
    assert VllmSettings(adapters=4).together(catalog, None) == 1  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def shared(catalog: Catalog) -> VllmEngine:
    """One engine for most tests: what was in place before must not matter."""
    return vllm(catalog)


@pytest.mark.vllm
@pytest.mark.parametrize("active", [{}, {"one": 1.0}, {"full": 1.0}, MIX], ids=str)
def test_swapped_weights_answer_as_transformers_does(
    shared: VllmEngine, catalog: Catalog, active: dict[str, float]
) -> None:
    """The fine-tune changes the embeddings and with them the tied head."""
    what = recipe(catalog, **active)
    requests = [*GENERATIONS, *CONTINUATIONS]
    assert_same(asked(shared, catalog, what, *requests), asked(engine(catalog), catalog, what, *requests))


@pytest.mark.vllm
def test_a_stale_prefix_cache_would_answer_wrongly(
    shared: VllmEngine, catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    requests = [Generation(LONG, 12), Continuation(LONG, "yes, it is")]
    base, full = recipe(catalog), recipe(catalog, full=1.0)
    expected = asked(engine(catalog), catalog, full, *requests)
    asked(shared, catalog, base, *requests)
    with monkeypatch.context() as patch:
        patch.setattr(shared, "_reset_prefix_cache", lambda: None)
        stale = asked(shared, catalog, full, *requests)
    assert stale[0] != expected[0]
    assert stale[1] != Likelihood(pytest.approx(expected[1].log_likelihood, abs=2e-3), 10)
    asked(shared, catalog, base, *requests)
    assert_same(asked(shared, catalog, full, *requests), expected)


@pytest.mark.vllm
def test_a_continuation_in_the_prefix_cache_is_still_scored(shared: VllmEngine, catalog: Catalog) -> None:
    """Repeated, or after a longer one that begins with it, a continuation is itself in the cache."""
    text = "a continuation that fills more than a block of the cache by itself, "
    requests = [Continuation("ab", text), Continuation("ab", text + "and goes on"), Continuation(LONG, text)]
    what = recipe(catalog, **MIX)
    expected = asked(engine(catalog), catalog, what, *requests)
    for _ in range(2):
        assert_same(asked(shared, catalog, what, *requests), expected)
        assert_same(asked(shared, catalog, what, *reversed(requests)), expected[::-1])


@pytest.mark.vllm
def test_stop_texts_cut_the_text(shared: VllmEngine, catalog: Catalog) -> None:
    what = recipe(catalog, **MIX)
    (whole,) = asked(engine(catalog), catalog, what, Generation(LONG, 30))
    assert isinstance(whole, Text)
    cut = Generation(LONG, 30, stop=(whole.text[9:11], whole.text[4:6]))
    found = asked(shared, catalog, what, cut)
    assert found == asked(engine(catalog), catalog, what, cut)
    assert found[0].n_tokens < 30


@pytest.mark.vllm
def test_an_end_token_ends_a_text_and_counts(tmp_path: Path) -> None:
    base = make_base(tmp_path / "base", hidden=HIDDEN)
    model = load(base)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            parameter.zero_() if "o_proj" in name or "down_proj" in name else None
        model.model.embed_tokens.weight.abs_().add_(10)
        model.lm_head.weight.zero_()[258] = 1.0
    model.save_pretrained(tmp_path / "ends")
    catalog = opened(tmp_path, "ends")
    found = asked(vllm(catalog), catalog, recipe(catalog, ends=1.0), Generation("abc", 9))
    assert found == (Text("", 1),)


@pytest.mark.vllm
def test_sampling_depends_on_the_requests_own_seed_alone(shared: VllmEngine, catalog: Catalog) -> None:
    what = recipe(catalog, **MIX)
    requests = [Generation(p, 12, temperature=1.0, top_p=0.95, seed=s) for p in ("hello", LONG) for s in range(3)]
    together = asked(shared, catalog, what, *requests)
    assert together == tuple(asked(shared, catalog, what, request)[0] for request in requests)
    assert len({found.text for found in together}) == 6


@pytest.mark.vllm
def test_a_recipe_out_of_range_fails_and_leaves_no_trace(shared: VllmEngine, catalog: Catalog) -> None:
    good = recipe(catalog, **MIX)
    before = asked(shared, catalog, good, *GENERATIONS)
    for bad in (recipe(catalog, full=1e39), recipe(catalog, full=3e38, one=3e38, two=3e38)):
        with pytest.raises((EvaluationError, RuntimeError), match=r"not finite|overflow"):
            asked(shared, catalog, bad, GENERATIONS[0])
        assert asked(shared, catalog, good, *GENERATIONS) == before


@pytest.mark.vllm
def test_a_request_that_does_not_fit_is_a_data_error(catalog: Catalog) -> None:
    held = vllm(catalog, max_model_len=64)
    with pytest.raises(DataError, match=r"needs 65 tokens, but this vLLM takes 64; raise engine\.max_model_len"):
        asked(held, catalog, recipe(catalog), Generation("x" * 60, 5))
    assert len(asked(held, catalog, recipe(catalog), Generation("x" * 60, 4))) == 1


@pytest.mark.vllm
def test_a_base_that_an_exchange_of_weights_changes_is_refused(
    shared: VllmEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where a reload damages an architecture: the same weights, and other answers."""
    shared._put(shared._base_recipe)
    shared._check_reload()
    asked, calls = VllmEngine._ask, list[object]()

    def damaged(engine: VllmEngine, requests: Sequence[AssignedRequest]) -> list[Answer]:
        calls.append(requests)
        text, likelihood = asked(engine, requests)
        assert isinstance(text, Text)
        return [replace(text, text=f"{text.text}!") if len(calls) > 1 else text, likelihood]

    monkeypatch.setattr(VllmEngine, "_ask", damaged)
    with pytest.raises(ExpertError, match=r"answers otherwise once .*set engine.type to transformers"):
        shared._check_reload()
    assert len(calls) == 2


@pytest.mark.vllm
def test_settings_that_vllm_refuses_give_an_error_of_one_line(catalog: Catalog) -> None:
    with pytest.raises(ConfigError, match="vLLM does not start") as raised:
        vllm(catalog, max_model_len=100_000)
    assert "\n" not in str(raised.value)


@pytest.mark.vllm
@pytest.mark.parametrize("algebra", [recipe, factors])
def test_adapters_answer_as_swapped_weights_do(lora_engine: VllmEngine, lora_catalog: Catalog, algebra: object) -> None:
    coefficients = [{"one": 1.0}, {"one": 0.7, "two": -0.4}, {"one": 0.3, "two": 0.3, "three": 0.3}]
    recipes = [algebra(lora_catalog, **each) for each in coefficients]  # type: ignore[operator]
    requests = [*GENERATIONS[:3], *CONTINUATIONS[:4]]
    base = asked(lora_engine, lora_catalog, recipe(lora_catalog), *requests)
    replies = answer(lora_engine, lora_catalog, recipes, requests)
    assert {reply.method for reply in replies} == {"adapters"}
    for each, reply in zip(recipes, replies, strict=True):
        assert_same(reply.answers, asked(lora_engine, lora_catalog, each, *requests))
    assert_same(asked(lora_engine, lora_catalog, recipe(lora_catalog), *requests), base)


@pytest.fixture(scope="module")
def lora_engine(lora_catalog: Catalog) -> VllmEngine:
    return vllm(lora_catalog, adapters=3)


@pytest.mark.vllm
def test_adapters_leave_no_files_and_are_never_confused(lora_engine: VllmEngine, lora_catalog: Catalog) -> None:
    def together(*names: str) -> list[tuple[Answer, ...]]:
        recipes = [recipe(lora_catalog, **{name: 1.0}) for name in names]
        return [reply.answers for reply in answer(lora_engine, lora_catalog, recipes, GENERATIONS[:3])]

    before = set(SHARED_MEMORY.iterdir())
    one, two = together("one", "two")
    three, again = together("three", "one")
    assert again == one
    assert one != two != three != one
    assert set(SHARED_MEMORY.iterdir()) == before


@pytest.mark.vllm
def test_the_base_among_adapters_is_merged(lora_engine: VllmEngine, lora_catalog: Catalog) -> None:
    recipes = [recipe(lora_catalog, one=1.0), recipe(lora_catalog)]
    replies = answer(lora_engine, lora_catalog, recipes, GENERATIONS[:2])
    assert [reply.method for reply in replies] == ["merged", "merged"]


def smollm2() -> Catalog:
    if not ZOO.is_dir():
        pytest.skip("the smollm2 zoo is not built")
    return open_catalog(ZOO / "base", [ExpertSpec(path.name, path) for path in sorted((ZOO / "experts").iterdir())])


def questions(n: int) -> list[Generation]:
    rows = [json.loads(line) for line in (ZOO / "data" / "examples.jsonl").read_text().splitlines()]
    return [Generation(row["prompt"], 16, stop=("\n",)) for row in random.Random(0).sample(rows, n)]


@pytest.mark.vllm
@pytest.mark.real
@pytest.mark.timeout(1200)
def test_real_answers_are_those_of_transformers_and_change_with_the_weights() -> None:
    """In float32. In bfloat16 the engines round differently: docs/vllm.md has the figures."""
    catalog = smollm2()
    requests = questions(100)
    held, reference = vllm(catalog, kv_cache_gb=1.0), engine(catalog)
    seen = []
    for what in (recipe(catalog), recipe(catalog, gcd=1.0), recipe(catalog, **dict.fromkeys(catalog.names, 0.3))):
        found, expected = (asked(each, catalog, what, *requests) for each in (held, reference))
        assert sum(a == b for a, b in zip(found, expected, strict=True)) >= 95
        seen.append(found)
    for one, other in ((seen[0], seen[1]), (seen[1], seen[2]), (seen[0], seen[2])):
        assert sum(a == b for a, b in zip(one, other, strict=True)) < 80
