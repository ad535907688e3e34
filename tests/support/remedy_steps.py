"""What a user does who follows a message: each step is given the scene and a command's words, and gives the next."""

import shutil
from collections.abc import Callable
from pathlib import Path

import yaml

from support.bad_inputs import Scene, Words

Remedy = Callable[[Scene, Words], Words]


def config_of(words: Words) -> Path:
    """The config that the command names."""
    return Path(str(words[1]))


def then(*steps: Remedy) -> Remedy:
    """Several steps, one after the other."""

    def follow(scene: Scene, words: Words) -> Words:
        for step in steps:
            words = step(scene, words)
        return words

    return follow


def instead(make: Callable[[Scene], Words]) -> Remedy:
    """Another command, which the message tells to run."""
    return lambda scene, words: make(scene)


def put(key: str, value: object) -> Remedy:
    """Write a value into the config; the key is a path such as a.0.b. A function is given the scene for the value."""

    def follow(scene: Scene, words: Words) -> Words:
        content = yaml.safe_load(config_of(words).read_text())
        place, last = _parent(content, key)
        place[last] = value(scene) if callable(value) else value
        config_of(words).write_text(yaml.safe_dump(content))
        return words

    return follow


def without(key: str) -> Remedy:
    """Remove a key from the config."""

    def follow(scene: Scene, words: Words) -> Words:
        content = yaml.safe_load(config_of(words).read_text())
        place, last = _parent(content, key)
        del place[last]
        config_of(words).write_text(yaml.safe_dump(content))
        return words

    return follow


def _parent(content: object, key: str) -> tuple[dict[object, object], object]:
    """The section that holds a key, and the key's name there; for lists, its index."""
    *parents, last = key.split(".")
    for parent in parents:
        content = content[int(parent)] if isinstance(content, list) else content.setdefault(parent, {})  # type: ignore[attr-defined]
    return content, int(last) if isinstance(content, list) else last  # type: ignore[return-value]


def replaced(old: str, new: str) -> Remedy:
    """Correct the config's text."""

    def follow(scene: Scene, words: Words) -> Words:
        text = config_of(words).read_text()
        assert old in text, f"{old!r} is not in {text}"
        config_of(words).write_text(text.replace(old, new))
        return words

    return follow


def rest_of_the_config(scene: Scene, words: Words) -> Words:
    """The case's config holds little beside its mistake: base, experts and objectives are the playground's."""
    given = yaml.safe_load(config_of(words).read_text())
    own = {key: value for key, value in given.items() if key not in ("base", "experts", "objectives")}
    config_of(words).write_text(yaml.safe_dump(scene.playground.config(**own)))
    return words


def correct_config(scene: Scene, words: Words) -> Words:
    """Write a good config in place of the file that is none."""
    config_of(words).write_text(scene.playground.config_file.read_text())
    return words


def another_config(scene: Scene, words: Words) -> Words:
    """Give the path of a good config."""
    return [words[0], scene.playground.config_file, *words[2:]]


def given(*more: str) -> Remedy:
    """Add words to the command; {base}, {red}, {data} and {folder} are paths of the scene."""
    return lambda scene, words: [*words, *(_filled(word, scene) for word in more)]


def setting(*overrides: str) -> Remedy:
    """Add --set to the command."""
    return given(*(word for override in overrides for word in ("--set", override)))


def typed(old: str, new: str) -> Remedy:
    """Correct a word of the command: the one that begins with `old`."""

    def follow(scene: Scene, words: Words) -> Words:
        start = _filled(old, scene)
        assert any(str(word).startswith(start) for word in words), f"{start} is not in {words}"
        return [_filled(new, scene) if str(word).startswith(start) else word for word in words]

    return follow


def _filled(word: str, scene: Scene) -> str:
    playground = scene.playground
    places = {"{base}": playground.base, "{red}": playground.expert("red"), "{data}": playground.data}
    for name, place in {**places, "{folder}": scene.folder}.items():
        word = word.replace(name, str(place))
    return word


def written(name: str, content: str | bytes | Callable[[Scene], bytes]) -> Remedy:
    """Write a file of the scene's folder."""

    def follow(scene: Scene, words: Words) -> Words:
        found = content(scene) if callable(content) else content
        (scene.folder / name).write_bytes(found if isinstance(found, bytes) else found.encode())
        return words

    return follow


def renamed(old: str, new: str) -> Remedy:
    """Rename a file of the scene's folder, and name it so in the config."""

    def follow(scene: Scene, words: Words) -> Words:
        (scene.folder / old).rename(scene.folder / new)
        return replaced(str(scene.folder / old), str(scene.folder / new))(scene, words)

    return follow


def copied(source: Callable[[Scene], Path], name: str) -> Remedy:
    """Copy a good file or folder to where the bad one is."""

    def follow(scene: Scene, words: Words) -> Words:
        place = scene.folder / name
        if place.is_dir():
            shutil.rmtree(place)
        (shutil.copytree if source(scene).is_dir() else shutil.copy)(source(scene), place)
        return words

    return follow
