"""References become paths, under the names that the user gives."""

import json
import os
from pathlib import Path

import pytest

from support.models import make_base, make_checkpoint
from swarm.config.references import find
from swarm.data.examples import DevTest, read_data
from swarm.experts.alignment_vectors import make_vector
from swarm.experts.catalog import ExpertSpec, open_catalog
from swarm.experts.sparsify import Sparsification


def cached(file: Path, folder: Path) -> Path:
    """The file as a hub's cache holds it: a link under its name to a blob without a suffix."""
    blob, link = folder / "blobs" / "0a1b2c", folder / "snapshots" / file.name
    for place in (blob, link):
        place.parent.mkdir(parents=True)
    file.rename(blob)
    link.symlink_to(os.path.relpath(blob, link.parent))
    return link


def test_a_linked_data_file_goes_by_the_users_name(tmp_path: Path) -> None:
    rows = [{"prompt": "p", "answer": "a"}]
    (tmp_path / "words.json").write_text(json.dumps({"dev": rows, "test": rows}))
    link = cached(tmp_path / "words.json", tmp_path / "cache")
    found = find(str(link), tmp_path, "objectives.0.data")
    assert found == link
    assert isinstance(read_data(found), DevTest)
    assert find("cache/../cache/snapshots/words.json", tmp_path, "objectives.0.data") == link


def test_a_linked_folder_goes_by_its_place(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    assert find("link", tmp_path, "base") == tmp_path / "real"


def test_a_linked_vector_is_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    base = make_base(tmp_path / "base")
    aligned = make_checkpoint(tmp_path / "aligned", base, seed=5)
    make_vector(base, aligned, tmp_path / "safety.safetensors")
    link = cached(tmp_path / "safety.safetensors", tmp_path / "cache")
    path = find(str(link), tmp_path, "experts.0.path")
    catalog = open_catalog(base, [ExpertSpec("safety", path, Sparsification())])
    assert catalog.experts[0].kind == "vector"
