"""The engine answers as each kind of model does by itself, or refuses the model by name."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from support.architectures import ARCHITECTURES, CHECKS, NAMES, ONE_OF_EACH, Bed, one_hot, opened
from swarm.core.errors import ExpertError
from swarm.core.requests import Continuation
from swarm.experts.catalog import open_catalog

BY_NAME = {each.name: each for each in ARCHITECTURES}
# Local layers and rotary frequencies that depend on the batch: the cheap checks see what is special of them.
SPECIAL = ("gpt_neo", "phi3_longrope", "llama_dynamic", "gemma4")


@pytest.fixture(scope="module")
def bed(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Bed]:
    """The bed of an architecture, made once."""
    made: dict[str, Bed] = {}

    def found(name: str) -> Bed:
        if name not in made:
            made[name] = Bed(tmp_path_factory.mktemp(name))
            BY_NAME[name].build(made[name].base)
        return made[name]

    return found


@pytest.mark.parametrize("check", CHECKS)
@pytest.mark.parametrize("name", ONE_OF_EACH)
def test_an_architecture_of_each_kind_answers_as_by_itself(bed: Callable[[str], Bed], name: str, check: str) -> None:
    assert CHECKS[check](bed(name)).startswith("ok")


@pytest.mark.parametrize("check", ["score", "generate"])
@pytest.mark.parametrize("name", SPECIAL)
def test_windows_and_frequencies_of_other_names_are_respected(bed: Callable[[str], Bed], name: str, check: str) -> None:
    assert CHECKS[check](bed(name)) == "ok"


@pytest.mark.parametrize("name", ["gemma3n", "gemma4"])
def test_layers_that_share_keys_are_not_kept_and_the_user_is_told(bed: Callable[[str], Bed], name: str) -> None:
    assert CHECKS["kept layers"](bed(name)) == "ok, computed again"
    notes = opened(bed(name).catalog(3)).notes
    assert any("the layers that no expert changes are computed for every candidate" in note for note in notes)


def test_frozen_layers_of_plain_models_are_still_kept(bed: Callable[[str], Bed]) -> None:
    assert CHECKS["kept layers"](bed("llama")) == "ok"


def test_a_layer_whose_weight_is_read_without_a_call_is_not_stacked(bed: Callable[[str], Bed]) -> None:
    """Mamba reads the weight of dt_proj: an update beside the layer would be lost."""
    assert CHECKS["stacked"](bed("mamba")) == "ok, merged"
    asked = bed("llama").encoded([Continuation("a", "b")])
    assert opened(bed("llama").catalog(), "stacked").joins([one_hot(NAMES[0])], asked)


def test_a_model_that_sees_what_it_is_asked_for_is_refused_and_the_remedy_helps(tmp_path: Path) -> None:
    base = BY_NAME["bert"].build(tmp_path / "base")
    with pytest.raises(ExpertError, match=r"BertLMHeadModel.*is_decoder: true in its config.json") as refused:
        opened(open_catalog(base, []))
    assert "\n" not in str(refused.value)
    config = base / "config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | {"is_decoder": True}))
    opened(open_catalog(base, []))
