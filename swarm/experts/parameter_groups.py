"""Groups of parameters: each group has its own coefficient for every expert.

A group is a name and shell-style patterns over parameter names; the first group that matches owns the parameter.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from itertools import pairwise

from swarm.core.errors import ConfigError
from swarm.core.recipes import Group

# The number of a transformer block in a parameter's name, in the families that transformers calls by these words.
LAYER = re.compile(r"(?:^|\.)(?:layers|h|blocks|block|layer)\.(\d+)\.")
STEMS = ("layers", "h", "blocks", "layer")
BLOCK = re.compile(r"(?:^|\.)block\.\d+\.")  # T5's: in each of its blocks, the parts are called layers
EMBEDDINGS = ("*embed*", "*wte*", "*wpe*")
# T5's and BART's words for these; other models have patterns as short as before.
MORE_EMBEDDINGS, MORE_ATTENTION, MORE_MLP = ("*shared.weight",), ("*Attention*",), ("*DenseReluDense*",)
REST = "rest"

GroupSpec = str | Mapping[str, Sequence[str]]


def make_groups(spec: GroupSpec, parameters: Iterable[str]) -> tuple[Group, ...]:
    """The groups that `spec` means for these parameters.

    spec: "all" (one group), "modules" (attention, mlp, other), "layers:K" (K groups of consecutive blocks) or
    name -> patterns. Groups without a parameter are left out.

    Raises ConfigError where the specification is unknown or a pattern matches nothing.
    """
    names = list(parameters)
    if isinstance(spec, Mapping):
        return _named(spec, names)
    if spec == "all":
        return (Group("all", ("*",)),)
    if spec == "modules":
        attention = ("*attn*", "*attention*", *_matching(MORE_ATTENTION, names))
        mlp = ("*mlp*", "*feed_forward*", *_matching(MORE_MLP, names))
        kinds = (("attention", attention), ("mlp", mlp), ("other", ("*",)))
        return _present([Group(name, patterns) for name, patterns in kinds], names)
    if match := re.fullmatch(r"layers:(\d+)", spec):
        return _layers(int(match[1]), names)
    raise ConfigError(
        f"composition.groups: {spec!r} is unknown; use all, modules, layers:K or a map from a name to patterns"
    )


def group_index(groups: Sequence[Group], parameter: str) -> int:
    """The index of the group that owns the parameter."""
    for index, group in enumerate(groups):
        if any(fnmatchcase(parameter, pattern) for pattern in group.patterns):
            return index
    raise AssertionError(f"the last group takes every parameter, but {parameter} has no group")


def _named(spec: Mapping[str, Sequence[str]], names: Sequence[str]) -> tuple[Group, ...]:
    for name, patterns in spec.items():
        for pattern in patterns:
            if not any(fnmatchcase(parameter, pattern) for parameter in names):
                raise ConfigError(
                    f"composition.groups.{name}: the pattern {pattern!r} matches no parameter that an expert "
                    f"changes (the first is {min(names)}); correct or remove it"
                )
    if REST in spec:
        raise ConfigError(
            f"composition.groups.{REST}: the name is reserved for what no pattern matches; choose another"
        )
    return _present([*(Group(name, tuple(patterns)) for name, patterns in spec.items()), Group(REST, ("*",))], names)


def _layers(count: int, names: Sequence[str]) -> tuple[Group, ...]:
    layers = sorted({int(match[1]) for name in names if (match := LAYER.search(name))})
    total = layers[-1] + 1 if layers else 0
    if not 1 <= count <= total:
        raise ConfigError(
            f"composition.groups: layers:{count} asks for {count} groups of {total} layers; use 1 to {total}"
        )
    bounds = [round(i * total / count) for i in range(count + 1)]
    stems = ("block",) if any(map(BLOCK.search, names)) else STEMS
    embeddings = (*EMBEDDINGS, *_matching(MORE_EMBEDDINGS, names))
    groups = []
    for low, high in pairwise(bounds):
        patterns = [f"*{stem}.{i}.*" for i in range(low, high) for stem in stems]
        groups.append(Group(f"layers{low}-{high - 1}", tuple([*embeddings, *patterns] if low == 0 else patterns)))
    last = groups.pop()
    return (*groups, Group(last.name, ("*",)))


def _matching(patterns: Sequence[str], names: Iterable[str]) -> list[str]:
    return [pattern for pattern in patterns if any(fnmatchcase(name, pattern) for name in names)]


def _present(groups: Sequence[Group], names: Sequence[str]) -> tuple[Group, ...]:
    owners = {group_index(groups, name) for name in names}
    kept = [group for i, group in enumerate(groups) if i in owners]
    # The last group takes whatever is left, so that every parameter has an owner.
    return (*kept[:-1], Group(kept[-1].name, (*kept[-1].patterns, "*")))
