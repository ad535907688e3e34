"""What each expert does to each objective: alone, and by a linear fit over all that the search scored.

Shape suffixes: N candidates, D coordinates, E experts, K objectives.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from swarm.core.space import Array
from swarm.journal.records import ScoredRecord
from swarm.journal.summary import SPLITS, BaselineScores
from swarm.report.coefficients import LOGITS, columns_alone
from swarm.report.read_journal import Journal

Effects = Mapping[tuple[str, str], float]  # (expert, objective) -> NaN where it is not known


@dataclass(frozen=True)
class Fit:
    """A least-squares fit of the scores on the search split by the experts' coefficients and a constant.

    slopes: change of the score for one more unit of the expert's coefficient, the others held.
    explained: objective -> the share of the scores' variance that the fit explains; NaN where they do not vary.
    n: how many candidates it was made on.
    """

    slopes: Effects
    explained: Mapping[str, float]
    n: int


@dataclass(frozen=True)
class Interference:
    """Experts against objectives.

    experts: NAME.logits for what an expert does on logits, where it acts on weights as well.
    alone: split -> the expert's mean score alone minus the base's.
    fit: None where too few candidates were scored, or their coefficients do not tell the experts apart.
    """

    experts: tuple[str, ...]
    objectives: tuple[str, ...]
    alone: Mapping[str, Effects]
    fit: Fit | None


def interference(
    journal: Journal, baselines: Mapping[str, BaselineScores], objectives: Sequence[str]
) -> Interference | None:
    """None without a score of the base or of any expert alone."""
    experts = tuple(columns_alone(journal))
    alone: dict[str, Effects] = {split: _alone(split, experts, baselines, objectives) for split in SPLITS}
    known = {split: effects for split, effects in alone.items() if any(map(math.isfinite, effects.values()))}
    if not known:
        return None
    return Interference(experts, tuple(objectives), known, linear_fit(journal, objectives))


def linear_fit(journal: Journal, objectives: Sequence[str]) -> Fit | None:
    """An expert with several groups of parameters has the mean of their coefficients."""
    lines = [line for line in journal.searched if line.status == "ok" and not line.repeated]
    experts = columns_alone(journal)
    if len(lines) < len(experts) + 2:
        return None
    design_NE = np.column_stack([np.ones(len(lines)), _coefficients(lines, experts.values(), journal)])
    scores_NK = np.array([[line.scores[name] for name in objectives] for line in lines])
    solved, _, rank, _ = np.linalg.lstsq(design_NE, scores_NK, rcond=None)
    if rank < design_NE.shape[1]:
        return None
    left_K = (scores_NK - design_NE @ solved).var(axis=0)
    slopes = {(e, name): float(solved[i + 1, k]) for i, e in enumerate(experts) for k, name in enumerate(objectives)}
    return Fit(slopes, dict(zip(objectives, _explained(left_K, scores_NK.var(axis=0)), strict=True)), len(lines))


def _explained(left_K: Array, whole_K: Array) -> list[float]:
    pairs = zip(left_K, whole_K, strict=True)
    return [float(1 - left / whole) if whole > 0 else math.nan for left, whole in pairs]


def _coefficients(lines: Sequence[ScoredRecord], columns: Iterable[Sequence[int]], journal: Journal) -> Array:
    """The mean coefficient of each expert over its groups, NE. columns: by expert, where they lie in a position."""
    units_D = np.array([journal.scales.get(name, 1.0) for name in journal.start.coordinates])
    c_ND = np.array([line.position for line in lines], dtype=np.float64) * units_D
    return np.stack([c_ND[:, list(own)].mean(axis=1) for own in columns], axis=1)


def _alone(
    split: str, experts: Sequence[str], baselines: Mapping[str, BaselineScores], objectives: Sequence[str]
) -> Effects:
    """Expert alone minus base."""

    def mean(key: str, objective: str) -> float:
        # Alone it is the same model in either place, which is scored once.
        scored = baselines.get(key) or baselines.get(key.removesuffix(f".{LOGITS}"))
        found = scored.scores.get(split, {}).get(objective) if scored else None
        return found.mean if found else math.nan

    pairs = [(expert, name) for expert in experts for name in objectives]
    return {(expert, name): mean(f"expert:{expert}", name) - mean("base", name) for expert, name in pairs}
