"""Examples that an expert was trained on are named, in one line each for expert, objective and split."""

import json
import random
import shutil
from pathlib import Path

import pytest
import yaml

from support.playground import Playground, run_cli, summary_of, write_lines
from support.runs import journal
from swarm.config.load import load_config
from swarm.config.references import resolve
from swarm.core.errors import DataError
from swarm.core.examples import Example
from swarm.data.contamination import contamination_notes, training_texts
from swarm.data.duplicates import found_in
from swarm.data.splits import Splits


def sentence(seed: int, n: int = 30) -> str:
    return " ".join(random.Random(seed).choices([f"word{i}" for i in range(500)], k=n))


def changed(text: str, place: int = 15) -> str:
    words = text.split()
    return " ".join([*words[:place], "another", *words[place + 1 :]])


EXAMPLES = [Example(f"e{i}", sentence(i), f"answer {i}") for i in range(10)]
SPLITS = Splits(tuple(EXAMPLES[:2]), tuple(EXAMPLES[2:4]), tuple(EXAMPLES[4:]))
PARTS = [{"type": "image", "url": "a.png"}, *({"type": "text", "text": f"{word} "} for word in sentence(4).split())]
CHOICES = {"A": "a small red fox", "B": "a large grey wolf"}


def notes(path: Path, *rows: object) -> tuple[str, ...]:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return contamination_notes({"quiz": SPLITS}, {"upper": [path], "lower": []})


def test_same_and_nearly_same_are_counted_apart_by_split(tmp_path: Path) -> None:
    rows = [{"prompt": sentence(i)} for i in (4, 5, 0)] + [{"prompt": changed(sentence(7))}, {"prompt": sentence(99)}]
    assert notes(tmp_path / "train.jsonl", *rows) == (
        "1 of 2 search examples of quiz are in what expert upper was trained on: 1 the same (e0)",
        "3 of 6 test examples of quiz are in what expert upper was trained on: "
        "2 the same (e4, e5), 1 nearly the same (e7)",
    )


@pytest.mark.parametrize(
    "row",
    [
        {"question": sentence(4), "answer": "another answer"},
        {"prompt": "  " + sentence(4).replace(" ", "\n"), "id": 7, "extra": [1]},
        {"instruction": " ".join(sentence(4).split()[:20]), "input": " ".join(sentence(4).split()[20:]), "output": "x"},
        {"messages": [{"role": "user", "content": sentence(4)}, {"role": "assistant", "content": "x"}]},
        {"messages": [{"role": "user", "content": PARTS}, {"role": "assistant", "content": PARTS[:2]}]},
        {"prompt": [{"role": "user", "content": sentence(4)}], "completion": [{"role": "assistant", "content": "x"}]},
        {"prompt": [{"role": "user", "content": PARTS}]},
        {"text": sentence(4)},
        {"text": sentence(4) + " answer 4"},
    ],
)
def test_training_lines_are_read_as_they_come(tmp_path: Path, row: object) -> None:
    assert notes(tmp_path / "train.jsonl", row) == (
        "1 of 6 test examples of quiz are in what expert upper was trained on: 1 the same (e4)",
    )


@pytest.mark.parametrize(
    "row",
    [
        {"text": f"### Question: {sentence(4)} ### Answer: {sentence(50)}"},
        {"messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": sentence(4)}]},
    ],
)
def test_what_frames_an_example_does_not_hide_it(tmp_path: Path, row: object) -> None:
    (note,) = notes(tmp_path / "train.jsonl", row)
    assert note.endswith("nearly the same (e4)")


def test_many_ids_are_cut(tmp_path: Path) -> None:
    *_, note = notes(tmp_path / "train.jsonl", *({"prompt": e.prompt} for e in EXAMPLES))
    assert note.endswith("6 the same (e4, e5, e6, e7, e8, ...)")


def test_another_set_of_choices_is_another_example() -> None:
    example = Example("1", "Which of these is it?", "B", CHOICES)
    asked = "Which of these is it?\n"
    assert found_in([example], [asked + "a small red fox\na large grey wolf"]).same == (0,)
    assert found_in([example], [asked + "the first of them\nnone of all these"]) == found_in([example], [])


def test_a_short_example_is_found_whole_or_not_at_all() -> None:
    example = Example("1", "2 + 2 =", "4")
    assert found_in([example], ["2 + 2 ="]).same == found_in([example], ["2 + 2 = 4"]).same == (0,)
    assert found_in([example], ["1 + 2 + 2 = 5"]) == found_in([example], [])


