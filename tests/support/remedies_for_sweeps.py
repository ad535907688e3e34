"""What the messages about sweeps and levels say to do."""

import yaml

from support.bad_inputs import Scene, Words
from support.bad_sweeps import LEVELS
from support.playground import write_lines
from support.remedy_steps import Remedy, config_of, put, typed
from swarm.experts.alignment_vectors import make_vector


def option(name: str, value: str) -> Remedy:
    """Give an option of the command another value."""

    def follow(scene: Scene, words: Words) -> Words:
        at = words.index(name) + 1
        return [*words[:at], value, *words[at + 1 :]]

    return follow


def ordered(scene: Scene, words: Words) -> Words:
    return option("--from", "-1")(scene, option("--to", "1")(scene, words))


def without_grid(scene: Scene, words: Words) -> Words:
    return option("--step", "1")(scene, [word for word in words if word != "--grid"])


def corrected(**changes: object) -> Remedy:
    """Mend the last example of the levels."""

    def follow(scene: Scene, words: Words) -> Words:
        good = [LEVELS | {"prompt": f"{i}="} for i in range(40)]
        kept = {key: value for key, value in (LEVELS | {"prompt": "x="} | changes).items() if value is not None}
        write_lines(scene.folder / "law.jsonl", [*good, kept])
        return words

    return follow


def removed(scene: Scene, words: Words) -> Words:
    write_lines(scene.folder / "law.jsonl", [LEVELS | {"prompt": f"{i}="} for i in range(40)])
    return words


def as_a_vector(scene: Scene, words: Words) -> Words:
    make_vector(scene.playground.base, scene.folder / "tuned", scene.folder / "v.safetensors")
    content = yaml.safe_load(config_of(words).read_text()) | {"experts": [str(scene.folder / "v.safetensors")]}
    config_of(words).write_text(yaml.safe_dump(content))
    return [*words, "--step", "1"]


def on_its_own_base(scene: Scene, words: Words) -> Words:
    return option("--step", "1")(scene, [*option("--base", str(scene.playground.base))(scene, words), "--step", "1"])


def elsewhere(scene: Scene, words: Words) -> Words:
    return [*words[:2], scene.folder / "another", *words[3:]]


REMEDIES: dict[str, tuple[Remedy, ...]] = {
    "sweep-backwards": (ordered,),
    "sweep-without-steps": (option("--step", "0.5"),),
    "sweep-to-nan": (option("--to", "1"),),
    "sweep-of-no-expert": (typed("rde", "red"),),
    "sweep-of-no-split": tuple(option("--split", split) for split in ("search", "select", "test")),
    "sweep-of-too-many": (option("--step", "1"), without_grid),
    "sweep-a-fine-tune-elsewhere": (as_a_vector,),
    "sweep-on-another-shape": (on_its_own_base,),
    "level-missing": (corrected(), removed),
    "level-empty": (corrected(), removed),
    "levels-the-same": (corrected(),),
    "levels-beside-an-answer": (corrected(answer=None),),
    "level-unknown": (put("objectives.0.level", "expert"), put("objectives.0.level", "generic")),
    "zoo-levels-into-a-full-folder": (elsewhere,),
    "zoo-levels-of-few": (option("--examples", "12"),),
    "zoo-levels-seed": (option("--seed", "0"),),
}
