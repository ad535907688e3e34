"""Control layers beside DPO of all weights and of LoRA, at equal steps: preference, and what it costs elsewhere.

    python tests/benchmarks/clm.py --folder DIR [--zoo smollm2 --steps 24] [--write]

Pairs are right and wrong answers of some tasks of a zoo. Each method is trained at each learning rate of its grid, and
the rate with the best margin on validation pairs counts. On test pairs: the margin (log-likelihood of the chosen answer
minus that of the rejected one, nats), the log-likelihood of a right answer's token on the other tasks, and the
divergence from the base (KL, nats per token, at chosen answers of the test pairs). One training is a line of
DIR/ZOO.jsonl and is not run again; --write puts the tables of all zoos in DIR into docs/results/studies/clm.md.
"""

import argparse
import json
import random
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from common import ROOT, Metric, keep_line, kept_lines, main, options, say, zoo_path
from peft import PeftModel
from safetensors.torch import load_file
from scipy import stats
from study.tables import filled
from torch import Tensor, nn
from transformers import AutoTokenizer

from swarm.builders import BUILDERS, ExpertBuilder, PairTokens
from swarm.builders.models import load_model, quiet
from swarm.builders.training import Job, train
from swarm.experts.control_layer import WEIGHTS, with_control_layer

PAGE = ROOT / "docs" / "results" / "studies" / "clm.md"
STRENGTHS = (-1.0, -0.5, 0.0, 0.5, 1.0, 1.5, 2.0)
# Of each zoo, the tasks whose right answers are preferred.
TASKS = {"tiny": ("prev", "vowel", "kind"), "smollm2": ("chain_sum", "letter_counting")}
SETTINGS: Mapping[str, Mapping[str, object]] = {
    "control layer": {"type": "control"},
    "LoRA": {"type": "dpo", "rank": 8},
    "all weights": {"type": "dpo", "full": True},
}
RATES: Mapping[str, Mapping[str, Sequence[float]]] = {
    "tiny": {"control layer": (3e-4, 1e-3, 3e-3), "LoRA": (3e-4, 1e-3, 3e-3), "all weights": (1e-4, 3e-4, 1e-3)},
    "smollm2": {"control layer": (1e-4, 1e-3), "LoRA": (1e-3, 1e-4), "all weights": (1e-5, 1e-6)},
}
BATCH = 8
Measured = dict[str, dict[str, list[float]]]


@dataclass(frozen=True)
class Data:
    """Pairs to train on, to choose the rate by and to measure on, and right answers of other tasks."""

    train: Sequence[PairTokens]
    validation: Sequence[PairTokens]
    test: Sequence[PairTokens]
    other: Sequence[PairTokens]


