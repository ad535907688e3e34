"""An export is sent to the hub where that is asked for, names no folder of this machine, and keeps no token."""

import os
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from peft import PeftModel

from support.exports import exported, make_experts, opened
from support.hub_uploads import Uploads, uploading_hub
from support.models import load
from swarm.core.errors import ConfigError, RunError
from swarm.export import export
from swarm.export.hub import FORMS, check_private, check_push

SWARM = [sys.executable, "-m", "swarm.cli"]
TOKEN = "hf_never_written_anywhere"
SNAPSHOT = "snapshots/0123456789abcdef"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_experts(tmp_path_factory.mktemp("export"))


@pytest.fixture(scope="module")
def cached(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A base and two experts as they lie in the hub's cache, and an expert that is from nowhere."""
    cache = tmp_path_factory.mktemp("cache")
    for kind, name in {"base": "some--base", "plain": "some--plain", "full": "other--full"}.items():
        shutil.copytree(folder / kind, cache / f"models--{name}" / SNAPSHOT)
    shutil.copytree(folder / "same", cache / "private")
    return cache


def compose(uploads: Uploads, base: Path, experts: list[Path], dest: Path, *options: str, **environment: str):  # type: ignore[no-untyped-def]
    """`swarm compose` with a hub, in a process of its own, as the hub's library reads the environment when it loads."""
    known = {"HF_ENDPOINT": uploads.address, "HF_HOME": str(dest.parent / "hf"), "HF_HUB_OFFLINE": "0"}
    words = [word for expert in experts for word in ("--expert", f"{expert}=0.5")]
    return subprocess.run(
        [*SWARM, "compose", "--base", str(base), *words, "--out", str(dest), "--dtype", "float32", *options],
        env={**os.environ, **known, "HF_TOKEN": TOKEN, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def content(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_what_is_sent_is_the_export(folder: Path, tmp_path: Path) -> None:
    with uploading_hub(tmp_path / "hub") as uploads:
        push = ["--format", "adapter", "--push-to-hub", "me/mine"]
        done = compose(uploads, folder / "base", [folder / "plain"], tmp_path / "out", *push)
        assert done.returncode == 0, done.stderr
        assert done.stdout.splitlines()[-1] == f"{uploads.address}/me/mine"
        assert content(tmp_path / "hub" / "me" / "mine") == content(tmp_path / "out")
        assert [wanted["visibility"] for wanted in uploads.created] == ["private"]
        assert uploads.tokens == {f"Bearer {TOKEN}"}
        assert not [path for path, data in content(tmp_path).items() if TOKEN.encode() in data]

        again = compose(uploads, folder / "base", [folder / "plain"], tmp_path / "again", *push)
        assert again.returncode == 2
        assert re.fullmatch(r"swarm: --push-to-hub: me/mine was not written .*--overwrite\n", again.stderr)
        assert content(tmp_path / "again")
        over = compose(uploads, folder / "base", [folder / "same"], tmp_path / "again", *push, "--overwrite")
        assert over.returncode == 0, over.stderr
        assert content(tmp_path / "hub" / "me" / "mine") == content(tmp_path / "again") != content(tmp_path / "out")


def test_nothing_is_sent_that_was_not_asked_for(folder: Path, tmp_path: Path) -> None:
    with uploading_hub(tmp_path / "hub") as uploads:
        assert compose(uploads, folder / "base", [folder / "plain"], tmp_path / "out").returncode == 0
        nobody = compose(
            uploads, folder / "base", [folder / "plain"], tmp_path / "no", "--push-to-hub", "me/mine", HF_TOKEN=""
        )
        assert uploads.asked == []
    assert nobody.returncode == 2
    assert "hf auth login" in nobody.stderr
    assert not (tmp_path / "no").exists()


def test_a_hub_that_is_not_there_leaves_the_export(folder: Path, tmp_path: Path) -> None:
    nowhere = Uploads("http://127.0.0.1:9", tmp_path)
    done = compose(nowhere, folder / "base", [folder / "plain"], tmp_path / "out", "--push-to-hub", "me/mine")
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert f"hf upload me/mine {tmp_path}/out" in done.stderr
    assert (tmp_path / "out" / "config.json").is_file()


@pytest.mark.parametrize("form", FORMS)
def test_what_is_for_the_hub_names_no_folder(folder: Path, tmp_path: Path, form: str) -> None:
    what = replace(exported(opened(folder, "plain", "same")), repository="me/mine")
    out = export(what, tmp_path / "out", form)
    assert [name for name, data in content(out).items() if str(folder).encode() in data] == []
    check_private(what, out)
    card = (out / "README.md").read_text()
    assert "base_model" not in yaml.safe_load(card.split("---\n")[1])
    assert '"me/mine"' in card
    assert "not on the hub" in card
    (out / "notes.md").write_text(f"from {folder}/plain")
    with pytest.raises(RunError, match="was not sent"):
        check_private(what, out)


def test_an_adapter_of_an_unnamed_base_still_loads(folder: Path, tmp_path: Path) -> None:
    what = replace(exported(opened(folder, "plain")), repository="me/mine")
    model = PeftModel.from_pretrained(load(folder / "base"), export(what, tmp_path / "out", "adapter"))
    assert model.merge_and_unload().num_parameters() > 0


def test_the_card_has_the_hubs_ids(cached: Path, tmp_path: Path) -> None:
    base, plain, full = (cached / f"models--{name}" / SNAPSHOT for name in ("some--base", "some--plain", "other--full"))
    from swarm.experts.catalog import ExpertSpec, open_catalog

    catalog = open_catalog(base, [ExpertSpec("plain", plain), ExpertSpec("own", cached / "private")])
    what = replace(exported(catalog), repository="me/mine")
    card = (export(what, tmp_path / "adapter", "adapter") / "README.md").read_text()
    front = yaml.safe_load(card.split("---\n")[1])
    assert (front["base_model"], front["base_model_relation"]) == ("some/base", "adapter")
    assert "| some/plain |" in card
    assert "not on the hub" in card
    assert (
        yaml.safe_load((tmp_path / "adapter" / "adapter_config.json").read_text())["base_model_name_or_path"]
        == "some/base"
    )

    whole = exported(open_catalog(base, [ExpertSpec("plain", plain), ExpertSpec("full", full)]))
    for repository in ("", "me/mine"):
        out = export(replace(whole, repository=repository), tmp_path / "hf", "hf", overwrite=True)
        front = yaml.safe_load((out / "README.md").read_text().split("---\n")[1])
        assert front["base_model"] == ["some/base", "some/plain", "other/full"]
        assert front["base_model_relation"] == "merge"


@pytest.mark.parametrize(
    ("repository", "form", "words"),
    [
        ("me/mine", "recipe", "names folders of this machine"),
        ("me/mine", "mergekit", "names folders of this machine"),
        ("mine", "hf", "OWNER/NAME"),
        ("me/mine/too", "hf", "OWNER/NAME"),
        ("../x", "hf", "OWNER/NAME"),
    ],
)
def test_what_cannot_be_sent_is_refused(repository: str, form: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        check_push(repository, form)
