"""YAML as plain values. Only what a config needs is taken: every file is read within bounds of time and memory."""

import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path

import yaml
from yaml.constructor import ConstructorError

from swarm.config.messages import shown
from swarm.core.errors import ConfigError
from swarm.core.terminal_text import shortened

MOST_BYTES = 2 * 2**20  # of a file
MOST_VALUES = 100_000  # counted as often as aliases repeat them
MOST_LEVELS = 50  # of lists and mappings in each other
MOST_REASON = 240  # characters of a reason
MOST_WHY = 60  # characters of what a constructor says
STANDARD = "tag:yaml.org,2002:"
PLAIN_TAGS = {STANDARD + kind for kind in ("null", "bool", "int", "float", "str", "timestamp", "seq", "map", "merge")}
PATH_BYTES = range(0xDC80, 0xDD00)  # how Python writes the bytes of a path that is no UTF-8
OF_PATHS = {"base", "experts", "splits", "modules", "out"}
# What PyYAML's constructors raise for a value that does not fit its tag.
UNFIT = (ValueError, TypeError, AttributeError, LookupError, OverflowError)
ODD_NUMBER = re.compile(r"[-+]?(\d[\d_.]*(:[\d_.]+)+|0[0-9_]+)")  # 1:30 is 90, and 010 is 8
CONTEXTS = {"while scanning a simple key", "while scanning a quoted scalar"}
Keys = tuple[str, ...]


class InvalidYamlError(ConfigError):
    """A text is not YAML at all."""


class PlainLoader(yaml.SafeLoader):
    """YAML's safe loader; a value that does not fit its tag is an error with its place."""

    def fetch_flow_collection_start(self, kind: type[yaml.Token]) -> None:
        """Stops early: the scanner's time grows with the square of the brackets that are open."""
        if self.flow_level > MOST_LEVELS:
            raise RecursionError
        super().fetch_flow_collection_start(kind)  # type: ignore[misc]

    def construct_object(self, node: yaml.Node, deep: bool = False) -> object:
        try:
            return super().construct_object(node, deep)  # type: ignore[no-untyped-call]
        except UNFIT as error:
            implicit = self.resolve(yaml.ScalarNode, node.value, (True, False))  # type: ignore[no-untyped-call]
            remedy = "correct it, or put it in quotes" if implicit == node.tag else "correct it, or remove the tag"
            plain = isinstance(error, ValueError) and len(str(error)) < MOST_WHY and "'" not in str(error)
            why = f" ({error})" if plain else ""
            value = shown(node.value) if isinstance(node, yaml.ScalarNode) else "a list or a map"
            problem = f"{value} is no valid {_name_of(node.tag)}{why}; {remedy}"
            raise ConstructorError(None, None, problem, node.start_mark) from None

    def construct_yaml_int(self, node: yaml.ScalarNode) -> int:
        if ODD_NUMBER.fullmatch(node.value):
            raise ValueError("YAML takes it for a number of base 60 or 8")
        value = int(super().construct_yaml_int(node))  # type: ignore[no-untyped-call]
        if not -(2**63) <= value < 2**64:
            raise ValueError("no setting takes a number of more than 64 bits")
        return value

    def construct_yaml_float(self, node: yaml.ScalarNode) -> float:
        if ODD_NUMBER.fullmatch(node.value):
            raise ValueError("YAML takes it for a number of base 60")
        return float(super().construct_yaml_float(node))  # type: ignore[no-untyped-call]


PlainLoader.add_constructor(f"{STANDARD}int", PlainLoader.construct_yaml_int)
PlainLoader.add_constructor(f"{STANDARD}float", PlainLoader.construct_yaml_float)


def read_text(path: Path) -> str:
    """The text of a regular file in UTF-8, of at most MOST_BYTES. Raises ConfigError."""
    content = _content(path)
    if len(content) > MOST_BYTES:
        raise ConfigError(
            f"{path} is larger than a config can be ({MOST_BYTES / 2**20:.0f} MiB); give the path of a YAML file"
        )
    if b"\0" in content:
        raise ConfigError(f"{path} holds NUL bytes, as UTF-16 and files that are no text do; save it as UTF-8")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        why = f"byte {content[error.start]:#x} at position {error.start:,}"
        raise ConfigError(f"{path} is not UTF-8 ({why}); save it as UTF-8") from None


