"""Mistakes with `swarm build`: its config, its data, its base and its folder."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path

import yaml

from support.architectures import ARCHITECTURES
from support.bad_inputs import Case, Scene, Words, edited
from support.tokenizers import byte_level, make_pair_kind

ASKED = {"role": "user", "content": "abc="}
GOOD: Mapping[str, object] = {"prompt": "abc=", "answer": "cba", "chosen": "cba", "rejected": "abc"}
MEDIUM, LONG = ({"prompt": "a" * length, "answer": "b" * 20} for length in (100, 300))


def rows(scene: Scene, *examples: object) -> None:
    (scene.folder / "data.jsonl").write_text("".join(json.dumps(each) + "\n" for each in examples))


def build(scene: Scene, *experts: Mapping[str, object], **sections: object) -> Words:
    """`swarm build` of experts that are trained for a step, on data.jsonl where they do not say otherwise."""
    if not (scene.folder / "data.jsonl").exists():
        rows(scene, GOOD, GOOD | {"prompt": "bcd="})
    listed = [
        {"name": "mine", "type": "sft", "data": "data.jsonl", "steps": 1} | dict(each) for each in experts or [{}]
    ]
    content = {"base": str(scene.playground.base), "experts": listed} | sections
    (scene.folder / "case.yaml").write_text(yaml.safe_dump(content))
    return ["build", scene.folder / "case.yaml"]


def expert(**settings: object) -> Callable[[Scene], Words]:
    """One expert with these settings."""
    return lambda scene: build(scene, settings)


def data(*examples: object, **settings: object) -> Callable[[Scene], Words]:
    """One expert on these examples."""

    def arrange(scene: Scene) -> Words:
        rows(scene, *examples)
        return build(scene, settings)

    return arrange


def pairs(*examples: object) -> Callable[[Scene], Words]:
    return data(*examples, type="dpo")


def base(change: Callable[[Path], object]) -> Callable[[Scene], Words]:
    """On a base of the scene's own, changed."""

    def arrange(scene: Scene) -> Words:
        change(scene.base())
        return build(scene, base=str(scene.folder / "mine"))

    return arrange


def without_template(folder: Path) -> None:
    (folder / "chat_template.jinja").unlink()


def quantised(folder: Path) -> None:
    edited(folder / "config.json", "{\n", '{\n  "quantization_config": {"quant_method": "fp8"},\n')


def chat_without_template(scene: Scene) -> Words:
    rows(scene, {"messages": [ASKED], "answer": "cba"})
    return base(without_template)(scene)


def template_that_is_missing(scene: Scene) -> Words:
    without_template(scene.base())
    return build(scene, base=str(scene.folder / "mine"), chat=True)


def encoder_decoder(scene: Scene) -> Words:
    return build(scene, base=str(make_pair_kind(scene.folder / "t5", byte_level())))


def control_without_a_layer(kind: str) -> Callable[[Scene], Words]:
    """A control layer on a base of an architecture whose first layer cannot be copied."""
    (found,) = (each for each in ARCHITECTURES if each.name == kind)
    return lambda scene: build(scene, {"type": "control"}, base=str(found.build(scene.folder / kind)))


def out_is_a_file(scene: Scene) -> Words:
    (scene.folder / "notes").write_text("mine")
    return build(scene, out="notes")


def folder_of_the_user(scene: Scene) -> Words:
    (scene.folder / "experts" / "mine").mkdir(parents=True)
    (scene.folder / "experts" / "mine" / "thesis.txt").write_text("mine")
    return build(scene)


def of_another_base(scene: Scene) -> Words:
    words = folder_of_the_user(scene)
    (scene.folder / "experts" / "mine" / "build.json").write_text('{"base": "0123", "steps": 1}')
    return words


def config_of_a_search(scene: Scene) -> Words:
    return ["build", scene.search()[1]]


def config_of_a_build(scene: Scene) -> Words:
    return ["search", build(scene)[1], "--run-dir", scene.run]


