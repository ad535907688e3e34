"""Several particles in one batch against merging one after another, and how well the cost model chooses.

SmolLM2 with its six adapters in bfloat16. The grid varies the number of particles, of prompts and their length, with
continuations to score and texts to generate. A choice is right where the cost model picks the faster side, or where the
two are within 5 % of each other.
"""

import argparse
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from common import Metric, main, options, paired, say, spread, zoo_path

from swarm.compositions.weights import Weights
from swarm.core.recipes import Recipe
from swarm.core.requests import Continuation, Generation, Likelihood
from swarm.engines.encoding import Encoded, Requests
from swarm.engines.transformers.engine import TransformersEngine, TransformersSettings
from swarm.experts.catalog import Catalog, ExpertSpec, open_catalog

EXPERTS = ("chain_sum", "products", "gcd", "family_relationships", "syllogism", "letter_counting")
TIE = 1.05
VOCABULARY = 200  # token ids that both zoos' bases have
TARGETS = {32: ">= 1.8", 128: ">= 1.2"}


@dataclass(frozen=True)
class Case:
    """One point of the grid.

    particles: in one batch, or one after another.
    prompts: per particle.
    length: tokens per prompt.
    written: tokens to generate per prompt; 0: a continuation of one token is scored.
    """

    particles: int
    prompts: int
    length: int
    written: int = 0

    @property
    def name(self) -> str:
        kind = f"generating {self.written}" if self.written else "scoring"
        return f"{self.particles} particles, {self.prompts} prompts of {self.length} tokens, {kind}"

    def requests(self, seed: int) -> Requests:
        draw = random.Random(seed)
        prompts = [tuple(draw.randrange(10, VOCABULARY) for _ in range(self.length)) for _ in range(self.prompts)]
        if self.written:
            return Requests(tuple(Encoded(Generation("", self.written), prompt, ()) for prompt in prompts))
        return Requests(tuple(Encoded(Continuation("", ""), prompt, (5,)) for prompt in prompts))


GRID = [
    *(Case(particles, 1, length) for particles in (2, 4, 8) for length in (16, 64, 256)),
    *(Case(8, prompts, 64) for prompts in (4, 12, 24, 40)),
    *(Case(4, prompts, 48, written=6) for prompts in (2, 8, 24)),
]
TOY = [Case(2, 1, 16), Case(2, 2, 16, written=2)]


def run(arguments: argparse.Namespace) -> Iterator[Metric]:
    """The two lengths with targets, the agreement of both methods, then the grid."""
    catalog = _catalog(arguments)
    merged, stacked = (
        TransformersSettings(dtype=arguments.dtype, method=method).open(catalog) for method in ("merged", "stacked")
    )
    for length, target in TARGETS.items():
        ratios = _ratios(Case(8, 1, length), catalog, stacked, merged, arguments.repetitions)
        what = f"8 particles of {length} tokens each: merged / stacked"
        yield Metric("stacked", what, sorted(ratios)[len(ratios) // 2], "x", target)
        yield from spread("stacked", what, ratios)
    yield _difference(catalog, arguments)
    costs = TransformersSettings(dtype=arguments.dtype).cost_model(catalog)
    assert costs is not None, "adapters can be stacked"
    right = 0
    grid = TOY if arguments.toy else GRID
    for case in grid:
        ratios = sorted(_ratios(case, catalog, stacked, merged, max(1, arguments.repetitions // 2)))
        ratio = ratios[len(ratios) // 2]
        chosen = costs.stacked_pays(case.particles, case.requests(0))
        right += ratio > 1 / TIE if chosen else ratio < TIE
        predicted = costs.merged(case.particles, case.requests(0)) / costs.stacked(case.particles, case.requests(0))
        say(f"{case.name}: measured {ratio:.2f}, predicted {predicted:.2f}")
        yield Metric("stacked", f"{case.name}: merged / stacked", ratio, "x")
    yield Metric(
        "stacked", f"the cost model picks the faster side in {len(grid)} cases", right / len(grid), "share", ">= 0.90"
    )


def _catalog(arguments: argparse.Namespace) -> Catalog:
    zoo = zoo_path("tiny" if arguments.toy else "smollm2")
    names = ("upper", "next", "prev") if arguments.toy else EXPERTS
    return open_catalog(zoo / "base", [ExpertSpec(name, zoo / "experts" / name) for name in names])


def _recipes(catalog: Catalog, particles: int, seed: int) -> list[Recipe]:
    draw = random.Random(seed)
    return [Weights().recipe([draw.uniform(0, 0.6) for _ in catalog.names], catalog) for _ in range(particles)]


def _ratios(
    case: Case, catalog: Catalog, stacked: TransformersEngine, merged: TransformersEngine, repetitions: int
) -> Sequence[float]:
    """Merged over stacked, with other particles every time, so that no weights are already composed."""
    requests = case.requests(1)
    seeds = {"stacked": 0, "merged": 0}

    def side(name: str, engine: TransformersEngine) -> None:
        seeds[name] += 1
        engine.answer(_recipes(catalog, case.particles, seeds[name]), requests)

    return paired(lambda: side("stacked", stacked), lambda: side("merged", merged), repetitions).ratios


def _difference(catalog: Catalog, arguments: argparse.Namespace) -> Metric:
    """The largest difference of a continuation's log-likelihood between the two methods, in float32."""
    requests, recipes = Case(4, 8, 48).requests(2), _recipes(catalog, 4, 3)
    replies = [
        TransformersSettings(dtype="float32", method=method).open(catalog).answer(recipes, requests)
        for method in ("merged", "stacked")
    ]
    pairs = zip(*([a for reply in side for a in reply.answers] for side in replies), strict=True)
    worst = max(
        abs(one.log_likelihood - other.log_likelihood)
        for one, other in pairs
        if isinstance(one, Likelihood) and isinstance(other, Likelihood)
    )
    return Metric("stacked", "largest difference of a log-likelihood, float32", worst, "nats", "<= 0.001")


if __name__ == "__main__":
    parser = options(__doc__)
    parser.add_argument("--dtype", default="bfloat16", choices=["float32", "bfloat16"])
    parser.add_argument("--toy", action="store_true", help="two cases on the tiny zoo, to test the script")
    main(run, parser)
