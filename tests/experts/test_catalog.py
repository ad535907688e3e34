"""Opening a base and its experts: what fits is read lazily, everything else is refused in one line."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from support.models import make_adapter, make_base, make_checkpoint, make_tokenizer
from swarm.core.errors import ExpertError
from swarm.experts.catalog import Catalog, ExpertSpec, check_finite, factors_problem, open_base, open_catalog
from swarm.experts.safetensors_files import TensorFiles
from swarm.experts.sparsify import Sparsification
from swarm.experts.updates import LowRank

WEIGHTS = "model.safetensors"
FACTORS = "adapter_model.safetensors"


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_base(tmp_path_factory.mktemp("experts") / "base")


@pytest.fixture(scope="module")
def adapter(base: Path) -> Path:
    return make_adapter(base.parent / "adapter", base, seed=1)


@pytest.fixture(scope="module")
def checkpoint(base: Path) -> Path:
    return make_checkpoint(base.parent / "checkpoint", base, seed=2)


def opened(base: Path, *experts: Path) -> Catalog:
    return open_catalog(base, [ExpertSpec(path.name, path) for path in experts])


def changed(path: Path, source: Path, change: Callable[[Path], None]) -> Path:
    """A copy of a folder with one thing wrong."""
    shutil.copytree(source, path)
    change(path)
    return path


def setting(key: str, value: object) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        file = folder / "adapter_config.json"
        file.write_text(json.dumps(json.loads(file.read_text()) | {key: value}))

    return change


def assert_refused(base: Path, expert: Path, *words: str) -> None:
    """The message is one line with the words given, and a remedy after a semicolon."""
    with pytest.raises(ExpertError) as caught:
        opened(base, expert)
    message = str(caught.value)
    assert all(word in message for word in (*words, ";")), message
    assert "\n" not in message


def test_a_catalog_names_kinds_and_parameters(base: Path, adapter: Path, checkpoint: Path) -> None:
    catalog = opened(base, adapter, checkpoint)
    assert [(expert.name, expert.kind) for expert in catalog.experts] == [
        ("adapter", "adapter"),
        ("checkpoint", "checkpoint"),
    ]
    assert set(catalog.parameters()) == set(TensorFiles.of(base).info)
    assert len({expert.fingerprint for expert in catalog.experts} | {catalog.base.tensors.fingerprint}) == 3


def test_the_same_weights_have_the_same_fingerprint_elsewhere(base: Path, adapter: Path, tmp_path: Path) -> None:
    shutil.copytree(adapter, tmp_path / "adapter")
    assert opened(base, tmp_path / "adapter").experts[0].fingerprint == opened(base, adapter).experts[0].fingerprint


def test_one_changed_weight_changes_the_fingerprint(base: Path, tmp_path: Path) -> None:
    tensors = load_file(base / WEIGHTS)
    tensors["model.norm.weight"][0] += 1
    save_file(tensors, tmp_path / WEIGHTS)
    assert TensorFiles((tmp_path / WEIGHTS,)).fingerprint != TensorFiles.of(base).fingerprint


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("init_lora_weights", "pissa"),
        ("init_lora_weights", "pissa_niter_4"),
        ("init_lora_weights", "olora"),
        ("peft_type", "LOHA"),
        ("alora_invocation_tokens", [5, 6]),
        ("use_something_new", True),
        ("monteclora_config", {"num_samples": 4}),
    ],
)
def test_adapters_without_an_exact_update_are_refused(
    base: Path, adapter: Path, tmp_path: Path, key: str, value: object
) -> None:
    wrong = changed(tmp_path / "wrong", adapter, setting(key, value))
    assert_refused(base, wrong, key, "merge it into a full checkpoint")


def test_an_adapter_of_another_shape_is_refused(base: Path, tmp_path: Path) -> None:
    wide = make_base(tmp_path / "wide", hidden=48)
    wrong = make_adapter(tmp_path / "wrong", wide, seed=1)
    assert_refused(base, wrong, "fingerprint")
    setting("base_model_name_or_path", "somebody/model")(wrong)
    assert_refused(base, wrong, "but the base has")


def test_a_checkpoint_of_another_shape_is_refused(base: Path, tmp_path: Path) -> None:
    assert_refused(base, make_base(tmp_path / "deep", layers=3), "num_hidden_layers is 3", "2")


def test_an_adapter_of_another_base_is_refused(base: Path, tmp_path: Path) -> None:
    other = make_base(tmp_path / "other", seed=9)
    assert_refused(base, make_adapter(tmp_path / "wrong", other, seed=1), "trained on", "fingerprint")


def test_another_tokenizer_is_refused(base: Path, checkpoint: Path, tmp_path: Path) -> None:
    def change(folder: Path) -> None:
        tokenizer = make_tokenizer()
        tokenizer.add_tokens(["<extra>"])
        tokenizer.save_pretrained(folder)

    assert_refused(base, changed(tmp_path / "wrong", checkpoint, change), "tokenizer")


def test_pickles_are_refused(base: Path, checkpoint: Path, tmp_path: Path) -> None:
    def change(folder: Path) -> None:
        (folder / WEIGHTS).rename(folder / "pytorch_model.bin")

    assert_refused(base, changed(tmp_path / "wrong", checkpoint, change), "pickled", "pytorch_model.bin")


def test_a_truncated_file_is_refused(base: Path, checkpoint: Path, adapter: Path, tmp_path: Path) -> None:
    def change(folder: Path) -> None:
        (file,) = folder.glob("*.safetensors")
        file.write_bytes(file.read_bytes()[:-100])

    assert_refused(base, changed(tmp_path / "checkpoint", checkpoint, change), WEIGHTS)
    assert_refused(base, changed(tmp_path / "adapter", adapter, change), FACTORS)


def test_a_missing_shard_is_refused(base: Path, tmp_path: Path) -> None:
    wrong = make_checkpoint(tmp_path / "wrong", base, seed=2, max_shard_size="20KB")
    shard = sorted(wrong.glob("*.safetensors"))[1]
    shard.unlink()
    assert_refused(base, wrong, shard.name, "missing")


def test_a_factor_without_its_partner_is_refused(base: Path, adapter: Path, tmp_path: Path) -> None:
    def change(folder: Path) -> None:
        tensors = load_file(folder / FACTORS)
        tensors.pop(next(name for name in tensors if "lora_B" in name))
        save_file(tensors, folder / FACTORS)

    assert_refused(base, changed(tmp_path / "wrong", adapter, change), "partner")


def test_nan_is_found(base: Path, adapter: Path, tmp_path: Path) -> None:
    def change(folder: Path) -> None:
        tensors = load_file(folder / FACTORS)
        next(iter(tensors.values()))[0, 0] = torch.nan
        save_file(tensors, folder / FACTORS)

    check_finite(opened(base, adapter))
    with pytest.raises(ExpertError, match=r"expert wrong: tensor .* NaN"):
        check_finite(opened(base, changed(tmp_path / "wrong", adapter, change)))


def test_the_copy_of_the_embeddings_that_peft_saves_must_be_the_base(base: Path, tmp_path: Path) -> None:
    embedding = make_adapter(tmp_path / "embedding", base, seed=1, targets=["embed_tokens", "q_proj"])
    assert "model.embed_tokens.weight" in opened(base, embedding).experts[0].source.parameters()

    def change(folder: Path) -> None:
        tensors = load_file(folder / FACTORS)
        tensors["base_model.model.model.embed_tokens.base_layer.weight"][0] += 1
        save_file(tensors, folder / FACTORS)

    assert_refused(base, changed(tmp_path / "wrong", embedding, change), "model.embed_tokens.weight", "differs")


def test_a_base_is_a_checkpoint_with_a_tokenizer(base: Path, adapter: Path, tmp_path: Path) -> None:
    with pytest.raises(ExpertError, match="is an adapter"):
        open_base(adapter)
    with pytest.raises(ExpertError, match=r"config\.json does not exist"):
        open_base(tmp_path)
    bare = changed(tmp_path / "bare", base, lambda folder: (folder / "tokenizer.json").unlink())
    with pytest.raises(ExpertError, match="no tokenizer"):
        open_base(bare)


def test_shards_are_opened_one_at_a_time(base: Path, tmp_path: Path) -> None:
    files = TensorFiles.of(make_checkpoint(tmp_path / "sharded", base, seed=2, max_shard_size="20KB"))
    whole = TensorFiles.of(make_checkpoint(tmp_path / "whole", base, seed=2))
    assert len(files.files) > 2
    name, info = next(iter(files.info.items()))
    for other in files.files:
        if other != info.file:
            other.unlink()
    assert torch.equal(files.read(name), whole.read(name))


def test_factors_need_plain_adapters_of_equal_rank(base: Path, adapter: Path, checkpoint: Path, tmp_path: Path) -> None:
    narrow = make_adapter(tmp_path / "narrow", base, seed=3, r=2)
    same = make_adapter(tmp_path / "same", base, seed=4)
    assert factors_problem(opened(base, adapter, same)) is None
    assert "rank" in (factors_problem(opened(base, adapter, narrow)) or "")
    assert "checkpoint" in (factors_problem(opened(base, adapter, checkpoint)) or "")


@pytest.mark.parametrize("cut", [{}, {"svd": 3}, {"svd": 999}, {"trim": 0.5}, {"trim": 0.5, "svd": 2}], ids=str)
def test_ranks_are_known_from_headers(
    base: Path, adapter: Path, checkpoint: Path, tmp_path: Path, cut: dict[str, float]
) -> None:
    mixed = make_adapter(tmp_path / "mixed", base, seed=3, r=2, rank_pattern={"up_proj": 3}, modules_to_save=["norm"])
    specs = [ExpertSpec(path.name, path, Sparsification(**cut)) for path in (adapter, checkpoint, mixed)]
    catalog = open_catalog(base, specs)
    for expert in catalog.experts:
        for parameter in expert.source.parameters():
            update = expert.update(parameter, catalog.base)
            assert expert.rank(parameter) == (update.rank if isinstance(update, LowRank) else None), parameter
