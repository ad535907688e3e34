"""What the messages about `swarm compose` say to do."""

import json

from support.bad_inputs import Scene, Words
from support.remedy_steps import Remedy, typed


def coefficient(old: str, new: str = "{red}=0.5") -> tuple[Remedy, ...]:
    """Correct the pair of path and coefficient."""
    return (typed(old, new),)


def overwritten(scene: Scene, words: Words) -> Words:
    return [*words, "--overwrite"]


def elsewhere(scene: Scene, words: Words) -> Words:
    at = words.index("-o") + 1
    return [*words[:at], scene.folder / "another"]


def on_its_own_base(scene: Scene, words: Words) -> Words:
    return [scene.folder / "other" if word == str(scene.playground.base) else word for word in words]


def summed(scene: Scene, words: Words) -> Words:
    """The expert once, with the sum of its coefficients."""
    red = f"{scene.playground.expert('red')}=1"
    first = words.index(red)
    second = words.index(red, first + 1)
    return [*words[:first], f"{scene.playground.expert('red')}=2", *words[first + 1 : second - 1], *words[second + 1 :]]


def with_form(scene: Scene, words: Words) -> Words:
    return [*words, "--format", "adapter"]


def density_set(scene: Scene, words: Words) -> Words:
    return [*words, "--set", "prepare.density=0.5"]


def candidate_by_id(scene: Scene, words: Words) -> Words:
    best = json.loads((scene.finished / "summary.json").read_text())["best"]["id"]
    at = words.index("--select")
    return [*words[:at], "--candidate", best, *words[at + 2 :], "--format", "adapter"]


REMEDIES: dict[str, tuple[Remedy, ...]] = {
    "no-coefficient": coefficient("{red}"),
    "word-as-coefficient": coefficient("{red}=half"),
    "nan-as-coefficient": coefficient("{red}=nan"),
    "infinite-coefficient": coefficient("{red}=-inf"),
    "no-path": coefficient("=0.5"),
    "no-such-expert": coefficient("{folder}/rde=0.5"),
    "composed-twice": (summed,),
    "no-such-base-to-compose": (typed("{folder}/b", "{base}"),),
    "composed-of-another-size": (on_its_own_base,),
    "unknown-dtype": (typed("int8", "float32"),),
    "unknown-algebra": (typed("ties", "delta"), typed("ties", "factors")),
    "factors-of-a-fine-tune": (typed("factors", "delta"),),
    "adapter-of-the-base": (typed("adapter", "hf"),),
    "unknown-form": (typed("gguf", "hf"), typed("gguf", "recipe")),
    "full-folder-to-compose": (overwritten, elsewhere),
    "over-its-own-expert": (elsewhere,),
    "overflowing-coefficient": coefficient("{red}=1e39"),
    "prepared-without-a-density": (typed("ties", "ties:density=0.5"),),
    "prepared-by-no-type": (typed("tie:density=0.5", "ties:density=0.5"),),
    "prepared-by-no-pair": (typed("ties:0.5", "ties:density=0.5"),),
    "prepared-by-half-a-value": (typed("ties:density=[1", "ties:density=1"),),
    "prepared-twice": (typed("ties:density=0.5,density=0.2", "ties:density=0.5"),),
    "another-path-set": (typed("experts.0.path=x", "experts.0.trim=0.5"),),
    "set-without-a-value": (typed("experts.0.svd", "experts.0.svd=16"),),
    "no-expert-left": (typed("experts=[]", "experts.0.svd=16"),),
    "set-without-a-density": (density_set,),
    "rank-0": (typed("0", "1"),),
    "rank-of-a-whole-model": (with_form,),
    "rank-of-a-choice": (candidate_by_id,),
}
