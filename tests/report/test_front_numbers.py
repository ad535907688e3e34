"""The numbers in the report of a front: hypervolume so far, what experts do to objectives, where floors stand."""

import json
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from support.made_fronts import FRONTS, rows_of, summary_of
from support.report_runs import Fake, journal_of
from swarm.core.dominance import non_dominated
from swarm.preferences.front import hypervolume
from swarm.report.front import search_scores
from swarm.report.front_curve import front_curve
from swarm.report.interference import interference, linear_fit
from swarm.report.place_costs import place_cost_words


@pytest.fixture(scope="module")
def three() -> Fake:
    return FRONTS["three"]()


def test_the_hypervolume_only_grows_and_ends_at_the_whole_front(three: Fake) -> None:
    journal, front = journal_of(three.lines), summary_of(three).front
    assert front is not None
    curve = front_curve(journal, front.reference)
    assert curve is not None
    assert curve.points[-1][0] == curve.total == sum(not line.repeated for line in journal.searched)
    assert all(after[1] >= before[1] - 1e-12 for before, after in pairwise(curve.points))
    scores_NK = search_scores(journal, front.objectives)
    whole = hypervolume(scores_NK[np.isfinite(scores_NK).all(axis=1)], np.array(list(front.reference.values())))
    assert curve.points[-1][1] == pytest.approx(whole)


def test_failed_and_stopped_candidates_are_no_part_of_a_front(three: Fake) -> None:
    lines = [dict(line) for line in three.lines]
    first = next(i for i, line in enumerate(lines) if line["kind"] == "evaluation")
    lines[first] |= {"status": "stopped", "scores": dict.fromkeys(lines[first]["scores"], 1e9)}
    journal, front = journal_of(lines), summary_of(three).front
    assert front is not None
    curve = front_curve(journal, front.reference)
    assert curve is not None
    assert curve.points[0] == (1, 0.0)
    assert curve.points[-1][1] < 1e9


def test_the_observed_front_is_what_no_candidate_dominates(three: Fake) -> None:
    rows = rows_of(three)
    scores_NK = search_scores(journal_of(three.lines), rows.front.objectives)
    assert len(rows.observed) == int(non_dominated(scores_NK).sum()) > 1


def test_interference_is_expert_minus_base_and_a_known_plane_is_found(three: Fake) -> None:
    summary = summary_of(three)
    lines = json.loads(json.dumps(three.lines))
    slopes = {"reverse": 2.0, "sort": -1.0, "count": 0.5, "upper": 0.0}
    for line in lines:
        if line["kind"] == "evaluation":
            plane = 3.0 + sum(slope * at for slope, at in zip(slopes.values(), line["position"], strict=True))
            line["scores"] |= {"likelihood": plane}
    journal = journal_of(lines)
    found = interference(journal, summary.baselines, ("letters", "likelihood"))
    assert found is not None
    for split, effects in found.alone.items():
        for expert in found.experts:
            alone, base = (summary.baselines[key].scores[split]["letters"].mean for key in (f"expert:{expert}", "base"))
            assert effects[expert, "letters"] == pytest.approx(alone - base)
    assert found.fit is not None
    for expert, slope in slopes.items():
        assert found.fit.slopes[expert, "likelihood"] == pytest.approx(slope, abs=1e-9)
    assert found.fit.explained["likelihood"] == pytest.approx(1.0)
    assert 0.0 <= found.fit.explained["letters"] <= 1.0


def test_interference_tells_weights_and_logits_of_an_expert_apart(three: Fake) -> None:
    """In coefficients: where a unit of a coordinate is 0.5, the slope is twice that of the position."""
    lines = json.loads(json.dumps(three.lines))
    lines[0]["coordinates"] = ["reverse.weights", "reverse.logits", "sort.weights", "count.logits"]
    slopes = {"reverse": 2.0, "reverse.logits": -1.0, "sort": 0.5, "count": 0.25}
    for line in lines:
        if line["kind"] == "evaluation":
            plane = sum(slope * at for slope, at in zip(slopes.values(), line["position"], strict=True))
            line["scores"] |= {"likelihood": plane}
    journal = replace(journal_of(lines), scales={"reverse.logits": 0.5})
    found = linear_fit(journal, ("likelihood",))
    assert found is not None
    expected = {(name, "likelihood"): slope for name, slope in (slopes | {"reverse.logits": -2.0}).items()}
    assert found.slopes == pytest.approx(expected, abs=1e-9)


def test_a_mixed_report_says_what_a_candidate_takes_in_each_place(three: Fake, tmp_path: Path) -> None:
    lines = json.loads(json.dumps(three.lines))
    lines[0]["coordinates"] = ["reverse.weights", "reverse.logits", "sort.weights", "count.logits"]
    searched = [line for line in lines if line["kind"] == "evaluation" and line["status"] == "ok"][:6]
    positions = [(1, 0, 0, 0), (0, 1, 0, 0), (0.5, 0.5, 0, 0), (0, 0, 0, 1), (0, 0, 0, 0), (0, 0, 2, 0)]
    for line, position, seconds in zip(searched, positions, (10.0, 1.0, 30.0, 3.0, 0.1, 20.0), strict=True):
        line.update(position=list(position), seconds=seconds)
    journal = journal_of([lines[0], *searched])
    assert place_cost_words(tmp_path, journal) == ""
    (tmp_path / "config.yaml").write_text("composition: {type: mixed}")
    expected = "20 s where weights take part (3 candidates), 2.0 s on logits alone (2 candidates)"
    assert place_cost_words(tmp_path, journal) == expected


def test_no_slope_is_given_where_the_candidates_do_not_tell_experts_apart(three: Fake) -> None:
    lines = json.loads(json.dumps(three.lines))
    for line in lines:
        if line["kind"] == "evaluation":
            line["position"] = [line["position"][0]] * 4
    assert linear_fit(journal_of(lines), ("letters",)) is None
    assert linear_fit(journal_of(three.lines[:4]), ("letters",)) is None


def test_a_floor_from_the_base_stands_at_the_bases_select_score() -> None:
    fake = FRONTS["floors"]()
    rows = rows_of(fake)
    base = next(member for member in rows.front.members if member.id == "base").select
    assert base is not None
    assert rows.floors == {"letters": 0.1, "digits": pytest.approx(base["digits"].mean - 0.02)}
