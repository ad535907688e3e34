"""Recipes of logits and routing: written, read, loaded in a fresh process, and refused as one model's weights."""

import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
import torch
from transformers import GenerationConfig

import swarm
from support.models import load, make_base
from support.runs import ADAPTERS, answer, choices, engine, make_workshop, opened, recipe, start, write_examples
from swarm.core.errors import ExpertError, UserError
from swarm.core.examples import Split
from swarm.core.recipes import LogitRecipe, Recipe, RoutingRecipe
from swarm.core.requests import Generation, Text
from swarm.data.examples import read_examples
from swarm.engines.transformers.logit_model import LogitModel
from swarm.engines.transformers.router_features import features_of
from swarm.experts.catalog import Catalog, ExpertSpec, open_base, open_catalog
from swarm.experts.control_layer import first_layer, write_control_layer
from swarm.experts.router import Router
from swarm.experts.router_files import write_router
from swarm.experts.router_fit import RouterFit, fit_router
from swarm.export import EXPORTS, Exported, export, read_recipe
from swarm.run.export_candidate import exported_candidate

PAIR = {"name": "pair", "path": "tuned", "minus": "small"}
ROUTED = {"type": "routed", "router": "router"}
RUNS: dict[str, dict[str, Any]] = {
    "logits": {"composition": {"type": "logits"}, "experts": ["one", PAIR]},
    "control": {"composition": {"type": "control"}, "experts": ["control"]},
    "mixed": {"composition": {"type": "mixed", "scales": {}}, "experts": ["one", "two"]},
    "routed": {"composition": ROUTED, "experts": list(ADAPTERS)},
    "clusters": {"composition": {**ROUTED, "by": "clusters", "clusters": 2}, "experts": list(ADAPTERS)},
}
# The mean log-likelihood of each answer's tokens, from the model alone: the prompt is read first, then the answer.
SCORING = """
import json, sys, torch
import swarm

model = swarm.load(sys.argv[1], device="cpu")
found = []
for prompt, answer in json.load(sys.stdin):
    ids = torch.tensor([model.tokenizer.encode(prompt)])
    more = torch.tensor([model.tokenizer.encode(answer, add_special_tokens=False)])
    with torch.no_grad():
        first = model(ids, use_cache=True)
        rest = model(more, past_key_values=first.past_key_values)
    logits = torch.cat([first.logits[:, -1:], rest.logits[:, :-1]], dim=1).log_softmax(-1)
    found.append(float(logits[0].gather(1, more[0][:, None]).mean()))
print(json.dumps(found))
"""
OBJECTIVE = {"name": "words", "type": "likelihood", "data": "words.jsonl"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = make_workshop(tmp_path_factory.mktemp("recipes"))
    make_base(folder / "small", seed=5, layers=1, hidden=16)
    make_base(folder / "tuned", seed=6, layers=1, hidden=16)
    torch.manual_seed(8)
    layer = first_layer(load(folder / "base"))
    tensors = {name: each.detach() + 0.1 * torch.randn_like(each) for name, each in layer.named_parameters()}
    (folder / "control").mkdir()
    fingerprint = open_base(folder / "base").tensors.fingerprint
    write_control_layer(folder / "control", tensors, str(folder / "base"), fingerprint)
    make_router(folder)
    write_examples(folder / "words.jsonl", 40)
    return folder


def make_router(folder: Path) -> None:
    """A router of texts of three kinds, each of which one adapter is the best at."""
    catalog, model = opened(folder, *ADAPTERS), load(folder / "base").eval()
    texts = [[letter] * (2 + i % 7) + [32, letter] for i in range(20) for letter in (64, 72, 83)]
    features_NH = features_of(model, texts, 1, torch.device("cpu"))
    found = fit_router(features_NH, np.tile(np.eye(3), (20, 1)), catalog.names, RouterFit())
    fingerprints = {each.name: each.fingerprint for each in catalog.sources}
    fitted = (found.geometry, found.spreads, found.fractal_ME, found.natural_ME)
    made = Router(catalog.base.tensors.fingerprint, fingerprints, 1, "isotonic", *fitted, {"examples": 60})
    (folder / "router").mkdir()
    write_router(made, folder / "router")


@pytest.fixture(scope="module")
def catalog(folder: Path) -> Catalog:
    specs = [ExpertSpec(name, folder / name) for name in (*ADAPTERS, "control")]
    return open_catalog(folder / "base", [*specs, ExpertSpec("pair", folder / "tuned", minus=folder / "small")])


def exported(catalog: Catalog, what: Recipe) -> Exported:
    return Exported(catalog, what, "float32", None, "", "3-1")


def on_logits(catalog: Catalog, **coefficients: float) -> Recipe:
    return Recipe(recipe(catalog).weights, LogitRecipe("logits", coefficients))


def routed(folder: Path) -> Recipe:
    names = dict.fromkeys(ADAPTERS, 0.0)
    scales = dict.fromkeys(ADAPTERS, 1.0)
    routing = RoutingRecipe(str(folder / "router"), "logits", 2, 0.6, 0.4, 0.5, 0.1, 1.0, names, scales)
    return Recipe(recipe(opened(folder, *ADAPTERS)).weights, routing=routing)


def one_that_acts(run_dir: Path, kind: str) -> tuple[str, Split]:
    """The best of the candidates that need more than weights, with the split: test where one was scored there."""
    splits: tuple[Split, ...] = ("test", "search")
    for split in splits:
        rows = [row for row in swarm.Run.load(run_dir).archive.rows() if row["split"] == split and "score:words" in row]
        for row in sorted(rows, key=lambda row: -float(str(row["score:words"]))):
            what = exported_candidate(run_dir, str(row["id"]))
            if not what.plain and (what.recipe.routing is not None) == (kind in ("routed", "clusters")):
                return str(row["id"]), split
    raise AssertionError("some candidate acts beyond weights")


@pytest.mark.parametrize("kind", RUNS)
def test_in_a_fresh_process_a_recipe_gives_the_scores_of_its_run(folder: Path, tmp_path: Path, kind: str) -> None:
    """Item by item, computed by `swarm.load`'s model alone: of the test split, or for routing of the search split."""
    before = open_base(folder / "base").tensors.fingerprint
    config = {"objectives": [OBJECTIVE], "export": {"check_examples": 4}, **RUNS[kind]}
    found = start(folder, tmp_path / "run", config)
    check = found["export_check"]
    assert check is None or check["equal"] == check["n"] > 0
    run = swarm.Run.load(tmp_path / "run")
    one, split = one_that_acts(tmp_path / "run", kind)
    dest = run.export(tmp_path / "out", candidate=one, format="recipe")
    evaluation = run.archive.of(one, split)
    assert evaluation is not None
    assert run.archive.start is not None
    known = {each.id: each for each in read_examples(folder / "words.jsonl")}
    items = [known[item.id] for item in run.archive.start.items["words"][split]]
    asked = [(each.prompt, f" {(each.choices or {})[each.answer]}") for each in items]
    done = subprocess.run(
        [sys.executable, "-c", SCORING, str(dest)], input=json.dumps(asked), capture_output=True, text=True, check=True
    )
    scores = json.loads(done.stdout.splitlines()[-1])
    seen = list(evaluation.examples["words"])  # fewer, where a race has stopped it
    assert scores[: len(seen)] == pytest.approx(seen, abs=1e-5)
    assert open_base(folder / "base").tensors.fingerprint == before


def test_the_winner_decides_what_best_holds(folder: Path, tmp_path: Path) -> None:
    """`format: hf` is a recipe where the best combines logits, and a whole model where weights are all."""
    found = start(folder, tmp_path / "run", {"composition": {"type": "logits"}, "experts": ["two", PAIR]})
    what = exported_candidate(tmp_path / "run")
    file = "config.json" if what.plain else "recipe.json"
    assert (tmp_path / "run" / "best" / file).is_file()
    assert found["export_check"]["equal"] == found["export_check"]["n"] > 0
    assert isinstance(swarm.load(tmp_path / "run", device="cpu"), LogitModel) is not what.plain


@pytest.mark.parametrize("format", ["adapter", "mergekit"])
def test_a_form_that_cannot_hold_the_best_is_refused_before_the_search(
    folder: Path, tmp_path: Path, format: str
) -> None:
    with pytest.raises(UserError, match=r"combines logits of several models; use recipe \(export\.format"):
        start(folder, tmp_path / "run", {"composition": {"type": "logits"}, "export": {"format": format}})


@pytest.mark.parametrize("format", sorted(EXPORTS))
def test_one_model_s_forms_refuse_what_is_not_one_model(
    folder: Path, catalog: Catalog, tmp_path: Path, format: str
) -> None:
    several = (exported(catalog, on_logits(catalog, one=0.5)), exported(opened(folder, *ADAPTERS), routed(folder)))
    for what, words in zip(several, ("combines logits", "routes each prompt"), strict=True):
        if format == "recipe":
            assert read_recipe(export(what, tmp_path / words, format)).recipe == what.recipe
        else:
            with pytest.raises(UserError, match=words):
                export(what, tmp_path / words, format)


def test_coefficients_of_zero_are_plain_weights(catalog: Catalog, tmp_path: Path) -> None:
    weights = recipe(catalog, one=0.5)
    zeros = replace(weights, logits=LogitRecipe("logits", {"pair": 0.0, "two": 0.0}))
    below = replace(weights, logits=LogitRecipe("probabilities", {"two": -0.5}))
    found = [export(exported(catalog, each), tmp_path / str(i), "hf") for i, each in enumerate((weights, zeros, below))]
    assert len({(place / "model.safetensors").read_bytes() for place in found}) == 1
    assert [source.name for source in exported(catalog, zeros).active] == ["one"]
    acting = on_logits(catalog, pair=0.5, two=-0.1, one=0.0)
    assert [source.name for source in exported(catalog, acting).active] == ["two", "pair"]


def test_the_file_holds_what_it_needs_and_no_more(folder: Path, catalog: Catalog, tmp_path: Path) -> None:
    """Plain weights are version 1, without a key of other places."""
    plain = Exported(opened(folder, "one"), recipe(opened(folder, "one"), one=0.5), "float32", None, "", "")
    content = json.loads((export(plain, tmp_path / "plain", "recipe") / "recipe.json").read_text())
    assert content["version"] == 1
    assert list(content) == [
        "format",
        "version",
        "base",
        "experts",
        "recipe",
        "dtype",
        "candidate",
        "summary",
        "config",
    ]
    assert list(content["recipe"]) == ["weights"]
    assert list(content["experts"][0]) == ["path", "fingerprint", "name", "kind", "trim", "dare", "svd"]
    dest = export(exported(catalog, on_logits(catalog, pair=0.5, control=-0.2)), tmp_path / "logits", "recipe")
    content = json.loads((dest / "recipe.json").read_text())
    entries = {each["name"]: each for each in content["experts"]}
    assert content["version"] == 2
    assert (entries["pair"]["kind"], entries["pair"]["minus"]) == ("pair", str(folder / "small"))
    assert entries["control"]["kind"] == "control"
    assert read_recipe(dest).catalog.models == catalog.models


def test_what_has_changed_is_refused(folder: Path, tmp_path: Path) -> None:
    """The subtracted model of a pair, a control layer, a router."""
    for name in ("base", "small", "tuned", "control", "router", *ADAPTERS):
        shutil.copytree(folder / name, tmp_path / name)
    pair, control = (
        ExpertSpec("pair", tmp_path / "tuned", minus=tmp_path / "small"),
        ExpertSpec("c", tmp_path / "control"),
    )
    held = open_catalog(tmp_path / "base", [pair, control])
    dest = export(exported(held, on_logits(held, pair=0.5, c=0.5)), tmp_path / "out", "recipe")
    by_router = export(exported(opened(tmp_path, *ADAPTERS), routed(tmp_path)), tmp_path / "routed", "recipe")
    write_random = (tmp_path / "router" / "router.json").read_text()
    (tmp_path / "router" / "router.json").write_text(write_random.replace('"examples"', '"other"'))
    with pytest.raises(ExpertError, match=r"router: .* has the fingerprint"):
        read_recipe(by_router)
    make_base(tmp_path / "small", seed=99, layers=1, hidden=16)
    with pytest.raises(ExpertError, match=r"expert pair: .* has the fingerprint"):
        read_recipe(dest)
    shutil.rmtree(tmp_path / "control")
    with pytest.raises(ExpertError, match=r"expert c: .* does not exist"):
        read_recipe(dest)


def test_a_broken_file_is_one_line(catalog: Catalog, tmp_path: Path) -> None:
    file = export(exported(catalog, on_logits(catalog, pair=0.5)), tmp_path / "out", "recipe") / "recipe.json"
    content = json.loads(file.read_text())
    logits = {"combined": "logits", "coefficients": {"nosuch": 1.0}}
    experts = [each | ({"minus": None} if each["name"] == "pair" else {}) for each in content["experts"]]
    for change, words in (
        ({"recipe": content["recipe"] | {"logits": logits}}, "nosuch has a coefficient"),
        ({"recipe": content["recipe"] | {"logits": {"combined": "sums", "coefficients": {}}}}, "combined is wrong"),
        ({"experts": experts}, "pair: minus is for a pair"),
        ({"router": content["base"]}, "a router needs routing"),
    ):
        file.write_text(json.dumps(content | change))
        with pytest.raises(UserError, match=words) as caught:
            read_recipe(file)
        assert len(str(caught.value).splitlines()) == 1


def test_the_card_says_what_each_path_is_and_how_to_load(folder: Path, catalog: Catalog, tmp_path: Path) -> None:
    both = Recipe(recipe(catalog, one=0.6).weights, LogitRecipe("logits", {"two": 0.5, "pair": -0.25}))
    card = (export(exported(catalog, both), tmp_path / "both", "recipe") / "README.md").read_text()
    for words in ('swarm.load("', "| on weights | on logits |", "| one | adapter | 0.6 | – |", "| – | -0.25 |",
                  "pair of models, minus ", "| control | control layer | – | – |", "Next-token logits"):  # fmt: skip
        assert words in card
    what = exported(opened(folder, *ADAPTERS), routed(folder))
    card = (export(what, tmp_path / "routed", "recipe") / "README.md").read_text()
    assert "| scale | bias |" in card
    assert "A router" in card


@pytest.mark.parametrize("by", ["logits", "clusters"])
def test_routed_texts_are_those_of_the_engine(folder: Path, tmp_path: Path, by: Literal["logits", "clusters"]) -> None:
    """In one left-padded batch with a cache, without one, and with several rows from each prompt."""
    held, prompts = opened(folder, *ADAPTERS), ["@@@ @@", "HHHHHH H", "SSS", "hello there"]
    what = routed(folder)
    assert what.routing is not None
    what = replace(what, routing=replace(what.routing, by=by, temperature=0.2))
    model = swarm.load(export(exported(held, what), tmp_path / "out", "recipe"), device="cpu")
    (reply,) = answer(engine(held), held, [what], [Generation(prompt, 7) for prompt in prompts])
    given = model.tokenizer(
        prompts, return_tensors="pt", padding=True, padding_side="left", return_token_type_ids=False
    )

    def texts(**options: Any) -> list[str]:
        ids = model.generate(**given, max_new_tokens=7, do_sample=False, **options)
        return list(model.tokenizer.batch_decode(ids[:, given["input_ids"].shape[1] :], skip_special_tokens=True))

    assert texts() == [each.text for each in reply.answers if isinstance(each, Text)]
    assert texts(use_cache=False) == texts()
    assert len(set(texts(num_beams=2, num_return_sequences=2)[::2])) == len(prompts)
    del given["attention_mask"]
    padding = {"pad_token_id": model.tokenizer.pad_token_id}
    assert texts(**padding) == texts(**padding, use_cache=False) == [each.text for each in reply.answers]
    model.generation_config.pad_token_id = model.tokenizer.pad_token_id
    assert texts() == texts(**padding)
    assert texts(generation_config=GenerationConfig(num_beams=1)) == texts()
    before = texts()
    model.set(dict.fromkeys(ADAPTERS, 0.0))
    neutral = load(folder / "base").generate(**given, max_new_tokens=7, do_sample=False)
    assert texts() == model.tokenizer.batch_decode(neutral[:, given["input_ids"].shape[1] :], skip_special_tokens=True)
    model.set(dict.fromkeys(ADAPTERS, 1.0))
    assert texts() == before


def test_lm_eval_scores_and_generates_with_a_loaded_recipe(catalog: Catalog, tmp_path: Path) -> None:
    """In process, through HFLM, against plain arithmetic on the model's own logits."""
    huggingface = pytest.importorskip("lm_eval.models.huggingface")
    instance = pytest.importorskip("lm_eval.api.instance").Instance
    dest = export(exported(catalog, on_logits(catalog, one=0.7, pair=0.5)), tmp_path / "out", "recipe")
    model = swarm.load(dest, device="cpu")
    harness = huggingface.HFLM(pretrained=model, tokenizer=model.tokenizer, batch_size=2)
    pairs = [(f"{each.prompt}", f" {text}") for each in choices(3) for text in (each.choices or {}).values()]
    found = harness.loglikelihood([instance("loglikelihood", {}, pair, i) for i, pair in enumerate(pairs)])
    for (prompt, text), (total, _) in zip(pairs, found, strict=True):
        ids = model.tokenizer.encode(prompt + text)
        start = len(model.tokenizer.encode(prompt))
        with torch.no_grad():
            logits = model(torch.tensor([ids])).logits.log_softmax(-1)[0]
        expected = sum(float(logits[i - 1, ids[i]]) for i in range(start, len(ids)))
        assert total == pytest.approx(expected, abs=1e-4)
    asked = [
        instance("generate_until", {}, (prompt, {"until": ["\n\n"], "max_gen_toks": 5}), i)
        for i, prompt in enumerate(("hello there", "a"))
    ]
    texts = harness.generate_until(asked)
    given = model.tokenizer(["hello there"], return_tensors="pt", return_token_type_ids=False)
    alone = model.generate(**given, max_new_tokens=5, do_sample=False)[0, given["input_ids"].shape[1] :]
    assert texts[0] == model.tokenizer.decode(alone, skip_special_tokens=True)
