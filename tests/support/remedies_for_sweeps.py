"""What the messages about sweeps and levels say to do."""

import yaml

from support.bad_inputs import Scene, Words
from support.bad_sweeps import LEVELS, all_levels
from support.playground import run_cli, write_lines
from support.remedy_steps import Remedy, config_of, put, typed
from swarm.experts.alignment_vectors import make_vector


def option(name: str, value: str) -> Remedy:
    """Give an option of the command another value."""

    def follow(scene: Scene, words: Words) -> Words:
        at = len(words) - words[::-1].index(name)
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


def with_all_levels(scene: Scene, words: Words) -> Words:
    return [*all_levels("law")(scene)[:-1], scene.folder / "new"]


def in_another_domain(scene: Scene, words: Words) -> Words:
    return all_levels("law", "tax")(scene)


def searched_first(scene: Scene, words: Words) -> Words:
    """swarm search, then swarm targets RUN_DIR."""
    done = run_cli("search", *words[1:])
    assert done.code == 0, done.err
    return ["targets", scene.run]


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
    "targets-without-levels": (with_all_levels,),
    "targets-lacking-a-level": (with_all_levels,),
    "targets-of-a-domain-twice": (in_another_domain,),
    "targets-by-random": (put("optimizer.type", "guided_pso"), put("optimizer.type", "bayesian"), searched_first),
    "targets-of-no-finalists": (option("--finalists", "1"),),
    "targets-of-a-run-set": (with_all_levels,),
    "zoo-levels-into-a-full-folder": (elsewhere,),
    "zoo-levels-of-few": (option("--examples", "12"),),
    "zoo-levels-seed": (option("--seed", "0"),),
}
SLOW = frozenset(
    {
        "level-empty-1",
        "level-empty-2",
        "level-missing-1",
        "level-missing-2",
        "level-unknown-2",
        "sweep-of-no-split-1",
        "sweep-of-no-split-2",
        "sweep-of-no-split-3",
        "sweep-of-too-many-2",
        "sweep-to-nan-1",
        "targets-by-random-1",
        "targets-by-random-2",
        "targets-by-random-3",
        "targets-lacking-a-level-1",
        "targets-of-a-domain-twice-1",
        "targets-of-a-run-set-1",
        "targets-of-no-finalists-1",
        "targets-without-levels-1",
    }
)