def _content(path: Path) -> bytes:
    """The first MOST_BYTES + 1 bytes. A pipe or a device is never waited for."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(handle, "rb") as stream:
            if not stat.S_ISREG(os.fstat(handle).st_mode):
                raise ConfigError(f"{path} is a pipe or a device; give the path of a YAML file")
            return stream.read(MOST_BYTES + 1)
    except FileNotFoundError:
        raise ConfigError(f"{path} does not exist; give the path of a config file") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error  # an OSError's text names the path again
        raise ConfigError(f"{path} cannot be read ({reason}); give the path of a YAML file") from None


def parse(text: str, owner: str, within: Keys = ()) -> object:
    """The value that a YAML text holds. Raises ConfigError; InvalidYamlError where it is no YAML.

    owner: what a message begins with, before the key: "file.yaml: " or "--set ".
    within: the keys that lead to the value.
    """
    root = None
    try:
        loader = PlainLoader(text)
        root = loader.get_single_node()
        if root is None:
            return None
        _check(root, owner, within)
        return loader.construct_document(root)  # type: ignore[no-untyped-call]
    except RecursionError:
        raise ConfigError(f"{_place(owner, within)}: {_too_deep()}") from None
    except ConstructorError as error:
        raise ConfigError(_refusal(error, root, owner, within)) from None
    except yaml.YAMLError as error:
        raise InvalidYamlError(f"{_place(owner, within)} is not valid YAML ({_one_line(error)}); correct it") from None


def check_text(text: str, owner: str, keys: Keys) -> None:
    """Raise ConfigError for characters that no name can hold; a path may hold bytes that are no UTF-8."""
    if "\0" in text:
        raise ConfigError(f"{_place(owner, keys)}: {shown(text)} holds a NUL character; remove it")
    halves = [char for char in text if "\ud800" <= char <= "\udfff"]
    is_path = bool({*keys[:1]} & OF_PATHS or "data" in keys) and keys[-1:] != ("name",)
    if halves and not (is_path and all(ord(char) in PATH_BYTES for char in halves)):
        raise ConfigError(f"{_place(owner, keys)}: {shown(text)} holds half a character (a surrogate); correct it")


def _refusal(error: ConstructorError, root: yaml.Node | None, owner: str, within: Keys) -> str:
    """A value that does not fit its tag is named by its key; whatever else is wrong, by its place in the text."""
    mark, problem = error.problem_mark, shortened(error.problem or "", MOST_REASON)
    if root is None or mark is None or ";" not in problem:
        return f"{_place(owner, within)} is not valid YAML ({_one_line(error)}); correct it"
    found = _walk(root, owner, within)
    keys = next((keys for keys, node in found if node.start_mark.index == mark.index), within)
    return f"{_place(owner, keys)}: {problem} (line {mark.line + 1})"


def _check(root: yaml.Node, owner: str, within: Keys) -> None:
    """Raise ConfigError for what no config needs, before values are made of it."""
    for count, (keys, node) in enumerate(_walk(root, owner, within)):
        if count > MOST_VALUES:
            raise ConfigError(
                f"{_place(owner, ())} holds more than {MOST_VALUES:,} values, counting what aliases repeat; write fewer"
            )
        if node.tag not in PLAIN_TAGS:
            raise ConfigError(
                f"{_place(owner, keys)}: the tag {_name_of(node.tag)!r} is not for a config (line "
                f"{node.start_mark.line + 1}); remove it, or put the value in quotes"
            )
        if isinstance(node, yaml.MappingNode):
            _check_keys(node, keys, owner)
        if isinstance(node, yaml.ScalarNode):
            check_text(node.value, owner, keys)


def _walk(root: yaml.Node, owner: str, within: Keys) -> Iterator[tuple[Keys, yaml.Node]]:
    """Every node with the keys that lead to it, in the order of the text. What an alias repeats comes again."""
    left: list[tuple[Keys, yaml.Node]] = [(within, root)]
    while left:
        keys, node = left.pop()
        yield keys, node
        if len(keys) >= MOST_LEVELS:
            raise ConfigError(f"{_place(owner, keys[:3])}: {_too_deep()}")
        if isinstance(node, yaml.MappingNode):
            for key, value in reversed(node.value):
                name = key.value if isinstance(key, yaml.ScalarNode) else "?"
                left += [((*keys, name), value), ((*keys, name), key)]
        elif isinstance(node, yaml.SequenceNode):
            left += [((*keys, str(i)), item) for i, item in reversed(list(enumerate(node.value)))]


def _check_keys(node: yaml.MappingNode, keys: Keys, owner: str) -> None:
    """Raise ConfigError for a key that is given twice, or is no scalar."""
    seen: set[str] = set()
    for key, _ in node.value:
        line = key.start_mark.line + 1
        if not isinstance(key, yaml.ScalarNode):
            raise ConfigError(f"{_place(owner, keys)}: a list or a mapping is no key (line {line}); write a text")
        if key.value in seen:
            raise ConfigError(
                f"{_place(owner, keys)}: the key {shown(key.value)} is given twice (line {line}); remove one of them"
            )
        seen.add(key.value)


def _place(owner: str, keys: Keys) -> str:
    """The owner and the key, as a message begins."""
    return owner + shortened(".".join(map(shortened, keys)), MOST_REASON) if keys else owner.rstrip(": ")


def _too_deep() -> str:
    return f"lists and mappings are nested more than {MOST_LEVELS} levels deep, or an anchor holds itself; flatten them"


def _name_of(tag: str) -> str:
    return shortened(tag.replace(STANDARD, "!!"))


def _one_line(error: yaml.YAMLError) -> str:
    """ "line 3, column 5: mapping values are not allowed here"."""
    if not isinstance(error, yaml.MarkedYAMLError):
        return shortened(" ".join(str(error).split()), MOST_REASON)
    context, mark, problem = error.context or "", error.problem_mark, " ".join((error.problem or "").split())
    if context in CONTEXTS:  # found wrong where it should have ended, and to be mended where it begins
        mark, problem = error.context_mark, f"{context.removeprefix('while scanning ')}: {problem}"
    elif problem.startswith("but "):  # it goes on from the context
        problem = f"{context}, {problem}"
    place = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
    return shortened(place + problem, MOST_REASON)
