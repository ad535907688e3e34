"""What is exported is whole and finite: checked by names, shapes and dtypes before it takes its name."""

import json
import shutil
from collections import defaultdict
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from support.exports import assert_holds, exported, opened
from support.models import load, make_adapter, make_base
from swarm.compositions.weights import Weights
from swarm.core.errors import ExpertError
from swarm.export import EXPORTS, export, lack_of
from swarm.export.hf import shard_names

CHANGED = "model.layers.0.mlp.down_proj.weight"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("whole")
    base = make_base(folder / "base")
    make_adapter(folder / "plain", base, seed=1)
    make_adapter(folder / "same", base, seed=2)
    return folder


def spread_over_folders(base: Path) -> None:
    """The weights of a base in shards of one name, in three folders."""
    tensors = load_file(base / "model.safetensors")
    (base / "model.safetensors").unlink()
    parts: dict[str, dict[str, torch.Tensor]] = defaultdict(dict)
    for i, name in enumerate(sorted(tensors)):
        parts[f"{'abc'[i % 3]}/weights.safetensors"][name] = tensors[name]
    for file, part in parts.items():
        (base / file).parent.mkdir()
        save_file(part, base / file, {"format": "pt"})
    weight_map = {name: file for file, part in parts.items() for name in part}
    (base / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": weight_map}))


def test_shards_of_one_name_in_several_folders_are_all_exported(folder: Path, tmp_path: Path) -> None:
    base = shutil.copytree(folder / "base", tmp_path / "base")
    spread_over_folders(base)
    shutil.copytree(folder / "plain", tmp_path / "plain")
    what = exported(opened(tmp_path, "plain"))
    out = export(what, tmp_path / "out", "hf")
    assert_holds(out, what)
    shards = sorted(file.name for file in out.glob("*.safetensors"))
    assert shards == [f"model-0000{i}-of-00003.safetensors" for i in (1, 2, 3)]
    whole = load(export(exported(opened(folder, "plain")), tmp_path / "one", "hf")).state_dict()
    live = load(out).state_dict()
    assert all(torch.equal(live[name], whole[name]) for name in whole)


def test_shards_keep_their_names_where_those_are_distinct() -> None:
    assert list(shard_names([Path("x/a"), Path("x/b"), Path("x/a")]).values()) == ["a", "b"]
    assert len(set(shard_names([Path("x/a.safetensors"), Path("x/A.safetensors")]).values())) == 2


@pytest.mark.parametrize("format", list(EXPORTS))
def test_weights_that_are_not_finite_are_never_exported(folder: Path, tmp_path: Path, format: str) -> None:
    catalog = opened(folder, "plain")
    what = replace(exported(catalog, "float16"), recipe=Weights().recipe([1e9], catalog))
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "old").touch()
    with pytest.raises(ExpertError, match=r"^\S+\.weight is not finite in float16; use a wider dtype"):
        export(what, tmp_path / "out", format, overwrite=True)
    assert [file.name for file in tmp_path.rglob("*")] == ["out", "old"]
    export(replace(what, recipe=Weights().recipe([1.0], catalog)), tmp_path / "out", format, overwrite=True)


@pytest.mark.parametrize("format", list(EXPORTS))
def test_what_an_export_lacks_is_named(folder: Path, tmp_path: Path, format: str) -> None:
    what = exported(opened(folder, "plain", "same"), "bfloat16", groups="modules")
    out = export(what, tmp_path / "out", format)
    assert lack_of(what, out, format) == ""
    for file in (path for path in out.iterdir() if path.name != "README.md"):
        content = file.read_bytes()
        file.write_bytes(content[: len(content) // 2])
        assert lack_of(what, out, format), f"half of {file.name}"
        file.unlink()
        assert lack_of(what, out, format), f"no {file.name}"
        file.write_bytes(content)
    (out / "README.md").unlink()
    assert lack_of(what, out, format) == "README.md is missing or cut off"
    assert lack_of(what, tmp_path / "nowhere", format) == f"{tmp_path / 'nowhere'} is not there"


def test_other_tensors_are_named(folder: Path, tmp_path: Path) -> None:
    what = exported(opened(folder, "plain"), "bfloat16")
    out = export(what, tmp_path / "out", "hf")
    tensors = load_file(out / "model.safetensors")

    def written(changed: dict[str, torch.Tensor]) -> str:
        save_file(changed, out / "model.safetensors", {"format": "pt"})
        return lack_of(what, out, "hf")

    assert (
        written({name: tensor for name, tensor in tensors.items() if name != CHANGED}) == f"tensor {CHANGED} is missing"
    )
    assert "F32" in written(tensors | {CHANGED: tensors[CHANGED].float()})
    assert "[1]" in written(tensors | {CHANGED: torch.zeros(1, dtype=torch.bfloat16)})
    assert written(tensors | {"more": torch.zeros(1)}) == "tensor more does not belong to it"
