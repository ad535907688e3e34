"""Tasks of lm-evaluation-harness, with their data: two of log-likelihoods, two of choices, one that generates."""

import random
from pathlib import Path

import yaml

from support.playground import LETTERS, write_lines

SPLITS = {"train": 20, "test": 30}
LIKELIHOOD = {"output_type": "loglikelihood", "doc_to_text": "{{word}}=", "doc_to_target": "{{reversed}}"}
CHOICE = {"output_type": "multiple_choice", "doc_to_text": "{{word}} backwards:", "doc_to_choice": "{{choices}}"}
LETTER = [{"function": "regex", "regex_pattern": "([a-z])"}, {"function": "take_first"}]
TASKS: dict[str, dict[str, object]] = {
    "spelled": {**LIKELIHOOD, "target_delimiter": "", "metric_list": [{"metric": "perplexity"}, {"metric": "acc"}]},
    "spelled_after_two": {**LIKELIHOOD, "num_fewshot": 2, "metric_list": [{"metric": "acc"}, {"metric": "perplexity"}]},
    "picked": {**CHOICE, "doc_to_target": "{{place}}", "metric_list": [{"metric": "acc"}, {"metric": "acc_norm"}]},
    "picked_after_three": {
        **CHOICE, "doc_to_target": "{{place}}", "num_fewshot": 3, "description": "Words backwards.\n\n",
        "metric_list": [{"metric": "acc_norm"}, {"metric": "acc_bytes"}],
    },
    "written": {
        "output_type": "generate_until", "doc_to_text": "{{word}}=", "doc_to_target": "{{reversed[:1]}}",
        "generation_kwargs": {"until": ["h", "\n"], "max_gen_toks": 6, "do_sample": False},
        "filter_list": [{"name": "letter", "filter": LETTER}],
        "metric_list": [{"metric": "exact_match"}],
    },
}  # fmt: skip
GROUP = {"group": "picking", "task": ["picked", "picked_after_three"]}


def make_tasks(folder: Path) -> Path:
    """Fill `folder` with task files and their data; returns it."""
    rng = random.Random(1)
    folder.mkdir(parents=True)
    for split, count in SPLITS.items():
        write_lines(folder / f"{split}.jsonl", [_document(rng) for _ in range(count)])
    for name, content in TASKS.items():
        shared = {"task": name, "dataset_path": "json", "test_split": "test", "fewshot_split": "train"}
        shared |= {"training_split": "train"}
        files = {"data_files": {split: str(folder / f"{split}.jsonl") for split in SPLITS}}
        (folder / f"{name}.yaml").write_text(yaml.safe_dump({**shared, "dataset_kwargs": files, **content}))
    (folder / "picking.yaml").write_text(yaml.safe_dump(GROUP))
    return folder


def _document(rng: random.Random) -> dict[str, object]:
    word = "".join(rng.choices(LETTERS, k=rng.randrange(4, 8)))
    choices = [word[::-1], word, word.upper(), word[::-1] + "a"]
    rng.shuffle(choices)
    return {"word": word, "reversed": word[::-1], "choices": choices, "place": choices.index(word[::-1])}
