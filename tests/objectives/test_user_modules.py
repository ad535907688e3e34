"""The files that a user's function rests on: found by what its modules import."""

from pathlib import Path

import pytest

from swarm.objectives import OBJECTIVES
from swarm.objectives.function import UserFunction
from swarm.objectives.multiple_choice import MultipleChoice
from swarm.objectives.user_modules import module_files

FILES = {
    "alone.py": "import json\n\nimport numpy\n",
    "direct.py": "import helper\n",
    "helper.py": "",
    "chain.py": "def score(example, output):\n    from direct import helper\n    return helper\n",
    "one.py": "import two",
    "two.py": "import one",
    "broken.py": "import helper\ndef (",
    "pack/__init__.py": "",
    "pack/inner.py": "from . import sibling\nfrom .deep.down import bottom\n",
    "pack/sibling.py": "",
    "pack/unused.py": "",
    "pack/deep/__init__.py": "from ..other import thing\n",
    "pack/deep/down.py": "",
    "pack/other.py": "",
    "loose/inner.py": "import loose.beside\n",
    "loose/beside.py": "",
    "both.py": "import helper\n",
    "both/__init__.py": "",
}


@pytest.fixture
def modules(tmp_path: Path) -> Path:
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("alone", {"alone.py"}),
        ("direct", {"direct.py", "helper.py"}),
        ("chain", {"chain.py", "direct.py", "helper.py"}),
        ("one", {"one.py", "two.py"}),
        ("broken", {"broken.py"}),
        (
            "pack.inner",
            {"pack/inner.py", "pack/__init__.py", "pack/sibling.py", "pack/deep/__init__.py", "pack/deep/down.py"}
            | {"pack/other.py"},
        ),
        ("loose.inner", {"loose/inner.py", "loose/beside.py"}),
        ("both", {"both/__init__.py"}),
        ("numpy", set()),
    ],
)
def test_imports_are_followed_within_the_folder(modules: Path, name: str, found: set[str]) -> None:
    files = module_files(name, modules)
    assert {file.relative_to(modules).as_posix() for file in files} == found
    assert len(files) == len(found)


def test_a_function_rests_on_its_modules_and_other_objectives_on_none(modules: Path) -> None:
    function = UserFunction(name="x", function="direct:score")
    assert function.uses_modules
    assert function.files(modules) == (modules / "direct.py", modules / "helper.py")
    choice = MultipleChoice(name="x")
    assert (choice.uses_modules, choice.files(modules)) == (False, ())
    assert {kind for kind, each in OBJECTIVES.items() if each.files is not MultipleChoice.files} == {
        "function",
        "lm_eval",
        "reward_model",
    }
