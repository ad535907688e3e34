"""A thousand curated examples against a thousand drawn at random, on the tasks of a zoo, from noisy raw data.

    python tests/benchmarks/curation.py --seeds 6
    python tests/benchmarks/curation.py --zoo smollm2 --seeds 3 --steps 30 --scored 300 --arms 'at random' \
        'curated, at random'

Raw data, 6,000 examples a seed: half of them of one task; 10 % with the answer of another task, which no filter sees;
10 % with a refusal; 10 % with an answer that runs on; 25 % repeats of 40 examples; 2 % of the examples that are scored.
Each choice trains a LoRA adapter of the zoo's base for as many steps, and is scored by exact match on the zoo's
examples (1,600 of tiny), greedily. Intervals are 95 % t-intervals of paired differences over the seeds, each with raw
data of its own.
"""

import random
import time
from argparse import Namespace
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from common import Metric, main, options, say, zoo_path
from peft import LoraConfig, get_peft_model
from scipy import stats
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedModel, PreTrainedTokenizerBase

from swarm.core.examples import Example
from swarm.data.curation import curate
from swarm.data.curation_settings import Curation
from swarm.data.examples import read_examples
from swarm.zoo.base import Schedule
from swarm.zoo.string_tasks import TASKS, draw_word, neighbour, prompt
from swarm.zoo.training import encode, train

RAW, CHOSEN, REPEATED, AT_ONCE = 6000, 1000, 40, 50
NOISE = {"wrong": 0.10, "refusal": 0.10, "long": 0.10, "repeat": 0.25, "scored": 0.02}
FORMAT = {"must_not_match": "don't know"}
FILTERS = FORMAT | {"quota": {"by": "task"}}
ARMS = {
    "all 6,000": None,
    "1,000 at random": {"choose": "random"},
    "1,000 filtered, at random": FORMAT | {"choose": "random"},
    "1,000 curated, at random": FILTERS | {"choose": "random"},
    "1,000 curated, diverse": FILTERS,
}
AGAINST = "1,000 at random"


@dataclass(frozen=True)
class Tasks:
    """What raw data are drawn from.

    names: of the tasks, the most frequent first. longest: characters of a right answer.
    draw: a clean example of a task. wrong: a wrong answer to an example, of the same form.
    """

    names: Sequence[str]
    longest: int
    draw: Callable[[random.Random, str], Example]
    wrong: Callable[[random.Random, Example], str]


def letter_tasks() -> Tasks:
    """Those of the tiny zoo; the wrong answer is right for another task."""

    def draw(drawn: random.Random, task: str) -> Example:
        word = draw_word(drawn, (4, 4))
        return Example("", prompt(task, word), TASKS[task](word), task=task)

    def wrong(drawn: random.Random, example: Example) -> str:
        return TASKS[neighbour(example.task)](str(example.prompt).split()[1].rstrip("="))

    return Tasks(list(TASKS), 8, draw, wrong)


def reasoning_tasks(scored: Sequence[Example]) -> Tasks:
    """Those of the smollm2 zoo; the wrong answer is right for another example of the task."""
    from swarm.zoo.gym_tasks import pools
    from swarm.zoo.smollm2 import RECIPE

    found = pools(RECIPE.tasks, RECIPE.practice_per_task, RECIPE.practice_seed, scored)

    def wrong(drawn: random.Random, example: Example) -> str:
        return drawn.choice([each.answer for each in found[example.task] if each.answer != example.answer])

    longest = max(len(example.answer) for pool in found.values() for example in pool)
    return Tasks(list(found), longest, lambda drawn, task: drawn.choice(found[task]), wrong)


def raw_data(of: Tasks, seed: int, scored: Sequence[Example]) -> list[Example]:
    """Noisy examples; `group` says what is wrong with each."""
    drawn = random.Random(seed)
    weights = [7, *[1] * (len(of.names) - 1)]

    def clean() -> Example:
        return replace(of.draw(drawn, drawn.choices(of.names, weights)[0]), group="clean")

    def spoilt(example: Example, kind: str) -> Example:
        answers = {
            "wrong": of.wrong(drawn, example),
            "refusal": "I don't know",
            "long": example.answer + draw_word(drawn, (20, 40)),
        }
        return replace(example, answer=answers[kind], group=kind)

    repeated, found = [replace(clean(), group="repeat") for _ in range(REPEATED)], []
    for kind in drawn.choices(["clean", *NOISE], [1 - sum(NOISE.values()), *NOISE.values()], k=RAW):
        if kind == "repeat":
            found.append(drawn.choice(repeated))
        elif kind == "scored":
            found.append(replace(drawn.choice(scored), group="scored"))
        else:
            found.append(clean() if kind == "clean" else spoilt(clean(), kind))
    return [replace(example, id=str(i)) for i, example in enumerate(found)]


