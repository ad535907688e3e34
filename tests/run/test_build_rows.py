"""From examples to the tokens that are trained on: chats, instructions, held-out examples, and what is too long."""

import json
from collections.abc import Sequence
from pathlib import Path

import pytest
import yaml
from transformers import AutoTokenizer

from support.models import make_base
from swarm.builders import AnswerTokens, PairTokens
from swarm.config.load import load_build, load_config
from swarm.config.references import resolve_build
from swarm.data.examples import read_examples
from swarm.data.pairs import read_pairs
from swarm.run.build_rows import ExpertRows, RowMaker
from swarm.zoo import tiny
from swarm.zoo.string_tasks import evaluation_examples, prompts

SHIPPED = Path(__file__).parents[2] / "configs" / "build"


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_base(tmp_path_factory.mktemp("rows") / "base")


def rows(
    base: Path, folder: Path, examples: Sequence[object], expert: dict[str, object], **sections: object
) -> ExpertRows:
    (folder / "data.jsonl").write_text("".join(json.dumps(each) + "\n" for each in examples))
    listed = [{"name": "mine", "type": "sft", "data": "data.jsonl"} | expert]
    (folder / "build.yaml").write_text(yaml.safe_dump({"base": str(base), "experts": listed} | sections))
    config = resolve_build(load_build(folder / "build.yaml"), folder)
    return RowMaker(config).rows_of(0)


def texts(base: Path, found: ExpertRows) -> list[tuple[str, ...]]:
    decode = AutoTokenizer.from_pretrained(base).decode
    parts = [
        (row.prompt, row.answer) if isinstance(row, AnswerTokens) else (row.prompt, row.chosen, row.rejected)
        for row in found.rows
    ]
    return [tuple(decode(list(part)) for part in row) for row in parts]


def test_prompts_are_rendered_by_the_template_and_answers_are_ended(base: Path, tmp_path: Path) -> None:
    chat = [
        {"role": "system", "content": "be kind"},
        {"role": "user", "content": "hi"},
        {"role": "assistant", "content": "yo"},
    ]
    given = [{"prompt": "hi", "answer": "yo"}, {"messages": chat}]
    assert texts(base, rows(base, tmp_path, given, {})) == [
        ("<|user|>hi<|assistant|>", "yo<eos>"),
        ("<|system|>be kind<|user|>hi<|assistant|>", "yo<eos>"),
    ]
    assert texts(base, rows(base, tmp_path, given[:1], {}, chat=False)) == [("hi", "yo<eos>")]


def test_a_choice_is_learnt_as_its_text(base: Path, tmp_path: Path) -> None:
    given = [{"prompt": "hi", "choices": ["no", "yo"], "answer": "B", "context": "here"}]
    assert texts(base, rows(base, tmp_path, given, {}, chat=False)) == [("here\n\nhi", "yo<eos>")]


def test_pairs_in_every_form(base: Path, tmp_path: Path) -> None:
    asked = {"role": "user", "content": "hi"}
    answers = {name: [{"role": "assistant", "content": name}] for name in ("chosen", "rejected")}
    given: list[object] = [
        {"prompt": "hi", "chosen": "chosen", "rejected": "rejected"},
        {"question": "hi", "chosen": "chosen", "rejected": "rejected"},
        {"prompt": [asked], **answers},
        {"prompt": "hi", **answers},
        {name: [asked, *turns] for name, turns in answers.items()},
        {"conversations": [{"from": "human", "value": "hi"}], "chosen": "chosen", "rejected": "rejected"},
    ]
    found = texts(base, rows(base, tmp_path, given, {"type": "dpo"}))
    assert found == [("<|user|>hi<|assistant|>", "chosen<eos>", "rejected<eos>")] * len(given)


def test_the_instruction_is_part_of_the_prompt(base: Path, tmp_path: Path) -> None:
    given = [{"prompt": f"hi{i}", "answer": "yo"} for i in range(4)]
    found = texts(base, rows(base, tmp_path, given, {"type": "axis", "instruction": "be loud", "held_out": 0.5}))
    asked = [prompt for prompt, _ in found if prompt.startswith("<|user|>be loud\n\nhi")]
    assert (len(found), len(asked)) == (2, 1)


