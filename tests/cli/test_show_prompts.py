"""`swarm check --show`: prompts as the model sees them, what the base answers, how it is graded, and what is wrong."""

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import torch
from rich.console import Console
from transformers import AutoModelForCausalLM, AutoTokenizer

from support.playground import Playground, run_cli, write_lines
from swarm.cli.shown_prompts import shown_prompts, visible
from swarm.core.terminal_text import one_line
from swarm.objectives.exact_match import ExactMatch
from swarm.objectives.multiple_choice import MultipleChoice
from swarm.run.base_answers import ShownChoice, ShownExample
from swarm.run.likely_causes import sample_notes

SYSTEM = {"role": "system", "content": "Be\tbrief.\x1b[2J\u202e"}
CHOICES = {"A": "four", "B": "five or so"}


@dataclass(frozen=True)
class Checked:
    """What --json printed of a config with this base."""

    base: Path
    content: dict[str, Any]

    def shown(self, objective: str) -> list[dict[str, Any]]:
        return [each for each in self.content["shown"] if each["objective"] == objective]


def question(i: int) -> str:
    return f"What is {i}\nand {i + 1}? " + ("long " * 40 if i % 2 else "")


@pytest.fixture(scope="module")
def checked(playground: Playground, tmp_path_factory: pytest.TempPathFactory) -> Checked:
    folder = tmp_path_factory.mktemp("show")
    chats = [{"messages": [SYSTEM, {"role": "user", "content": question(i)}], "answer": f"{i}"} for i in range(24)]
    picked = [{"prompt": f"{i} =", "choices": CHOICES, "answer": "A"} for i in range(24)]
    files = {
        "chats": write_lines(folder / "chats.jsonl", chats),
        "picked": write_lines(folder / "picked.jsonl", picked),
    }
    written = {"name": "written", "type": "exact_match", "data": str(files["chats"]), "chat": True, "stop": []}
    objectives = [
        written | {"extract": "after_hash", "max_new_tokens": 6},
        {"name": "picked", "type": "multiple_choice", "data": str(files["picked"])},
        {"name": "likely", "type": "likelihood", "data": str(files["picked"])},
    ]
    config = folder / "config.yaml"
    config.write_text(json.dumps(playground.config(objectives=objectives, splits={})))
    done = run_cli("check", config, "--show", 2, "--json")
    assert (done.code, done.err) == (0, "")
    return Checked(playground.base, json.loads(done.out))


@torch.no_grad()
def test_the_prompt_and_the_text_are_those_of_transformers_alone(checked: Checked) -> None:
    tokenizer, model = (kind.from_pretrained(checked.base) for kind in (AutoTokenizer, AutoModelForCausalLM))
    for each in checked.shown("written"):
        turns = [SYSTEM, {"role": "user", "content": question(int(each["right"][0]))}]
        rendered = tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True)
        assert each["prompt"] == rendered
        ids = tokenizer(rendered, return_tensors="pt", add_special_tokens=False).input_ids
        assert each["prompt_tokens"] == ids.shape[1]
        text = model.generate(ids, max_new_tokens=6, do_sample=False)[0, ids.shape[1] :]
        assert each["written"] == tokenizer.decode(text, skip_special_tokens=True)
        assert (each["found"], each["score"], each["choices"]) == ("", 0.0, [])


@torch.no_grad()
def test_log_likelihoods_are_those_of_transformers_alone(checked: Checked) -> None:
    tokenizer, model = (kind.from_pretrained(checked.base) for kind in (AutoTokenizer, AutoModelForCausalLM))
    for each in checked.shown("picked"):
        for choice in each["choices"]:
            prompt = tokenizer.encode(each["prompt"], add_special_tokens=False)
            whole = tokenizer.encode(each["prompt"] + choice["text"], add_special_tokens=False)
            logits_TV = model(torch.tensor([whole])).logits[0].log_softmax(-1)
            expected = sum(float(logits_TV[t - 1, whole[t]]) for t in range(len(prompt), len(whole)))
            assert choice["log_likelihood"] == pytest.approx(expected, abs=1e-3)
            assert choice["compared"] == pytest.approx(expected / len(CHOICES[choice["key"]]), abs=1e-3)
        best = max(each["choices"], key=lambda choice: choice["compared"])["key"]
        assert (each["found"], each["score"]) == (best, float(best == "A"))


def test_it_shows_the_first_examples_of_the_search_split_with_their_lines(checked: Checked) -> None:
    assert [len(checked.shown(name)) for name in ("written", "picked", "likely")] == [2, 2, 2]
    assert all("picked.jsonl:" in each["where"] for name in ("picked", "likely") for each in checked.shown(name))


