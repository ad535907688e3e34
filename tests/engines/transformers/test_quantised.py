"""Adapters beside a quantised base: as PEFT's own unmerged forward pass has it, on the same base."""

import json
from pathlib import Path

import pytest
import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM, BitsAndBytesConfig, TorchAoConfig

from support.architectures import alone, continuations, one_hot, scores
from support.models import make_adapter, make_base, make_checkpoint, make_tokenizer
from support.runs import journal, start, write_examples
from swarm.core.errors import ConfigError, ExpertError, UserError
from swarm.core.recipes import Group, Recipe, WeightRecipe
from swarm.core.requests import Generation, Text
from swarm.engines import Encoder
from swarm.engines.transformers.dial_model import DialModel
from swarm.engines.transformers.engine import TransformersSettings
from swarm.engines.vllm.engine import VllmSettings
from swarm.experts.catalog import Catalog, ExpertSpec, open_catalog
from swarm.export import Exported, check_form, export
from swarm.export.adapter import write_adapter

pytestmark = pytest.mark.slow
MIXED = Recipe(WeightRecipe("delta", (Group("all", ("*",)),), {"one": (0.7,), "two": (-0.4,)}))


def quantisation(kind: str) -> BitsAndBytesConfig | TorchAoConfig:
    if kind == "torchao":
        from torchao.quantization import Int8WeightOnlyConfig

        return TorchAoConfig(Int8WeightOnlyConfig())
    if kind == "int8":
        return BitsAndBytesConfig(load_in_8bit=True)
    return BitsAndBytesConfig(load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_compute_dtype=torch.float32)


