"""Encoder-decoders: scored as lm-eval does it, generated as transformers does it, composed for all uses of ties."""

import json
import shutil
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch
from peft import LoraConfig, get_peft_model
from transformers import AutoTokenizer

from support.architectures import ARCHITECTURES, CHECKS, Bed, alone, continuations, load, one_hot, opened, prompts
from support.models import make_checkpoint
from support.tokenizers import adding, make_pair_kind
from swarm.core.errors import ConfigError, DataError, ExpertError
from swarm.core.recipes import Group, Recipe, WeightRecipe
from swarm.core.requests import Continuation, Generation, Likelihood, Text
from swarm.engines import Encoder
from swarm.engines.transformers.engine import TransformersSettings
from swarm.engines.vllm.engine import VllmSettings
from swarm.experts.catalog import ExpertSpec, open_catalog
from swarm.experts.parameter_groups import make_groups
from swarm.export import Exported, export

BY_NAME = {each.name: each for each in ARCHITECTURES}
NEVER = {"kept layers": "ok, computed again", "stacked": "ok, merged"}
BY_KIND = [each.name for each in ARCHITECTURES if each.kind == "encoder-decoder" and each.name != "switch_transformers"]
QUICK = {
    ("t5", "score"),
    ("t5", "generate"),
    ("t5", "merged"),
    ("bart", "score"),
    ("bart", "generate"),
    ("mbart", "score"),
}


@pytest.fixture(scope="module")
def bed(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Bed]:
    """The bed of an architecture, made once."""
    made: dict[str, Bed] = {}

    def found(name: str) -> Bed:
        if name not in made:
            made[name] = Bed(tmp_path_factory.mktemp(name))
            BY_NAME[name].build(made[name].base)
        return made[name]

    return found


@pytest.mark.parametrize(
    ("name", "check"),
    [
        pytest.param(name, check, marks=[] if (name, check) in QUICK else [pytest.mark.slow])
        for name in BY_KIND
        for check in CHECKS
    ],
)
def test_an_encoder_decoder_answers_as_by_itself(bed: Callable[[str], Bed], name: str, check: str) -> None:
    assert CHECKS[check](bed(name)) == NEVER.get(check, "ok")


@pytest.mark.parametrize("name", ["t5_tied", "bart_tied", pytest.param("t5", marks=pytest.mark.slow)])
def test_half_a_full_fine_tune_is_composed_for_every_use_of_its_embeddings(
    bed: Callable[[str], Bed], tmp_path: Path, name: str
) -> None:
    base = bed(name).base
    tuned = load(make_checkpoint(tmp_path / "tuned", base, seed=3, scale=0.1))
    model = bed(name).model()
    with torch.no_grad():
        for one, other in zip(model.parameters(), tuned.parameters(), strict=True):
            one.add_(0.5 * (other - one))
    catalog = open_catalog(base, [ExpertSpec("tuned", tmp_path / "tuned")])
    recipe = Recipe(WeightRecipe("delta", (Group("all", ("*",)),), {"tuned": (0.5,)}))
    asked = bed(name).encoded(continuations(2))
    (reply,) = opened(catalog).answer([recipe], asked)
    expected = [float(alone(model, item)) for item in asked.items]  # type: ignore[arg-type]
    assert [a.log_likelihood for a in reply.answers if isinstance(a, Likelihood)] == pytest.approx(expected, abs=2e-3)
    export(Exported(catalog, recipe, "float32", None, "", "1-1"), tmp_path / "out", "hf")
    again = [float(alone(load(tmp_path / "out"), item)) for item in asked.items]  # type: ignore[arg-type]
    assert again == pytest.approx(expected, abs=2e-3)
    assert "AutoModelForSeq2SeqLM" in (tmp_path / "out" / "README.md").read_text()


