"""What the report works out of the journal: its course, its good region, its plane, who was right where."""

from pathlib import Path

import numpy as np
import pytest

from support.report_runs import EXPERTS, KINDS, SMALL, TASKS, UNIFORM, Fake, Maker, journal_of
from swarm.core.errors import RunError
from swarm.report import score_table
from swarm.report.examples import by_task, changes, contrast
from swarm.report.projection import plane
from swarm.report.read_journal import Journal
from swarm.report.region import LEAST, good_region
from swarm.report.search_curve import MOST, costs, search_curve, troubles
from swarm.report.weights import read_weights

EQUAL = {"letters": 1.0, "likelihood": 1.0}


@pytest.fixture(scope="module")
def run() -> Fake:
    return KINDS["plain"]()


@pytest.fixture(scope="module")
def journal(run: Fake) -> Journal:
    return journal_of(run.lines)


def best_id(run: Fake) -> str:
    return str(run.summary["best"]["id"])


def right(journal: Journal, id: str) -> np.ndarray:
    return np.array(journal.tests[id].examples["letters"]) > 0.5


def test_newly_right_and_wrong_follow_their_definition(run: Fake, journal: Journal) -> None:
    some = np.any([right(journal, id) for id in journal.tests if id == "base" or id.startswith("expert:")], axis=0)
    found, best = changes(journal, best_id(run), "letters"), right(journal, best_id(run))
    ids = [item.id for item in journal.start.items["letters"]["test"]]
    assert [change.item.id for change in found.right] == [ids[i] for i in np.flatnonzero(best & ~some)]
    assert [change.item.id for change in found.wrong] == [ids[i] for i in np.flatnonzero(~best & some)]
    assert found.right
    assert all(change.had for change in found.wrong)


def test_a_contrast_parts_the_test_examples(run: Fake, journal: Journal) -> None:
    found = contrast(journal, best_id(run), "uniform", "letters")
    best, other = right(journal, best_id(run)), right(journal, UNIFORM)
    items = journal.start.items["letters"]["test"]
    assert found.n == len(items)
    assert (found.both, found.neither) == ((best & other).sum(), (~best & ~other).sum())
    assert [swap.item for swap in found.right] == [items[i] for i in np.flatnonzero(best & ~other)]
    assert [swap.item for swap in found.wrong] == [items[i] for i in np.flatnonzero(~best & other)]
    assert all(swap.best_said == swap.item.answer != swap.other_said for swap in found.right)
    assert contrast(journal, UNIFORM, "uniform", "letters") is None


def test_the_best_baseline_is_never_the_best_itself(run: Fake) -> None:
    for fake, source in ((run, "search"), (KINDS["uniform wins"](), "uniform")):
        summary = fake.typed_summary
        rows = score_table.table(
            "letters", summary.best, score_table.find_baselines(journal_of(fake.lines), summary, EQUAL), summary
        )
        found = score_table.best_baseline(rows, summary.best)
        others = [row.test.mean for row in rows if row.kind != "best" and row.key != source]
        assert found.test.mean == max(others)
        assert found.key != source
        assert [row.key for row in rows if row.gain is None] == [summary.best.id] + [source] * (source != "search")


def test_a_position_is_known_under_all_its_names() -> None:
    fake = Maker(sizes=SMALL, iterations=2).run()
    finalist = next(line for line in fake.lines if line["kind"] == "select" and line["id"] == "expert:sort")
    fake.lines.append(finalist | {"id": "0-7", "split": "select"})
    lines = [line for line in fake.lines if (line["kind"], line.get("id")) != ("test", "expert:sort")]
    tested = next(line for line in fake.lines if (line["kind"], line.get("id")) == ("test", "expert:sort"))
    journal = journal_of([*lines, tested | {"id": "0-7"}])
    assert journal.tested["expert:sort"] == journal.tested["0-7"] == journal.tests["0-7"]


def test_best_so_far_only_rises_and_only_whole_evaluations_count() -> None:
    maker = Maker(iterations=4, sizes=SMALL)
    lines = maker.run().lines
    next(line for line in lines if line["kind"] == "evaluation").update(status="stopped", scores={"letters": 1.0})
    found = search_curve(journal_of(lines), "letters")
    heights = [score for _, score in found.best]
    assert heights == sorted(set(heights))
    assert heights[-1] < 1.0
    assert found.total == 4 * 19
    assert found.iterations == len(found.populations) == 4
    assert all(p.tenth <= p.low <= p.median <= p.high for p in found.populations)


