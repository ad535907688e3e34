"""What a run rests on: old runs keep their fingerprints, and a changed scoring function is refused."""

import json
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from support.runs import Silent, journal, make_workshop, start, timeless, write_examples
from swarm.config.load import load_config, parse_config
from swarm.core.errors import RunError
from swarm.run.pipeline import resume_run
from swarm.run.plan import make_plan
from swarm.run.provenance import settings_of
from swarm.run.requirements import needs_of

SMALL = {
    "base": "b",
    "experts": ["a", "b"],
    "objectives": [{"name": "words", "type": "multiple_choice", "data": "d.jsonl"}],
    "optimizer": {"type": "bayesian"},  # the default of those versions, which their config.yaml names
}
FUNCTION = {"name": "f", "type": "function", "function": "m:f", "data": "d.jsonl"}


@pytest.mark.parametrize(
    ("sections", "fingerprint"),
    [
        ({}, "f587e667fed97a98"),
        ({"engine": {"dtype": "float32"}}, "bde694e8e46a4a69"),
        ({"engine": {"method": "stacked", "particles": 4, "batch_tokens": 100, "device": "cpu"}}, "4940767f4ba6e4d3"),
        ({"engine": {"type": "vllm"}}, "f532cd5eb1154cdf"),
        (
            {"engine": {"type": "vllm", "adapters": 6, "dtype": "float16", "memory": 0.5, "tensor_parallel_size": 2}},
            "f3ecee86cd43feb0",
        ),
        (
            {
                "optimizer": {"type": "pso", "particles": 7},
                "racing": {"sequential": True},
                "engine": {"method": "merged"},
            },
            "6922050eb8d186c3",
        ),
        ({"objectives": [FUNCTION], "composition": {"groups": "layers:2"}}, "2cf0e76960258083"),
        ({"optimizer": {"type": "bayesian", "particles": 7, "boldness": 2.0}}, "d9c9d5f48c75ba79"),
    ],
)
def test_settings_keep_the_fingerprints_that_earlier_versions_wrote(
    sections: dict[str, object], fingerprint: str
) -> None:
    assert settings_of(parse_config(SMALL | sections, "test")) == fingerprint


def test_template_arguments_count_where_they_are_given() -> None:
    words = SMALL["objectives"][0]
    plain = parse_config(SMALL | {"objectives": [words | {"chat": True}]}, "test")
    empty = parse_config(SMALL | {"objectives": [words | {"chat": True, "template_arguments": {}}]}, "test")
    given = {"chat": True, "template_arguments": {"enable_thinking": False}}
    assert settings_of(plain) == settings_of(empty)
    assert settings_of(plain) != settings_of(parse_config(SMALL | {"objectives": [words | given]}, "test"))


def test_later_settings_count_where_they_are_used() -> None:
    exact = {"name": "words", "type": "exact_match", "data": "d.jsonl", "stop": []}
    used = [
        settings_of(parse_config(SMALL | {"objectives": [exact | changed]}, "test"))
        for changed in ({}, {"strip_thinking": False}, {"strip_thinking": True})
    ]
    assert used[:2] == ["8ffeae1fe2d65985"] * 2
    assert used[2] != used[0]


TASTE = "from own_tools.lengths import length\n\ndef score(example, output):\n    return -float(length(output))\n"
LENGTHS = "def length(text):\n    return len(text)\n"


@dataclass(frozen=True)
class Scored:
    """A run of a user's function, the folder of the function's modules, and how many lines its whole journal has."""

    run: Path
    modules: Path
    lines: list[str]

    def stopped(self, folder: Path, **start_fields: object) -> "Scored":
        """A copy that stopped on the way, with modules of its own, which may be changed."""
        run, modules = shutil.copytree(self.run, folder / "run"), shutil.copytree(self.modules, folder / "modules")
        config = (run / "config.yaml").read_text()
        (run / "config.yaml").write_text(config.replace(f"modules: {self.modules}", f"modules: {modules}"))
        first = json.dumps(json.loads(self.lines[0]) | start_fields)
        (run / "journal.jsonl").write_text("\n".join([first, *self.lines[1:9]]) + "\n")
        (run / "summary.json").unlink()
        return Scored(run, modules, self.lines)


