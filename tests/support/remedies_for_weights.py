"""What mends the mistakes in the base and the experts: models are saved, trained, merged and copied again."""

from pathlib import Path

import torch
from peft import LoHaConfig, PeftModel, get_peft_model
from safetensors.torch import load_file, save_file
from torch import nn
from transformers import AutoTokenizer

from support.bad_inputs import Scene, Words
from support.models import load, make_adapter, make_checkpoint
from support.playground import run_cli
from support.remedy_steps import Remedy, copied, put, then, typed


def base(scene: Scene) -> Path:
    return scene.playground.base


def red(scene: Scene) -> Path:
    return scene.playground.expert("red")


def of(name: str) -> object:
    """A folder or file of the scene as a value of the config."""
    return lambda scene: str(scene.folder / name)


def the_base(scene: Scene) -> str:
    return str(base(scene))


def trained_on_this_base(scene: Scene, words: Words) -> Words:
    """An expert that is made from the config's base, in place of the one that is not."""
    make_adapter(scene.folder / "again", base(scene), seed=7)
    return put("experts.0", of("again"))(scene, words)


def the_checkpoint_and_the_adapter(scene: Scene, words: Words) -> Words:
    return put("experts.0", str(red(scene)))(scene, put("base", the_base)(scene, words))


def untied(scene: Scene, words: Words) -> Words:
    """The base with a head of its own, as docs/adapters.md tells."""
    model = load(scene.folder / "tied")
    model.config.tie_word_embeddings = False
    model.lm_head.weight = nn.Parameter(model.lm_head.weight.detach().clone())
    model.save_pretrained(scene.folder / "untied")
    AutoTokenizer.from_pretrained(scene.folder / "tied").save_pretrained(scene.folder / "untied")
    return put("base", of("untied"))(scene, words)


def saved_as_safetensors(old: str, new: str) -> Remedy:
    def follow(scene: Scene, words: Words) -> Words:
        tensors = torch.load(scene.folder / "mine" / old, weights_only=True)
        save_file(tensors, scene.folder / "mine" / new, {"format": "pt"})
        return words

    return follow


def merged(scene: Scene, words: Words) -> Words:
    """An adapter of this kind, which the case's only claims to be, merged by PEFT."""
    model = get_peft_model(load(base(scene)), LoHaConfig(r=2, target_modules=["q_proj"], init_weights=False))
    model.save_pretrained(scene.folder / "loha")
    whole = PeftModel.from_pretrained(load(base(scene)), scene.folder / "loha").merge_and_unload()
    whole.save_pretrained(scene.folder / "merged")
    AutoTokenizer.from_pretrained(base(scene)).save_pretrained(scene.folder / "merged")
    return put("experts.0", of("merged"))(scene, words)


def vector(file: str) -> Remedy:
    """swarm vector BASE ALIGNED -o FILE."""

    def follow(scene: Scene, words: Words) -> Words:
        aligned = make_checkpoint(scene.folder / "aligned", base(scene), seed=5)
        done = run_cli("vector", base(scene), aligned, "-o", scene.folder / file)
        assert done.code == 0, done
        return put("experts.0", of(file))(scene, words)

    return follow


def shard_beside_the_index(scene: Scene, words: Words) -> Words:
    whole = make_checkpoint(scene.folder / "whole", base(scene), seed=5, max_shard_size="20KB")
    name = sorted(whole.glob("*.safetensors"))[1].name
    return copied(lambda _: whole / name, f"mine/{name}")(scene, words)


def named(scene: Scene, words: Words) -> Words:
    return put("experts.0", {"path": str(red(scene)), "name": "crimson"})(scene, words)


def fine_tuned_again(scene: Scene, words: Words) -> Words:
    """The whole checkpoint, saved again."""
    weights = load_file(base(scene) / "model.safetensors")
    save_file(weights, scene.folder / "mine" / "model.safetensors", {"format": "pt"})
    return words


def its_own_licence(scene: Scene, words: Words) -> Words:
    """The file that the link points to, copied into the folder."""
    link = scene.folder / "mine" / "LICENSE"
    text = link.read_text()
    link.unlink()
    link.write_text(text)
    return words


ITS_OWN_TOKENIZER = copied(lambda scene: base(scene) / "tokenizer.json", "mine/tokenizer.json")
THE_BASE_AGAIN = copied(base, "mine")
REMEDIES: dict[str, tuple[Remedy, ...]] = {
    "no-base-there": (put("base", the_base),),
    "no-such-hub-id": (put("base", the_base),),  # an id that the hub has needs the network
    "base-is-an-adapter": (the_checkpoint_and_the_adapter,),
    "base-without-tokenizer": (ITS_OWN_TOKENIZER,),
    "incomplete-base": (THE_BASE_AGAIN,),
    "quantised-base": (put("base", the_base),),
    "no-expert-there": (put("experts.0", lambda scene: str(red(scene))),),
    "escape-in-an-expert": (put("experts.0", lambda scene: str(red(scene))),),
    "expert-is-an-empty-folder": (put("experts.0", lambda scene: str(red(scene))),),
    "another-size": (trained_on_this_base,),
    "another-base": (then(put("base", of("other")), put("experts", lambda scene: [str(scene.folder / "mine")])),),
    "another-architecture": (trained_on_this_base,),
    "tied-expert-of-an-untied-base": (trained_on_this_base,),
    "untied-expert-of-a-tied-base": (untied,),
    "adapted-tied-embeddings": (untied,),
    "another-tokenizer": (ITS_OWN_TOKENIZER,),
    "nan-in-adapter": (copied(red, "mine"),),
    "nan-in-base": (fine_tuned_again,),
    "pickled-adapter": (saved_as_safetensors("adapter_model.bin", "adapter_model.safetensors"),),
    "pickled-base": (saved_as_safetensors("pytorch_model.bin", "model.safetensors"),),
    "linked-licence": (its_own_licence,),
    "code-of-its-own": (THE_BASE_AGAIN,),
    "huge-header": (copied(lambda scene: red(scene) / "adapter_model.safetensors", "mine/adapter_model.safetensors"),),
    "damaged-tokenizer": (ITS_OWN_TOKENIZER,),
    "pickled-vector": (put("experts.0", lambda scene: str(red(scene))), vector("vector.safetensors")),
    "another-kind-of-adapter": (merged,),
    "cut-weights": (copied(lambda scene: red(scene) / "adapter_model.safetensors", "mine/adapter_model.safetensors"),),
    "missing-shard": (shard_beside_the_index,),
    "vector-of-another-base": (vector("vector.safetensors"),),
    "no-vector": (vector("some.safetensors"),),
    "experts-of-one-name": (named,),
    "factors-of-mixed-ranks": (put("composition.algebra", "delta"),),
    "no-chat-template": (put("objectives.0.chat", False),),
    "no-adapter-of-a-checkpoint": (typed("export.format", "export.format=hf"),),
    "vector-of-nothing": (
        then(typed("a", "{base}"), typed("b", "{red}"), typed("c.safetensors", "{folder}/c.safetensors")),
    ),
}
