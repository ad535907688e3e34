"""Files that somebody else wrote to do harm do nothing: each is refused in one line, and what it tried is not done."""

import json
import os
import shutil
import time
from pathlib import Path

import pytest

from support.exports import exported
from support.hostile import CODES, HEADERS, LINKS, MAPS, SECRET, TOKENIZERS, VALUES, Hostile, Trap, copied, linked, put
from support.models import make_adapter, make_base
from support.playground import Playground, run_cli
from swarm.core.errors import UserError
from swarm.core.examples import Message
from swarm.core.requests import Continuation
from swarm.engines.encoding import Encoder
from swarm.experts.catalog import Catalog, ExpertSpec, open_catalog
from swarm.export import export, read_recipe

SECONDS = 30.0  # far below what the hostile files ask for, which is for ever


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("sources")
    base = make_base(folder / "base", layers=1)
    return base, make_adapter(folder / "adapter", base, seed=1, targets=["q_proj"])


@pytest.fixture
def trap(sources: tuple[Path, Path], tmp_path: Path) -> Trap:
    return copied(tmp_path, *sources)


def opened(trap: Trap) -> Catalog:
    return open_catalog(trap.base, [ExpertSpec("one", trap.adapter)])


def one_line(error: UserError) -> str:
    text = str(error)
    assert text.isprintable(), text[:500]
    assert len(text) < 2500
    assert "; " in text
    assert SECRET not in text
    return text


@pytest.mark.parametrize("case", [*LINKS, *MAPS, *HEADERS, *VALUES, *CODES], ids=lambda case: case.id)
def test_a_hostile_file_is_refused_and_does_nothing(case: Hostile, trap: Trap) -> None:
    case.plant(trap)
    started = time.monotonic()
    with pytest.raises(UserError) as caught:
        opened(trap)
    assert time.monotonic() - started < SECONDS
    message = one_line(caught.value)
    assert all(word in message for word in case.named), message
    assert not trap.marker.exists()


@pytest.mark.parametrize(("name", "content"), TOKENIZERS.values(), ids=TOKENIZERS)
def test_a_damaged_tokenizer_is_refused(name: str, content: str, trap: Trap) -> None:
    (trap.base / name).write_text(content)
    with pytest.raises(UserError) as caught:
        Encoder.of(trap.base)
    message = one_line(caught.value)
    assert str(trap.base) in message
    assert "tokenizer" in message


def test_large_numbers_that_count_no_layers_are_no_mistake(trap: Trap) -> None:
    put(trap.base / "config.json", vocab_size_per_layer_input=262_144, bos_token_id=0, max_position_embeddings=10**7)
    assert opened(trap).parameters()


def test_the_remedy_of_a_link_helps(trap: Trap) -> None:
    linked("LICENSE")(trap)
    with pytest.raises(UserError, match="copy that file into the folder in place of the link"):
        opened(trap)
    (trap.base / "LICENSE").unlink()
    shutil.copy(trap.secret, trap.base / "LICENSE")
    assert opened(trap).parameters()


def test_links_of_a_hubs_cache_and_within_the_folder_are_followed(trap: Trap, tmp_path: Path) -> None:
    """Each file of a snapshot is a link to a blob of its repository; the folder itself may be a link."""
    repository = tmp_path / "models--some--model"
    (repository / "blobs").mkdir(parents=True)
    snapshot = repository / "snapshots" / "0f"
    trap.base.rename(tmp_path / "moved")
    for file in (tmp_path / "moved").rglob("*"):
        place = snapshot / file.relative_to(tmp_path / "moved")
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(file, repository / "blobs" / file.name)
        place.symlink_to(os.path.relpath(repository / "blobs" / file.name, place.parent))
    (snapshot / "LICENSE").symlink_to("config.json")
    trap.base.symlink_to(snapshot)
    out = export(exported(opened(trap)), tmp_path / "out", "hf")
    assert {file.name for file in snapshot.iterdir()} == {file.name for file in out.iterdir()} - {"README.md"}
    assert not any(file.is_symlink() for file in out.iterdir())


