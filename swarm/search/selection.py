"""Which candidates are scored on fresh examples, and which one wins: the part of a search that guards against luck.

The finalists are the best on the search split. They and the baselines are scored on the select split. The best by the
examples of both splits together wins, or, where the config says so, the best on the select split alone. Only the winner
and the baselines are scored on the test split.

The pooled mean uses all that is known of a candidate. The search split favours what the search went after, but much the
same among finalists, and it has the more examples: so the finalists differ by less luck (docs/algorithm.md). With
groups of parameters some finalists are favoured less than others, so the select split alone decides. Plain scores on
the search split are smoothed by a Gaussian process where they have a range and the exact bound of racing stops nobody.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from swarm.core.candidates import Candidate, Evaluation
from swarm.core.errors import RunError
from swarm.core.examples import Split
from swarm.core.space import Space
from swarm.journal.archive import Archive
from swarm.preferences.weighted_sum import equal_examples, utility, worth
from swarm.search.baselines import Baselines
from swarm.search.posterior_scores import Position, posterior_scores
from swarm.statistics.intervals import ANY, Range, Score
from swarm.statistics.winners_curse import Prior, predicted

SHARES = (0.5, 0.25, 0.75, 0.0)  # of the best candidate's spread of groups, at most, in the finalists that differ less
EVEN = 1e-6  # a spread of groups that is none
Searched = Mapping[Position, Mapping[str, float]]
"""Position -> objective -> what the search split says of its score."""


@dataclass(frozen=True)
class Selection:
    """How the archive's candidates are compared: by the weighted sum of their scores.

    archive: every evaluation so far.
    weights: of each objective.
    baselines: what the winner is compared with.
    soft: the finalists are the best by smoothed scores, as the optimizer saw them.
    pooled: the winner is the best by the examples of both splits together, by smoothed scores where all have them;
        else by the scores on the select split alone. With groups of parameters the search split does not count, but
        scores may be smoothed.
    ranges: objective -> the lowest and the highest score that an example can have, where they are known.
    smoothed_in: the space in which a Gaussian process smooths the scores on the search split that are pooled, where
        there are no smoothed scores; None: it does not. Not for optimizers of which racing stops candidates exactly:
        there the winner would depend on whether there is a race. Not for scores without a range.
    """

    archive: Archive
    weights: Mapping[str, float]
    baselines: Baselines
    soft: bool = False
    pooled: bool = False
    ranges: Mapping[str, Range] = field(default_factory=dict)
    smoothed_in: Space | None = None

    def finalists(self, count: int) -> list[Candidate]:
        """The best on the search split, at most `count`, and the finalists of a search that this one continues.

        These are scored already, so that a longer search never delivers less for having forgotten one. Baselines among
        them are none: they take part as such. Raises RunError where nothing was scored.
        """
        ranked = self.archive.ranked(self.weights, soft=self.soft)
        if not ranked:
            raise RunError(f"{self.archive.journal.path}: every candidate failed; {_first_error(self.archive)}")
        baselines = {candidate.position for candidate in self.baselines.all()}
        prior = (each for each in self.archive.prior_results() if each.candidate.position not in baselines)
        before = [each for each in prior if self._scored(each.candidate, "select")]
        found = (*self._varied(ranked, count), *(each.candidate for each in before if each.status == "ok"))
        return list({candidate.position: candidate for candidate in found}.values())

    def _varied(self, ranked: Sequence[Evaluation], count: int) -> list[Candidate]:
        """The first `count`; with groups of parameters half of them are the first of those whose groups differ less.

        What groups gain on the search split is partly luck, the more so the more coordinates there are. Candidates
        whose groups differ less have less of it; the examples of the select split tell which is better.
        """
        if self.baselines.groups is None:
            return [each.candidate for each in ranked[:count] if each.status == "ok"]
        whole = [each.candidate for each in ranked if each.status == "ok"]
        spread_N = self.baselines.groups.spread(np.array([candidate.position for candidate in whole]))
        first = (int(np.argmax(spread_N <= share * spread_N[0] + EVEN)) for share in SHARES[: count // 2])
        rows = dict.fromkeys((0, *(row for row in first if spread_N[row] < spread_N[0]), *range(len(whole))))
        return [whole[row] for row in list(rows)[:count]]

    def uniform(self) -> tuple[float, Candidate]:
        """The uniform average that is best on the search split, and the coefficient of every expert in it."""
        return max(self.baselines.uniforms.items(), key=lambda item: self._mean(item[1], "search"))

    def contenders(self) -> list[Candidate]:
        """The baselines that are scored on select and test."""
        return [*self.baselines.certain(), self.uniform()[1]]

    def members(self) -> list[Candidate]:
        """Whom the test split is opened for beside the winner and the baselines: the members of a front."""
        return []

    def winner(self, finalists: Iterable[Candidate]) -> Candidate:
        """The best by the rule; of equals the better on the select split, then on the search split, then the earlier.

        Raises RunError if all of them failed on the select split.
        """
        candidates = [*finalists, *self.contenders()]
        soft = self._has_soft(candidates)
        told = self._told(candidates, soft)
        best = max(
            candidates, key=lambda c: (self._value(c, soft, told), self._mean(c, "select"), self._mean(c, "search"))
        )
        if (found := self.archive.at(best.position, "select")) is not None and found.status == "failed":
            path = self.archive.journal.path
            raise RunError(
                f"{path}: every finalist failed on the select split: {found.error}; correct that and start a new run"
            )
        return best

    def predicted(self, finalists: Sequence[Candidate], winner: Candidate) -> dict[str, Score]:
        """Objective -> the winner's predicted score on fresh examples: its select score less the selection bias.

        The winner was chosen among the finalists and the baselines that are no worse than the worst finalist: the
        others had no chance, nor had a finalist that failed.
        """
        contenders = self.contenders()
        soft = self._has_soft([*finalists, *contenders])
        told = self._told([winner, *finalists, *contenders], soft)
        scored = [candidate for candidate in (winner, *finalists) if self._scored(candidate, "select")]
        bar = min((self._value(candidate, soft, told) for candidate in scored), default=math.inf)
        near = [*scored, *(c for c in contenders if self._value(c, soft, told) >= bar)]
        rows = {c.position: found for c in near if (found := self._scored(c, "select"))}
        if winner.position not in rows:
            return {}
        return {name: self._prediction(rows, name, told) for name in rows[winner.position].examples}

    def _prediction(self, rows: Mapping[Position, Evaluation], name: str, told: Searched) -> Score:
        """Of the first row's score on the objective. rows: on the select split."""
        scores_KP = [row.examples[name] for row in rows.values()]
        range_ = self.ranges.get(name, ANY)
        if not self.pooled or not rows.keys() <= told.keys() or self.baselines.groups is not None:
            return predicted(scores_KP, 0, None, range_)
        searched = self.archive.at(next(iter(rows)), "search")
        assert searched is not None, "all of them are told of"
        n, before = len(scores_KP[0]), len(searched.examples[name])
        prior = Prior([told[position][name] for position in rows], n / (n + before))
        return predicted(scores_KP, 0, prior, range_)

    def _value(self, candidate: Candidate, soft: bool, told: Searched) -> float:
        """What decides: the utility on the select split or, pooled, by the examples of both splits."""
        select, search = self._scored(candidate, "select"), self._scored(candidate, "search")
        if select is None:
            return -math.inf
        if not self.pooled:
            return utility(select.scores, self.weights)
        if search is None or self.baselines.groups is not None:
            return worth(select, self.weights, soft)
        n, before = (equal_examples(found.examples, self.weights) for found in (select, search))
        pooled = n * worth(select, self.weights, soft) + before * utility(told[candidate.position], self.weights)
        return pooled / (n + before)

    def _told(self, candidates: Sequence[Candidate], soft: bool) -> Searched:
        """What the search split says of those that are scored there: by smoothed scores where all have them, else by
        the means of a Gaussian process or, where there is to be none, by scores."""
        found = {c.position: e for c in candidates if (e := self._scored(c, "search"))}
        plain = {position: {**e.scores, **e.soft} if soft else e.scores for position, e in found.items()}
        counts = self.pooled and self.baselines.groups is None
        if not found or not counts or self.smoothed_in is None or any(e.soft for e in found.values()):
            return plain
        known = [*self.searched(), *(e for c in self.baselines.all() if (e := self._scored(c, "search")))]
        distinct = list({e.candidate.position: e for e in known}.values())
        means = posterior_scores(self.smoothed_in, distinct, self.weights, list(found))
        return plain if means is None else dict(zip(found, means, strict=True))

    def searched(self) -> list[Evaluation]:
        """What the search and the one that it continues have scored in full, each position once."""
        every = [*self.archive.prior_results(), *self.archive.searched()]
        return list({e.candidate.position: e for e in every if e.status == "ok"}.values())

    def _has_soft(self, candidates: Iterable[Candidate]) -> bool:
        """Whether all of them have smoothed scores of the same objectives on both splits. Older journals have not."""
        found = [self._scored(candidate, split) for candidate in candidates for split in ("select", "search")]
        return len({frozenset(each.soft) for each in found if each}) == 1

    def _mean(self, candidate: Candidate, split: Split) -> float:
        found = self._scored(candidate, split)
        return -math.inf if found is None else utility(found.scores, self.weights)

    def _scored(self, candidate: Candidate, split: Split) -> Evaluation | None:
        """The full evaluation of a candidate's position on a split; None where there is none."""
        found = self.archive.at(candidate.position, split)
        return found if found and found.status == "ok" else None


def _first_error(archive: Archive) -> str:
    failed: list[Evaluation] = archive.searched()
    if not failed:
        return "the budget allowed none; start a new run with a larger one"
    return f"the first said: {failed[0].error}; correct that and start a new run"
