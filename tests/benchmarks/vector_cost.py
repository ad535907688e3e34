"""What a vector costs beside prompting for the same behaviour, and beside training again: SmolLM2, plain transformers.

    python tests/benchmarks/vector_cost.py --folder levels

Three domains of questions, as `swarm zoo levels` writes them. An expert's manner is asked for in four ways: not at all,
by an instruction, by three examples in the prompt, and by the domain's vector at coefficient 1 (`swarm compose`). For
each: the share of questions whose expert's answer is the likeliest of three, tokens of the prompt, seconds to read it
and write 48 tokens, one question at a time. Vectors are trained where the folder has none, and timed.
"""

import argparse
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import torch
from common import Metric, main, options, say, zoo_path
from levels import train_vectors
from loading import load_model
from transformers import AutoTokenizer, PreTrainedModel, PreTrainedTokenizerBase

from swarm.core.examples import LEVELS, Example
from swarm.zoo.level_files import write_levels
from swarm.zoo.level_texts import DOMAINS, text_examples

NEW_TOKENS, SHOTS = 48, 3
INSTRUCTION = (
    "Answer as an expert of {domain} would: with exact figures, limits and deadlines, and without disclaimers."
)
Way = Callable[[str, Example], str]


def as_it_is(domain: str, example: Example) -> str:
    return str(example.prompt)


def instructed(domain: str, example: Example) -> str:
    return f"{INSTRUCTION.format(domain=domain)}\n\n{example.prompt}"


def shown_examples(domain: str, example: Example) -> str:
    """After examples of other questions' expert answers, from a seed that nothing else uses."""
    others = [each for each in text_examples(domain, 12, 7_000_000) if each.prompt != example.prompt][:SHOTS]
    shots = [f"{each.prompt} {(each.choices or {})['expert']}" for each in others]
    return "\n\n".join([*shots, str(example.prompt)])


WAYS: dict[str, Way] = {"nothing": as_it_is, "an instruction": instructed, "three examples": shown_examples}


@torch.no_grad()
def preferred(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, prompt: str, example: Example) -> str:
    """The level whose answer has the highest mean log-likelihood a token."""
    found = {}
    for level in LEVELS:
        start = tokenizer.encode(prompt)
        answer = tokenizer.encode(f" {(example.choices or {})[level]}", add_special_tokens=False)
        logits = model(input_ids=torch.tensor([start + answer])).logits[0, len(start) - 1 : -1].float()
        found[level] = float(logits.log_softmax(-1)[range(len(answer)), answer].mean())
    return max(found, key=lambda level: found[level])


@torch.no_grad()
def timed_answer(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, prompt: str) -> tuple[int, float, float]:
    """Tokens of the prompt; seconds to the first new token, and to the last."""
    ids = torch.tensor([tokenizer.encode(prompt)])
    seconds = []
    for tokens in (1, NEW_TOKENS):
        began = time.perf_counter()
        model.generate(ids, attention_mask=torch.ones_like(ids), max_new_tokens=tokens, min_new_tokens=tokens,
                       do_sample=False, pad_token_id=tokenizer.eos_token_id)  # fmt: skip
        seconds.append(time.perf_counter() - began)
    return ids.shape[1], seconds[0], seconds[1]


def composed(folder: Path, zoo: Path, domain: str) -> tuple[Path, float]:
    """The base with the domain's vector at 1, and how long `swarm compose` took."""
    out = folder / "composed" / domain
    words = [sys.executable, "-m", "swarm.cli", "compose", "--base", str(zoo / "base"), "-o", str(out), "--overwrite"]
    began = time.perf_counter()
    subprocess.run([*words, "--expert", f"{folder / 'experts' / domain}=1.0"], check=True, stdout=sys.stderr)
    return out, time.perf_counter() - began


def run(asked: argparse.Namespace) -> Iterator[Metric]:
    torch.set_num_threads(1)
    zoo, folder = zoo_path("smollm2"), asked.folder.absolute()
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / "texts").exists():
        write_levels(folder / "texts", asked.examples, 0)
    times = folder / "train_seconds.json"
    if not times.exists():
        began = time.process_time()
        train_vectors(folder, zoo, asked.steps)
        times.write_text(json.dumps((time.process_time() - began) / len(DOMAINS)))
    made = [composed(folder, zoo, domain) for domain in DOMAINS]
    rates: dict[str, list[bool]] = {}
    costs: dict[str, list[tuple[int, float, float]]] = {}
    for domain, (vector, _) in zip(DOMAINS, made, strict=True):
        tokenizer = AutoTokenizer.from_pretrained(zoo / "base")
        models = [load_model(each, torch.bfloat16) for each in (zoo / "base", vector)]
        sides = {**{name: (models[0], way) for name, way in WAYS.items()}, "its vector": (models[1], as_it_is)}
        for i, example in enumerate(text_examples(domain, asked.examples, 0)[: asked.asked]):
            for name, (model, way) in list(sides.items())[:: 1 if i % 2 else -1]:
                prompt = way(domain, example)
                rates.setdefault(name, []).append(preferred(model, tokenizer, prompt, example) == "expert")
                costs.setdefault(name, []).append(timed_answer(model, tokenizer, prompt))
            say(f"{domain} {i + 1}: " + ", ".join(f"{name} {sum(each)}" for name, each in rates.items()))
    yield from results(rates, costs)
    yield Metric("vector_cost", "training one vector", json.loads(times.read_text()), "s of processor time")
    yield Metric("vector_cost", "composing a checkpoint", statistics.median(seconds for _, seconds in made), "s")


def results(rates: dict[str, list[bool]], costs: dict[str, list[tuple[int, float, float]]]) -> Iterator[Metric]:
    for name, right in rates.items():
        yield Metric("vector_cost", f"{name}: expert's answer the likeliest", 100 * statistics.mean(right), "%")
        tokens, first, whole = (list(each) for each in zip(*costs[name], strict=True))
        yield Metric("vector_cost", f"{name}: prompt", statistics.mean(tokens), "tokens")
        yield Metric("vector_cost", f"{name}: to the first token", statistics.median(first), "s")
        yield Metric("vector_cost", f"{name}: to the last of {NEW_TOKENS}", statistics.median(whole), "s")


if __name__ == "__main__":
    parser = options(__doc__ or "")
    parser.add_argument("--folder", type=Path, default=Path("levels"), help="that of levels.py: texts and vectors")
    parser.add_argument("--examples", type=int, default=90, help="of each domain")
    parser.add_argument("--asked", type=int, default=20, help="questions of each domain that are timed")
    parser.add_argument("--steps", type=int, default=40, help="of training, for each vector")
    main(run, parser)