def data_of(arguments: argparse.Namespace, folder: Path, seed: int) -> Data:
    """The rejected answer is the right one of another example of the task. Of other tasks only `chosen` counts."""
    test, validation, other = (arguments.examples * parts // 5 for parts in (5, 2, 4))
    rows = [json.loads(line) for line in (folder / "data" / "examples.jsonl").read_text().splitlines()]
    tokenizer, rng = AutoTokenizer.from_pretrained(folder / "base"), random.Random(seed)
    rng.shuffle(rows)

    def pair(row: Mapping[str, str]) -> PairTokens:
        wrong = [each["answer"] for each in rows if each["task"] == row["task"] and each["answer"] != row["answer"]]
        texts = (row["answer"], rng.choice(wrong))
        ids = [(*tokenizer(text, add_special_tokens=False).input_ids, tokenizer.eos_token_id) for text in texts]
        return PairTokens(tuple(tokenizer(row["prompt"]).input_ids), *ids)

    held = test + validation
    mine = [pair(row) for row in rows if row["task"] in TASKS[arguments.zoo]][: held + arguments.steps * BATCH]
    elsewhere = [pair(row) for row in rows if row["task"] not in TASKS[arguments.zoo]][:other]
    return Data(mine[held:], mine[:validation], mine[validation:held], elsewhere)


@torch.inference_mode()
def logits(model: nn.Module, prompt: Sequence[int], answer: Sequence[int]) -> Tensor:
    """At the answer's tokens, shape (tokens, vocabulary)."""
    ids = torch.tensor([[*prompt, *answer]])
    return model(input_ids=ids, use_cache=False).logits[0, len(prompt) - 1 : -1].float()


def likelihood(found: Tensor, answer: Sequence[int]) -> float:
    return float(found.log_softmax(-1).gather(1, torch.tensor(answer)[:, None]).sum())


def margins(base: nn.Module, model: nn.Module, pairs: Sequence[PairTokens], strength: float) -> list[float]:
    """Of every pair, under logits l_base + strength (l_model - l_base)."""
    found = []
    for pair in pairs:
        one, other = (
            likelihood(torch.lerp(logits(base, pair.prompt, each), logits(model, pair.prompt, each), strength), each)
            for each in (pair.chosen, pair.rejected)
        )
        found.append(one - other)
    return found


def measured(base: nn.Module, model: nn.Module, data: Data, strengths: Sequence[float]) -> Measured:
    """Strength -> margins of the test pairs, mean log-likelihood of a token elsewhere, KL(model, base) per token."""
    found: Measured = {str(each): {"margins": [], "elsewhere": [], "kl": []} for each in strengths}
    for pair in (*data.test, *data.other):
        answers = (pair.chosen, pair.rejected)
        sides = [(each, logits(base, pair.prompt, each), logits(model, pair.prompt, each)) for each in answers]
        for strength in strengths:
            row = found[str(strength)]
            mixed = [(answer, (1 - strength) * one + strength * other, one) for answer, one, other in sides]
            chosen, rejected = (likelihood(logit, answer) for answer, logit, _ in mixed)
            if pair in data.other:
                row["elsewhere"].append(chosen / len(pair.chosen))
                continue
            row["margins"].append(chosen - rejected)
            ours, theirs = mixed[0][1].log_softmax(-1), mixed[0][2].log_softmax(-1)
            row["kl"].append(float((ours.exp() * (ours - theirs)).sum(-1).mean()))
    return found


def opened(base: Path, checkpoint: Path, builder: ExpertBuilder) -> nn.Module:
    model = load_model(checkpoint if builder.part == "all" else base, "float32")
    if builder.part == "adapter":
        model = PeftModel.from_pretrained(model, checkpoint)
    elif builder.part == "control":
        model = with_control_layer(model, load_file(checkpoint / WEIGHTS))
    return model.eval()


def trial(arguments: argparse.Namespace, zoo: Path, key: Mapping[str, object], data: Data) -> dict[str, object]:
    """Train one method with one rate, and measure it."""
    settings = {"name": "it", "data": "", "steps": key["steps"], "batch_size": BATCH, "save_steps": 10_000}
    settings |= {"beta": key["beta"], "learning_rate": key["rate"], **SETTINGS[str(key["method"])]}
    builder = BUILDERS[str(settings["type"])].model_validate(settings)
    work = arguments.folder / "work" / re.sub(r"\W+", "-", "-".join(map(str, key.values())))
    began = time.perf_counter()
    trained = train(
        Job(builder, zoo / "base", None, "float32", data.train, int(str(key["steps"])), work, int(str(key["seed"]))),
        lambda done, of, loss: say(f"{key['method']} {key['rate']}: {done} of {of}, {loss:.4f}"),
    )
    seconds = time.perf_counter() - began
    with quiet():
        base, model = load_model(zoo / "base", "float32").eval(), opened(zoo / "base", trained.checkpoint, builder)
    if builder.part == "control":
        weights = sum(each.numel() for each in load_file(trained.checkpoint / WEIGHTS).values())
    else:
        weights = sum(e.numel() for n, e in model.named_parameters() if builder.part == "all" or "lora_" in n)
    strengths = STRENGTHS if builder.part == "control" else (0.0, 1.0)
    validation = float(np.mean(margins(base, model, data.validation, 1.0)))
    return {**key, "seconds": seconds, "weights": weights, "validation": validation,
            "measured": measured(base, model, data, strengths)}  # fmt: skip


def run(arguments: argparse.Namespace) -> list[Metric]:
    zoo, file = zoo_path(arguments.zoo), arguments.folder / f"{arguments.zoo}.jsonl"
    arguments.folder.mkdir(parents=True, exist_ok=True)
    for seed in range(arguments.seeds):
        data = data_of(arguments, zoo, seed)
        for method, rates in RATES[arguments.zoo].items():
            for rate in rates[: arguments.rates]:
                key = {"method": method, "rate": rate, "beta": arguments.beta, "seed": seed, "steps": arguments.steps}
                if not any({name: line[name] for name in key} == key for line in kept_lines(file)):
                    keep_line(file, trial(arguments, zoo, key, data))
    if arguments.write:
        write(arguments.folder)
    return metrics_of(chosen(kept_lines(file), arguments.beta, arguments.steps))


def chosen(lines: Sequence[Mapping[str, Any]], beta: float, steps: int) -> dict[str, list[Mapping[str, Any]]]:
    """Method -> of each seed the training whose rate has the best validation margin."""
    lines = [line for line in lines if (line["beta"], line["steps"]) == (beta, steps)]
    found: dict[str, list[Mapping[str, Any]]] = {}
    for method in SETTINGS:
        for seed in sorted({int(str(line["seed"])) for line in lines}):
            own = [line for line in lines if (line["method"], line["seed"]) == (method, seed)]
            if own:
                found.setdefault(method, []).append(max(own, key=lambda line: float(str(line["validation"]))))
    return found


def row_of(lines: Sequence[Mapping[str, Any]], strength: float) -> tuple[float, float, float, float, float]:
    """Mean margin with the half width of its 95 % interval over all pairs, share preferred, elsewhere, KL."""
    parts = [line["measured"][str(strength)] for line in lines]
    pairs = np.concatenate([part["margins"] for part in parts])
    half = float(stats.t.ppf(0.975, len(pairs) - 1) * pairs.std(ddof=1) / len(pairs) ** 0.5)
    elsewhere, kl = (float(np.mean(np.concatenate([part[name] for part in parts]))) for name in ("elsewhere", "kl"))
    return float(pairs.mean()), half, float((pairs > 0).mean()), elsewhere, kl


def monotone(lines: Sequence[Mapping[str, Any]]) -> float:
    """Spearman's rank correlation of strength and mean margin."""
    return float(stats.spearmanr(STRENGTHS, [row_of(lines, each)[0] for each in STRENGTHS]).statistic)


def metrics_of(found: Mapping[str, Sequence[Mapping[str, Any]]]) -> list[Metric]:
    metrics = []
    for method, lines in found.items():
        margin, half, share, elsewhere, kl = row_of(lines, 1.0)
        metrics += [
            Metric("clm", f"{method}: margin", margin, f"nats +- {half:.2f}"),
            Metric("clm", f"{method}: right preferred", 100 * share, "%"),
            Metric("clm", f"{method}: token elsewhere", elsewhere, "nats"),
            Metric("clm", f"{method}: divergence", kl, "nats"),
            Metric("clm", f"{method}: seconds", float(np.mean([float(str(line["seconds"])) for line in lines])), "s"),
        ]
    if "control layer" in found:
        rank = monotone(found["control layer"])
        metrics.append(Metric("clm", "rank correlation of lambda and margin", rank, "Spearman", ">= 0.9"))
    return metrics


def table_of(zoo: str, lines: Sequence[Mapping[str, Any]]) -> str:
    """One table for each beta and number of steps."""
    text = []
    for beta, steps in sorted({(float(str(line["beta"])), int(str(line["steps"]))) for line in lines}):
        found = chosen(lines, beta, steps)
        seeds = max(map(len, found.values()))
        text += [f"`zoo:{zoo}`, {steps} steps of 8 pairs, beta {beta:g}, {seeds} seed{'s' * (seeds > 1)}:", ""]
        text += ["| | lambda | margin | right preferred | token elsewhere | KL | trained weights | seconds | rate |"]
        text += ["|---|---:|---:|---:|---:|---:|---:|---:|---:|"]
        for method, own in found.items():
            for strength in STRENGTHS if method == "control layer" else (1.0,):
                margin, half, share, elsewhere, kl = row_of(own, strength)
                at = f"{strength:g}" if method == "control layer" else ""
                seconds = np.mean([float(str(line["seconds"])) for line in own])
                rates = ", ".join(f"{each:g}" for each in sorted({float(str(line["rate"])) for line in own}))
                more = f"{own[0]['weights']:,} | {seconds:.0f} | {rates}" if strength == 1.0 else "| |"
                cells = f"{margin:.2f} +- {half:.2f} | {100 * share:.0f} % | {elsewhere:.2f} | {kl:.3f}"
                text.append(f"| {method} | {at} | {cells} | {more} |")
        text += ["", f"Spearman of lambda and margin: {monotone(found['control layer']):.2f}.", ""]
    return "\n".join(text)


def write(folder: Path) -> None:
    """Replace what stands between the page's marks."""
    kept = {zoo: kept_lines(folder / f"{zoo}.jsonl") for zoo in TASKS}
    tables = "\n".join(table_of(zoo, lines) for zoo, lines in kept.items() if lines)
    PAGE.write_text(filled(PAGE.read_text(), tables.strip()))


def _options() -> argparse.ArgumentParser:
    parser = options(__doc__ or "")
    parser.add_argument("--folder", type=Path, default=Path("clm"), help="where trainings and lines are kept")
    parser.add_argument("--zoo", choices=sorted(TASKS), default="tiny")
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--examples", type=int, default=150, help="pairs to measure on; 40 %% more choose the rate")
    parser.add_argument("--beta", type=float, default=0.005)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--rates", type=int, default=3, help="how many learning rates of each method are tried")
    parser.add_argument("--write", action="store_true", help="write the tables into docs/results/studies/clm.md")
    return parser


if __name__ == "__main__":
    main(run, _options())
