"""The figures of the report show every number that they are about, and say what they omit."""

from xml.etree import ElementTree

import numpy as np
import pytest

from support.report_runs import EXPERTS, KINDS, SMALL, Fake, Maker, journal_of
from swarm.journal.records import Item
from swarm.report import words
from swarm.report.examples import Column, Contrast, Swap, TaskScores, TaskTable, by_task, contrast
from swarm.report.figures import bars, curves, svg
from swarm.report.figures.coefficient_bars import coefficients_figure
from swarm.report.figures.heatmap import tasks_figure
from swarm.report.figures.labels import HEIGHT, LETTER, Named, placed
from swarm.report.figures.svg import Figure
from swarm.report.figures.swarm_map import map_figure
from swarm.report.projection import MOST_MOVES, Axis, Plane, plane
from swarm.report.read_journal import Journal
from swarm.report.region import good_region
from swarm.report.score_table import Row
from swarm.report.search_curve import LEAST, SearchCurve, costs, search_curve
from swarm.statistics.intervals import Score

EQUAL = {"letters": 1.0, "likelihood": 1.0}
UNIT = words.Unit(percent=True)


@pytest.fixture(scope="module")
def run() -> Fake:
    return KINDS["failures"]()


@pytest.fixture(scope="module")
def journal(run: Fake) -> Journal:
    return journal_of(run.lines)


def classed(drawing: str, class_: str) -> list[ElementTree.Element]:
    found = [
        element for element in ElementTree.fromstring(drawing).iter() if class_ in element.get("class", "").split()
    ]
    return found


def count_dots(drawing: str, class_: str) -> int:
    return sum(element.get("d", "").count("h0") for element in classed(drawing, class_))


def texts(drawing: str) -> list[str]:
    return [element.text or "" for element in ElementTree.fromstring(drawing).iter("text")]


def test_every_candidate_is_a_dot_or_a_cross(run: Fake, journal: Journal) -> None:
    drawn = curves.search_curve_figure(search_curve(journal, "letters"), {}, UNIT, "")
    seen = map_figure(plane(journal, "letters", run.typed_summary.best), UNIT, "")
    scored = sum(line.status != "failed" for line in journal.evaluations)
    for figure, class_ in ((drawn, "dots"), (seen, "shade")):
        for drawing in (figure.wide, figure.narrow):
            assert count_dots(drawing, class_) == scored
            assert len(classed(drawing, "cross")) == len(journal.evaluations) - scored > 0


def test_of_very_many_dots_a_part_is_drawn_and_the_caption_says_so() -> None:
    many = 3 * svg.MOST_DOTS
    points = tuple((i / many, 0.5 + 0.1 * np.sin(i)) for i in range(many))
    drawn = curves.search_curve_figure(SearchCurve(many, 1, points, ((0.5, 0.6),), (), ()), {}, UNIT, "")
    axes = (Axis(0.6, (("a", 1.0),)), Axis(0.4, (("b", 1.0),)))
    seen = map_figure(Plane(axes, np.array(points), tuple(0.5 for _ in points), points[:1], ()), UNIT, "")
    for figure, class_ in ((drawn, "dots"), (seen, "shade")):
        assert 0 < count_dots(figure.wide, class_) <= svg.MOST_DOTS
        assert f"of {many:,}" in figure.caption


def test_the_map_names_its_axes_and_its_landmarks(run: Fake, journal: Journal) -> None:
    found = plane(journal, "letters", run.typed_summary.best)
    figure = map_figure(found, UNIT, "")
    said = texts(figure.wide)
    for arrow, axis in zip("→↑", found.axes, strict=True):
        assert any(text.startswith(f"{arrow} {100 * axis.share:.0f} % of the variance: ") for text in said)
    assert {"composed", "uniform", "base", "start", *EXPERTS} <= set(said)
    assert [len(classed(figure.wide, kind)) for kind in ("expert", "base")] == [2 * len(EXPERTS), 2]  # mark and name


