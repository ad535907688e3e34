"""What the names of an adapter's tensors mean: the parameter of the base, and the tensor's part in its update.

PEFT writes `base_model.model.` + module + `.lora_A.weight`. State dicts that were saved by hand also hold the adapter's
name (`.lora_A.default.weight`), wrappers (`module.`, `_orig_mod.`), and a prefix that is missing or doubled.
"""

import re
from collections.abc import Collection
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

PREFIX = "base_model.model."
# Segments that torch.compile, data parallelism, FSDP and activation checkpointing add to the names of modules.
WRAPPERS = frozenset({"module", "_orig_mod", "_fsdp_wrapped_module", "_checkpoint_wrapped_module"})
# First segments by which names of one model differ, depending on the class that saved it.
LEADING = frozenset({"base_model", "model", "transformer", "language_model", "gpt_neox"})
Part = Literal[
    "lora_A", "lora_B", "lora_B_bias", "embedding_A", "embedding_B", "magnitude", "tokens", "saved", "original", "plain"
]
NAME = r"(?:\.(?P<adapter>[^.]+))?"
# What follows a module's name -> the tensor's part, and the parameter of the module that it belongs to.
TAILS: tuple[tuple[re.Pattern[str], Part, str], ...] = (
    (re.compile(rf"\.lora_A{NAME}\.weight$"), "lora_A", "weight"),
    (re.compile(rf"\.lora_B{NAME}\.weight$"), "lora_B", "weight"),
    (re.compile(rf"\.lora_B{NAME}\.bias$"), "lora_B_bias", "bias"),
    (re.compile(rf"\.lora_embedding_A{NAME}$"), "embedding_A", "weight"),
    (re.compile(rf"\.lora_embedding_B{NAME}$"), "embedding_B", "weight"),
    (re.compile(r"\.lora_magnitude_vector(?:\.(?P<adapter>(?!weight$)[^.]+))?(?:\.weight)?$"), "magnitude", "weight"),
    (re.compile(rf"\.token_adapter\.trainable_tokens_delta{NAME}$"), "tokens", "weight"),
    (re.compile(r"\.modules_to_save(?:\.(?P<adapter>[^.]+)(?=\.))?(?=\.)"), "saved", ""),
    (re.compile(r"\.original_module(?=\.)|(?:\.token_adapter)?\.base_layer(?=\.[^.]+$)"), "original", ""),
)


@dataclass(frozen=True)
class TensorName:
    """A tensor's name, understood.

    parameter: the parameter of the base that it belongs to, as the adapter names it.
    part: its part in the parameter's update; "plain" where it is named like the parameter itself.
    adapter: the adapter's name ("default"); "" where the tensor's name holds none.
    """

    parameter: str
    part: Part
    adapter: str = ""

    @property
    def module(self) -> str:
        return self.parameter.rpartition(".")[0]


def understood(name: str) -> TensorName:
    """What a tensor's name means."""
    for tail, part, of_module in TAILS:
        if match := tail.search(name):
            rest = name[match.end() :]
            parameter = f"{name[: match.start()]}.{of_module}" if of_module else name[: match.start()] + rest
            return TensorName(parameter, part, match.groupdict().get("adapter") or "")
    return TensorName(name, "plain")


def base_name(parameter: str, known: Collection[str] | None) -> str:
    """The base's name of a parameter that an adapter names.

    known: the base's parameters; None where the base is not known. Where none of them fits, or several do, the name
    is returned without prefix and wrappers.
    """
    plain = parameter.removeprefix(PREFIX)
    if known is not None and plain in known:
        return plain
    bare = ".".join(segment for segment in parameter.split(".") if segment not in WRAPPERS)
    while bare.startswith(PREFIX):
        bare = bare.removeprefix(PREFIX)
    if known is None or bare in known:
        return bare
    fitting = _by_core(frozenset(known)).get(_without_leading(bare), [])
    return fitting[0] if len(fitting) == 1 else bare


@lru_cache(maxsize=2)
def _by_core(known: frozenset[str]) -> dict[str, list[str]]:
    """Name without its leading segments -> the known names that it may mean."""
    found: dict[str, list[str]] = {}
    for name in known:
        found.setdefault(_without_leading(name), []).append(name)
    return found


def _without_leading(name: str) -> str:
    segments = name.split(".")
    while len(segments) > 1 and segments[0] in LEADING:
        segments.pop(0)
    return ".".join(segments)