def test_very_many_iterations_are_pooled() -> None:
    maker = Maker(iterations=2 * MOST + 1, particles=2, sizes={"search": 6, "select": 1, "test": 1})
    maker.search()
    found = search_curve(journal_of(maker.lines), "letters")
    assert (found.pooled, found.iterations) == (3, 2 * MOST + 1)
    assert len(found.populations) == (2 * MOST + 1) // 3


def test_every_candidate_stands_at_the_evaluations_made_by_then(journal: Journal) -> None:
    found = search_curve(journal, "letters")
    assert len(found.points) + len(found.failed) == len(journal.evaluations)
    made = np.cumsum([not line.repeated for line in journal.evaluations])
    assert [at for at, _ in found.points] == made.tolist()
    assert [score for _, score in found.points] == [line.scores["letters"] for line in journal.evaluations]
    assert found.total == made[-1] < len(journal.evaluations)


def test_failures_are_grouped_by_error_and_counted() -> None:
    fake = KINDS["failures"]()
    journal = journal_of(fake.lines)
    found = troubles(journal)
    unscored = sum(line.status == "failed" for line in journal.evaluations)
    assert sum(trouble.times for trouble in found) == len(journal.failures) + unscored > unscored > 0
    assert len({trouble.error for trouble in found}) == len(found)
    assert costs(journal, None).unscored == unscored == len(search_curve(journal, "letters").failed)


@pytest.mark.parametrize("kind", KINDS)
def test_the_good_region_is_led_by_the_highest_and_never_too_small(kind: str) -> None:
    journal = journal_of(KINDS[kind]().lines)
    whole = {line.id: line for line in journal.evaluations if line.status == "ok" and not line.repeated}
    found = good_region(journal, EQUAL)
    sums = [sum(whole[id].scores.values()) for id in found.ids]
    assert max(sum(line.scores.values()) for line in whole.values()) == pytest.approx(sums[0])
    assert found.compared == len(whole)
    assert len(found.ids) == len(set(found.ids)) == max(LEAST, found.alike)
    assert found.alike >= 1


def test_the_good_region_is_one_standard_error_wide(journal: Journal) -> None:
    found = good_region(journal, EQUAL)
    lines = {line.id: line for line in journal.evaluations}
    top = np.array(lines[found.ids[0]].examples["letters"])
    for line in journal.evaluations:
        behind = top - np.array(line.examples["letters"])
        is_alike = behind.mean() <= behind.std(ddof=1) / np.sqrt(len(behind)) + 1e-12
        assert line.repeated or is_alike == (line.id in found.ids[: found.alike])


@pytest.mark.parametrize("n", [2, 7, 90, 1000])
def test_one_example_of_difference_is_within_one_standard_error(n: int) -> None:
    maker = Maker(sizes=SMALL, iterations=1, particles=LEAST)
    maker.search()
    for right, line in zip((n, n, n - 1, 0, 0), maker.lines[1:], strict=True):
        examples = [1.0] * right + [0.0] * (n - right)
        line |= {"examples": {"letters": examples}, "scores": {"letters": right / n}, "n_examples": n}
    assert good_region(journal_of(maker.lines), EQUAL).alike == 3


def continued(fake: Fake, known: int) -> Fake:
    """The run as one that continues another, which made its first evaluations."""
    start, *others = fake.lines
    searched = [i for i, line in enumerate(others) if line["kind"] == "evaluation" and not line.get("same_as")][:known]
    first = [others[i] | {"kind": "known", "was": "evaluation", "id": f"first/{others[i]['id']}"} for i in searched]
    for line in first:
        del line["iteration"], line["particle"]
    rest = [line for i, line in enumerate(others) if i > searched[-1]]
    source = {"run": "/runs/it's first", "evaluations": known, "tested": False}
    return Fake([start | {"continued": source}, *first, *rest], fake.summary)


def test_a_continued_run_shows_what_was_known(run: Fake, journal: Journal, tmp_path: Path) -> None:
    fake = continued(run, 57)
    found, whole = search_curve(journal_of(fake.lines), "letters"), search_curve(journal, "letters")
    assert (found.known, found.total) == (57, whole.total)
    assert [score for _, score in found.best] == [score for _, score in whole.best]
    assert found.start == max(score for at, score in found.points if at <= 57) < found.best[-1][1]
    assert len(found.populations) == len(whole.populations) - 3
    assert good_region(journal_of(fake.lines), EQUAL).ranges == good_region(journal, EQUAL).ranges
    assert len(plane(journal_of(fake.lines), "letters", None).path) == len(found.best)
    html, markdown = fake.write(tmp_path)
    rise = f"rose from {100 * found.start:.1f} % to {100 * found.best[-1][1]:.1f} %"
    for text in (html.replace("\u00a0", " "), markdown):
        assert f"The best search score {rise} in {whole.total - 57} evaluations after 57 known ones" in text
        assert "swarm search config.yaml --continue-from" in text
    assert "beginning of this run" in html
    assert "known ones" not in run.write(tmp_path)[0]