def test_what_is_wrong_with_all_of_a_sample_is_noted(checked: Checked) -> None:
    note = "written: the base has 0 % of the first 6 search examples: the extraction finds nothing in any text; "
    assert [each for each in checked.content["notes"] if "search examples" in each and "written" in each] == [
        note + "max_new_tokens: 6 cuts 6 of 6 texts; raise it"
    ]


def test_it_reads_well_at_80_columns(checked: Checked) -> None:
    parts = [
        ShownExample(**(each | {"choices": [ShownChoice(**choice) for choice in each["choices"]]}))
        for each in checked.content["shown"]
    ]
    lines = shown_prompts(parts, Console(width=80))
    headings = [line for line in lines if line and not line.startswith(" ")]
    assert len(headings) == len(parts)
    assert all(len(line) <= 80 for line in lines if line not in headings)
    assert all(line == line.rstrip() and one_line(line) == line for line in lines)
    for words in (
        r"Be\tbrief.\x1b[2J\u202e",
        "⏎",
        "(6 tokens, cut by max_new_tokens: 6)",
        "(nothing)",
        "picks",
        "nats",
    ):
        assert words in "\n".join(lines)


def test_long_texts_lose_their_middle_and_spaces_at_the_end_are_seen() -> None:
    long = "a" * 900 + "b" * 9000 + "c" * 400
    assert visible(long) == "a" * 800 + " [... 9,100 of 10,300 characters ...] " + "c" * 400
    assert visible("Answer:  \n ") == "Answer:  ⏎\n␣"
    assert visible("a\u00a0b\u200bc\r\n") == "a\\xa0b\\u200bc\\r⏎\n"


def test_nothing_is_loaded_without_it(playground: Playground) -> None:
    assert "shown" not in json.loads(run_cli("check", playground.config_file, "--json").out)
    refused = run_cli("check", playground.config_file, "--show", -1)
    assert (refused.code, refused.err) == (2, "swarm: --show: -1; give the number of examples to show\n")
    text = run_cli("check", playground.config_file, "--show", 1).out
    assert "\n\nwords, example " in text


WROTE = ShownExample("x", "1", "", "p", 1, "no", 1, 9, (), "no", ("yes",), 0.0)
WRITES = ExactMatch(name="x", extract="last_number", max_new_tokens=9)
PICKED = ShownExample(
    "x", "1", "", "p", 1, None, 0, 0,
    (ShownChoice("A", "yes", -1.0, 1, -1.0), ShownChoice("B", "no", -1.0, 1, -1.0)), "B", ("A",), 0.0,
)  # fmt: skip
PICKS = MultipleChoice(name="x")


def varied(example: ShownExample, **changed: object) -> list[ShownExample]:
    """Five of it, each with another answer of its own where `changed` does not say."""
    return [replace(example, **({"found": f"{i}", "right": (f"r{i}",)} | changed)) for i in range(5)]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("objective", "examples", "template", "cause"),
    [
        (WRITES, varied(WROTE, found=""), True, "the extraction finds nothing in any text; change extract"),
        (WRITES, varied(WROTE, written=" ", found=""), True, "every text is empty: it ends at once"),
        (WRITES, varied(WROTE, written_tokens=9), True, "max_new_tokens: 9 cuts 5 of 5 texts; raise it"),
        (WRITES, varied(WROTE, written="It is r1, r2, r3."), True, "most texts hold the right answer among other"),
        (WRITES, varied(WROTE), True, "the base has a chat template, and the prompts are plain texts; set chat: true"),
        (WRITES, varied(WROTE), False, "the base has no chat template"),
        (WRITES, varied(WROTE, found="Sure"), False, "every answer is 'Sure'"),
        (PICKS, varied(PICKED, found="B"), False, "every answer is 'B'"),
        (PICKS, varied(PICKED, found="B"), False, "it always picks the shortest choice; change normalise"),
        (PICKS, varied(PICKED, score=1.0, right=("A",)), True, "every right answer is 'A'; mix them"),
        (WRITES, varied(WROTE, score=1.0, prompt="r0 r1 r2 r3 r4"), True, "every prompt holds its right answer"),
        (WRITES, varied(WROTE, score=1.0), True, "nothing is left for a search to improve"),
    ],
)
def test_the_likely_cause_is_named(
    objective: ExactMatch | MultipleChoice, examples: list[ShownExample], template: bool, cause: str
) -> None:
    (note,) = sample_notes([objective], {"x": examples}, template)
    share = "100 %" if examples[0].score else "0 %"
    assert note.startswith(f"x: the base has {share} of the first 5 search examples: ")
    assert cause in note
    assert sample_notes([objective], {"x": [*examples, replace(examples[0], score=0.5)]}, template) == []
    assert sample_notes([objective], {"x": examples[:4]}, template) == []