def test_an_arrow_is_a_move_of_a_particle_up_to_the_last_generation(run: Fake, journal: Journal) -> None:
    found = plane(journal, "letters", run.typed_summary.best)
    dots = map(tuple, found.candidates_NK.tolist())
    at = {(line.iteration, line.particle): dot for line, dot in zip(journal.evaluations, dots, strict=True)}
    last = max(iteration for iteration, _ in at)
    assert found.moves[-20:] == tuple((at[last - 1, i], at[last, i]) for i in range(20))
    assert set(found.moves) <= {(at[t - 1, i], at[t, i]) for t, i in at if t > 0}
    figure = map_figure(found, UNIT, "")
    assert 20 < len(classed(figure.wide, "head")) == len(found.moves) <= MOST_MOVES
    assert "particle and its velocity" in [key.words for key in figure.legend]


def test_candidates_without_velocities_have_no_arrows(run: Fake) -> None:
    start, *others = run.lines
    found = plane(journal_of([start | {"optimizer": "random"}, *others]), "letters", None)
    assert found.moves == ()
    figure = map_figure(found, UNIT, "")
    assert not classed(figure.wide, "head")
    assert "velocity" not in figure.caption


@pytest.mark.parametrize("seed", range(5))
def test_labels_are_inside_the_frame_and_do_not_overlap(seed: int) -> None:
    random = np.random.default_rng(seed)
    marks = [Named(*random.uniform((20, 20), (180, 120)), f"name-{i}" * (1 + i % 2), "t") for i in range(12)]
    labels = ElementTree.fromstring(f"<svg>{placed(marks, (0, 0, 200, 140), [(20, 20), (180, 120)])}</svg>").iter(
        "text"
    )
    boxes = []
    for label in labels:
        left, bottom = float(label.get("x")) - 1, float(label.get("y")) + 3
        boxes.append((left, bottom - HEIGHT, left + LETTER * len(label.text) + 2, bottom))
    assert boxes
    assert all(a >= -0.1 and b >= -0.1 and c <= 200.1 and d <= 140.1 for a, b, c, d in boxes)
    for i, one in enumerate(boxes):
        for other in boxes[:i]:
            across = min(one[2], other[2]) - max(one[0], other[0])
            down = min(one[3], other[3]) - max(one[1], other[1])
            assert min(across, down) < 0.2


def test_a_single_label_always_fits() -> None:
    assert "here" in placed([Named(5, 5, "here", "t")], (0, 0, 100, 100), [])


def test_the_heat_map_shows_the_means(run: Fake, journal: Journal) -> None:
    table = by_task(journal, run.summary["best"]["id"], "letters")
    figure = tasks_figure(table, UNIT, "")
    for drawing in (figure.wide, figure.narrow):
        numbers = [element.text for element in classed(drawing, "number")]
        assert numbers == [f"{100 * mean:.0f}" for task in table.tasks for mean in task.means]
        bold = [element.text for element in classed(drawing, "top")]
        assert set(bold) == {f"{100 * max(task.means):.0f}" for task in table.tasks}
        shades = [float(element.get("fill-opacity")) for element in classed(drawing, "heat")]
        assert len(shades) == len(numbers)
        assert np.all(np.diff(np.array(shades)[np.argsort([m for task in table.tasks for m in task.means])]) >= 0)
        assert all(f"{task.task}, n = {task.n}" in texts(drawing) for task in table.tasks)


def test_of_very_many_experts_the_lowest_are_omitted_and_counted() -> None:
    experts = [Column(f"expert:{i}", "expert", f"e{i}") for i in range(40)]
    columns = (Column("base", "base", "base"), *experts, Column("u", "uniform", "uniform"), Column("b", "best", "best"))
    tasks = tuple(TaskScores(f"t{k}", 10, (0.0, *(i / 40 for i in range(40)), 0.5, 0.9)) for k in range(2))
    figure = tasks_figure(TaskTable(columns, tasks), UNIT, "")
    for drawing in (figure.wide, figure.narrow):
        said = texts(drawing)
        kept = [i for i in range(40) if f"e{i}" in said]
        assert {"base", "uniform", "composed"} <= set(said)
        assert kept == list(range(40 - len(kept), 40))
        assert any(f"{40 - len(kept)} experts" in text for text in said)


def test_an_iteration_of_few_candidates_has_no_quartiles() -> None:
    maker = Maker(sizes=SMALL, iterations=6, particles=LEAST - 1)
    maker.search()
    found = search_curve(journal_of(maker.lines), "letters")
    assert found.populations == ()
    figure = curves.search_curve_figure(found, {}, UNIT, "")
    assert count_dots(figure.wide, "dots") == 6 * (LEAST - 1)
    assert classed(figure.wide, "band") == []