def test_an_unfinished_search_has_the_baselines_that_it_met(run: Fake) -> None:
    maker = Maker(sizes=SMALL, iterations=2)
    maker.lines += [maker.line("evaluation", f"0-{i}", at, "search") for i, at in enumerate(maker.special().values())]
    maker.lines.append(maker.line("evaluation", "1-0", np.full(len(EXPERTS), 0.01), "search"))
    maker.lines.append(maker.line("evaluation", "1-1", np.array([1.0, 1.0, 0.0, 0.0]), "search"))
    lines = [line | {"iteration": 0, "particle": 0} if line["kind"] == "evaluation" else line for line in maker.lines]
    journal = journal_of(lines)
    assert set(score_table.find_baselines(journal, None, EQUAL)) == set(maker.special())
    assert {mark.name for mark in plane(journal, "letters", None).landmarks} == {"base", *EXPERTS}
    assert score_table.find_baselines(journal_of(run.lines[:9]), None, EQUAL) == {}


def test_the_start_of_the_workers_is_no_idle_time(run: Fake, journal: Journal) -> None:
    late = [line | {"elapsed": line["elapsed"] + 99.0} if "elapsed" in line else line for line in run.lines]
    found = dict(costs(journal_of(late), run.typed_summary).parts)
    assert found["start"] == pytest.approx(99 + 0.9 - 1.7)
    assert sum(found.values()) == pytest.approx(sum(size for _, size in costs(journal, run.typed_summary).parts))


@pytest.mark.parametrize("share", [0.0625, 0.5, 0.9375])
def test_the_objectives_weights_decide_which_candidates_are_good(share: float) -> None:
    fake = KINDS["two objectives"]()
    journal = journal_of(fake.lines)
    weights = {"letters": 4 * share, "likelihood": 4 * (1 - share)}
    lines = {line.id: line for line in journal.evaluations if not line.repeated}
    heights = {
        id: share * line.scores["letters"] + (1 - share) * line.scores["likelihood"] for id, line in lines.items()
    }
    found = good_region(journal, weights)
    assert heights[found.ids[0]] == pytest.approx(max(heights.values()))
    assert score_table.find_best(journal, None, weights).id == max(heights, key=heights.get)
    top = lines[found.ids[0]]
    for id, line in lines.items():
        behind, variance = 0.0, 0.0
        for name, part in (("letters", share), ("likelihood", 1 - share)):
            gap = np.array(top.examples[name]) - np.array(line.examples[name])
            behind, variance = behind + part * gap.mean(), variance + part**2 * gap.var(ddof=1) / len(gap)
        assert (behind <= np.sqrt(variance)) == (id in found.ids[: found.alike])


def test_weights_are_those_of_the_runs_config(tmp_path: Path) -> None:
    names = ("letters", "likelihood", "style")
    assert read_weights(tmp_path, names) == dict.fromkeys(names, 1.0)
    (tmp_path / "config.yaml").write_text("objectives: [{name: letters, weight: 0.25}, {name: likelihood}]\n")
    assert read_weights(tmp_path, names) == {"letters": 0.25, "likelihood": 1.0, "style": 1.0}
    (tmp_path / "config.yaml").write_text("objectives: [{name")
    with pytest.raises(RunError, match=r"config.yaml is not valid YAML .*put back"):
        read_weights(tmp_path, names)


def test_smoothed_scores_are_named_where_the_optimizer_climbs_them(tmp_path: Path) -> None:
    maker = Maker(sizes=SMALL, iterations=2)
    maker.search()
    lines = [line | {"soft": line["scores"]} if line["kind"] == "evaluation" else line for line in maker.lines]
    for soft, found in (("true", lines), ("false", lines), ("true", maker.lines)):
        (tmp_path / "config.yaml").write_text(f"optimizer: {{soft: {soft}}}\n")
        climbs = soft == "true" and found is lines
        for text in Fake(found, {}).write(tmp_path):
            assert ("climbs a smoothed form of these scores" in text) == climbs
            assert ("The search maximises these scores" in text) != climbs


