"""The vLLM engine against the transformers engine on SmolLM2: whether they agree, and what each costs.

Runs in vLLM's own environment: `.venv-vllm/bin/python tests/benchmarks/vllm_engine.py` (`make .venv-vllm/.installed`).
In bfloat16 each engine is also compared with float32, which shows the effect of rounding alone.
"""

import argparse
import importlib.util
import json
import random
import statistics
from collections.abc import Iterator, Sequence

from common import Metric, Skip, main, options, say, timed, zoo_path

from swarm.core.recipes import Group, Recipe, WeightRecipe
from swarm.core.requests import Answer, Continuation, Generation, Likelihood, Reply, Request, Text
from swarm.engines import Encoder, Engine, Requests
from swarm.engines.transformers.engine import TransformersSettings
from swarm.engines.vllm.engine import VllmSettings
from swarm.experts.catalog import Catalog, ExpertSpec, open_catalog

NAME = "vllm_engine"
ALIVE: list[Engine] = []  # kept: closing one vLLM also closes what all vLLMs of a process share
Answers = dict[tuple[str, str, str], tuple[Sequence[Answer], Sequence[Answer]]]


def run(arguments: argparse.Namespace) -> Iterator[Metric]:
    """Agreement, speed, adapters."""
    if importlib.util.find_spec("vllm") is None:
        raise Skip("vLLM is not installed here; run this script with .venv-vllm/bin/python")
    zoo = zoo_path("smollm2")
    specs = [ExpertSpec(path.name, path) for path in sorted((zoo / "experts").iterdir())]
    catalog = open_catalog(zoo / "base", specs)
    lines = (zoo / "data" / "examples.jsonl").read_text().splitlines()
    rows = [json.loads(line) for line in random.Random(0).sample(lines, arguments.prompts)]
    yield from agreement(catalog, rows)
    yield from speed(catalog, rows[:16], arguments.repetitions)
    yield from adapters(catalog, rows[:2])


def agreement(catalog: Catalog, rows: Sequence[dict[str, str]]) -> Iterator[Metric]:
    answers = all_answers(catalog, rows)
    for what in recipes(catalog):
        exact, rounded = answers["transformers", "float32", what], answers["transformers", "bfloat16", what]
        ours = {dtype: answers["vllm", dtype, what] for dtype in ("float32", "bfloat16")}
        for title, one, other, nats in (
            ("vllm and transformers in float32", ours["float32"], exact, "<= 0.001"),
            ("vllm and transformers in bfloat16", ours["bfloat16"], rounded, "<= 0.25"),
            ("vllm in bfloat16 and in float32", ours["bfloat16"], exact, None),
            ("transformers in bfloat16 and in float32", rounded, exact, None),
        ):
            share = ">= 0.95" if " and transformers" in title else None
            yield Metric(NAME, f"{what}: same greedy answers, {title}", same(one[0], other[0]), "share", share)
            yield Metric(NAME, f"{what}: log-likelihood difference, {title}", apart(one[1], other[1]), "nats", nats)


def all_answers(catalog: Catalog, rows: Sequence[dict[str, str]]) -> Answers:
    """(engine, dtype, recipe) -> greedy answers and log-likelihoods."""
    texts, sums = short(catalog, rows), continuations(catalog, rows[::4])
    found: Answers = {}
    for dtype in ("float32", "bfloat16"):
        for engine, held in engines(catalog, dtype).items():
            for name, what in recipes(catalog).items():
                say(f"{engine}, {dtype}, {name}")
                found[engine, dtype, name] = (ask(held, what, texts).answers, ask(held, what, sums).answers)
    return found


def speed(catalog: Catalog, rows: Sequence[dict[str, str]], repetitions: int) -> Iterator[Metric]:
    """Medians of each engine in bfloat16: generation, scoring, swaps. Nothing is answered from a cache."""
    texts, sums, little = long(catalog, rows), continuations(catalog, rows), short(catalog, rows[:1])
    for name, held in engines(catalog, "bfloat16").items():
        writing, scoring, swaps = [], [], []
        for repetition in range(repetitions + 1):
            say(f"speed of {name}, {repetition} of {repetitions}")
            swaps.append(ask(held, mixed(catalog, 0.3 + 0.001 * repetition), little).compose_seconds)
            reply = ask(held, mixed(catalog, 0.001 * repetition), texts)  # near the base, which does not end early
            written = sum(answer.n_tokens for answer in reply.answers if isinstance(answer, Text))
            writing.append(written / reply.forward_seconds)
            reply = ask(held, mixed(catalog, 0.4 + 0.001 * repetition), sums)
            scoring.append(len(reply.answers) / reply.forward_seconds)
        # The first of each warms up.
        yield Metric(NAME, f"{name}: generating 128 tokens, 16 prompts", statistics.median(writing[1:]), "tokens/s")
        yield Metric(NAME, f"{name}: scoring 64 continuations", statistics.median(scoring[1:]), "continuations/s")
        yield Metric(NAME, f"{name}: swap", statistics.median(swaps[1:]), "s")