def chosen(arm: str, data: Sequence[Example], scored: Sequence[Example], seed: int, longest: int) -> Sequence[Example]:
    settings = ARMS[arm]
    if settings is None:
        return data
    if arm == AGAINST:
        return random.Random(seed).sample(list(data), CHOSEN)
    curation = Curation.model_validate({"examples": CHOSEN, "seed": seed, "answer": {"high": longest}} | settings)
    return curate(data, curation, {"scored": scored}).examples


def score(base: Path, examples: Sequence[Example], scored: Sequence[Example], schedule: Schedule) -> float:
    """The accuracy of an adapter that was trained on the examples."""
    torch.manual_seed(schedule.seed)
    tokenizer = AutoTokenizer.from_pretrained(base)
    model = get_peft_model(
        AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32),
        LoraConfig(task_type="CAUSAL_LM", r=8, lora_alpha=16, target_modules="all-linear"),
    ).get_base_model()
    train(model, tokenizer, lambda rng, n: rng.choices(examples, k=n), schedule, lambda text, share: None, "")
    return accuracy(model, tokenizer, scored)


@torch.no_grad()
def accuracy(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, scored: Sequence[Example]) -> float:
    """The share of examples whose every token, and the end, is the likeliest: what greedy generation would write."""
    model.eval()
    right = 0
    for start in range(0, len(scored), AT_ONCE):
        batch = encode(tokenizer, scored[start : start + AT_ONCE])
        likeliest = model(input_ids=batch.ids_BT, attention_mask=batch.mask_BT).logits[:, :-1].argmax(-1)
        wanted = batch.labels_BT[:, 1:]
        right += int(((likeliest == wanted) | (wanted < 0)).all(dim=1).sum())
    return right / len(scored)


def run(asked: Namespace) -> Iterator[Metric]:
    torch.set_num_threads(1)
    folder = zoo_path(asked.zoo)
    everything = read_examples(folder / "data" / "examples.jsonl")
    of = letter_tasks() if asked.zoo == "tiny" else reasoning_tasks(everything)
    scored = random.Random(0).sample(everything, min(asked.scored or len(everything), len(everything)))
    arms = [arm for arm in ARMS if not asked.arms or arm.removeprefix("1,000 ") in asked.arms]
    scores: dict[str, list[float]] = {arm: [] for arm in arms}
    noise: dict[str, list[Counter[str]]] = {arm: [] for arm in arms}
    seconds = []
    for seed in range(asked.seeds):
        data = raw_data(of, seed, scored)
        for arm in arms:
            began = time.process_time()
            examples = chosen(arm, data, scored, seed, of.longest)
            if arm.endswith("diverse"):
                seconds.append(time.process_time() - began)
            noise[arm].append(Counter(example.group for example in examples))
            schedule = Schedule(steps=asked.steps, rate=2e-3, seed=seed)
            scores[arm].append(score(folder / "base", examples, scored, schedule))
            say(f"seed {seed}, {arm}: {scores[arm][-1]:.3f}, {dict(noise[arm][-1])}")
    yield from results(scores, noise)
    if seconds:
        yield Metric(
            "curation", f"choosing {CHOSEN} of {RAW}, diverse", float(np.median(seconds)), "s of processor time"
        )


def results(scores: dict[str, list[float]], noise: dict[str, list[Counter[str]]]) -> Iterator[Metric]:
    for arm, values in scores.items():
        yield Metric("curation", f"{arm}: accuracy", 100 * float(np.mean(values)), "%")
        for kind in NOISE:
            yield Metric("curation", f"{arm}: {kind}", float(np.mean([each[kind] for each in noise[arm]])), "examples")
        if arm != AGAINST and len(values) > 1:
            difference = 100 * (np.array(values) - np.array(scores[AGAINST]))
            low, high = stats.t.interval(
                0.95, len(values) - 1, loc=difference.mean(), scale=stats.sem(difference) or 1e-12
            )
            for what, value in (("", difference.mean()), (", low end", low), (", high end", high)):
                yield Metric("curation", f"{arm} - {AGAINST}{what}", float(value), "points")


if __name__ == "__main__":
    parser = options(__doc__ or "")
    parser.add_argument("--seeds", type=int, default=6, help="raw data sets, each with its own training (default 6)")
    parser.add_argument("--steps", type=int, default=100, help="of training (default 100)")
    parser.add_argument("--zoo", choices=("tiny", "smollm2"), default="tiny")
    parser.add_argument("--scored", type=int, help="how many of the zoo's examples are scored (default: all)")
    parser.add_argument("--arms", nargs="*", help="choices, without their number (default: all)")
    main(run, parser)