def test_a_link_that_is_made_after_the_check_is_not_copied(trap: Trap, tmp_path: Path) -> None:
    what = exported(opened(trap))
    linked("LICENSE")(trap)
    with pytest.raises(UserError, match="LICENSE leads to"):
        export(what, tmp_path / "out", "hf")
    assert not (tmp_path / "out").exists()


def test_code_beside_a_model_that_transformers_has_is_not_run_not_copied_and_said(trap: Trap, tmp_path: Path) -> None:
    for name in ("modeling_own", "tokenization_own"):
        (trap.base / f"{name}.py").write_text(trap.code)
    put(trap.base / "config.json", auto_map={"AutoModelForCausalLM": "modeling_own.Own"})
    put(trap.base / "tokenizer_config.json", auto_map={"AutoTokenizer": ["tokenization_own.Own", None]})
    catalog = opened(trap)
    assert [note for note in catalog.notes if "modeling_own.Own" in note and "neither run nor exported" in note]
    Encoder.of(trap.base)
    out = export(exported(catalog), tmp_path / "out", "hf")
    assert not list(out.glob("*.py"))
    assert "auto_map" not in (out / "config.json").read_text()
    assert not trap.marker.exists()


TEMPLATES = {
    "attributes": "{{ ''.__class__.__mro__[1].__subclasses__() }}",
    "format": "{{ '{0.__class__.__init__.__globals__}'.format(messages) }}",
    "cycler": "{{ cycler.__init__.__globals__.os.system('echo ran > MARKER') }}",
    "loops": "{% for a in range(99999999) %}{% for b in range(99999999) %}{% endfor %}{% endfor %}",
    "raises": "{{ 1 / 0 }}",
    "no-template": "{% for",
}


@pytest.mark.parametrize("template", TEMPLATES.values(), ids=TEMPLATES)
def test_a_chat_template_reaches_nothing_and_ends(template: str, trap: Trap) -> None:
    (trap.base / "chat_template.jinja").write_text(template.replace("MARKER", str(trap.marker)))
    request = Continuation((Message("user", "hello"),), "a")
    with pytest.raises(UserError) as caught:
        Encoder.of(trap.base).encode([request])
    assert "chat template" in one_line(caught.value)
    assert not trap.marker.exists()


@pytest.mark.parametrize("place", ["../outside/base", "../outside", "/proc/self", "a\0b", "x" * 5000, "~root"])
def test_a_recipe_that_names_another_folder_exports_nothing_of_it(trap: Trap, tmp_path: Path, place: str) -> None:
    """It may name any folder, but what is read there must have the fingerprint that it was made with."""
    export(exported(opened(trap)), tmp_path / "recipe", "recipe")
    file = tmp_path / "recipe" / "recipe.json"
    content = json.loads(file.read_text())
    content["base"] |= {"path": str(trap.outside / place) if place.startswith("..") else place, "fingerprint": "0" * 16}
    file.write_text(json.dumps(content))
    with pytest.raises(UserError) as caught:
        read_recipe(file)
    one_line(caught.value)


def test_keys_of_the_environment_are_in_no_file_of_a_run(
    playground: Playground, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = {name: f"key-of-{name}-5f3a" for name in ("HF_TOKEN", "OPENAI_API_KEY", "WANDB_API_KEY", "AWS_SECRET_KEY")}
    for name, key in keys.items():
        monkeypatch.setenv(name, key)
    done = run_cli("search", playground.config_file, "--run-dir", tmp_path / "run", "--set", "optimizer.iterations=1")
    assert done.code == 0, done.err
    written = {file: file.read_bytes() for file in (tmp_path / "run").rglob("*") if file.is_file()}
    assert {"journal.jsonl", "config.yaml", "report.html", "summary.json"} <= {file.name for file in written}
    texts = [*written.values(), done.out.encode(), done.err.encode()]
    assert not [key for key in keys.values() for text in texts if key.encode() in text]
