"""The report says what the journal and the summary hold, and no more; nothing in the data can act on the page."""

import re
from dataclasses import asdict
from pathlib import Path

import pytest

from support.report_runs import KINDS, SMALL, Fake, Maker, Page, journal_of
from swarm.core.errors import RunError
from swarm.report import words, write_report
from swarm.report.examples import changes, contrast
from swarm.statistics.intervals import Difference
from swarm.statistics.multiple_comparisons import Comparison, Interval
from swarm.statistics.verdict import judge


@pytest.fixture(scope="module")
def run() -> Fake:
    return KINDS["plain"]()


@pytest.mark.parametrize("kind", KINDS)
def test_pages_are_whole_and_need_nothing_else(kind: str, tmp_path: Path) -> None:
    html, markdown = KINDS[kind]().write(tmp_path)
    page = Page(html)
    assert page.open == []
    assert page.fetched == []
    assert "script" not in page.tags
    assert "@import" not in html
    assert "url(" not in html
    assert "nan" not in re.findall(r"[a-z]+", html.lower())
    assert "nan" not in re.findall(r"[a-z]+", markdown.lower())
    assert sorted(path.name for path in tmp_path.iterdir()) == ["report.html", "report.md"]


def test_headline_has_the_score_its_interval_and_the_differences(run: Fake, tmp_path: Path) -> None:
    html, markdown = run.write(tmp_path)
    test, found = run.summary["best"]["test"], run.summary["paired"]["uniform"]
    score = f"{100 * test['mean']:.1f} %"
    on = f"on 800 held-out test examples (95 % interval {100 * test['low']:.1f} to {100 * test['high']:.1f})."
    above = f"(uniform weights), +{100 * found['difference']:.1f} points"
    assert f"Composed expert: {score} {on}" in markdown
    assert f"<strong>{score}</strong> {on}" in html.replace("\u00a0", " ")
    experts = {name: gain for name, gain in run.summary["paired"].items() if name.startswith("expert:")}
    single = min(experts, key=lambda name: experts[name]["difference"])
    beside = f"points above the best single expert “{single.partition(':')[2]}”"
    for text in (html, markdown):
        opening = text[: text.index("held-out test examples")]
        assert above in opening.replace("\u00a0", " ")
        assert f"{100 * experts[single]['difference']:.1f} {beside}" in opening
        assert "points above the base (" in opening
        assert "points above uniform weights" not in text  # the comparison says it
        named = ", ".join(f"{name} {value:.3g}" for name, value in run.summary["best"]["coefficients"].items())
        assert f"Coefficients: {named}." in text
        assert "Uniform weights, 0.25 each: the best on search of 0.25, 0.5, 0.75, 1." in text


def judged(fake: Fake, doubt: float) -> Fake:
    """The run with a verdict, its corrected intervals `doubt` wider than those that stand alone."""
    paired = {
        name: found | {"corrected": {"low": found["low"] - doubt, "high": found["high"] + doubt}}
        for name, found in fake.summary["paired"].items()
    }
    compared = {
        name: Comparison(Difference(found["difference"], found["low"], found["high"]), Interval(**found["corrected"]))
        for name, found in paired.items()
    }
    verdict = asdict(judge(compared, fake.summary["best"]["source"], words.Unit(percent=True)))
    return Fake(fake.lines, fake.summary | {"paired": paired, "verdict": verdict})


@pytest.mark.parametrize("doubt", [0.0, 0.01, 0.06, 0.4])
def test_no_sentence_claims_what_the_verdict_does_not(run: Fake, doubt: float, tmp_path: Path) -> None:
    fake = judged(run, doubt)
    corrected = {name: found["corrected"] for name, found in fake.summary["paired"].items()}
    html, markdown = fake.write(tmp_path)
    for text in (html, markdown):
        assert (" points above " in text) == any(found["low"] > 0 for found in corrected.values())
        assert ("points above the base" in text) == (corrected["base"]["low"] > 0)
        for found in corrected.values():
            assert words.Unit(percent=True).interval(found["low"], found["high"]) in text
        assert "corrected for the number of comparisons: they hold for all baselines at once" in text
        assert "not corrected" not in text
        assert "not corrected" not in text
    kind = "verdict found" if fake.summary["verdict"]["found"] else "verdict"
    assert f'<p class="{kind}">' in html


