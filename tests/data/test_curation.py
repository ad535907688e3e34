"""Curation: every example is accounted for, and what is chosen is clean, diverse, and in no split."""

import json
import math
import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoTokenizer

from support.models import load, make_base
from support.playground import run_cli
from swarm.core.errors import ConfigError
from swarm.core.examples import Example, Message
from swarm.data.contamination import contamination_notes
from swarm.data.curation import Curated, curate
from swarm.data.curation_filters import share_of
from swarm.data.curation_settings import Curation
from swarm.data.diversity import embedded, farthest_first
from swarm.data.splits import Splits
from swarm.engines.transformers.hidden_states import mean_hidden_states

WORDS = ("red", "green", "blue", "house", "tree", "river", "mountain", "apple", "code", "music", "night", "stone")
TASKS = ("maths", "chat", "code")


def raw(n: int = 120) -> list[Example]:
    drawn = random.Random(7)
    return [
        Example(
            id=f"q{i}",
            prompt=f"Say what follows {' '.join(drawn.choices(WORDS, k=9))}, please.",
            answer=" ".join(drawn.choices(WORDS, k=drawn.randint(2, 9))),
            task=TASKS[min(drawn.randrange(6), 2)],
        )
        for i in range(n)
    ]


def chosen(data: Sequence[Example], against: dict[str, Sequence[Example]] | None = None, **settings: object) -> Curated:
    return curate(data, Curation.model_validate({"examples": 30} | settings), against)


def reasons(found: Curated) -> dict[str, str]:
    return {entry.id: entry.reason for entry in found.manifest}


def test_every_example_is_accounted_for_and_the_first_reason_counts() -> None:
    good = raw()
    noise = [
        replace(good[0], id="same"),
        replace(good[1], id="right", answer="ONE"),
        replace(good[1], id="wrong", answer="two"),
        replace(good[1], id="also right", answer="ONE"),
        replace(good[2], id="near", prompt=str(good[2].prompt).replace("please.", "please!")),
        replace(good[3], id="tested"),
        Example("long", "p", "x" * 400),
        Example("long and Russian", "п", "х" * 400),
        Example("Russian", "привет", "Как дела?"),
        Example("refusal", "Who are you?", "As an AI model, I cannot tell."),
        Example("empty", "p q r", "?"),
    ]
    settings = {
        "answer": {"high": 300},
        "script": "latin",
        "must_not_match": "(?i)as an ai",
        "must_match": r"\w",
    }
    found = chosen([*good, *noise], {"the test split of exams": [good[3]], "other": good[4:5]}, **settings)
    assert [entry.id for entry in found.manifest] == [example.id for example in (*good, *noise)]
    kept = {entry.rank: entry.id for entry in found.manifest if entry.kept}
    assert [kept[rank] for rank in range(1, 31)] == [example.id for example in found.examples]
    of = {entry.id: entry for entry in found.manifest}
    assert {reasons(found)["same"], reasons(found)["q0"]} >= {"exact duplicate"}
    assert [reasons(found)[name] for name in ("q1", "wrong")] == ["another answer"] * 2
    assert Counter(reasons(found)[name] for name in ("right", "also right"))["exact duplicate"] == 1
    assert {reasons(found)["near"], reasons(found)["q2"]} >= {"near-duplicate"}
    assert {reasons(found)[name] for name in ("tested", "q3", "q4")} == {"in a split"}
    assert (of["tested"].value, of["tested"].detail) == ("the same", "as q3 of the test split of exams")
    assert (of["long"].reason, of["long"].value, of["long"].detail) == (
        "length of the answer",
        400,
        "at most 300 characters",
    )
    assert reasons(found)["long and Russian"] == "length of the answer"
    assert (of["Russian"].reason, of["Russian"].value) == ("script", 0.0)
    assert (of["refusal"].reason, of["refusal"].value) == ("style", "As an AI")
    assert (of["empty"].reason, of["empty"].detail) == ("style", r"must_match \w")
    others = [entry for entry in found.manifest if entry.reason == "near the chosen"]
    farthest = min(entry.value for entry in found.manifest if entry.kept and entry.value is not None)
    assert others
    assert all(entry.value <= farthest for entry in others)
    assert sum(found.reasons.values()) + 30 == len(found.manifest)


