"""Files and folders are written whole or not at all."""

import errno
import json
import math
import resource
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from swarm.core.errors import RunError
from swarm.core.files import replaced_directory, replaced_file, write_json, write_text
from swarm.core.temporaries import sweep
from swarm.experts.safetensors_writer import tensor_stream


@contextmanager
def files_up_to(size: int) -> Iterator[None]:
    """Writing past `size` bytes fails, as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def names(folder: Path) -> list[str]:
    return sorted(file.name for file in folder.iterdir())


def test_text_replaces_what_was_there_and_leaves_nothing_else(tmp_path: Path) -> None:
    write_text(tmp_path / "new" / "a.txt", "one")
    write_text(tmp_path / "new" / "a.txt", "zwölf")
    assert (tmp_path / "new" / "a.txt").read_text(encoding="utf-8") == "zwölf"
    assert names(tmp_path / "new") == ["a.txt"]


def test_json_reads_back_and_is_strict(tmp_path: Path) -> None:
    write_json(tmp_path / "a.json", {"x": [0.1, math.nan], "y": (1, "ü"), "z": {"deep": -math.inf}})
    text = (tmp_path / "a.json").read_text(encoding="utf-8")
    assert json.loads(text) == {"x": [0.1, None], "y": [1, "ü"], "z": {"deep": None}}
    assert "NaN" not in text


def test_what_cannot_be_written_leaves_the_old(tmp_path: Path) -> None:
    file = tmp_path / "a.txt"
    write_text(file, "old")
    with files_up_to(1000), pytest.raises(RunError, match=r"a\.txt cannot be written \(File too large.*;"):
        write_text(file, "x" * 5000)
    assert file.read_text() == "old"
    assert names(tmp_path) == ["a.txt"]


def test_an_error_half_way_leaves_the_old(tmp_path: Path) -> None:
    write_text(tmp_path / "a.txt", "old")
    with pytest.raises(ZeroDivisionError), replaced_file(tmp_path / "a.txt") as stream:
        stream.write(b"x" * (1 // 0))
    assert (tmp_path / "a.txt").read_text() == "old"
    assert names(tmp_path) == ["a.txt"]


def test_a_full_disk_is_reported_with_its_remedy(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="free disk space") as caught, replaced_file(tmp_path / "a.txt"):
        raise OSError(errno.ENOSPC, "No space left on device")
    assert str(tmp_path / "a.txt") in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_in_the_place_of_a_folder_is_reported(tmp_path: Path) -> None:
    write_text(tmp_path / "a", "file")
    for write in (lambda: write_text(tmp_path / "a" / "b.txt", "x"), lambda: write_text(tmp_path, "x")):
        with pytest.raises(RunError, match="folder"):
            write()


def test_a_folder_appears_whole(tmp_path: Path) -> None:
    dest = tmp_path / "deep" / "dest"
    with replaced_directory(dest) as folder:
        write_text(folder / "sub" / "a.txt", "x")
        assert not dest.exists()
    assert names(dest) == ["sub"]
    assert names(dest.parent) == ["dest"]


def test_an_error_leaves_no_folder(tmp_path: Path) -> None:
    with files_up_to(1000), pytest.raises(RunError), replaced_directory(tmp_path / "dest") as folder:
        [write_text(folder / str(size), "x" * size) for size in (1, 5000)]
    assert names(tmp_path) == []


def test_a_folder_with_content_is_kept_unless_overwriting_is_allowed(tmp_path: Path) -> None:
    dest = tmp_path / "dest"
    write_text(dest / "mine.txt", "x")
    with pytest.raises(RunError, match="not empty"), replaced_directory(dest):
        pytest.fail("the folder must be refused before work is done")
    with pytest.raises(ZeroDivisionError), replaced_directory(dest, overwrite=True):
        raise ZeroDivisionError
    assert names(dest) == ["mine.txt"]
    with replaced_directory(dest, overwrite=True) as folder:
        write_text(folder / "new.txt", "x")
    assert names(dest) == ["new.txt"]
    assert names(tmp_path) == ["dest"]


def test_an_empty_folder_is_filled_and_a_file_refused(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with replaced_directory(tmp_path / "empty") as folder:
        write_text(folder / "a.txt", "x")
    assert names(tmp_path / "empty") == ["a.txt"]
    with pytest.raises(RunError, match="is a file"), replaced_directory(tmp_path / "empty" / "a.txt", overwrite=True):
        pytest.fail("a file must be refused")


def test_tensors_written_one_by_one_are_read_by_safetensors(tmp_path: Path) -> None:
    tensors = {
        "wide": torch.randn(3, 5, dtype=torch.float64),
        "scalar": torch.tensor(2.5),
        "transposed": torch.randn(4, 7).T,
        "half": torch.randn(5).to(torch.bfloat16),
        "empty": torch.zeros(0, 3, dtype=torch.float16),
        "flags": torch.tensor([True, False, True]),
        "ü €": torch.arange(5, dtype=torch.uint8),
    }
    shapes = {name: tensor.shape for name, tensor in tensors.items()} | {"left out": (1000, 1000)}
    with tensor_stream(tmp_path / "a.safetensors", shapes, {"format": "pt", "who": "ü"}) as stream:
        for name, tensor in tensors.items():
            stream.add(name, tensor)
    found = load_file(tmp_path / "a.safetensors")
    assert set(found) == set(tensors)
    for name, tensor in tensors.items():
        assert found[name].dtype == tensor.dtype
        assert torch.equal(found[name], tensor)


def test_what_a_killed_writer_left_is_removed_by_the_next_and_by_a_sweep(tmp_path: Path) -> None:
    for name in (".a.txt.0123abcd.tmp", ".b.0123abcd.tmp", ".a.txt.mine.tmp", ".c.0123abcd.tmp"):
        (tmp_path / name).touch()
    (tmp_path / ".dest.89abcdef.tmp" / "deep").mkdir(parents=True)
    write_text(tmp_path / "a.txt", "one")
    with replaced_directory(tmp_path / "dest"):
        pass
    sweep(tmp_path / "b")
    assert names(tmp_path) == [".a.txt.mine.tmp", ".c.0123abcd.tmp", "a.txt", "dest"]


def test_what_a_living_writer_holds_is_left_to_it(tmp_path: Path) -> None:
    with replaced_file(tmp_path / "a.txt") as stream, replaced_directory(tmp_path / "dest") as folder:
        stream.write(b"first")
        (folder / "b.txt").write_text("first")
        sweep(tmp_path / "a.txt", alone=True)
        sweep(tmp_path / "dest")
        write_text(tmp_path / "a.txt", "second")
    assert (tmp_path / "a.txt").read_text() == "first", "the last one to finish"
    assert (tmp_path / "dest" / "b.txt").read_text() == "first"
    assert names(tmp_path) == ["a.txt", "dest"]


def test_a_folder_that_is_replaced_is_there_at_any_moment(tmp_path: Path) -> None:
    """A reader that looks again and again while folders are replaced always finds one."""
    with replaced_directory(tmp_path / "dest"):
        pass
    done = threading.Event()
    missed: list[str] = []

    def look() -> None:
        while not done.is_set():
            if not (tmp_path / "dest").is_dir():
                missed.append("once")

    reader = threading.Thread(target=look)
    reader.start()
    for i in range(50):
        with replaced_directory(tmp_path / "dest", overwrite=True) as folder:
            (folder / f"{i}.txt").touch()
    done.set()
    reader.join()
    assert (missed, names(tmp_path / "dest")) == ([], ["49.txt"])
