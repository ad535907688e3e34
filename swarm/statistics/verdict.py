"""Whether anything was found, in sentences: the corrected intervals of best minus each baseline, on test."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from swarm.statistics.multiple_comparisons import Comparison
from swarm.statistics.wording import Unit, baseline_name

NAMED = 3  # of several baselines; the others are counted
OURS = "composed expert"


@dataclass(frozen=True)
class Verdict:
    """found: the best is better than every baseline, all comparisons of the objective allowed for. text: one to three
    sentences.
    """

    found: bool
    text: str


def judge(compared: Mapping[str, Comparison | None], source: str, unit: Unit) -> Verdict:
    """What may be claimed of one objective. The correction is for its baselines, not for other objectives.

    compared: baseline -> best minus it on test, or None where one of them has no score there. source: "search", or the
    baseline that is the best.
    """
    known = {name: found for name, found in compared.items() if found}
    if source != "search":
        best = baseline_name(source)
        why = f"no other weighting did better on the select split, and {best} is the result"
        return Verdict(False, f"Nothing was found that is better than {best}: {why}.")
    if not known:
        return Verdict(False, "Nothing can be claimed: there are no scores on test to compare.")
    if rivals := {name: found for name, found in known.items() if not found.better}:
        return Verdict(False, " ".join(_not_found(rivals, known, unit)))
    if missing := [baseline_name(name) for name in compared if name not in known]:
        return Verdict(False, " ".join(_untested(missing, known)))
    return Verdict(True, _found(known, unit))


def _found(known: Mapping[str, Comparison], unit: Unit) -> str:
    top = _strongest(known)
    least = min(found.corrected.low for found in known.values())  # not always the strongest's: others may vary more
    return (
        f"The {OURS} is better than every baseline, by at least {unit.size(least)} {_allowed(known)} "
        f"({_change(known[top], unit)} on test over {baseline_name(top)}, the best of them, "
        f"{_interval(known[top], unit)})."
    )


def _untested(missing: Sequence[str], known: Mapping[str, Comparison]) -> list[str]:
    has = "has" if len(missing) == 1 else "have"
    return [
        f"Nothing can be claimed against {_listed(missing, 'or')}, which {has} no score on test.",
        f"The {OURS} is better than {_others(list(known))}, {_allowed(known)}.",
    ]


def _not_found(rivals: Mapping[str, Comparison], known: Mapping[str, Comparison], unit: Unit) -> list[str]:
    top = _strongest(rivals)
    over = f" over {baseline_name(top)}, the best of them" if len(rivals) > 1 else ""
    change, interval = _change(rivals[top], unit), _interval(rivals[top], unit)
    whom = _whom(list(rivals), len(known))
    sentences = [f"Nothing was found that is better than {whom}: {change} on test{over}, {interval} {_allowed(known)}."]
    if worse := [baseline_name(name) for name, found in rivals.items() if found.worse]:
        sentences.append(f"The {OURS} is worse than {_listed(worse, 'and')}.")
    if beaten := [name for name in known if name not in rivals]:
        sentences.append(f"It is better than {_others(beaten)}.")
    return sentences


def _strongest(known: Mapping[str, Comparison]) -> str:
    """The baseline that is best on test."""
    return min(known, key=lambda name: known[name].alone.difference)


def _whom(rivals: Sequence[str], known: int) -> str:
    if 1 < len(rivals) == known:
        return f"any of the {known} baselines"
    return _listed([baseline_name(name) for name in rivals], "or")


def _others(names: Sequence[str]) -> str:
    return baseline_name(names[0]) if len(names) == 1 else f"the other {len(names)} baselines"


def _listed(names: Sequence[str], word: str) -> str:
    """ "a, b or c"; of more than NAMED the rest are counted."""
    shown = list(names[:NAMED])
    if len(names) > NAMED:
        rest = len(names) - NAMED
        shown.append(f"{rest} other{'s' if rest > 1 else ''}")
    return f" {word} ".join(filter(None, [", ".join(shown[:-1]), shown[-1]]))


def _allowed(known: Mapping[str, Comparison]) -> str:
    return f"once the {len(known)} comparisons are allowed for" if len(known) > 1 else "with 95 % confidence"


def _change(found: Comparison, unit: Unit) -> str:
    return unit.change(found.alone.difference) + (" points" if unit.percent else "")


def _interval(found: Comparison, unit: Unit) -> str:
    return f"{unit.change(found.corrected.low)} to {unit.change(found.corrected.high)}"