def test_fillings_of_one_template_are_not_each_other() -> None:
    def filled(i: int) -> str:
        template = "You are a careful clerk of the county and answer every question in full and to the point about"
        return f"{template} file {i} alpha{i} beta{i}"

    examples = [Example(str(i), filled(i), "x") for i in range(100)]
    found = found_in(examples, [filled(i) for i in range(99, 400)])
    assert (found.same, found.near) == ((99,), ())


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b'{"prompt": "a"}\n{"prompt": \n', r"train\.jsonl:2: .* is not valid JSON"),
        (b'["a"]\n', r"train\.jsonl:1: .* is not an object"),
        (b'{"body": "a"}\n', r"train\.jsonl:1: it has 'body', but no text as prompt, .* give its text under"),
        (b'{"prompt": [{"role": "user", "content": []}]}\n', r"train\.jsonl:1: it has 'prompt', but no text as prompt"),
        (b'{"prompt": "\xff"}\n', r"train\.jsonl:1: byte 0xff is not UTF-8; save"),
    ],
)
def test_a_bad_training_file_is_one_clear_line(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "train.jsonl"
    path.write_bytes(content)
    with pytest.raises(DataError, match=said):
        list(training_texts(path))
    with pytest.raises(DataError, match="cannot be read"):
        list(training_texts(tmp_path))


def with_training(playground: Playground, folder: Path, files: object) -> Path:
    red, *others = playground.config()["experts"]
    content = playground.config(experts=[{"path": red, "name": "red", "trained_on": files}, *others])
    (folder / "config.yaml").write_text(yaml.safe_dump(content))
    return folder / "config.yaml"


def test_a_run_tells_of_it_everywhere_and_leaves_nothing_out(playground: Playground, tmp_path: Path) -> None:
    rows = [json.loads(line) for line in playground.data.read_text().splitlines()]
    seen = write_lines(tmp_path / "seen.jsonl", [{"text": f"{r['prompt']} {' '.join(r['choices'])}"} for r in rows])
    config = with_training(playground, tmp_path, "seen.jsonl")
    assert resolve(load_config(config), tmp_path).experts[0].trained_on == [str(seen)]
    line = "16 of 16 search examples of words are in what expert red was trained on: 16 the same"
    assert line in " ".join(run_cli("check", config).out.split())
    outcome = run_cli("search", config, "--run-dir", tmp_path / "run")
    assert outcome.code == 0, outcome.err
    summary, (start, *_) = summary_of(tmp_path / "run"), journal(tmp_path / "run")
    for record in (summary, start):
        assert any(note.startswith(line) for note in record["notes"])
        assert record["experts"]["red"]["trained_on"] == [str(seen)]
        assert "trained_on" not in record["experts"]["green"]
    assert "expert red was trained on" in (tmp_path / "run" / "report.md").read_text()
    assert len(start["items"]["words"]["search"]) == 16


def test_a_run_that_has_begun_needs_no_training_data(playground: Playground, tmp_path: Path) -> None:
    """They were read when it began: its notes are those of an uninterrupted run. A new run names what is missing."""
    seen = tmp_path / "seen.jsonl"
    shutil.copy(playground.data, seen)
    config = with_training(playground, tmp_path, "seen.jsonl")
    run = tmp_path / "run"
    assert run_cli("search", config, "--run-dir", run).code == 0
    whole = summary_of(run)
    assert any("expert red was trained on" in note for note in whole["notes"])
    seen.unlink()
    assert run_cli("test", run).code == 0
    cut_after(run / "journal.jsonl", 6)
    assert run_cli("resume", run).code == 0
    assert summary_of(run) == whole
    for words in (("check", config), ("search", config, "--run-dir", tmp_path / "new")):
        outcome = run_cli(*words)
        assert outcome.code != 0
        assert "experts.0.trained_on: seen.jsonl does not exist" in " ".join(outcome.err.split())


def cut_after(journal_file: Path, lines: int) -> None:
    journal_file.write_text("".join(journal_file.read_text().splitlines(keepends=True)[:lines]))


def test_a_file_that_is_not_there_is_named_by_its_key(playground: Playground, tmp_path: Path) -> None:
    outcome = run_cli("check", with_training(playground, tmp_path, ["some/where"]))
    assert outcome.code != 0
    assert "experts.0.trained_on: some/where does not exist" in " ".join(outcome.err.split())