def test_an_exported_adapter_says_what_its_base_does(bed: Callable[[str], Bed], tmp_path: Path) -> None:
    exported = Exported(bed("t5").catalog(), one_hot("one"), "float32", None, "", "1-1")
    export(exported, tmp_path / "out", "adapter")
    assert json.loads((tmp_path / "out" / "adapter_config.json").read_text())["task_type"] == "SEQ_2_SEQ_LM"
    from peft import PeftModel

    asked = bed("t5").encoded(continuations(1))
    found = PeftModel.from_pretrained(bed("t5").model(), tmp_path / "out").merge_and_unload()
    expected = [float(alone(bed("t5").merged("one"), item)) for item in asked.items]  # type: ignore[arg-type]
    assert [float(alone(found, item)) for item in asked.items] == pytest.approx(expected, abs=2e-3)  # type: ignore[arg-type]


RULES = [
    {"no_repeat_ngram_size": 2, "repetition_penalty": 1.5},
    {"min_length": 6, "forced_bos_token_id": 70, "suppress_tokens": [71, 72]},
    {"encoder_no_repeat_ngram_size": 1, "num_beams": 4},
]


@pytest.mark.parametrize("rules", RULES, ids=lambda rules: next(iter(rules)))
def test_texts_follow_the_rules_of_generation_config(
    bed: Callable[[str], Bed], tmp_path: Path, rules: dict[str, object]
) -> None:
    base = Path(shutil.copytree(bed("bart").base, tmp_path / "base"))
    file = base / "generation_config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | rules))
    asked = Encoder.of(base).encode([Generation(prompt, 8) for prompt in prompts(4)])
    engine = opened(open_catalog(base, []))
    (reply,) = engine.answer([one_hot(None)], asked)
    tokenizer = AutoTokenizer.from_pretrained(base)
    expected = [tokenizer.decode(alone(load(base), item), skip_special_tokens=True) for item in asked.items]  # type: ignore[arg-type]
    assert [a.text for a in reply.answers if isinstance(a, Text)] == expected
    plain = tokenizer.decode(alone(bed("bart").model(), asked.items[0]), skip_special_tokens=True)  # type: ignore[arg-type]
    assert expected[0] != plain, "the rules change something"
    assert any("4 beams" in note for note in engine.notes) == ("num_beams" in rules)


def test_texts_stop_have_margins_and_are_sampled_by_their_seeds_alone(bed: Callable[[str], Bed]) -> None:
    sampled = [Generation(prompt, 6, temperature=1.0, seed=i) for i, prompt in enumerate(prompts(4))]
    greedy = [Generation(prompt, 4, targets=("a", "bc")) for prompt in prompts(2)]
    engine = opened(open_catalog(bed("t5").base, []))
    (together,) = engine.answer([one_hot(None)], bed("t5").encoded([*sampled, *greedy]))
    for request, answer in zip(sampled, together.answers, strict=False):
        (alone_reply,) = engine.answer([one_hot(None)], bed("t5").encoded([request]))
        assert alone_reply.answers == (answer,)
    texts = [answer.text for answer in together.answers if isinstance(answer, Text)]
    assert len(set(texts[:4])) == 4
    assert all(a.margin is not None and a.margin < 0 for a in together.answers[4:] if isinstance(a, Text))
    stop = texts[4][1:2]
    (stopped,) = engine.answer([one_hot(None)], bed("t5").encoded([Generation(prompts(2)[0], 4, stop=(stop,))]))
    assert stopped.answers[0].text == texts[4].split(stop)[0]  # type: ignore[union-attr]


def test_prompts_and_continuations_are_tokenised_apart_as_lm_eval_does(tmp_path: Path) -> None:
    base = make_pair_kind(tmp_path, adding("$A <eos>"))
    tokenizer = AutoTokenizer.from_pretrained(base)
    one, two, three = (
        Encoder.of(base)
        .encode(
            [Continuation("Answer: ", "four"), Continuation("", "four"), Generation("Answer: ", 3, targets=("four",))]
        )
        .items
    )
    assert list(one.prompt) == tokenizer.encode("Answer:")
    assert one.prompt[-1] == tokenizer.eos_token_id
    assert list(one.continuation) == tokenizer.encode(" four", add_special_tokens=False)
    assert two.prompt == (tokenizer.bos_token_id,)
    assert list(three.prompt) == tokenizer.encode("Answer: ")
    assert list(three.targets[0]) == tokenizer.encode("four")


