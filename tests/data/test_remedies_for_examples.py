"""What the message for a bad example says is done, and the example is good."""

import json
from pathlib import Path

import pytest

from support.bad_examples import EXAMPLES, BadExample, is_chat
from swarm.core.errors import DataError
from swarm.data.examples import read_examples
from swarm.objectives import OBJECTIVES
from swarm.objectives.base import Objective


def checked(folder: Path, row: dict[str, object], settings: dict[str, object]) -> None:
    (folder / "x.jsonl").write_text(json.dumps(row))
    chat = is_chat(row)
    objective: Objective = OBJECTIVES[str(settings["type"])].model_validate({"name": "x", "chat": chat, **settings})
    for example in read_examples(folder / "x.jsonl"):
        objective.check(example)


@pytest.mark.parametrize("case", EXAMPLES, ids=lambda case: case.id)
def test_the_remedy_helps(case: BadExample, tmp_path: Path) -> None:
    with pytest.raises(DataError) as refusal:
        checked(tmp_path, case.row, case.settings)
    assert case.remedy in str(refusal.value)
    assert "\n" not in str(refusal.value)
    checked(tmp_path, case.mend, case.settings | case.mended)
