"""Which candidates are scored on fresh examples, and which one wins: the part of a search that guards against luck.

The finalists are the best on the search split. They and the baselines are scored on the select split; the best there
wins, and only the winner and the baselines are scored on the test split.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from swarm.core.candidates import Candidate, Evaluation
from swarm.core.errors import RunError
from swarm.journal.archive import Archive
from swarm.preferences.weighted_sum import utility
from swarm.search.baselines import Baselines
from swarm.statistics.intervals import Score
from swarm.statistics.winners_curse import predicted


@dataclass(frozen=True)
class Selection:
    """How the archive's candidates are compared: by the weighted sum of their scores.

    archive: every evaluation so far.
    weights: of each objective.
    baselines: what the winner is compared with.
    soft: the finalists are the best by smoothed scores, as the optimizer saw them. Scores alone decide who wins.
    """

    archive: Archive
    weights: Mapping[str, float]
    baselines: Baselines
    soft: bool = False

    def finalists(self, count: int) -> list[Candidate]:
        """The best on the search split, at most `count`. Raises RunError where nothing was scored."""
        ranked = self.archive.ranked(self.weights, soft=self.soft)
        if not ranked:
            raise RunError(f"{self.archive.journal.path}: every candidate failed; {_first_error(self.archive)}")
        return [evaluation.candidate for evaluation in ranked[:count]]

    def uniform(self) -> tuple[float, Candidate]:
        """The uniform average that is best on the search split, and the coefficient of every expert in it."""
        return max(self.baselines.uniforms.items(), key=lambda item: self._mean(item[1], "search"))

    def contenders(self) -> list[Candidate]:
        """The baselines that are scored on select and test."""
        return [self.baselines.base, *self.baselines.experts.values(), self.uniform()[1]]

    def winner(self, finalists: Iterable[Candidate]) -> Candidate:
        """The best on the select split; of equals the better on the search split, then the earlier.

        Raises RunError if all of them failed on the select split.
        """
        candidates = [*finalists, *self.contenders()]
        best = max(candidates, key=lambda c: (self._mean(c, "select"), self._mean(c, "search")))
        if (found := self.archive.at(best.position, "select")) is not None and found.status == "failed":
            path = self.archive.journal.path
            raise RunError(
                f"{path}: every finalist failed on the select split: {found.error}; correct that and start a new run"
            )
        return best

    def predicted(self, finalists: Sequence[Candidate], winner: Candidate) -> dict[str, Score]:
        """Objective -> the winner's predicted score on fresh examples, from the select split alone.

        The winner was chosen among the finalists and the baselines that are no worse than the worst finalist: the
        others had no chance.
        """
        bar = min(self._mean(candidate, "select") for candidate in (*finalists, winner))
        near = [c for c in (winner, *finalists, *self.contenders()) if self._mean(c, "select") >= bar > -math.inf]
        rows = {c.position: found for c in near if (found := self.archive.at(c.position, "select"))}
        if winner.position not in rows:
            return {}
        return {
            name: predicted([rows[winner.position].examples[name], *_others(rows, winner, name)], 0)
            for name in rows[winner.position].examples
        }

    def _mean(self, candidate: Candidate, split: str) -> float:
        evaluation = self.archive.at(candidate.position, "search" if split == "search" else "select")
        if evaluation is None or evaluation.status != "ok":
            return float("-inf")
        return utility(evaluation.scores, self.weights)


def _others(rows: Mapping[tuple[float, ...], Evaluation], winner: Candidate, name: str) -> list[tuple[float, ...]]:
    return [row.examples[name] for position, row in rows.items() if position != winner.position]


def _first_error(archive: Archive) -> str:
    failed: list[Evaluation] = archive.searched()
    if not failed:
        return "the budget allowed none; start a new run with a larger one"
    return f"the first said: {failed[0].error}; correct that and start a new run"
