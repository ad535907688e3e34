"""The verdict: found only where the best is better than every baseline; otherwise it names those it does not beat."""

import json
import shutil
from pathlib import Path

import pytest

from support.playground import run_cli
from swarm.statistics.intervals import Difference
from swarm.statistics.multiple_comparisons import SAME, Comparison, Interval
from swarm.statistics.verdict import Verdict, judge
from swarm.statistics.wording import Unit

POINTS, PLAIN = Unit(percent=True), Unit(percent=False)


def by(difference: float, low: float, high: float) -> Comparison:
    return Comparison(Difference(difference, low, high), Interval(low, high))


WON, MORE = by(0.052, 0.031, 0.073), by(0.2, 0.15, 0.25)
EVEN, LOST = by(0.004, -0.019, 0.027), by(-0.03, -0.05, -0.01)


def said(source: str = "search", unit: Unit = POINTS, **found: Comparison | None) -> Verdict:
    """Experts by name; `base` and `uniform` are those."""
    keys = {name: name if name in ("base", "uniform") else f"expert:{name}" for name in found}
    return judge({keys[name]: one for name, one in found.items()}, source, unit)


def test_few_examples_demonstrate_nothing_and_the_verdict_says_why() -> None:
    found = {"base": EVEN, "uniform": by(0.09, -0.02, 0.2)}
    assert judge(found, "search", POINTS, examples=20) == Verdict(
        False,
        "An improvement over any of the 2 baselines is not demonstrated: against the base, the strongest of these, the "
        "difference on test is +0.4 points (95 % interval −1.9 to +2.7, corrected for 2 comparisons). With 20 test "
        "examples the smallest detectable difference is about 19.6 points.",
    )
    assert "is about 0.1100." in judge({"base": by(0.09, -0.02, 0.2)}, "search", PLAIN, examples=20).text
    assert "No improvement over the base was found" in judge({"base": LOST}, "search", POINTS, examples=20).text
    assert judge({"base": WON}, "search", POINTS, examples=20).found


def test_where_only_baselines_were_scored_nothing_is_said_of_composed_experts() -> None:
    verdict = judge({"base": SAME, "uniform": WON}, "base", POINTS, composed=0)
    assert not verdict.found
    assert verdict.text.startswith("No claim is possible about composed experts: only baselines were scored")
    assert "Raise optimizer.evaluations" in verdict.text


def test_better_than_every_baseline_is_found() -> None:
    assert said(base=MORE, upper=MORE, uniform=WON) == Verdict(
        True,
        "The composed expert is better than every baseline, by at least 3.1 points (95 % confidence, corrected for 3 "
        "comparisons). Over the strongest baseline, uniform weights, the improvement on test is +5.2 points (95 % "
        "interval +3.1 to +7.3).",
    )


def test_what_it_is_better_by_at_least_holds_for_every_baseline() -> None:
    assert said(base=MORE, upper=by(0.06, 0.043, 0.077), next=by(0.065, 0.024, 0.106)).text == (
        "The composed expert is better than every baseline, by at least 2.4 points (95 % confidence, corrected for 3 "
        "comparisons). Over the strongest baseline, expert upper, the improvement on test is +6.0 points (95 % "
        "interval +4.3 to +7.7)."
    )


def test_what_it_is_no_better_than_is_named() -> None:
    assert said(base=MORE, upper=EVEN, next=WON, uniform=WON) == Verdict(
        False,
        "No improvement over expert upper was found: the difference on test is +0.4 points (95 % interval −1.9 to "
        "+2.7, corrected for 4 comparisons). The composed expert is better than the other 3 baselines.",
    )
    assert said(base=MORE, upper=EVEN, uniform=by(0.01, -0.01, 0.03)).text == (
        "No improvement over expert upper or uniform weights was found: against expert upper, the strongest of "
        "these, the difference on test is +0.4 points (95 % interval −1.9 to +2.7, corrected for 3 comparisons). The "
        "composed expert is better than the base."
    )


def test_of_many_the_first_are_named_and_the_rest_counted() -> None:
    text = said(base=MORE, a=EVEN, b=EVEN, c=EVEN, d=EVEN, e=EVEN).text
    assert text.startswith("No improvement over expert a, expert b, expert c or 2 others was found: against expert a, ")
    assert "difference on test is +0.4 points" in text


def test_no_better_than_any() -> None:
    text = said(base=EVEN, upper=EVEN, uniform=EVEN).text
    assert text.startswith("No improvement over any of the 3 baselines was found: against the base, the strongest of")
    assert "is better" not in text


def test_worse_is_called_worse() -> None:
    verdict = said(base=MORE, upper=LOST, next=EVEN)
    assert not verdict.found
    assert verdict.text == (
        "No improvement over expert upper or expert next was found: against expert upper, the strongest of these, the "
        "difference on test is −3.0 points (95 % interval −5.0 to −1.0, corrected for 3 comparisons). The composed "
        "expert is worse than expert upper. It is better than the base."
    )


def test_a_baseline_that_won_is_nothing_found() -> None:
    verdict = said("expert:upper", base=MORE, upper=SAME, uniform=MORE)
    assert verdict == Verdict(
        False,
        "No improvement over expert upper was found: no other weighting did better in the selection, so the "
        "result is expert upper.",
    )


def test_nothing_is_claimed_against_what_was_not_scored() -> None:
    verdict = said(base=MORE, upper=None, uniform=WON)
    assert verdict == Verdict(
        False,
        "No claim is possible about expert upper: no score on test. The composed expert is better than the "
        "other 2 baselines (95 % confidence, corrected for 2 comparisons).",
    )
    nothing = Verdict(False, "No claim is possible: there are no scores on test to compare.")
    assert said(base=None, upper=None) == said() == nothing


def test_scores_that_are_no_percentages_are_plain_numbers() -> None:
    text = said(unit=PLAIN, base=by(0.5, 0.25, 0.75), uniform=by(0.125, 0.03, 0.22)).text
    assert "by at least 0.03000 (95 % confidence, corrected for 2 comparisons)" in text
    assert "the improvement on test is +0.1250 (95 % interval +0.03000 to +0.2200)" in text
    assert "points" not in text


@pytest.mark.parametrize("found", [WON, EVEN, LOST], ids=["better", "even", "worse"])
def test_it_is_at_most_three_sentences(found: Comparison) -> None:
    text = said(base=found, a=LOST, b=EVEN, c=MORE, uniform=found).text
    assert 1 <= text.count(". ") + text.endswith(".") <= 3


def test_a_run_says_its_verdict_everywhere(finished_run: Path, tmp_path: Path) -> None:
    """In summary.json, at the end of the table, and in both reports; a run of before has none and is shown."""
    run = shutil.copytree(finished_run, tmp_path / "run")
    summary = json.loads((run / "summary.json").read_text())
    text = summary["verdict"]["text"]
    assert set(summary["verdict"]) == {"found", "text"}
    assert plain(text) in plain(run_cli("test", run).out)
    assert plain(text) in plain((run / "report.html").read_text())
    assert plain(text) in plain((run / "report.md").read_text())
    del summary["verdict"]
    (run / "summary.json").write_text(json.dumps(summary))
    assert run_cli("test", run).code == 0
    assert "No improvement over" not in run_cli("test", run).out
    assert "is better than every baseline" not in run_cli("test", run).out


def plain(text: str) -> str:
    """Without line breaks, fixed spaces, Markdown's backslashes and the kind of minus."""
    return " ".join(text.replace("\u00a0", " ").replace("\\", "").replace("−", "-").split())