def test_ranges_hold_most_of_the_good_ones(journal: Journal) -> None:
    found = good_region(journal, EQUAL)
    lines = {line.id: line for line in journal.evaluations}
    for d, name in enumerate(EXPERTS):
        values, good = np.array([lines[id].position[d] for id in found.ids]), found.ranges[name][""]
        assert values.min() <= good.low <= good.high <= values.max()
        assert np.mean((values >= good.low) & (values <= good.high)) >= 0.6


def test_too_few_candidates_have_no_good_region() -> None:
    maker = Maker(sizes=SMALL, iterations=1, particles=LEAST - 1)
    maker.search()
    assert good_region(journal_of(maker.lines), EQUAL) is None


@pytest.mark.parametrize("kind", KINDS)
def test_the_plane_holds_the_variance_that_it_says(kind: str) -> None:
    fake = KINDS[kind]()
    journal = journal_of(fake.lines)
    found = plane(journal, "letters", fake.typed_summary.best)
    x_ND, flat_NK = np.array([line.position for line in journal.evaluations]), found.candidates_NK
    shares_K = flat_NK.var(axis=0) / x_ND.var(axis=0).sum()
    assert [axis.share for axis in found.axes] == pytest.approx(list(shares_K))
    assert found.axes[0].share >= found.axes[1].share
    assert all(axis.pulls[0][1] > 0 for axis in found.axes)
    assert {mark.name for mark in found.landmarks} == {"base", "uniform", "best", *EXPERTS}
    assert found.landmarks[-1].kind == "best"


def test_the_same_position_is_the_same_point(run: Fake, journal: Journal) -> None:
    found = plane(journal, "letters", run.typed_summary.best)
    points = [*map(tuple, found.candidates_NK.tolist())]
    candidates = {line.id: at for line, at in zip(journal.evaluations, points, strict=True)}
    assert found.landmarks[-1].at == candidates[best_id(run)]
    scores = dict(zip(points, found.scores, strict=True))
    heights = [scores[at] for at in found.path]
    assert heights == sorted(set(heights))
    assert heights[-1] == max(found.scores)


def test_what_spans_no_plane_has_none() -> None:
    lines = Maker(sizes=SMALL, iterations=2).run().lines
    for line in lines:
        if line["kind"] == "evaluation":
            line["position"] = [1.0, 0.0, 0.0, 0.0]
    assert plane(journal_of(lines), "letters", None) is None
    assert plane(journal_of(lines[:1]), "letters", None) is None


def test_an_experts_name_may_hold_dots() -> None:
    lines = Maker(sizes=SMALL, iterations=1).lines
    maker = Maker(sizes=SMALL, iterations=1)
    source = {"path": "/a", "fingerprint": "0"}
    lines[0] |= {"experts": {"a": source, "a.b": source}, "coordinates": ["a.x", "a.b.x"]}
    line = maker.line("evaluation", "0-0", np.zeros(len(EXPERTS)), "search")
    lines.append(line | {"position": [1, 2], "scores": {"letters": 0.5}})
    journal = journal_of(lines)
    assert score_table.find_best(journal, None, EQUAL).coefficients == {
        "a": {"x": 1},
        "a.b": {"x": 2},
    }


def test_coefficients_keep_their_groups_names_and_signs() -> None:
    fake = KINDS["grouped"]()
    fake.summary["best"]["coefficients"]["sort"] = {"attention": 0.5, "mlp": -0.25, "embedding": 0.0}
    journal = journal_of(fake.lines)
    best = score_table.find_best(journal, fake.typed_summary, EQUAL)
    assert best.coefficients["sort"] == {"attention": 0.5, "mlp": -0.25, "embedding": 0.0}


def test_task_means_are_the_journals(run: Fake, journal: Journal) -> None:
    table = by_task(journal, best_id(run), "letters")
    assert {task.task for task in table.tasks} == set(TASKS)
    assert [column.name for column in table.columns] == ["base", *EXPERTS, "uniform", "best"]
    items = journal.start.items["letters"]["test"]
    for task in table.tasks:
        rows = [i for i, item in enumerate(items) if item.task == task.task]
        means = [np.mean([journal.tests[column.key].examples["letters"][i] for i in rows]) for column in table.columns]
        assert task.n == len(rows)
        assert list(task.means) == pytest.approx(means)


def test_without_tasks_there_is_no_table_of_them() -> None:
    fake = Maker(sizes=SMALL, iterations=2).run()
    for item in fake.lines[0]["items"]["letters"]["test"]:
        item["task"] = ""
    assert by_task(journal_of(fake.lines), best_id(fake), "letters") is None
