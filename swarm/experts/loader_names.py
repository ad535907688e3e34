"""Where transformers puts the tensors of a checkpoint: names in files -> parts of the live model's tensors.

transformers renames and fuses tensors when it loads a checkpoint, and undoes that when it saves one: the experts of a
mixture are one tensor each in files and a slice of one large tensor in memory. Its own conversions are run here, on the
meta model, so there is no table of architectures. An undone fusion is a set of views of the fused tensor; these say
where each tensor of the files lies.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from copy import deepcopy
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from transformers.conversion_mapping import get_model_conversion_mapping
from transformers.core_model_loading import (
    WeightConverter,
    WeightRenaming,
    dot_natural_key,
    rename_source_key,
)

from swarm.experts.architecture import Architecture

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Place:
    """Where a tensor of the files lies in the live model.

    live: the name of the live tensor.
    shape: what the loader expects of the tensor in the files.
    stride, offset: of the view of the live tensor; both are those of the live tensor itself where it is all of it.
    whole: True where it is all of the live tensor.
    """

    live: str
    shape: Shape
    stride: Shape
    offset: int
    whole: bool

    def of(self, tensor: Tensor) -> Tensor:
        """This part of the live tensor."""
        return tensor if self.whole else tensor.detach().as_strided(self.shape, self.stride, self.offset)


@dataclass(frozen=True)
class Layout:
    """The tensors of one checkpoint in the live model.

    places: name in the files -> its place. What the loader does not load has none.
    missing: names of parameters and saved buffers that the loader looks for and the files lack.
    converted: names that the loader loads in a way that is no view of a live tensor.
    """

    places: Mapping[str, Place]
    missing: frozenset[str]
    converted: frozenset[str]

    @cached_property
    def of_place(self) -> Mapping[Place, str]:
        """Place -> name in the files."""
        return {place: name for name, place in self.places.items()}

    @cached_property
    def of_live(self) -> Mapping[str, tuple[str, ...]]:
        """Name of a live tensor -> the names in the files that lie in it."""
        found: dict[str, list[str]] = defaultdict(list)
        for name, place in self.places.items():
            found[place.live].append(name)
        return {live: tuple(names) for live, names in found.items()}

    def file_name(self, live: str) -> str:
        """The name in the files of a whole live tensor; its own where they hold it in parts or not at all."""
        names = self.of_live.get(live, ())
        return names[0] if len(names) == 1 else live

    def loads(self, name: str) -> bool:
        """True for a tensor that transformers loads into the model, whole or as a part of a larger one."""
        return name in self.places or name in self.converted


class _Views(TorchFunctionMode):
    """Within the context, `contiguous` copies nothing: splitting a tensor gives views of it."""

    def __torch_function__(self, func, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]
        return args[0] if func is Tensor.contiguous else func(*args, **(kwargs or {}))


class _Loader:
    """The names and conversions with which transformers loads files into a model."""

    def __init__(self, architecture: Architecture) -> None:
        self._model = architecture.model
        self.live: Mapping[str, Tensor] = self._model.state_dict(keep_vars=True)
        transforms = get_model_conversion_mapping(self._model)
        self._renamings = [each for each in transforms if isinstance(each, WeightRenaming)]
        self._converters = [each for each in transforms if isinstance(each, WeightConverter)]
        self._prefix = self._model.base_model_prefix

    def target(self, name: str) -> tuple[str, bool] | None:
        """The live tensor of a name in the files, and whether it is converted; None where the loader ignores it."""
        for renamings, converters in ((self._renamings, self._converters), ([], [])):
            live, pattern = rename_source_key(name, renamings, converters, self._prefix, self.live)  # type: ignore[arg-type]
            if live in self.live:
                return live, pattern is not None
            if name not in self.live:
                return None
        return None

    def converted_name(self, name: str) -> str:
        """The name under which a converter meets a tensor of the files, without the base model's prefix."""
        for renaming in self._renamings:  # each that matches
            name, _ = renaming.rename_source_key(name)
        return name.removeprefix(f"{self._prefix}.")

    def full_name(self, converted: str, live: str) -> str:
        """With the base model's prefix, where the live tensor has it."""
        return f"{self._prefix}.{converted}" if live.startswith(f"{self._prefix}.") else converted

    def siblings(self, live: str) -> set[str]:
        """The live tensors that a converter makes together with this one, and this one."""
        found = {live}
        for converter in self._converters:
            first, *others = converter.target_patterns
            found |= {live.replace(first, other) for other in others if first in live}
        return found

    @torch.no_grad()
    def parts(self, live: str) -> dict[str, Place]:
        """The tensors that a live tensor is made of: converted name -> place. Empty where they are no views of it."""
        reverse = [converter.reverse_transform() for converter in reversed(self._converters)]
        whole = self.live[live]
        for each in reverse:  # the first that matches
            name, pattern = each.rename_source_key(live)
            if pattern is not None:
                break
        else:
            return {}
        converter = deepcopy(next(each for each in reverse if pattern in each.source_patterns))
        converter.add_tensor(name, live, pattern, whole)  # type: ignore[arg-type]
        try:
            with _Views():
                found = converter.convert(name, model=self._model, config=self._model.config)  # type: ignore[attr-defined]
        except (ValueError, KeyError, AttributeError):  # the operations need more than this one tensor
            return {}
        views = {key: each[0] if isinstance(each, list) else each for key, each in found.items()}
        if not all(view is whole or view._base is whole for view in views.values()):
            return {}
        return {key.removeprefix(f"{self._prefix}."): _place(live, view) for key, view in views.items()}


def layout_of(architecture: Architecture, names: Iterable[str]) -> Layout:
    """Where the loader puts the tensors with these names."""
    loader = _Loader(architecture)
    places: dict[str, Place] = {}
    groups: dict[str, dict[str, str]] = defaultdict(dict)
    for name in sorted(names, key=dot_natural_key):
        target = loader.target(name)
        if target is not None and target[1]:
            groups[target[0]][loader.converted_name(name)] = name
        elif target is not None:
            places[name] = _place(target[0], loader.live[target[0]])
    missing, converted = set(), set()
    for live, files in groups.items():
        parts = loader.parts(live)
        if parts.keys() & files.keys():
            places |= {files[key]: place for key, place in parts.items() if key in files}
            missing |= {loader.full_name(key, live) for key in parts.keys() - files.keys()}
        converted |= {name for name in files.values() if name not in places}
    loaded = {place.live for place in places.values()}.union(*(loader.siblings(live) for live in groups))
    ignored = getattr(architecture.model, "_keys_to_ignore_on_load_missing", None) or ()
    missing |= (architecture.parameters.keys() | architecture.buffers.keys()) - loaded
    missing = {name for name in missing if not any(re.search(pattern, name) for pattern in ignored)}
    return Layout(places, frozenset(missing), frozenset(converted))


def _place(live: str, view: Tensor) -> Place:
    whole = view._base is None
    return Place(live, tuple(view.shape), tuple(view.stride()), int(view.storage_offset()), whole)
