"""Configs that come with the package."""

from pathlib import Path

import pytest

from swarm.config.load import load_config
from swarm.config.shipped import FOLDER, config_file, shipped_names
from swarm.core.errors import ConfigError

CONFIGS = Path(__file__).parents[2] / "configs"


@pytest.mark.parametrize("name", shipped_names())
def test_a_shipped_example_is_that_of_the_checkout(name: str) -> None:
    file = config_file(Path(name))
    assert file.read_bytes() == (CONFIGS / f"{name}.yaml").read_bytes()
    config = load_config(file)
    named = [config.base, *config.models, *(str(objective.data) for objective in config.objectives)]
    assert all(reference.startswith("zoo:") for reference in named), "there are no files of a user beside it"


def test_a_file_of_the_user_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert config_file(Path("quickstart")) == FOLDER / "quickstart.yaml"
    (tmp_path / "quickstart").touch()
    assert config_file(Path("quickstart")) == Path("quickstart")
    with pytest.raises(ConfigError, match=r"does not exist; .* or a shipped example: quickstart, smollm2"):
        config_file(Path("configs/quickstart"))
