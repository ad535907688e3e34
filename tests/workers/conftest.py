"""What the pools on Ray that tests open are made of."""

from pathlib import Path

import pytest

from support.pools import LETHAL
from support.runs import make_workshop, spec
from swarm.evaluation.evaluator import EvaluatorSpec
from swarm.objectives.function import UserFunction
from swarm.objectives.multiple_choice import MultipleChoice


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = make_workshop(tmp_path_factory.mktemp("pools"))
    (folder / "lethal.py").write_text(LETHAL)
    (folder / "pids").mkdir()
    return folder


@pytest.fixture(scope="module")
def what(folder: Path) -> EvaluatorSpec:
    mine = UserFunction(name="mine", function="lethal:score", max_new_tokens=12, stop=())
    return spec(folder, MultipleChoice(name="words", metric="probability"), mine)