def test_the_choice_follows_from_the_seed_and_not_from_the_order_of_the_lines() -> None:
    examples = raw()
    once, again = chosen(examples), chosen(list(reversed(examples)))
    assert once.examples == again.examples
    assert {e.id: e for e in once.manifest} == {e.id: e for e in again.manifest}
    assert chosen(examples, seed=1).examples != once.examples
    assert len({e.id for e in chosen(examples, choose="random").examples} & {e.id for e in once.examples}) < 20


def test_nothing_of_a_split_is_left_by_the_rules_of_contamination(tmp_path: Path) -> None:
    examples = raw()
    longer = [replace(e, id=f"{e.id}+", prompt=f"Some more words before. {e.prompt}") for e in examples[:20]]
    chat = [replace(e, id=f"{e.id}c", prompt=(Message("user", str(e.prompt)),)) for e in examples[20:30]]
    evaluated = Splits(tuple(examples[:10]), tuple(examples[10:20]), tuple(examples[20:30]))
    found = chosen([*examples, *longer, *chat], {"all": examples[:30]}, examples=200)
    file = tmp_path / "curated.jsonl"
    for part, clean in ((found.examples, True), ([*examples, *longer], False)):
        file.write_text(
            "".join(
                json.dumps({"prompt": e.prompt if isinstance(e.prompt, str) else e.prompt[0].content}) + "\n"
                for e in part
            )
        )
        assert (contamination_notes({"exams": evaluated}, {"e": [file]}) == ()) == clean
    assert found.reasons == {"in a split": 60}


def test_quotas() -> None:
    examples = raw()
    sizes = Counter(example.task for example in examples)
    assert sorted(sizes.values()) == [19, 20, 81]

    def kinds(**settings: object) -> dict[str, int]:
        found = chosen(examples, **settings)
        assert {entry.reason for entry in found.manifest if not entry.kept} == {"quota"}
        return dict(Counter(example.task for example in found.examples))

    assert kinds(quota={"by": "task"}) == dict.fromkeys(TASKS, 10)
    assert sorted(kinds(quota={"by": "task"}, examples=63).values()) == [19, 20, 24]
    assert kinds(quota={"counts": {"maths": 5}}) == {"maths": 5, "chat": 13, "code": 12}
    assert kinds(quota={"counts": {"maths": 5, "chat": 2}}, choose="random") == {"maths": 5, "chat": 2, "code": 23}
    by_length = {example.id: str(len(example.answer) % 2) for example in examples}
    settings = Curation.model_validate({"examples": 30, "quota": {"by": "parity"}})
    found = curate(examples, settings, kinds=by_length)
    assert Counter(by_length[example.id] for example in found.examples) == {"0": 15, "1": 15}
    for quota, words in (
        ({"by": "topic"}, "no example has 'topic'; name a field"),
        ({"counts": {"math": 3}}, "no example has task 'math'; did you mean 'maths'"),
    ):
        with pytest.raises(ConfigError, match=words):
            chosen(examples, quota=quota)


def test_embeddings_are_tf_idf_of_character_n_grams() -> None:
    """Computed again with dictionaries."""
    texts = ["Abcab cab", "bca  bcd", "zzzz", "abcab CAB", "ünï çode 🙂"]

    def grams(text: str) -> Counter[str]:
        padded = f" {' '.join(text.split()).casefold()} "
        return Counter(padded[i : i + 3] for i in range(len(padded) - 2))

    counted = [grams(text) for text in texts]
    found_in = Counter(gram for each in counted for gram in each)
    vectors = [
        {gram: (1 + math.log(n)) * math.log(len(texts) / found_in[gram]) for gram, n in each.items()}
        for each in counted
    ]
    lengths = [math.sqrt(sum(value * value for value in each.values())) for each in vectors]
    ours = embedded(texts)
    products = (ours @ ours.T).toarray()
    for i, one in enumerate(vectors):
        for j, other in enumerate(vectors):
            product = sum(value * other.get(gram, 0.0) for gram, value in one.items())
            assert products[i, j] == pytest.approx(product / (lengths[i] * lengths[j]))


def test_the_farthest_first_are_those_of_a_plain_loop() -> None:
    matrix = embedded([f"{example.prompt} {example.answer}" for example in raw(60)])
    kinds = ["a", "b", "b"] * 20
    distances = np.sqrt(np.maximum(0.0, 2.0 - 2.0 * (matrix @ matrix.T).toarray()))
    order, left = [0], {"a": 6, "b": 9}
    left[kinds[0]] -= 1
    while any(left.values()):
        open_places = [i for i in range(60) if i not in order and left[kinds[i]]]
        order.append(max(open_places, key=lambda i: (min(distances[i, j] for j in order), -i)))
        left[kinds[order[-1]]] -= 1
    found = farthest_first(matrix, kinds, {"a": 6, "b": 9})
    assert list(found.order) == order
    for i in range(60):
        before = order[: order.index(i)] if i in order else order
        if before:
            assert found.distances[i] == pytest.approx(min(distances[i, j] for j in before))
            assert distances[i, found.nearest[i]] == pytest.approx(found.distances[i])