def test_a_tokenizer_that_only_sentencepiece_reads_is_refused_with_a_remedy(
    bed: Callable[[str], Bed], tmp_path: Path
) -> None:
    """As Marian's and mT5's first checkpoints have them. The remedy: a tokenizer.json."""
    if find_spec("sentencepiece"):
        pytest.skip("sentencepiece is installed")
    base = Path(shutil.copytree(bed("marian").base, tmp_path / "base"))
    whole = {name: (base / name).read_bytes() for name in ("tokenizer.json", "tokenizer_config.json")}
    (base / "tokenizer.json").unlink()
    (base / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "MarianTokenizer"}))
    for name in ("source.spm", "target.spm", "vocab.json"):
        (base / name).write_text("{}")
    with pytest.raises(ExpertError, match=r"pip install sentencepiece, or save a tokenizer\.json there") as refused:
        Encoder.of(open_catalog(base, []).base.path)
    assert "\n" not in str(refused.value)
    for name, content in whole.items():
        (base / name).write_bytes(content)
    Encoder.of(base)


def test_encoder_and_decoder_have_room_of_their_own(bed: Callable[[str], Bed]) -> None:
    """256 positions each: together they take more, and each is told apart."""
    encoder = Encoder.of(bed("bart").base)
    encoder.encode([Continuation("a" * 250, "b" * 250), Generation("a" * 250, 250)])
    with pytest.raises(DataError, match="the encoder takes 256; shorten the example"):
        encoder.encode([Continuation("a" * 257, "b")])
    with pytest.raises(DataError, match=r"the decoder takes 256; .* lower max_new_tokens"):
        encoder.encode([Generation("a", 257)])
    Encoder.of(bed("t5").base).encode([Continuation("a" * 3000, "b" * 3000)])


def test_layers_of_both_stacks_are_grouped_by_their_block(bed: Callable[[str], Bed]) -> None:
    names = open_catalog(bed("t5").base, []).base.tensors.info
    first, second = make_groups("layers:2", names)
    assert {"*block.0.*", "*shared.weight"} <= {*first.patterns}
    assert (first.name, second.name) == ("layers0-0", "layers1-1")
    assert [group.name for group in make_groups("modules", names)] == ["attention", "mlp", "other"]


def test_what_cannot_be_done_is_refused_with_a_remedy(bed: Callable[[str], Bed], tmp_path: Path) -> None:
    catalog = bed("t5").catalog()
    assert any("encoder-decoder: candidates are merged" in note for note in catalog.notes)
    with pytest.raises(ConfigError, match=r"encoder-decoder.*use method: auto"):
        TransformersSettings(method="stacked").cost_model(catalog)
    with pytest.raises(ConfigError, match=r"which vLLM does not run; set engine\.type to transformers"):
        VllmSettings().check_base(catalog.base)
    base = Path(shutil.copytree(bed("t5").base, tmp_path / "base"))
    for name in ("config.json", "generation_config.json"):
        held = json.loads((base / name).read_text())
        kept = {key: value for key, value in held.items() if key not in ("decoder_start_token_id", "bos_token_id")}
        (base / name).write_text(json.dumps(kept))
    with pytest.raises(ExpertError, match="set decoder_start_token_id there") as refused:
        opened(open_catalog(base, []))
    assert "\n" not in str(refused.value)
    config = json.loads((base / "config.json").read_text())
    (base / "config.json").write_text(json.dumps(config | {"decoder_start_token_id": 256}))
    opened(open_catalog(base, []))


@pytest.mark.parametrize("settings", [{"target_modules": ["q", "shared"]}, {"modules_to_save": ["lm_head"]}], ids=str)
def test_an_adapter_of_one_use_of_tied_embeddings_is_refused(
    bed: Callable[[str], Bed], tmp_path: Path, settings: dict[str, list[str]]
) -> None:
    lora = LoraConfig(task_type="SEQ_2_SEQ_LM", **({"target_modules": ["q"]} | settings))  # type: ignore[arg-type]
    get_peft_model(bed("t5_tied").model(), lora).save_pretrained(tmp_path)
    with pytest.raises(ExpertError, match=r"which the base ties to .*train it again without the embeddings"):
        open_catalog(bed("t5_tied").base, [ExpertSpec("one", tmp_path)])