@pytest.mark.parametrize("kind", KINDS)
def test_a_run_without_corrected_intervals_says_that_each_stands_alone(kind: str, tmp_path: Path) -> None:
    fake = KINDS[kind]()
    for text in fake.write(tmp_path):
        assert "These intervals are not corrected" in text
        assert "Its 95 % intervals are not corrected for the number of comparisons" in text.replace("\u00a0", " ")
        assert "at once" not in text
        assert 'class="verdict' not in text


def test_a_baseline_that_won_is_explained_once(tmp_path: Path) -> None:
    for text in judged(KINDS["uniform wins"](), 0.0).write(tmp_path):
        assert text.count("the result is uniform weights.") == 1
        assert "No improvement over uniform weights was found" in text


def test_nothing_is_claimed_where_the_interval_includes_zero() -> None:
    unit = words.Unit(percent=True)
    assert words.claim(unit, "the base", Difference(0.01, -0.02, 0.04)).startswith(
        "no difference from the base is shown (+1.0"
    )
    assert words.claim(unit, "the base", Difference(0.0, 0.0, 0.0)).startswith("no difference from")
    assert words.claim(unit, "the base", Difference(-0.03, -0.05, -0.01)) == "3.0 points below the base (−5.0 to −1.0)"
    assert words.claim(unit, "the base", Difference(0.11, 0.071, 0.15)) == "11.0 points above the base (7.1 to 15.0)"


def test_a_winning_baseline_is_called_so_and_not_compared_with_itself(tmp_path: Path) -> None:
    html, markdown = KINDS["uniform wins"]().write(tmp_path)
    for text in (html, markdown):
        assert "Uniform weights: " in text
        assert "Composed expert" not in text
        assert "No searched weighting did better than uniform weights in the selection" in text
        assert "no difference from uniform weights" not in text


@pytest.mark.parametrize("stop", ["start", "search", "selection", "test"])
def test_an_unfinished_run_says_so_with_what_is_known(run: Fake, stop: str, tmp_path: Path) -> None:
    kinds = [line["kind"] for line in run.lines]
    ends = {"start": 1, "search": 130, "selection": kinds.index("select") + 12, "test": kinds.index("test")}
    html, markdown = Fake(run.lines[: ends[stop]], {}).write(tmp_path)
    for text in (html, markdown):
        assert "Unfinished" in text
        assert "Composed expert:" not in text
        assert ">composed<" not in text  # the map has the best so far alone
        assert ("No candidate has a score yet" in text) == (stop == "start")
        assert ("The search is over" in text) == (stop in ("selection", "test"))


def test_a_chosen_but_untested_best_is_unfinished(run: Fake, tmp_path: Path) -> None:
    lines = [line for line in run.lines if line["kind"] != "test"]
    summary = run.summary | {"best": run.summary["best"] | {"test": None}}
    for text in Fake(lines, summary).write(tmp_path):
        assert "the best is chosen, but has no score on the test split" in text


def test_an_empty_journal_is_the_users_to_mend(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="no start line"):
        write_report(tmp_path, [], None)