def test_the_generalisation_gap_is_shown_with_the_prediction_and_the_best_baseline() -> None:
    scores = {split: Score(mean, mean - 0.05, mean + 0.05, 200) for split, mean in
              {"search": 0.7, "select": 0.65, "test": 0.6}.items()}  # fmt: skip
    baseline = Row("uniform", "uniform", "Uniform weights", None, None, Score(0.5, 0.45, 0.55, 200), None)
    found = bars.SplitScores(scores, Score(0.62, 0.57, 0.67, 200), 0.1, baseline)
    figure = bars.optimism_figure(found, UNIT, "")
    assert list(found.bars) == ["search", "select", "predicted", "test"]
    widths = [float(bar.get("width")) for bar in classed(figure.wide, "split")]
    assert np.array(widths) / widths[0] == pytest.approx(np.array([0.7, 0.65, 0.62, 0.6]) / 0.7, abs=0.01)
    (line,) = (element for element in classed(figure.wide, "reference") if element.tag == "line")
    start = float(classed(figure.wide, "split")[0].get("x"))
    assert (float(line.get("x1")) - start) / widths[0] == pytest.approx(0.5 / 0.7, abs=0.01)
    assert "50.0 %" in figure.legend[0].words
    assert figure.title == "Generalisation gap (search − test): +10.0 points"
    assert "Predicted from select, before test was used: 62.0 % (95 % interval 57.0 to 67.0)" in figure.caption
    assert "lower than the select score, as the best of several finalists tends to be a lucky one" in figure.caption
    near = words.prediction(UNIT, Score(0.83496, 0.8, 0.87, 200), None, Score(0.835, 0.8, 0.87, 200))
    assert "lower" not in near, "not where both are shown alike"
    assert figure.caption.endswith("The interval measured on test overlaps it.")
    assert list(bars.SplitScores(scores, None, 0.1, None).bars) == ["search", "select", "test"]


@pytest.mark.parametrize("top", [0.42, 0.578, 0.6, 0.97, 1.0])
def test_no_score_lies_above_the_highest_tick(top: float) -> None:
    found = SearchCurve(2, 1, ((1.0, 0.1), (2.0, top)), ((1.0, 0.1), (2.0, top)), (), ())
    drawing = curves.search_curve_figure(found, {}, UNIT, "").wide
    assert max(float(text[:-2]) for text in texts(drawing) if text.endswith(" %")) >= 100 * top - 1e-9


def test_coefficients_are_drawn_within_their_ticks_with_the_bounds_of_the_search() -> None:
    found = {"a": {"": 1.46}, "b": {"": -0.2}}
    for bounds, drawn in (((-0.5, 1.5), 2), ((-90.0, 90.0), 0), (None, 0)):
        figure = coefficients_figure(found, None, "", bounds)
        assert bool(figure.legend) == bool(drawn)
        for drawing, per_row in ((figure.wide, 1), (figure.narrow, len(found))):
            assert len(classed(drawing, "bound")) == drawn * per_row
            ticks = [float(text.replace("−", "-")) for text in texts(drawing) if text.strip("−0123456789.") == ""]
            assert {1.46, -0.2} <= set(ticks)  # their own column
            assert min(ticks) <= -0.2
            assert max(ticks) >= 1.5


def test_a_label_keeps_off_dots_where_it_can() -> None:
    mark = Named(100, 70, "here", "t")
    free = ElementTree.fromstring(placed([mark], (0, 0, 200, 140), []))
    dots = [(x, 70.0) for x in range(112, 140, 4)]
    moved = ElementTree.fromstring(placed([mark], (0, 0, 200, 140), [], dots))
    left, bottom = float(moved.get("x")), float(moved.get("y"))
    assert (free.get("x"), free.get("y")) != (moved.get("x"), moved.get("y"))
    assert not any(left <= x <= left + 4 * LETTER and bottom - HEIGHT <= y <= bottom for x, y in dots)


def test_newly_right_and_wrong_are_segments_of_one_bar() -> None:
    swap = Swap(Item(id="a", task="", prompt="", answer=""), "", "")
    found = Contrast("uniform", (swap,) * 30, (swap,) * 10, 40, 20)
    figure = bars.contrast_figure(found, "")
    widths = [float(part.get("width")) + 1.5 for part in classed(figure.wide, "part")]
    assert np.array(widths) / svg.WIDE == pytest.approx([0.4, 0.3, 0.1, 0.2], abs=0.001)
    assert texts(figure.wide) == ["40", "30", "10", "20"]
    assert "30 newly right and 10 newly wrong" in figure.title
    assert not found.has_words


