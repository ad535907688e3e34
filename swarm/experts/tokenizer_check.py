"""Experts must share the base's tokenizer: vocabulary, merges and added tokens are compared."""

import json
from pathlib import Path

from swarm.core.errors import ExpertError


def check_vocabulary(owner: str, path: Path, base: Path) -> None:
    """Raise ExpertError where the tokenizer in an expert's folder differs from the base's. It may have none.

    owner: how the message names the expert. path, base: the folders.
    """
    theirs, ours = path / "tokenizer.json", base / "tokenizer.json"
    if theirs.is_file() and ours.is_file() and _vocabulary(theirs) != _vocabulary(ours):
        raise ExpertError(
            f"{owner}: its tokenizer.json differs from the base's in vocabulary or merges; "
            "experts must share the base's tokenizer"
        )


def _vocabulary(path: Path) -> tuple[object, ...]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        model = content["model"]
        added = [(token["id"], token["content"]) for token in content.get("added_tokens", [])]
        return model.get("type"), model.get("vocab"), model.get("merges"), added
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ExpertError(f"{path} is not a tokenizer file ({error}); save the tokenizer again") from None
