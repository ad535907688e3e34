"""Whether an improvement was found, in sentences: from the corrected intervals of best minus each baseline on test."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from swarm.statistics.multiple_comparisons import Comparison
from swarm.statistics.power import FEW, smallest_difference
from swarm.statistics.wording import Unit, baseline_name

NAMED = 3  # of several baselines; the others are counted, so that the sentence stays short
OURS = "composed expert"


@dataclass(frozen=True)
class Verdict:
    """What may be claimed of one objective.

    found: whether the best is better than every baseline, by the corrected intervals.
    text: one to three sentences.
    """

    found: bool
    text: str


def judge(
    compared: Mapping[str, Comparison | None], source: str, unit: Unit, examples: int = FEW, composed: int = 1
) -> Verdict:
    """What may be claimed of one objective. The correction is for its baselines, not for other objectives.

    compared: baseline -> the best compared with it on test; None where one of the two has no score there.
    source: "search", or the baseline that is the best.
    examples: how many the test split has.
    composed: how many positions that are no baseline were scored.
    """
    known = {name: found for name, found in compared.items() if found}
    if source != "search":
        best = baseline_name(source)
        if not composed:
            return Verdict(False, _untried(best))
        why = f"no other weighting did better in the selection, so the result is {best}"
        return Verdict(False, f"No improvement over {best} was found: {why}.")
    if not known:
        return Verdict(False, "No claim is possible: there are no scores on test to compare.")
    if undecided := {name: found for name, found in known.items() if not found.better}:
        return Verdict(False, " ".join(_not_found(undecided, known, unit, examples)))
    if missing := [baseline_name(name) for name in compared if name not in known]:
        return Verdict(False, " ".join(_untested(missing, known)))
    return Verdict(True, _found(known, unit))


def _found(known: Mapping[str, Comparison], unit: Unit) -> str:
    top = _strongest(known)
    least = min(found.corrected.low for found in known.values())  # not always the strongest's: others may vary more
    return (
        f"The {OURS} is better than every baseline, by at least {unit.size(least)} "
        f"(95 % confidence{_corrected(known)}). Over the strongest baseline, {baseline_name(top)}, the improvement "
        f"on test is {_change(known[top], unit)} ({_interval(known[top], unit)})."
    )


def _untested(missing: Sequence[str], known: Mapping[str, Comparison]) -> list[str]:
    return [
        f"No claim is possible about {_listed(missing, 'or')}: no score on test.",
        f"The {OURS} is better than {_others(list(known))} (95 % confidence{_corrected(known)}).",
    ]


def _untried(best: str) -> str:
    return (
        f"No claim is possible about composed experts: only baselines were scored, and of these {best} did best in "
        "the selection. Raise optimizer.evaluations."
    )


def _not_found(
    undecided: Mapping[str, Comparison], known: Mapping[str, Comparison], unit: Unit, examples: int
) -> list[str]:
    top = _strongest(undecided)
    worse = [baseline_name(name) for name, found in undecided.items() if found.worse]
    few = examples < FEW and not worse
    against = f"against {baseline_name(top)}, the strongest of these, " if len(undecided) > 1 else ""
    whom = _whom(list(undecided), len(known))
    sentences = [
        f"{f'An improvement over {whom} is not demonstrated' if few else f'No improvement over {whom} was found'}: "
        f"{against}the difference on test is {_change(undecided[top], unit)} "
        f"({_interval(undecided[top], unit)}{_corrected(known)})."
    ]
    if few:
        sentences.append(_power(undecided[top], unit, examples))
    if worse:
        sentences.append(f"The {OURS} is worse than {_listed(worse, 'and')}.")
    if beaten := [name for name in known if name not in undecided]:
        sentences.append(f"{'It' if worse else f'The {OURS}'} is better than {_others(beaten)}.")
    return sentences


def _power(found: Comparison, unit: Unit, examples: int) -> str:
    """Why nothing can be shown: what the test split can tell apart, by its size or, of any scores, as it turned out."""
    width = (found.corrected.high - found.corrected.low) / 2
    smallest = smallest_difference(examples) if unit.percent else width
    n = f"{examples} test example{'s' if examples > 1 else ''}"
    return f"With {n} the smallest detectable difference is about {unit.size(smallest)}."


def _strongest(known: Mapping[str, Comparison]) -> str:
    """The baseline that is best on test."""
    return min(known, key=lambda name: known[name].uncorrected.difference)


def _whom(undecided: Sequence[str], known: int) -> str:
    if 1 < len(undecided) == known:
        return f"any of the {known} baselines"
    return _listed([baseline_name(name) for name in undecided], "or")


def _others(names: Sequence[str]) -> str:
    return baseline_name(names[0]) if len(names) == 1 else f"the other {len(names)} baselines"


def _listed(names: Sequence[str], word: str) -> str:
    """ "a, b or c"; of more than NAMED the rest are counted."""
    shown = list(names[:NAMED])
    if len(names) > NAMED:
        rest = len(names) - NAMED
        shown.append(f"{rest} other{'s' if rest > 1 else ''}")
    return f" {word} ".join(filter(None, [", ".join(shown[:-1]), shown[-1]]))


def _corrected(known: Mapping[str, Comparison]) -> str:
    return f", corrected for {len(known)} comparisons" if len(known) > 1 else ""


def _change(found: Comparison, unit: Unit) -> str:
    return unit.change(found.uncorrected.difference) + (" points" if unit.percent else "")


def _interval(found: Comparison, unit: Unit) -> str:
    return f"95 % interval {unit.change(found.corrected.low)} to {unit.change(found.corrected.high)}"