@pytest.mark.parametrize("kind", ["plain", "grouped", "many groups"])
def test_each_coefficient_has_a_dot_and_the_range_of_the_near_best(kind: str) -> None:
    fake = KINDS[kind]()
    journal = journal_of(fake.lines)
    region, coefficients = good_region(journal, EQUAL), fake.typed_summary.best.coefficients
    named = {e: dict(zip(region.ranges[e], groups.values(), strict=True)) for e, groups in coefficients.items()}
    figure = coefficients_figure(named, region)
    for drawing in (figure.wide, figure.narrow):
        assert len(classed(drawing, "bar")) == len(classed(drawing, "good")) == len(journal.start.coordinates)
    assert classed(coefficients_figure(named).wide, "good") == []


@pytest.mark.parametrize("kind", KINDS)
def test_no_label_is_outside_its_figure(kind: str) -> None:
    for figure in pictures(KINDS[kind]()):
        for drawing in (figure.wide, figure.narrow):
            root = ElementTree.fromstring(drawing)
            width = float(root.get("width"))
            for text in root.iter("text"):
                if text.get("x") is None:
                    continue  # slanted heads rise over the right edge, for which the column leaves room
                left = float(text.get("x")) - {"start": 0, "middle": 0.5, "end": 1}[
                    text.get("text-anchor")
                ] * 6.4 * len(text.text)
                assert left >= -4, text.text
                assert left + 6.4 * len(text.text) <= width + 12, text.text


def pictures(fake: Fake) -> list[Figure]:
    journal = journal_of(fake.lines)
    best = fake.typed_summary.best
    units = {name: words.Unit(name == "letters") for name in journal.objectives}
    drawn = [
        coefficients_figure(best.coefficients, good_region(journal, EQUAL)),
        bars.time_figure(costs(journal, None)),
    ]
    for name, unit in units.items():
        scores = {split: found[name] for split, found in best.scores.items()}
        drawn.append(bars.optimism_figure(bars.SplitScores(scores, scores["select"], 0.1, None), unit, ""))
        drawn.append(curves.search_curve_figure(search_curve(journal, name), {}, unit, ""))
        drawn.append(map_figure(plane(journal, name, best), unit, ""))
        drawn.append(tasks_figure(by_task(journal, best.id, name), unit, ""))
        drawn.append(bars.contrast_figure(contrast(journal, best.id, "uniform", name), ""))
    return [figure for figure in drawn if figure]


@pytest.mark.parametrize(("low", "high"), [(0, 1), (0.31, 0.74), (-5.2, 3.1), (0, 400), (1e-4, 2e-4), (-1e6, 1e6)])
@pytest.mark.parametrize("most", [4, 7, 10])
def test_ticks_are_few_round_and_inside(low: float, high: float, most: int) -> None:
    found = svg.ticks(low, high, most)
    assert 2 <= len(found) <= most
    assert all(low - 1e-9 <= tick <= high + 1e-9 for tick in found)


def test_shades_rise_with_the_score() -> None:
    found = [svg.shade(value, 0.2, 0.8) for value in np.linspace(0, 1, 50)]
    assert found == sorted(found)
    assert set(found) == set(range(svg.SHADES))
    assert svg.shade(0.5, 0.5, 0.5) == 0


def test_figures_without_data_are_omitted() -> None:
    journal = journal_of(Maker(sizes=SMALL).lines)
    assert curves.search_curve_figure(search_curve(journal, "letters"), {}, UNIT, "") is None
    assert map_figure(plane(journal, "letters", None), UNIT, "") is None
    assert tasks_figure(None, UNIT, "") is None
    assert coefficients_figure({}) is None
    assert bars.optimism_figure(bars.SplitScores({}, None, 0.1, None), UNIT, "") is None
    assert bars.time_figure(costs(journal, None)) is None


def test_a_baseline_that_won_is_not_compared_with_itself() -> None:
    titles = [figure.title for figure in pictures(KINDS["uniform wins"]())]
    assert "Test scores by task" in titles
    assert "All coefficients are equal: 0.25" in titles
    assert not any("Compared with the uniform" in title for title in titles)
