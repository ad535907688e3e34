"""What the messages about patterns, and about searches without a config, say to do."""

from support.bad_given import given, init, pattern
from support.bad_inputs import Scene, Words
from support.remedy_steps import Remedy


def all_three(scene: Scene, words: Words) -> Words:
    return given()(scene)


def the_config(scene: Scene, words: Words) -> Words:
    return scene.search()


def of_one_kind(scene: Scene, words: Words) -> Words:
    file = scene.folder / "mixed.jsonl"
    file.write_text("".join(line for line in file.read_text().splitlines(keepends=True) if "choices" in line))
    return words


def matching(scene: Scene, words: Words) -> Words:
    return pattern("{root}/re*")(scene)


def listed(scene: Scene, words: Words) -> Words:
    """One by one, each with its name."""
    return scene.search(experts=[{"path": str(scene.playground.expert("red")), "name": "colour"}])


def overwritten(scene: Scene, words: Words) -> Words:
    return [*words, "--overwrite"]


def another_file(scene: Scene, words: Words) -> Words:
    return [words[0], scene.folder / "another.yaml", *words[2:]]


def created(scene: Scene, words: Words) -> Words:
    (scene.folder / "no").mkdir()
    return words


def init_with_all(scene: Scene, words: Words) -> Words:
    return init("{folder}/new.yaml")(scene)


REMEDIES: dict[str, tuple[Remedy, ...]] = {
    "no-experts-given": (all_three, the_config),
    "nothing-given": (all_three, the_config),
    "config-and-base": (all_three, the_config),
    "choices-in-some": (of_one_kind,),
    "no-such-data-given": (all_three,),
    "no-such-base-given": (all_three,),
    "pattern-of-nothing": (matching,),
    "pattern-of-the-base": (matching,),
    "pattern-too-long": (matching,),
    "pattern-of-a-loop": (matching,),
    "unquoted-pattern": (all_three,),
    "show-without-config": (lambda scene, words: ["check", scene.playground.config_file, *words[1:]],),
    "hub-with-config": (lambda scene, words: words[:-1],),
    "pattern-with-a-name": (matching, listed),
    "config-to-init-exists": (overwritten, another_file),
    "no-folder-to-init-in": (created, another_file),
    "nobody-to-ask": (init_with_all,),
}