def test_letters_of_a_script() -> None:
    for text, script, share in (
        ("abc, 123!", "latin", 1.0),
        ("ab вг", "latin", 0.5),
        ("ab вг", "cyrillic", 0.5),
        ("12 + 3", "greek", 1.0),
        ("これは本です", "japanese", 1.0),
        ("これは本です", "han", 1 / 6),
        ("한국어", "korean", 1.0),
        ("नमस्त", "devanagari", 1.0),
    ):
        assert share_of(text, script) == pytest.approx(share), text


def test_nothing_left_is_one_line() -> None:
    with pytest.raises(ConfigError, match=r"curate: no example is left of 9: 9 length of the answer; loosen"):
        chosen(raw(9), answer={"high": 1})


def test_the_command_writes_rows_as_they_were_and_a_manifest(tmp_path: Path) -> None:
    rows = [
        {"question": e.prompt, "answer": e.answer, "topic": e.task, "level": i / 2, "tags": ["a", i]}
        for i, e in enumerate(raw(40))
    ]
    (tmp_path / "raw.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    test = [{"prompt": row["question"], "answer": "x"} for row in rows[:3]]
    (tmp_path / "test.json").write_text(json.dumps(test))
    config = tmp_path / "curate.yaml"
    config.write_text(
        "data: raw.jsonl\nout: made\ncurate:\n"
        "  examples: 12\n  against: test.json\n  quota: {by: topic, counts: {maths: 3}}\n"
    )
    done = run_cli("curate", config)
    assert done.code == 0, done
    assert "kept               12  chat" in done.out
    kept = [json.loads(line) for line in (tmp_path / "made" / "curated.jsonl").read_text().splitlines()]
    assert all(row == {"id": row["id"]} | rows[int(row["id"]) - 1] for row in kept)
    assert Counter(row["topic"] for row in kept)["maths"] == 3
    manifest = [json.loads(line) for line in (tmp_path / "made" / "manifest.jsonl").read_text().splitlines()]
    assert [entry["id"] for entry in manifest] == [str(i) for i in range(1, 41)]
    assert [entry["reason"] for entry in manifest[:3]] == ["in a split"] * 3
    assert [row["id"] for row in kept] == [e["id"] for e in sorted(manifest, key=lambda e: e.get("rank", 99))[:12]]
    before = (tmp_path / "made" / "curated.jsonl").read_bytes()
    assert "not empty" in run_cli("curate", config).err
    again = run_cli("curate", config, "--overwrite", "--json", "--set", "data=raw.jsonl")
    assert json.loads(again.out)["kept"] == 12
    assert (tmp_path / "made" / "curated.jsonl").read_bytes() == before


def test_states_and_tokens_are_the_bases(tmp_path: Path) -> None:
    """Each text's state alone, without a batch; and a bound in tokens, which are bytes here."""
    base = make_base(tmp_path / "base")
    texts = ["a", "some words of different length", "ünï", "some words of different length", "b" * 600]
    tokenizer, model = AutoTokenizer.from_pretrained(base), load(base).eval()
    alone = []
    for text in texts:
        with torch.no_grad():
            states = model(torch.tensor([tokenizer.encode(text)[:512]]), output_hidden_states=True).hidden_states[-1]
        alone.append(states[0].double().mean(0).numpy())
    centred = np.array(alone) - np.mean(alone, axis=0)
    expected = centred / np.linalg.norm(centred, axis=1, keepdims=True)
    np.testing.assert_allclose(mean_hidden_states(base, texts), expected, atol=1e-4)
    rows = [{"prompt": "p" * n, "answer": "é" * n} for n in range(1, 9)]
    (tmp_path / "raw.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    config = tmp_path / "curate.yaml"
    config.write_text(
        "data: raw.jsonl\nbase: base\ncurate:\n"
        "  {examples: 4, embedding: model, unit: tokens, answer: {low: 5, high: 12}, prompt: {high: 5}}\n"
    )
    done = run_cli("curate", config, "--json")
    assert json.loads(done.out)["left_out"] == {"length of the answer": 2, "length of the prompt": 3}
