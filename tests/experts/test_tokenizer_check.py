"""Tokenizers and configs of experts are compared by what they do, not by how they are written."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from transformers import AutoTokenizer

from support.models import make_adapter, make_checkpoint
from support.tokenizers import KINDS, VOCABULARY, make_kind
from swarm.core.errors import ExpertError
from swarm.experts.catalog import Catalog, ExpertSpec, open_catalog
from swarm.experts.config_check import differing
from swarm.experts.tokenizer_check import tokenizer_notes

Content = dict[str, Any]


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_kind(tmp_path_factory.mktemp("check") / "base", KINDS["gpt2"]())


@pytest.fixture
def adapter(base: Path, tmp_path: Path) -> Path:
    return make_adapter(tmp_path / "one", base, seed=1)


@pytest.fixture
def checkpoint(base: Path, tmp_path: Path) -> Path:
    return make_checkpoint(tmp_path / "full", base, seed=1)


def edit(file: Path, change: Callable[[Content], object]) -> None:
    content = json.loads(file.read_text())
    change(content)
    file.write_text(json.dumps(content))


def opened(base: Path, expert: Path) -> Catalog:
    return open_catalog(base, [ExpertSpec("one", expert)])


def test_merges_may_be_written_in_either_form(base: Path, adapter: Path, tmp_path: Path) -> None:
    older = shutil.copytree(base, tmp_path / "older")
    edit(older / "tokenizer.json", lambda c: c["model"].update(merges=[" ".join(m) for m in c["model"]["merges"]]))
    AutoTokenizer.from_pretrained(base).save_pretrained(adapter)
    edit(adapter / "adapter_config.json", lambda c: c.update(base_model_name_or_path="somebody/model"))
    assert (older / "tokenizer.json").read_text() != (adapter / "tokenizer.json").read_text()
    assert tokenizer_notes(opened(older, adapter).experts, older) == []


def add_token(expert: Path, base: Path, token: str, special: bool = True, count: int = 1) -> None:
    tokenizer = AutoTokenizer.from_pretrained(base)
    tokenizer.add_tokens([token * (i + 1) for i in range(count)], special_tokens=special)
    tokenizer.save_pretrained(expert)


@pytest.mark.parametrize("kind", ["adapter", "checkpoint"])
def test_a_padding_token_in_a_row_to_spare_is_noted(base: Path, kind: str, request: pytest.FixtureRequest) -> None:
    expert = request.getfixturevalue(kind)
    add_token(expert, base, "[PAD]")
    (note,) = tokenizer_notes(opened(base, expert).experts, base)
    assert "expert one: its tokenizer.json adds '[PAD]' in rows that the embeddings have to spare" in note


def test_tokens_without_a_row_are_refused(base: Path, adapter: Path) -> None:
    add_token(adapter, base, "[PAD]", count=60)
    with pytest.raises(ExpertError, match=rf"\(id {VOCABULARY}\), but the base's embeddings have {VOCABULARY} rows"):
        opened(base, adapter)


def test_a_word_that_a_checkpoint_adds_is_refused(base: Path, checkpoint: Path) -> None:
    add_token(checkpoint, base, "xyzzy", special=False)
    with pytest.raises(ExpertError, match=r"has the token 'xyzzy' .*must share the base's tokenizer"):
        opened(base, checkpoint)


def swap_ids(content: Content) -> None:
    vocabulary = content["model"]["vocab"]
    vocabulary["a"], vocabulary["b"] = vocabulary["b"], vocabulary["a"]


def swap_merges(content: Content) -> None:
    merges = content["model"]["merges"]
    merges[3], merges[4] = merges[4], merges[3]


@pytest.mark.parametrize(
    ("change", "message"),
    [(swap_ids, r"gives the token 'a' the id \d+, the base's \d+"), (swap_merges, "as merge 4, the base's")],
)
def test_what_really_differs_is_named(
    base: Path, adapter: Path, change: Callable[[Content], object], message: str
) -> None:
    shutil.copy(base / "tokenizer.json", adapter)
    edit(adapter / "tokenizer.json", change)
    with pytest.raises(ExpertError, match=message) as refusal:
        opened(base, adapter)
    assert "\n" not in str(refusal.value)


def test_a_file_that_is_no_tokenizer_is_refused_in_one_line(base: Path, adapter: Path) -> None:
    (adapter / "tokenizer.json").write_text("{}")
    with pytest.raises(ExpertError, match="is not a tokenizer file") as refusal:
        opened(base, adapter)
    assert "\n" not in str(refusal.value)


def test_an_id_beyond_any_vocabulary_is_refused_at_once(base: Path, adapter: Path) -> None:
    """The tokenizers library counts up to the largest id where it writes a vocabulary: for minutes."""
    shutil.copy(base / "tokenizer.json", adapter)
    edit(adapter / "tokenizer.json", lambda c: c["model"]["vocab"].update(a=2**32 - 1))
    with pytest.raises(ExpertError, match="the token 'a' has the id 4294967295"):
        opened(base, adapter)


@pytest.mark.parametrize(
    "older",
    [
        lambda c: (c.pop("rope_parameters", None), c.update(rope_theta=10000.0, rope_scaling=None)),
        lambda c: (c.pop("head_dim", None), c.pop("hidden_act", None)),
    ],
)
def test_a_config_of_another_release_is_the_same_architecture(
    base: Path, checkpoint: Path, older: Callable[[Content], object]
) -> None:
    edit(checkpoint / "config.json", older)
    opened(base, checkpoint)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: (c.pop("rope_parameters", None), c.update(rope_theta=5e5)), "rope_parameters is .*500000"),
        (lambda c: c.update(rms_norm_eps=1e-3), "rms_norm_eps is 0.001, but the base has 1e-06"),
        (lambda c: c.update(hidden_act="relu"), "hidden_act is 'relu'"),
    ],
)
def test_another_architecture_is_refused(
    base: Path, checkpoint: Path, change: Callable[[Content], object], message: str
) -> None:
    edit(checkpoint / "config.json", change)
    with pytest.raises(ExpertError, match=message):
        opened(base, checkpoint)


def test_a_sliding_window_that_is_not_used_does_not_count(base: Path, checkpoint: Path, tmp_path: Path) -> None:
    qwen = shutil.copytree(base, tmp_path / "qwen")
    unused = {"model_type": "qwen2", "architectures": ["Qwen2ForCausalLM"], "use_sliding_window": False}
    edit(qwen / "config.json", lambda c: c.update(unused, sliding_window=4096))
    edit(checkpoint / "config.json", lambda c: c.update(unused, sliding_window=None))
    theirs, ours = (json.loads((path / "config.json").read_text()) for path in (checkpoint, qwen))
    assert differing(theirs, ours, checkpoint, qwen) is None