def adapters(catalog: Catalog, rows: Sequence[dict[str, str]]) -> Iterator[Metric]:
    """Four candidates in one batch as adapters, and one after another. Only two prompts: on a CPU it takes a minute."""
    requests = short(catalog, rows)
    held = VllmSettings(adapters=4, kv_cache_gb=0.5).open(catalog)
    ALIVE.append(held)
    four = [mixed(catalog, 0.1 * i) for i in range(1, 5)]
    replies: dict[str, list[Reply]] = {}
    say("adapters")
    ask(held, mixed(catalog, 0.5), requests)
    together = timed(lambda: replies.update(together=held.answer(four, requests)))
    swapped = timed(lambda: replies.update(swapped=[ask(held, each, requests) for each in four]))
    pairs = zip(replies["together"], replies["swapped"], strict=True)
    yield Metric(NAME, f"4 candidates as adapters, {len(rows)} prompts", together, "s")
    yield Metric(NAME, f"4 candidates by 4 swaps, {len(rows)} prompts", swapped, "s")
    share = statistics.mean(same(one.answers, other.answers) for one, other in pairs)
    yield Metric(NAME, "adapters and swaps in bfloat16: same greedy answers", share, "share")


def engines(catalog: Catalog, dtype: str) -> dict[str, Engine]:
    given = {"dtype": dtype}
    ALIVE.append(VllmSettings.model_validate(given | {"kv_cache_gb": 1.0}).open(catalog))
    return {"vllm": ALIVE[-1], "transformers": TransformersSettings.model_validate(given).open(catalog)}


def recipes(catalog: Catalog) -> dict[str, Recipe]:
    return {"base": mixed(catalog, 0.0), "expert": recipe(catalog, gcd=1.0), "composed": mixed(catalog, 0.3)}


def mixed(catalog: Catalog, coefficient: float) -> Recipe:
    return recipe(catalog, **dict.fromkeys(catalog.names, coefficient))


def recipe(catalog: Catalog, **coefficients: float) -> Recipe:
    values = {name: (coefficients.get(name, 0.0),) for name in catalog.names}
    return Recipe(WeightRecipe("delta", (Group("all", ("*",)),), values))


def short(catalog: Catalog, rows: Sequence[dict[str, str]]) -> Requests:
    return encoded(catalog, [Generation(row["prompt"], 16, stop=("\n",)) for row in rows])


def long(catalog: Catalog, rows: Sequence[dict[str, str]]) -> Requests:
    return encoded(catalog, [Generation(row["prompt"], 128) for row in rows])


def continuations(catalog: Catalog, rows: Sequence[dict[str, str]]) -> Requests:
    options = [(row["prompt"], text) for row in rows for text in (" " + row["answer"], " Yes", " 42", " none of them")]
    return encoded(catalog, [Continuation(prompt, text) for prompt, text in options])


def encoded(catalog: Catalog, requests: Sequence[Request]) -> Requests:
    return Encoder.of(catalog.base.path).encode(requests)


def ask(held: Engine, what: Recipe, requests: Requests) -> Reply:
    (reply,) = held.answer([what], requests)
    return reply


def same(found: Sequence[Answer], expected: Sequence[Answer]) -> float:
    """The share of answers with the same text."""
    texts = [[answer.text for answer in of if isinstance(answer, Text)] for of in (found, expected)]
    return statistics.mean(float(one == other) for one, other in zip(*texts, strict=True))


def apart(found: Sequence[Answer], expected: Sequence[Answer]) -> float:
    """The mean absolute difference of log-likelihoods."""
    sums = [[answer.log_likelihood for answer in of if isinstance(answer, Likelihood)] for of in (found, expected)]
    return statistics.mean(abs(one - other) for one, other in zip(*sums, strict=True))


def arguments() -> argparse.ArgumentParser:
    parser = options(__doc__)
    parser.add_argument("--prompts", type=int, default=100, help="prompts to compare answers on (default 100)")
    return parser


if __name__ == "__main__":
    main(run, arguments())