@pytest.fixture(scope="module")
def scored(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scored]:
    folder = make_workshop(tmp_path_factory.mktemp("provenance"))
    write_examples(folder / "words.jsonl", 24)
    modules = folder / "own"
    (modules / "own_tools").mkdir(parents=True)
    (modules / "own_taste.py").write_text(TASTE)
    (modules / "own_tools" / "lengths.py").write_text(LENGTHS)
    (modules / "unused.py").write_text("")
    objective = {"name": "short", "type": "function", "function": "own_taste:score", "data": "words.jsonl"}
    path = [*sys.path]
    start(folder, folder / "run", {"objectives": [objective | {"max_new_tokens": 2}], "modules": "own"})
    yield Scored(folder / "run", modules, (folder / "run" / "journal.jsonl").read_text().splitlines())
    sys.path[:] = path
    for name in ("own_taste", "own_tools", "own_tools.lengths"):
        sys.modules.pop(name, None)


def test_the_journal_keeps_a_fingerprint_of_every_module_that_scores_depend_on(scored: Scored) -> None:
    code = json.loads(scored.lines[0])["code"]
    assert {name: set(files) for name, files in code.items()} == {"short": {"own_taste.py", "own_tools/lengths.py"}}
    assert len({*code["short"].values()}) == 2


@pytest.mark.parametrize("file", ["own_taste.py", "own_tools/lengths.py"])
def test_a_run_does_not_resume_with_another_version_of_a_function(scored: Scored, tmp_path: Path, file: str) -> None:
    stopped = scored.stopped(tmp_path)
    changed = stopped.modules / file
    changed.write_text(changed.read_text().replace("return ", "return 2 * "))
    before = (stopped.run / "journal.jsonl").read_text()
    with pytest.raises(RunError, match=r"objective short: .* changed since the run began") as refusal:
        resume_run(stopped.run, Silent())
    assert str(changed) in str(refusal.value)
    assert "put the old file back or start a new run" in str(refusal.value)
    assert "\n" not in str(refusal.value)
    assert (stopped.run / "journal.jsonl").read_text() == before


def test_a_run_resumes_where_only_comments_layout_and_other_modules_changed(scored: Scored, tmp_path: Path) -> None:
    stopped = scored.stopped(tmp_path)
    (stopped.modules / "own_taste.py").write_text(
        "# Shorter is better.\n\n" + TASTE.replace("))\n", "))  # negative\n")
    )
    (stopped.modules / "unused.py").write_text("x = 1\n")
    resume_run(stopped.run, Silent())
    assert timeless(journal(stopped.run)) == timeless(journal(scored.run))


def test_a_run_of_an_earlier_version_resumes_without_a_fingerprint(scored: Scored, tmp_path: Path) -> None:
    stopped = scored.stopped(tmp_path, code={})
    (stopped.modules / "own_taste.py").write_text(TASTE.replace("return ", "return 2 * "))
    resume_run(stopped.run, Silent())
    assert journal(stopped.run)[-1]["kind"] == "end"


def test_every_node_needs_the_modules_that_scores_depend_on(scored: Scored) -> None:
    needs = needs_of(make_plan(load_config(scored.run / "config.yaml")))
    held = next(each for each in needs.files if each.owner == "objective short")
    assert held.path == str(scored.modules)
    assert set(held.files) == {str(scored.modules / name) for name in ("own_taste.py", "own_tools/lengths.py")}


def test_a_finished_run_is_shown_whatever_became_of_its_function(scored: Scored, tmp_path: Path) -> None:
    stopped = scored.stopped(tmp_path)
    shutil.copy(scored.run / "journal.jsonl", stopped.run)
    shutil.copy(scored.run / "summary.json", stopped.run)
    (stopped.modules / "own_taste.py").write_text(TASTE.replace("return ", "return 2 * "))
    assert resume_run(stopped.run, Silent()).content() == json.loads((scored.run / "summary.json").read_text())


def test_runs_that_were_graded_by_older_rules_are_not_resumed() -> None:
    """The literal is of the version that took the last number of a text, whatever it was a part of."""
    exact = {"name": "words", "type": "exact_match", "data": "d.jsonl", "extract": "last_number"}
    assert settings_of(parse_config(SMALL | {"objectives": [exact]}, "test")) != "04fc9714d6a3534d"
