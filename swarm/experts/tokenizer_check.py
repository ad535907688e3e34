"""Experts must share the base's tokenizer: what it does is compared, token by token and merge by merge.

Two files that are written differently may do the same. An expert may also name tokens of its own, such as a padding
token, in rows that the base's embeddings have to spare.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from operator import itemgetter
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer

from swarm.core.errors import ExpertError
from swarm.experts.expert import Expert
from swarm.experts.libraries import understood
from swarm.experts.safetensors_files import read_json

FILE = "tokenizer.json"
LISTED = 4  # tokens that a note names
MOST_IDS = 2**24  # the library writes a vocabulary by counting up to its largest id; the largest known has 2**20


@dataclass(frozen=True)
class _Tokenizer:
    """What a tokenizer.json holds.

    kind: the model's type.
    ids: token -> id, of the vocabulary and the added tokens.
    merges: pairs as texts "a b", in order; none but for BPE.
    scores: token -> log-probability, of a Unigram model.
    special: the added tokens that no ordinary text is made of.
    ordinary: the other added tokens.
    """

    kind: str
    ids: Mapping[str, int]
    merges: Sequence[str]
    scores: Mapping[str, float]
    special: frozenset[str]
    ordinary: frozenset[str]


def check_vocabulary(owner: str, path: Path, base: Path) -> None:
    """Raise ExpertError where the tokenizer in an expert's folder differs from the base's. It may have none.

    owner: how the message names the expert. path, base: the folders.
    """
    read = _both(path, base)
    if read is None:
        return
    theirs, ours = read
    # A checkpoint may have trained the row of a token that the base's tokenizer splits.
    allowed = theirs.special | (theirs.ordinary if (path / "adapter_config.json").is_file() else frozenset())
    problem = _difference(theirs, ours) or _without_row(theirs, ours, allowed, _rows(base))
    if problem:
        raise ExpertError(f"{owner}: its {FILE} {problem}; experts must share the base's tokenizer")


def tokenizer_notes(experts: Sequence[Expert], base: Path) -> list[str]:
    """What the user should know: the tokens that an expert names and the base does not."""
    found = []
    for expert in experts:
        theirs, ours = _both(expert.path, base) or (None, None)
        added = [repr(token) for token in theirs.ids if token not in ours.ids] if theirs and ours else []
        if added:
            found.append(
                f"expert {expert.name}: its {FILE} adds {', '.join(added[:LISTED])}"
                f"{f' and {len(added) - LISTED} more' if len(added) > LISTED else ''} in rows that the embeddings have "
                "to spare; the base's tokenizer is used, which lacks them, and every token of the base has the same id"
            )
    return found


def _both(path: Path, base: Path) -> tuple[_Tokenizer, _Tokenizer] | None:
    """The tokenizers of an expert and the base; None where one has no file or the files are the same."""
    theirs, ours = path / FILE, base / FILE
    if not (theirs.is_file() and ours.is_file()) or theirs.read_bytes() == ours.read_bytes():
        return None
    return _read(theirs), _read(ours)


def _difference(theirs: _Tokenizer, ours: _Tokenizer) -> str | None:
    """The first thing in which the tokenizers differ on the base's tokens."""
    if theirs.kind != ours.kind:
        return f"is a {theirs.kind} model, the base's a {ours.kind} model"
    for token, index in ours.ids.items():
        if token not in theirs.ids:
            return f"lacks the token {token!r} of the base (id {index})"
        if theirs.ids[token] != index:
            return f"gives the token {token!r} the id {theirs.ids[token]}, the base's {index}"
    for i, (one, other) in enumerate(zip_longest(theirs.merges, ours.merges)):
        if one != other:
            return f"has {one!r} as merge {i + 1}, the base's {other!r}"
    for token, score in ours.scores.items():
        if abs(theirs.scores.get(token, score) - score) > 1e-6 * max(1.0, abs(score)):
            return f"gives the token {token!r} the score {theirs.scores[token]}, the base's {score}"
    return None


def _without_row(theirs: _Tokenizer, ours: _Tokenizer, allowed: frozenset[str], rows: int) -> str | None:
    """Why a token that the base does not have needs more than a row to spare."""
    taken = {index: token for token, index in ours.ids.items()}
    for token, index in theirs.ids.items():
        if token in ours.ids:
            continue
        if token not in allowed:
            return f"has the token {token!r} (id {index}), which the base's lacks"
        if index in taken:
            return f"gives the token {token!r} the id {index}, which is {taken[index]!r} in the base's"
        if index >= rows:
            return f"adds the token {token!r} (id {index}), but the base's embeddings have {rows} rows"
    return None


def _rows(base: Path) -> int:
    """The rows of the base's embeddings; 0 where its config does not say."""
    config = read_json(base / "config.json", f"base {base}")
    nested = config.get("text_config")
    rows = config.get("vocab_size") or (nested.get("vocab_size") if isinstance(nested, dict) else None)
    return rows if isinstance(rows, int) else 0


def _read(path: Path) -> _Tokenizer:
    """What the tokenizers library makes of a file: it renumbers tokens, and older releases wrote merges otherwise."""

    def loaded() -> dict[str, Any]:
        tokenizer = Tokenizer.from_file(str(path))
        token, largest = max(tokenizer.get_vocab().items(), key=itemgetter(1), default=("", 0))
        if largest >= MOST_IDS:
            raise ValueError(f"the token {token!r} has the id {largest}")
        content: dict[str, Any] = json.loads(tokenizer.to_str())
        return content

    content = understood(
        loaded, lambda reason: ExpertError(f"{path} is not a tokenizer file ({reason}); save the tokenizer again")
    )
    model, added = content["model"], content["added_tokens"]
    vocabulary = model["vocab"]
    listed = not isinstance(vocabulary, dict)  # a Unigram model: token and score, in the order of the ids
    ids = {token: i for i, (token, _) in enumerate(vocabulary)} if listed else vocabulary
    special = frozenset(token["content"] for token in added if token["special"])
    return _Tokenizer(
        kind=model["type"],
        ids={**ids, **{token["content"]: token["id"] for token in added}},
        merges=[merge if isinstance(merge, str) else " ".join(merge) for merge in model.get("merges", ())],
        scores=dict(vocabulary) if listed else {},
        special=special,
        ordinary=frozenset(token["content"] for token in added) - special,
    )