def test_held_out_examples_share_no_prompt_with_the_rest(base: Path, tmp_path: Path) -> None:
    given = [{"prompt": f"hi{i % 10}", "answer": f"{i}"} for i in range(30)]
    found = rows(base, tmp_path, given, {"held_out": 0.2})
    assert (len(found.rows), len(found.held_out)) == (24, 6)
    kept, held = ({row.prompt for row in part} for part in (found.rows, found.held_out))  # type: ignore[union-attr]
    assert not kept & held
    assert found == rows(base, tmp_path, given, {"held_out": 0.2})
    assert rows(base, tmp_path, given, {"held_out": 0.2}, seed=1).held_out != found.held_out
    assert len(rows(base, tmp_path, given, {}, forgetting=True).held_out) == 3


def test_examples_are_chosen_and_none_that_is_held_out(base: Path, tmp_path: Path) -> None:
    given = [{"prompt": f"say {i % 12}{'!' * (i // 12)}", "answer": f"{i}", "task": "ab"[i % 2]} for i in range(24)]
    settings = {"held_out": 0.25, "curate": {"examples": 4, "quota": {"by": "task"}}}
    found = rows(base, tmp_path, given, settings)
    assert (len(found.rows), len(found.held_out)) == (4, 6)
    assert found.curated is not None
    assert len(found.curated.manifest) == 18, "what is held out takes no part in the choice"
    assert sorted(entry.kind for entry in found.curated.manifest if entry.kept) == ["a", "a", "b", "b"]
    (note,) = found.notes
    assert note.startswith("mine: 4 of 18 examples are chosen (")
    (tmp_path / "tests.jsonl").write_text(json.dumps(given[3]) + "\n")
    others = rows(base, tmp_path, given, {"curate": {"examples": 30, "against": "tests.jsonl"}})
    assert others.curated is not None
    assert [entry.id for entry in others.curated.manifest if "tests.jsonl" in entry.detail]


def test_what_is_too_long_is_left_out_and_counted(base: Path, tmp_path: Path) -> None:
    given = [{"prompt": "a" * length, "answer": "b"} for length in (4, 28, 29, 300)]
    found = rows(base, tmp_path, given, {"max_length": 30}, chat=False)
    assert [len(row) for row in found.rows] == [6, 30]
    assert found.notes == ("mine: 2 of 4 examples are longer than 30 tokens and are left out",)
    pair = {"prompt": "a" * 10, "chosen": "b", "rejected": "c" * 30}
    short = pair | {"rejected": "c"}
    assert all(isinstance(row, PairTokens) for row in rows(base, tmp_path, [pair, short], {"type": "dpo"}).rows)
    assert len(rows(base, tmp_path, [pair, short], {"type": "dpo", "max_length": 30}).rows) == 1


def test_a_table_of_pairs(tmp_path: Path) -> None:
    (tmp_path / "pairs.csv").write_text('prompt,chosen,rejected\nhi,yo,no\nwhy,"a, b",c\n')
    found = read_pairs(tmp_path / "pairs.csv")
    assert [(pair.prompt, pair.chosen, pair.rejected) for pair in found] == [("hi", "yo", "no"), ("why", "a, b", "c")]
    assert found[1].where.endswith("pairs.csv:3")


def test_the_shipped_build_and_its_search() -> None:
    """They are read, belong together, and train on nothing that the zoo's examples ask."""
    config = load_build(SHIPPED / "experts.yaml")
    named = [expert.path for expert in load_config(SHIPPED / "search.yaml").experts]
    assert named == [f"{config.out}/{expert.name}" for expert in config.experts]
    recipe = tiny.RECIPE
    asked = prompts(evaluation_examples(recipe.evaluation_seed, recipe.examples_per_task, recipe.lengths))
    learnt = {each.prompt for each in read_examples(SHIPPED / "letters.jsonl")}
    learnt |= {each.prompt for each in read_pairs(SHIPPED / "pairs.jsonl")}
    assert (len(learnt), learnt & asked) == (480, set())
