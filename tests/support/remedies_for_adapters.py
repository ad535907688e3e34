"""What mends the mistakes in adapters and checkpoints that others have made, and in what a vector is made from."""

from peft import LoraConfig, get_peft_model

from support.bad_adapters import adapter_with
from support.bad_inputs import Scene, Words
from support.models import load, make_adapter, make_checkpoint
from support.remedies_for_weights import base, merged, of, red
from support.remedy_steps import Remedy, copied, put, typed, without


def written_as_trained(**values: object) -> Remedy:
    """The values of adapter_config.json that the adapter was trained with."""

    def follow(scene: Scene, words: Words) -> Words:
        copied(red, "mine")(scene, words)
        (scene.folder / "mine").rename(scene.folder / "before")
        return adapter_with(**values)(scene)

    return follow


def saved_with(**options: object) -> Remedy:
    """The adapter saved again by PEFT, of the variety that the file tells."""

    def follow(scene: Scene, words: Words) -> Words:
        make_adapter(scene.folder / "again", base(scene), seed=1, **options)  # type: ignore[arg-type]
        return put("experts.0", of("again"))(scene, words)

    return follow


def one_alone(scene: Scene, words: Words) -> Words:
    """Of a model with two adapters, one: save_pretrained(selected_adapters=[...]) writes it to a folder of its name."""
    model = get_peft_model(load(base(scene)), LoraConfig(r=2, target_modules=["q_proj"]), adapter_name="one")
    model.add_adapter("two", LoraConfig(r=2, target_modules=["q_proj"]))
    model.save_pretrained(scene.folder / "again", selected_adapters=["two"])
    return put("experts.0", of("again/two"))(scene, words)


def whole_again(scene: Scene, words: Words) -> Words:
    make_checkpoint(scene.folder / "again", base(scene), seed=5)
    return put("experts.0", of("again"))(scene, words)


def models(first: str, second: str) -> Remedy:
    """swarm vector of two others: base, red, green or a full fine-tune."""

    def follow(scene: Scene, words: Words) -> Words:
        named = {"base": base(scene), "red": red(scene), "green": scene.playground.expert("green")}
        if "full" in (first, second):
            named["full"] = make_checkpoint(scene.folder / "full", base(scene), seed=5)
        return [words[0], named[first], named[second], *words[3:]]

    return follow


TWO_CHECKPOINTS, TWO_ADAPTERS, BOTH = models("base", "full"), models("red", "green"), models("base", "red")
LEFT_OUT = without("experts.0")
REMEDIES: dict[str, tuple[Remedy, ...]] = {
    "rank-in-words": (written_as_trained(r=4),),
    "alpha-in-words": (written_as_trained(lora_alpha=8),),
    "rank-of-others": (written_as_trained(r=4),),
    "bias-of-some": (written_as_trained(bias="none"),),
    "no-pattern": (written_as_trained(alpha_pattern={"q_proj": 1}), written_as_trained(alpha_pattern={".*_proj": 1})),
    "prompt-tuning": (LEFT_OUT,),
    "more-layers": (LEFT_OUT,),
    "pissa": (merged,),
    "dora-in-name": (saved_with(use_dora=True),),
    "no-trained-rows": (saved_with(trainable_token_indices=[1]),),
    "no-partner": (saved_with(),),
    "two-adapters": (one_alone,),
    "whole-numbers": (saved_with(),),
    "no-matrix": (saved_with(),),
    "changes-nothing": (saved_with(), LEFT_OUT),
    "broken-adapter-config": (saved_with(),),
    "no-norm": (whole_again,),
    "codes": (whole_again,),
    "short-norm": (whole_again,),
    "broken-config": (whole_again,),
    "list-as-config": (whole_again,),
    "broken-tokenizer": (copied(lambda scene: base(scene) / "tokenizer.json", "mine/tokenizer.json"),),
    "broken-base": (copied(base, "mine"),),
    "broken-tokenizer-of-base": (copied(base, "mine"),),
    "unknown-architecture": (copied(base, "mine"),),
    "no-difference": (TWO_CHECKPOINTS,),
    "adapter-and-checkpoint": (TWO_CHECKPOINTS, TWO_ADAPTERS, BOTH),
    "vector-as-pt": (typed("{folder}/v.pt", "{folder}/v.safetensors"),),
    "two-bases": (TWO_ADAPTERS,),
    "two-sizes": (TWO_ADAPTERS,),
    "infinite-vector": (TWO_CHECKPOINTS,),
}