@pytest.mark.parametrize(
    "evil", ["</pre><script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "a\x00b", "`|[x](y)\n# h"]
)
def test_data_cannot_act_on_the_page(evil: str, tmp_path: Path) -> None:
    maker = Maker(sizes=SMALL, iterations=3, failures=0.3)
    fake = maker.run()
    for line in fake.lines:
        line |= {"error": evil, "worker": evil}
        if line["kind"] == "start":
            for item in line["items"]["letters"]["test"]:
                item |= {"prompt": evil, "answer": evil, "id": evil, "task": item["task"] + evil}
            line |= {
                "optimizer": evil,
                "notes": [evil],
                "coordinates": [evil],
                "experts": {evil: {"path": evil, "fingerprint": evil}},
            }
        if "outputs" in line:
            line["outputs"] = {"letters": [evil] * len(line["outputs"]["letters"])}
    fake.summary["best"]["coefficients"] = {evil: {evil: -0.5, "b": 0.2}}
    html, markdown = fake.write(tmp_path)
    page = Page(html)
    assert page.open == []
    assert page.fetched == []
    assert not {"script", "img"} & set(page.tags)
    assert "\n# h" not in markdown
    assert not re.search(r"(?m)^[^`]*<(script|img)", markdown.replace(r"\<", ""))


def test_scores_outside_the_unit_interval_are_plain_numbers_without_right_and_wrong(tmp_path: Path) -> None:
    html, markdown = Maker(plain=("letters",), sizes=SMALL, iterations=4).run().write(tmp_path)
    for text in (html, markdown):
        assert "ewly right" not in text
        assert "against every source" not in text
    assert "points" not in html
    assert re.search(r"Composed expert: −\d\.\d+ on 60", markdown)


@pytest.mark.parametrize("kind", KINDS)
def test_every_chart_is_named_for_those_who_do_not_see_it(kind: str, tmp_path: Path) -> None:
    html, _ = KINDS[kind]().write(tmp_path)
    charts = re.findall(r"<svg [^>]*>(?:<title>)?", html)
    drawn = [chart for chart in charts if 'role="img"' in chart]
    assert len(drawn) >= 12
    assert all(chart.endswith("<title>") and "aria-label=" in chart for chart in drawn)
    assert all('aria-hidden="true"' in chart for chart in charts if chart not in drawn)


@pytest.mark.parametrize("kind", KINDS)
def test_every_chart_is_drawn_twice_and_says_how_to_read_it(kind: str, tmp_path: Path) -> None:
    html, _ = KINDS[kind]().write(tmp_path)
    readings = re.findall(r'<p class="caption reading">([^<]*)</p>', html)
    assert (
        html.count("<figure>") == len(readings) == html.count('<svg class="wide"') == html.count('<svg class="narrow"')
    )
    assert all(reading.endswith(".") for reading in readings)


def test_a_thousand_evaluations_are_a_small_page(tmp_path: Path) -> None:
    html, _ = Maker(iterations=50, sizes=SMALL).run().write(tmp_path)
    assert len(html.encode()) < 1_500_000


def test_the_same_journal_is_the_same_page(run: Fake, tmp_path: Path) -> None:
    assert run.write(tmp_path / "a" / "run") == run.write(tmp_path / "b" / "run")


def test_examples_shown_are_capped_and_the_rest_counted(run: Fake, tmp_path: Path) -> None:
    html, markdown = run.write(tmp_path)
    journal, best_id = journal_of(run.lines), run.summary["best"]["id"]
    found, against = changes(journal, best_id, "letters"), contrast(journal, best_id, "uniform", "letters")
    assert html.count('class="example"') == min(20, len(found.right)) + min(20, len(found.wrong))
    assert len(found.right) > 20
    assert f"and {len(found.right) - 20} more" in markdown
    rows = sum(table.count("<tr>") - 1 for table in re.findall(r'(?s)<table class="items">.*?</table>', html))
    assert rows == min(20, len(against.right)) + min(20, len(against.wrong))
    assert f"{len(against.right)} newly right and {len(against.wrong)} newly wrong" in html
    assert f"And {len(against.right) - 20} more newly right" in markdown


def test_coefficients_stand_with_their_range(tmp_path: Path) -> None:
    fake = KINDS["grouped"]()
    fake.summary["best"]["coefficients"]["sort"] = {"attention": 0.5, "mlp": -0.25, "embedding": 0.0}
    html, markdown = fake.write(tmp_path)
    assert "bar negative" in html
    assert 'class="good"' in html
    for text in (html, markdown):
        assert "no error bar: the coefficient itself may lie outside it" in text
        assert "of the bound" not in text
    (tmp_path / "config.yaml").write_text("composition: {low: -0.5, high: 1.0}\nobjectives: []\n")
    fake.summary["best"]["coefficients"]["sort"] = {"attention": 0.96, "mlp": 0.9, "embedding": 0.0}
    fake.summary["best"]["coefficients"] = {"sort": fake.summary["best"]["coefficients"]["sort"]}
    for text in fake.write(tmp_path):
        assert "Within 5 % of the bound composition.high, 1: sort, attention (0.96). " in text.replace("\u00a0", " ")
    assert re.search(r"\| sort \| mlp \| −0\.2500 \| −?\d\.\d{3} to −?\d\.\d{3} \|", markdown)
