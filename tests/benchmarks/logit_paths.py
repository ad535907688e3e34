"""What a candidate costs whose logits are combined from kept ones, against forward passes.

    python tests/benchmarks/logit_paths.py --threads 2

Teacher-forced answers of a zoo's examples under combined logits of the base and its experts. Kept: a pass of each model
has been made once, and a candidate is a sum. Passes: nothing is kept, so that every model runs for every candidate.
One pass: the base alone, which is the least that composed weights cost. Scores of the first two are compared.
"""

import argparse
import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from common import Metric, Paired, by_turns, main, options, zoo_path

from swarm.core.recipes import Group, LogitRecipe, Recipe, WeightRecipe
from swarm.core.requests import Answer, Continuation, Likelihood
from swarm.engines.encoding import Encoder, Requests
from swarm.engines.transformers.engine import TransformersEngine, TransformersSettings
from swarm.engines.transformers.logits_cache import LogitsCache
from swarm.experts.catalog import Catalog, ExpertSpec, open_catalog

BENCHMARK = "logit_paths"
ZOOS = {"tiny": "float32", "smollm2": "bfloat16"}


def run(arguments: argparse.Namespace) -> Iterator[Metric]:
    """Both ratios and the largest difference of a score, for each zoo."""
    for name in arguments.zoos:
        folder = zoo_path(name)
        experts = sorted((folder / "experts").iterdir())[: arguments.experts]
        catalog = open_catalog(folder / "base", [ExpertSpec(path.name, path) for path in experts])
        asked = _requests(folder / "data" / "examples.jsonl", catalog, arguments.examples)
        held = TransformersSettings.model_validate({"dtype": ZOOS[name]}).open(catalog)
        seconds = by_turns(_sides(held, catalog, asked), arguments.repetitions)
        what = f"{name}, {arguments.examples} answers, {len(experts)} experts"
        yield from Paired(seconds["kept"], seconds["passes"]).metrics(BENCHMARK, what, ("kept", "passes"), ">= 10")
        yield from Paired(seconds["kept"], seconds["one pass"]).metrics(BENCHMARK, what, ("kept", "one pass"), None)[1:]
        yield Metric(BENCHMARK, f"{what}: largest difference of a score", _difference(catalog, held, asked), "nats")


def _sides(held: TransformersEngine, catalog: Catalog, asked: Requests) -> dict[str, Callable[[], object]]:
    """Another candidate at every call."""
    steps = iter(range(10_000))

    def passes() -> None:
        kept, held._paths._cache = held._paths._cache, LogitsCache()
        held.answer([_candidate(catalog, next(steps))], asked)
        held._paths._cache = kept

    return {
        "kept": lambda: held.answer([_candidate(catalog, next(steps))], asked),
        "passes": passes,
        "one pass": lambda: held.answer([_neutral(catalog)], asked),
    }


def _difference(catalog: Catalog, held: TransformersEngine, asked: Requests) -> float:
    """Between a score from kept logits and one from fresh passes, of one candidate."""
    again = _candidate(catalog, 7)
    kept = _scores(held.answer([again], asked)[0].answers)
    held._paths._cache = LogitsCache()
    fresh = _scores(held.answer([again], asked)[0].answers)
    return max(abs(one - other) for one, other in zip(kept, fresh, strict=True))


def _requests(file: Path, catalog: Catalog, n: int) -> Requests:
    examples = [json.loads(line) for line in file.read_text().splitlines()[:n]]
    return Encoder.of(catalog.base.path).encode(
        [Continuation(example["prompt"], f" {example['answer']}") for example in examples]
    )


def _neutral(catalog: Catalog) -> Recipe:
    return Recipe(WeightRecipe("delta", (Group("all", ("*",)),), dict.fromkeys(catalog.names, (0.0,))))


def _candidate(catalog: Catalog, step: int) -> Recipe:
    coefficients = {name: 0.1 * (i + 1) + 0.001 * step for i, name in enumerate(catalog.names)}
    return Recipe(_neutral(catalog).weights, LogitRecipe("logits", coefficients))


def _scores(answers: Sequence[Answer]) -> list[float]:
    return [each.log_likelihood for each in answers if isinstance(each, Likelihood)]


if __name__ == "__main__":
    parser = options(__doc__)
    parser.add_argument("--zoos", nargs="+", choices=ZOOS, default=list(ZOOS))
    parser.add_argument("--experts", type=int, default=4, help="paths beside the base (default 4)")
    parser.add_argument("--examples", type=int, default=200, help="answers that are scored (default 200)")
    main(run, parser)
