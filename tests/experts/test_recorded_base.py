"""The base that an adapter records: no obstacle unless it can be compared and is another model."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from support.models import load, make_adapter, make_base, make_checkpoint
from swarm.core.errors import ExpertError
from swarm.experts.alignment_vectors import make_vector
from swarm.experts.catalog import ExpertSpec, open_catalog

WEIGHTS = "model.safetensors"


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_base(tmp_path_factory.mktemp("recorded") / "base", layers=1)


@pytest.fixture
def adapter(base: Path, tmp_path: Path) -> Path:
    return make_adapter(tmp_path / "adapter", base, seed=1, targets=["q_proj"])


def record(adapter: Path, value: object) -> None:
    file = adapter / "adapter_config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"base_model_name_or_path": value}))


def accepted(base: Path, adapter: Path) -> bool:
    return bool(open_catalog(base, [ExpertSpec("one", adapter)]).parameters())


@pytest.mark.parametrize("value", ["somebody/model", "", None, 3, ["x"], "/gone/far\0away", "/gone"], ids=repr)
def test_a_base_that_is_not_there_is_no_obstacle(base: Path, adapter: Path, value: object) -> None:
    record(adapter, value)
    assert accepted(base, adapter)


@pytest.mark.parametrize("left", ["nothing", "a pickle", "an index without shards", "half a file"])
def test_a_base_that_cannot_be_read_is_no_obstacle(base: Path, adapter: Path, tmp_path: Path, left: str) -> None:
    other = tmp_path / "other"
    shutil.copytree(base, other)
    content = (other / WEIGHTS).read_bytes()
    (other / WEIGHTS).unlink()
    if left == "a pickle":
        torch.save(load(base).state_dict(), other / "pytorch_model.bin")
    elif left == "an index without shards":
        (other / f"{WEIGHTS}.index.json").write_text(json.dumps({"weight_map": {"x": "model-1-of-2.safetensors"}}))
    elif left == "half a file":
        (other / WEIGHTS).write_bytes(content[: len(content) // 2])
    record(adapter, str(other))
    assert accepted(base, adapter)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("widened", [False, True])
def test_another_precision_is_no_obstacle(
    base: Path, adapter: Path, tmp_path: Path, dtype: torch.dtype, widened: bool
) -> None:
    other = tmp_path / "other"
    shutil.copytree(base, other)
    tensors = {name: tensor.to(dtype) for name, tensor in load_file(base / WEIGHTS).items()}
    save_file({name: t.float() if widened else t for name, t in tensors.items()}, other / WEIGHTS)
    record(adapter, str(other))
    assert accepted(base, adapter)
    record(adapter, str(base))
    assert accepted(other, adapter)


def test_a_quantised_base_is_no_obstacle(base: Path, adapter: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    shutil.copytree(base, other)
    tensors = {name: (100 * tensor).to(torch.int8) for name, tensor in load_file(base / WEIGHTS).items()}
    save_file(tensors, other / WEIGHTS)
    record(adapter, str(other))
    assert accepted(base, adapter)


def test_another_model_is_refused_without_its_path(base: Path, adapter: Path, tmp_path: Path) -> None:
    other = make_checkpoint(tmp_path / "elsewhere", base, seed=3, scale=0.001)
    for dtype in (torch.float32, torch.bfloat16):
        load(other, dtype).save_pretrained(other)
        record(adapter, str(other))
        with pytest.raises(ExpertError, match="give the base it was trained on") as caught:
            accepted(base, adapter)
        assert "elsewhere" not in str(caught.value)


def test_a_vector_between_adapters_needs_no_recorded_base(base: Path, adapter: Path, tmp_path: Path) -> None:
    second = make_adapter(tmp_path / "second", base, seed=2, targets=["q_proj"])
    for folder in (adapter, second):
        record(folder, str(tmp_path / "gone"))
    make_vector(adapter, second, tmp_path / "vector.safetensors")
