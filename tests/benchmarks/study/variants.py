"""The variants that each study compares: overrides of its config, in the syntax of `--set`."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from common import ROOT

from study.record import Record
from swarm.config.load import load_config
from swarm.config.schema import Config

CONFIGS = ROOT / "configs" / "studies"
VOTERS = (1, 3, 5, 10)  # sizes of the ensembles of the full method's personal bests


@dataclass(frozen=True)
class Variant:
    """One variant of a study. Some depend on the seed, or on the full search with that seed.

    name: as in the tables.
    sets: overrides of the config.
    distinct: number of different experts, each copied until there are as many as in the config; 0: as in the config.
    without_best: number of experts left out, those that were best on the search split in the full search.
    voters: sizes of the ensembles of personal bests that are scored on test.
    """

    name: str
    sets: tuple[str, ...] = ()
    distinct: int = 0
    without_best: int = 0
    voters: tuple[int, ...] = (1,)

    def config(self, path: Path, seed: int, full: Record | None) -> Config:
        """The study's config with this variant's overrides. `full`: the full search of the seed, if it has run."""
        experts = [expert.path for expert in load_config(path).experts]
        return load_config(path, [*self.sets, *self._experts(experts, seed, full), f"seed={seed}"])

    def _experts(self, paths: Sequence[str], seed: int, full: Record | None) -> list[str]:
        if self.distinct:
            return [f"experts={json.dumps(copied(paths, self.distinct, seed))}"]
        if self.without_best:
            assert full is not None, "the full method runs first"
            left_out = full.ranked_experts()[: self.without_best]
            return [f"experts={json.dumps([path for path in paths if path.rpartition('/')[2] not in left_out])}"]
        return []


def copied(paths: Sequence[str], distinct: int, seed: int) -> list[dict[str, str]]:
    """As many experts as paths, `distinct` of them different, each under its own name.

    The choice rotates with the seed, so that over as many seeds as there are paths each is taken equally often.
    """
    order = np.roll(np.random.default_rng(0).permutation(len(paths)), -seed)
    taken = [paths[i] for i in order[:distinct]]
    return [
        {"path": path, "name": f"{path.rpartition('/')[2]}-{copy}"}
        for path in taken
        for copy in range(len(paths) // distinct)
    ]


FULL = Variant("full method", voters=VOTERS)
STUDIES: dict[str, tuple[Variant, ...]] = {  # the first variant is what the others are compared with
    "diversity": (
        Variant("10 experts x 1", voters=VOTERS),
        Variant("5 experts x 2", distinct=5),
        Variant("2 experts x 5", distinct=2),
        Variant("1 expert x 10", distinct=1),
    ),
    "rank": (FULL,),
    "ablations": (
        FULL,
        Variant("no randomness", ("optimizer.randomness=false",)),
        Variant("no crossover", ("optimizer.crossover=false",)),
        Variant("no repel", ("optimizer.repel=0",)),
        Variant("no restart", ("optimizer.restart=false",)),
        Variant("restart after 2, not 5", ("optimizer.restart_patience=2",)),  # 5 is hardly reached in few iterations
    ),
    "dropping": (
        Variant("every candidate in full", ("racing.rungs=[]",)),
        Variant("drop-K 0.5", ("racing.rungs=[]", "optimizer.drop_iteration=0.5")),
        Variant("drop-N 0.5", ("racing.rungs=[]", "optimizer.drop_particle=0.5")),
        Variant("racing, exact bound", voters=VOTERS),  # the default: the full method of the other studies
        Variant("racing, sequential", ("racing.sequential=true",)),
    ),
    "weak": (
        FULL,
        Variant("without the best expert", without_best=1),
        Variant("without the best two", without_best=2),
    ),
    "ensemble": (FULL,),
    "token_swarms": (
        Variant("next-token probabilities"),
        Variant("weights", ("composition={type: weights, algebra: factors}",)),
    ),
}