@pytest.fixture(scope="module", params=["torchao", "int8", "nf4", "nf4-tied"])
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A quantised base, the one that it was made from, and two adapters of that."""
    pytest.importorskip("torchao" if request.param == "torchao" else "bitsandbytes")
    made = tmp_path_factory.mktemp(request.param)
    make_base(made / "whole", hidden=64, tied=request.param == "nf4-tied")
    model = AutoModelForCausalLM.from_pretrained(
        made / "whole", quantization_config=quantisation(request.param), dtype=torch.float32, device_map="cpu"
    )
    model.save_pretrained(made / "base")
    make_tokenizer().save_pretrained(made / "base")
    for seed, name in enumerate(("one", "two")):
        make_adapter(made / name, made / "whole", seed, scale=0.2)
    return made


@pytest.fixture
def catalog(folder: Path) -> Catalog:
    return open_catalog(folder / "base", [ExpertSpec(name, folder / name) for name in ("one", "two")])


def peft(folder: Path, *names: str) -> PeftModel:
    model = AutoModelForCausalLM.from_pretrained(folder / "base", dtype=torch.float32, device_map="cpu")
    found = PeftModel.from_pretrained(model, folder / "one", adapter_name="one")
    found.load_adapter(folder / "two", adapter_name="two")
    if len(names) > 1:
        found.add_weighted_adapter(["one", "two"], [0.7, -0.4], "mixed", combination_type="cat")
    found.set_adapter(names[0] if len(names) == 1 else "mixed")
    return found.eval()


def test_scores_and_texts_are_those_of_peft_s_unmerged_forward(folder: Path, catalog: Catalog) -> None:
    engine = TransformersSettings(dtype="float32", device="cpu").open(catalog)
    asked = Encoder.of(folder / "base").encode(continuations(3))
    recipes = [one_hot("one"), MIXED, one_hot("two")]
    assert engine.joins(recipes[:1], asked)
    found = scores(engine, recipes, asked)
    for recipe, row in enumerate(found):
        model = peft(folder, *(["one"], ["one", "two"], ["two"])[recipe])
        assert row == pytest.approx([alone(model, item) for item in asked.items], abs=2e-2)
    assert max(abs(a - b) for a, b in zip(found[0], found[2], strict=True)) > 0.2
    texts = Encoder.of(folder / "base").encode([Generation("abc", 6), Generation("abcdef", 6)])
    (reply,) = engine.answer([MIXED], texts)
    written = [alone(peft(folder, "one", "two"), item, 6) for item in texts.items]
    tokenizer = Encoder.of(folder / "base").tokenizer
    expected = [tokenizer.decode(each, skip_special_tokens=True) for each in written]  # type: ignore[arg-type]
    assert [a.text for a in reply.answers if isinstance(a, Text)] == expected


def test_the_best_is_exported_as_an_adapter_of_the_quantised_base(
    folder: Path, catalog: Catalog, tmp_path: Path
) -> None:
    exported = Exported(catalog, MIXED, "float32", None, "", "1-1")
    with pytest.raises(UserError, match=r"is quantised; use adapter or recipe"):
        check_form(exported, "hf")
    export(exported, tmp_path / "out", "adapter")
    model = AutoModelForCausalLM.from_pretrained(folder / "base", dtype=torch.float32, device_map="cpu")
    found = PeftModel.from_pretrained(model, tmp_path / "out").eval()
    asked = Encoder.of(folder / "base").encode(continuations(1))
    expected = [alone(peft(folder, "one", "two"), item) for item in asked.items]
    assert [alone(found, item) for item in asked.items] == pytest.approx(expected, abs=2e-2)


@torch.no_grad()
def test_a_dial_s_adapter_is_an_exported_one_bit_for_bit(folder: Path, catalog: Catalog, tmp_path: Path) -> None:
    dial = DialModel(catalog, torch.float32, "cpu")
    assert dial.form == "adapter"
    dial.put([Recipe(WeightRecipe("delta", MIXED.weights.groups, {"one": (1.3,), "two": (0.0,)}))])
    dial.put([MIXED])
    write_adapter(Exported(catalog, MIXED, "float32", None, "", "1-1"), tmp_path)
    model = AutoModelForCausalLM.from_pretrained(folder / "base", dtype=torch.float32, device_map="cpu")
    expected = PeftModel.from_pretrained(model, tmp_path).eval()
    ids = torch.arange(60, 76)[None]
    assert torch.equal(dial.model(ids).logits, expected(ids).logits)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_a_run_exports_a_verified_adapter(folder: Path, tmp_path: Path, dtype: str) -> None:
    data = write_examples(tmp_path / "words.jsonl", 15)
    summary = start(
        folder,
        tmp_path / "run",
        {
            "experts": ["one", "two"],
            "objectives": [{"name": "words", "type": "likelihood", "data": str(data)}],
            "optimizer": {"type": "pso", "particles": 3, "iterations": 2},
            "engine": {"dtype": dtype},
            "export": {"format": "adapter"},
        },
    )
    assert {line["method"] for line in journal(tmp_path / "run") if line["kind"] == "evaluation"} == {"stacked"}
    if summary["best"]["source"] == "base":  # which has no adapter
        assert (tmp_path / "run" / "best" / "recipe.json").is_file()
    else:
        assert summary["export_check"]["equal"] == summary["export_check"]["n"]
    assert any("nothing is merged" in note for note in summary["notes"])


def test_what_needs_weights_is_refused_with_a_remedy(folder: Path, catalog: Catalog, tmp_path: Path) -> None:
    make_checkpoint(tmp_path / "tuned", folder / "whole", seed=3)
    make_adapter(tmp_path / "dora", folder / "whole", seed=3, use_dora=True)
    for name in ("tuned", "dora"):
        with pytest.raises(ExpertError, match=r"only plain LoRA adapters .* give the 16-bit checkpoint"):
            open_catalog(folder / "base", [ExpertSpec(name, tmp_path / name)])
    with pytest.raises(ConfigError, match=r"engine\.method: merged, .* use method: auto"):
        TransformersSettings(method="merged").cost_model(catalog)
    with pytest.raises(ConfigError, match=r"is quantised.* set engine\.type to transformers"):
        VllmSettings().check_base(catalog.base)
    assert any("nothing is merged" in note for note in catalog.notes)


def test_other_codes_are_refused(tmp_path: Path) -> None:
    base = make_base(tmp_path / "base")
    config = json.loads((base / "config.json").read_text())
    (base / "config.json").write_text(json.dumps(config | {"quantization_config": {"quant_method": "gptq"}}))
    with pytest.raises(ExpertError, match=r"is quantised \(quantization_config: gptq\)"):
        open_catalog(base, [])