CONFIGS = [
    Case("unknown-builder", expert(type="grpo"), "experts.0.type", "'grpo'", "did you mean 'dpo'?"),
    Case("no-builder", lambda s: build(s, {"type": None}), "experts.0.type", "None", "known are sft"),
    Case("key-of-another-builder", expert(betta=0.2, type="dpo"), "experts.0.betta", "'betta'", "did you mean 'beta'?"),
    Case("two-lengths", expert(epochs=2), "experts.0", "steps 1 and epochs 2", "remove one of them"),
    Case("name-with-a-slash", expert(name="a/b"), "experts.0.name", "'a/b'", "must be letters, digits"),
    Case("built-under-one-name", lambda s: build(s, {}, {}), "experts", "['mine', 'mine']", "a name of its own"),
    Case("whole-share", expert(held_out=1.0), "experts.0.held_out", "1.0", "must be a share between 0 and 1"),
    Case("axis-without-words", expert(type="axis", instruction=" "), "experts.0.instruction", "' '", "must be a text"),
    Case(
        "sequence-of-two-ranks",
        lambda s: build(s, {"rank": 2}, {"name": "other"}, forgetting=True),
        "forgetting",
        "rank differ",
        "give all experts the same, or remove forgetting",
    ),
    Case("pairs-to-curate", expert(type="dpo", curate={"examples": 9}), "curate", "dpo learns from pairs", "remove it"),
    Case("rank-of-a-control-layer", expert(type="control", rank=4), "experts.0.rank", "'rank'", "known are name"),
    Case("full-control-layer", expert(type="control", full=True), "experts.0.full", "'full'", "known are name"),
    Case(
        "control-layers-in-sequence",
        lambda s: build(s, {"type": "control"}, forgetting=True),
        "forgetting",
        "mine is a control layer",
        "or remove forgetting",
    ),
    Case(
        "control-layer-to-curate",
        expert(type="control", curate={"examples": 9}),
        "curate",
        "control learns from pairs",
        "remove it",
    ),
    Case("control-without-beta", expert(type="control", beta=0), "experts.0.beta", "not 0", "must be greater than 0"),
    Case(
        "none-curated-to-learn",
        expert(curate={"examples": 9, "answer": {"low": 99}}),
        "experts.0.curate",
        "no example is left of 2",
        "loosen",
    ),
    Case(
        "curated-against-nowhere",
        expert(curate={"examples": 9, "against": "test.jsonl"}),
        "experts.0.curate.against",
        "test.jsonl",
        "",
    ),
    Case("search-to-build", config_of_a_search, "case.yaml", "objectives:", "swarm search"),
    Case("build-to-search", config_of_a_build, "case.yaml", "made from data", "swarm build"),
]
DATA = [
    Case("nothing-to-learn", data(), "data.jsonl", "holds no examples", "write one"),
    Case("nothing-to-prefer", pairs(), "data.jsonl", "holds no preferences", "write one"),
    Case("no-answer-to-learn", data({"prompt": "abc="}), "data.jsonl:1", "'prompt'", "give the right answer"),
    Case(
        "nothing-rejected",
        pairs(GOOD, {"prompt": "abc=", "chosen": "cba"}),
        "data.jsonl:2",
        "rejected is missing",
        "give a preference as",
    ),
    Case(
        "nothing-preferred",
        pairs(GOOD | {"rejected": "cba "}),
        "data.jsonl:1: rejected",
        "'cba '",
        "correct it or remove the pair",
    ),
    Case(
        "chosen-by-the-user",
        pairs({"chosen": [ASKED], "rejected": [ASKED]}),
        "data.jsonl:1: chosen",
        "'user'",
        "end it with the answer",
    ),
    Case(
        "two-questions",
        pairs(
            {key: [{**ASKED, "content": key}, {"role": "assistant", "content": key}] for key in ("chosen", "rejected")}
        ),
        "data.jsonl:1: rejected",
        "begins otherwise than chosen",
        "the same turns",
    ),
    Case(
        "unknown-role",
        data({"messages": [{"role": "robot", "content": "hi"}, ASKED], "answer": "cba"}),
        "data.jsonl:1",
        "'robot'",
        "use one of system, user, assistant",
    ),
    Case("all-too-long", data(MEDIUM, max_length=64), "experts.0.max_length", "64", "raise it, or shorten"),
    Case("longer-than-the-base", data(LONG), "experts.0.data", "takes 256 tokens", "shorten the examples"),
    Case("nothing-left-to-learn", data(GOOD, held_out=0.5), "experts.0.data", "1 different prompts", "add examples"),
    Case("no-such-examples", expert(data="nowhere.jsonl"), "experts.0.data", "nowhere.jsonl", "correct the path"),
]
BASES = [
    Case(
        "unknown-modules", expert(target_modules=["q"]), "experts.0.target_modules", "q does not fit", "remove the key"
    ),
    Case("head-to-adapt", expert(target_modules=["lm_head"]), "experts.0.target_modules", "lm_head", "remove the key"),
    Case(
        "recurrent-to-control",
        control_without_a_layer("mamba"),
        "experts.0.type",
        "MambaForCausalLM cannot be copied",
        "use an adapter",
    ),
    Case(
        "mixture-to-control",
        control_without_a_layer("qwen2_moe"),
        "experts.0.type",
        "Qwen2MoeForCausalLM cannot be copied",
        "use an adapter",
    ),
    Case("quantised-to-train", base(quantised), "base", "fp8", "give the 16-bit checkpoint"),
    Case("encoder-decoder-to-train", encoder_decoder, "base", "encoder-decoder", "give a causal model"),
    Case("adapter-to-train", lambda s: build(s, base=str(s.expert())), "base", "is an adapter", "give the checkpoint"),
    Case("no-template-to-build", template_that_is_missing, "chat", "true", "set chat: auto"),
    Case("chats-without-template", chat_without_template, "data.jsonl:1", "no chat template", "write the prompts"),
    Case(
        "chats-as-texts",
        lambda s: [*data({"messages": [ASKED], "answer": "cba"})(s), "--set", "chat=false"],
        "data.jsonl:1",
        "chat is false",
        "set chat: auto",
    ),
    Case("too-fast-to-learn", expert(learning_rate=1e30, steps=5), "experts.0.learning_rate", "1e+30", "lower it"),
]
FOLDERS = [
    Case("out-is-a-file", out_is_a_file, "out: ", "notes is a file", "choose another name"),
    Case(
        "folder-of-the-user", folder_of_the_user, "experts.0.name", "is no expert that swarm build made", "--overwrite"
    ),
    Case("built-from-another-base", of_another_base, "experts.0.name", "other settings (base)", "--overwrite"),
]
CASES = [*CONFIGS, *DATA, *BASES, *FOLDERS]
