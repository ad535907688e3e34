"""What the messages about pairs of models, control layers, their compositions and routers say to do."""

import shutil

from support.bad_inputs import Scene, Words
from support.bad_paths import make_layer, make_router
from support.models import make_checkpoint
from support.playground import run_cli
from support.remedy_steps import Remedy, instead, put, without


def small(scene: Scene) -> str:
    return str(scene.folder / "small")


def merged(key: str) -> Remedy:
    """Write the adapter into the base by the command that the message names, and give the result."""

    def follow(scene: Scene, words: Words) -> Words:
        whole = scene.folder / "whole"
        red = f"{scene.playground.expert('red')}=1"
        done = run_cli("compose", "--base", scene.playground.base, "--expert", red, "--dtype", "float32", "-o", whole)
        assert done.code == 0, done.err
        return put(key, str(whole))(scene, words)

    return follow


def same_tokenizer(scene: Scene, words: Words) -> Words:
    """The base's, in both models of the pair."""
    mine = scene.folder / "mine"
    for name in ("small", "tuned"):
        shutil.copy((mine if mine.exists() else scene.playground.base) / "tokenizer.json", scene.folder / name)
    return words


def same_vocabulary(scene: Scene) -> str:
    return str(make_checkpoint(scene.folder / "another", scene.folder / "small", seed=3))


def built_again(scene: Scene, words: Words) -> Words:
    """As `swarm build` would write it."""
    layer = make_layer(scene.folder / "again", scene.playground.base)
    return put("experts", [{"path": str(layer), "name": "layer"}])(scene, words)


def fitted_again(scene: Scene, words: Words) -> Words:
    """As `swarm fit-router` would write it, of all three experts."""
    names = ("red", "green", "blue")
    router = make_router(scene, "another")
    words = put("experts", [str(scene.playground.expert(name)) for name in names])(scene, words)
    return put("composition.router", str(router))(scene, words)


def search_of_the_layer(scene: Scene) -> Words:
    layer = str(scene.folder / "layer")
    return scene.search(experts=[layer], composition={"type": "control"}, export={"format": "recipe"})


def without_the_layer(scene: Scene, words: Words) -> Words:
    at = words.index(f"{scene.folder / 'layer'}=0.5")
    return [*words[: at - 1], *words[at + 1 :]]


on_the_playground = put("base", lambda scene: str(scene.playground.base))
as_logits, as_mixed = put("composition.type", "logits"), put("composition.type", "mixed")

REMEDIES: dict[str, tuple[Remedy, ...]] = {
    "pair-of-other-ids": (same_tokenizer,),
    "pair-of-other-merges": (same_tokenizer,),
    "pair-of-fewer-tokens": (same_tokenizer,),
    "pair-without-tokenizer": (same_tokenizer,),
    "pair-of-few-rows": (put("experts.1.path", same_vocabulary),),
    "pair-of-an-adapter": (merged("experts.1.path"), without("experts.1.minus")),
    "adapter-to-subtract": (merged("experts.1.minus"),),
    "model-of-another-shape": (put("experts.1.minus", small), put("experts.1.minus", "base")),
    "no-such-minus": (put("experts.1.minus", small),),
    "pair-to-trim": (without("experts.1.trim"),),
    "pair-to-drop": (without("experts.1.dare"),),
    "pair-to-truncate": (without("experts.1.svd"),),
    "pair-to-prepare": (without("experts.1.prepare"),),
    "pair-on-weights": (as_logits, as_mixed),
    "pair-as-control": (built_again, as_logits, as_mixed),
    "average-of-a-difference": (put("experts.0.minus", "base"), put("composition.combine", "logits")),
    "control-on-weights": (as_logits, as_mixed),
    "adapter-to-control": (built_again, as_logits, as_mixed),
    "control-of-another-base": (put("base", lambda scene: str(scene.folder / "other")),),
    "control-without-a-tensor": (built_again,),
    "control-of-another-shape": (built_again,),
    "control-with-nan": (built_again,),
    "control-without-config": (built_again,),
    "base-without-such-a-layer": (on_the_playground,),
    "layer-to-compose": (without_the_layer, instead(search_of_the_layer)),
    "mixed-of-no-expert": (put("composition.weights", ["red"]),),
    "mixed-without-a-path": (put("composition.logits", ["red"]), put("composition.logits", ["pair"])),
    "pair-mixed-on-weights": (put("composition.weights", ["red"]),),
    "mixed-of-weights-alone": (put("composition.logits", ["red"]), put("composition", {"type": "weights"})),
    "unit-of-nothing": (put("composition.scales", {"pair.logits": 2.0}),),
    "unit-of-0": (put("composition.scales", {"pair.logits": 2.0}), without("composition.scales")),
    "group-called-logits": (put("composition.groups", {"mine": ["*"]}),),
    "mixed-without-0": (put("composition.low", -0.5),),
    "logits-without-1": (put("composition.high", 1.5),),
    "unknown-combination": (put("composition.combine", "logits"), put("composition.combine", "probabilities")),
    "logits-of-a-pair-kind": (put("composition.type", "weights"),),
    "logits-of-codes": (on_the_playground,),
    "logits-on-vllm": (put("engine.type", "transformers"),),
    "no-router": (fitted_again,),
    "router-that-is-missing": (fitted_again,),
    "router-of-others": (fitted_again,),
    "router-of-a-base": (fitted_again,),
    "router-of-version-1": (fitted_again,),
    "router-of-wider-states": (fitted_again,),
    "router-of-a-deeper-layer": (fitted_again,),
    "router-cut-off": (fitted_again,),
}
