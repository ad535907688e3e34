"""The report of a front and of floors: every member, what dominates it, what the front gives, and how it was chosen."""

import json
import math
import re
from html import unescape
from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree

import pytest

from support.made_fronts import FRONTS, FrontMaker, rows_of, summary_of
from support.report_runs import KINDS, Fake, Page, journal_of
from swarm.journal.front_words import coverage_claim, floors_words
from swarm.report.figures.front_parallel import parallel_figure
from swarm.report.figures.front_scatter import scatter_figure
from swarm.report.figures.svg import Figure
from swarm.report.score_table import units
from swarm.report.words import Unit

NUMBER = re.compile(r"−?\d+\.\d+")
EVIL = "<b>&|`*]\u202e\x1b[31m"


@pytest.fixture(scope="module", params=FRONTS)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def fake(kind: str) -> Fake:
    return FRONTS[kind]()


@pytest.fixture(scope="module")
def pages(fake: Fake, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    return fake.write(tmp_path_factory.mktemp("front") / "run")


@pytest.fixture(scope="module")
def three() -> Fake:
    return FRONTS["three"]()


def plain(html: str) -> str:
    """The words of a page."""
    return unescape(re.sub(r"<[^>]+>", " ", html)).replace("\u00a0", " ")


def members_table(html: str) -> list[str]:
    """Its rows, as HTML."""
    table = re.search(r'<table class="members">(.*?)</table>', html, re.DOTALL)
    return re.findall(r"<tr class=.*?</tr>", table[1], re.DOTALL) if table else []


def test_pages_are_whole_and_need_nothing_else(pages: tuple[str, str]) -> None:
    html, markdown = pages
    page = Page(html)
    assert page.open == []
    assert page.fetched == []
    assert "script" not in page.tags
    for text in (html, markdown):
        assert "nan" not in re.findall(r"[a-z]+", text.lower())
    levels = [int(level) for level in re.findall(r"<h(\d)", html)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))
    assert "url(" not in html


def test_every_member_has_a_row_and_the_delivered_one_is_first(fake: Fake, pages: tuple[str, str]) -> None:
    html, markdown = pages
    members, rows = fake.summary["front"]["members"], members_table(html)
    assert len(rows) == len(members)
    assert "(delivered)" in rows[0]
    assert sum("(delivered)" in row for row in rows) == 1
    assert markdown.count(" (delivered) |") >= 1
    for member in members:
        name = member["id"]
        if ":" not in name and name != "base":
            assert any(re.search(rf">{name}( \(delivered\))?<", row) for row in rows), name
            assert f"| {name} " in markdown


def test_who_is_dominated_is_marked_and_says_by_whom(fake: Fake, pages: tuple[str, str]) -> None:
    html, _ = pages
    rows = members_table(html)
    dominated = [m for m in fake.summary["front"]["members"] if m["dominated_by"]]
    assert sum('class="dominated"' in row for row in rows) == sum("dominated by" in row for row in rows)
    assert sum("dominated by" in row for row in rows) == len(dominated) > 0


def test_html_and_markdown_have_the_same_numbers(fake: Fake, pages: tuple[str, str]) -> None:
    html, markdown = pages
    section = re.search(r"## The (?:front|finalists).*?\n\n(\|.*?)\n\n", markdown, re.DOTALL)
    assert section
    lines = section[1].splitlines()[2:]
    rows = members_table(html)
    assert len(lines) == len(rows)
    floors = len(fake.summary["front"]["floors"])
    for line, row in zip(lines, rows, strict=True):
        cells = line.strip("| ").split(" | ")
        scores = cells[2 : len(cells) - 1 - floors] + cells[len(cells) - floors :]
        shown = plain(re.sub(r"<th.*?</th>", "", row, flags=re.DOTALL))
        assert NUMBER.findall(" ".join(scores))
        assert set(NUMBER.findall(" ".join(scores))) == set(NUMBER.findall(shown))


def test_what_the_front_gives_comes_first_and_no_objective_is_said_to_fail(fake: Fake, pages: tuple[str, str]) -> None:
    html, markdown = pages
    front = summary_of(fake).front
    assert front is not None
    first = plain(re.search(r"<h1[^>]*>(.*?)</h1>", html, re.DOTALL)[1])  # type: ignore[index]
    claim = coverage_claim(front)
    assert bool(claim) == front.apart
    if not front.kept:
        assert first.startswith("No candidate keeps the floors")
        assert markdown.split("\n\n")[1].startswith("**No candidate keeps the floors")
    elif front.apart:
        assert first.lower() == f"{claim}.".lower()
    if front.apart:
        assert claim.lower() in plain(html).lower()
        assert claim[-20:] in markdown
        assert "No improvement" not in html + markdown
        assert 'class="verdict' not in html
    else:
        assert 'class="verdict found"' in html


@pytest.mark.parametrize("kind", ["floors", "best with floors", "one objective"])
def test_floors_are_said_to_be_kept_with_their_bounds(kind: str, tmp_path: Path) -> None:
    fake = FRONTS[kind]()
    html, markdown = fake.write(tmp_path / "run")
    front = summary_of(fake).front
    assert front is not None
    sentence = floors_words(front, summary_of(fake).best.id)
    assert "keeps every floor" in sentence
    for name, floor in front.floors.items():
        assert f"{name}: lower bound " in sentence
        assert f"floor {floor}" in sentence
    assert sentence[1:] in plain(html)
    assert html.count("kept: ") == len(front.members) * len(front.floors)
    assert "not kept" not in html + markdown


def test_a_floor_that_is_not_kept_is_marked_in_every_row(tmp_path: Path) -> None:
    fake = FRONTS["broken"]()
    html, markdown = fake.write(tmp_path / "run")
    rows = members_table(html)
    assert all('<small class="broken">not kept: ' in row for row in rows)
    assert markdown.count("not kept (") == len(rows)
    assert 'class="headline loud"' in html


def test_groups_are_a_table_only_where_there_are_any_and_the_worst_is_marked(
    fake: Fake, pages: tuple[str, str]
) -> None:
    html, markdown = pages
    has = any(member["groups"] for member in fake.summary["front"]["members"])
    assert ("Groups: the utility" in html) == ("## Groups: " in markdown) == has
    if has:
        table = re.search(r"Groups: the utility.*?</table>", html, re.DOTALL)[0]  # type: ignore[index]
        rows = re.findall(r"<tr class=.*?</tr>", table, re.DOTALL)
        assert len(rows) == sum(not row.dominated_by for row in rows_of(fake).rows)
        assert all(row.count(" worst") == 1 and row.rstrip().endswith('<td class="n">north</td></tr>') for row in rows)


def test_the_rule_and_how_to_ask_another_are_said(fake: Fake, pages: tuple[str, str]) -> None:
    html, markdown = pages
    for text in (plain(html), markdown.replace("\\", "")):
        assert "weighted_sum:letters=0.5" in text
        assert "swarm export RUN DEST --select RULE" in text
    if fake.summary["front"]["kept"]:
        assert "The rule compared the means of both splits." in plain(html)


def test_later_decisions_are_listed_and_damage_is_passed_over(tmp_path: Path) -> None:
    fake = FRONTS["two"]()
    folder = tmp_path / "run"
    folder.mkdir()
    records = [
        {"time": "2026-01-02T03:04:05Z", "action": "export", "rule": {"type": "knee"}, "candidate": "1-1", "by": EVIL},
        {"action": "dial", "preference": {"letters": 0.25, "digits": 0.75}, "candidate": "2-2"},
        {"action": "plural", "cluster": ["north", "south"], "candidate": "3-3"},
    ]  # fmt: skip
    lines = [*map(json.dumps, records), "{not json", "[]", json.dumps({"rule": "knee"})]
    (folder / "decisions.jsonl").write_text("\n".join(lines))
    html, markdown = fake.write(folder)
    table = html.rpartition("Another rule can be asked")[2].partition("</table>")[0]
    assert table.count("<tr>") == 1 + len(records)
    for words in ("knee", "letters=0.25, digits=0.75", "north, south", "1-1", "2-2", "3-3", "2026-01-02T03:04:05Z"):
        assert words in plain(table)
        assert words in markdown
    assert not [char for char in ("<b>", "\u202e", "\x1b") if char in table + markdown]


def test_names_cannot_act_on_the_page(tmp_path: Path) -> None:
    text = json.dumps([FRONTS["two"]().lines, FRONTS["two"]().summary]).replace("digits", json.dumps(EVIL)[1:-1])
    html, markdown = Fake(*json.loads(text)).write(tmp_path / "run")
    assert Page(html).fetched == []
    assert not [char for char in ("<b>", "\u202e", "\x1b") if char in html + markdown]


def test_an_unfinished_front_shows_its_hypervolume_so_far(tmp_path: Path) -> None:
    fake = FRONTS["two"]()
    lines = [dict(line) for line in fake.lines[:40]]
    base = dict.fromkeys(fake.summary["front"]["reference"], 0.0)
    lines.insert(1, lines[1] | {"id": "0-99", "position": [0.0] * 4, "scores": base})
    folder = tmp_path / "run"
    folder.mkdir()
    for goal, shown in (("front", True), ("best", False)):
        objectives = "".join(f"  - {{name: {name}}}\n" for name in base)
        (folder / "config.yaml").write_text(f"optimizer: {{goal: {goal}}}\nobjectives:\n{objectives}")
        html, markdown = Fake(lines, {}).write(folder)
        assert ("The observed front reached a hypervolume" in html) == shown
        assert ("The observed front reached a hypervolume" in markdown) == shown


@pytest.mark.parametrize("kind", ["plain", "two objectives"])
def test_an_ordinary_run_has_nothing_of_a_front(kind: str, tmp_path: Path) -> None:
    html, markdown = KINDS[kind]().write(tmp_path)
    for word in ("hypervolume", "dominate", "floor", "--select"):
        assert word not in (html + markdown).lower()


# What is drawn.


def figure_of(fake: Fake) -> Figure:
    found, named = rows_of(fake), units(journal_of(fake.lines))
    if len(found.front.objectives) == 2:
        return scatter_figure(found, [named[name] for name in found.front.objectives])
    return parallel_figure(found, named)


def classed(drawing: str, class_: str) -> list[ElementTree.Element]:
    return [each for each in ElementTree.fromstring(drawing).iter() if class_ in each.get("class", "").split()]


@pytest.mark.parametrize("kind", ["two", "floors", "broken"])
def test_a_scatter_has_every_member_on_select_and_the_tested_ones_on_test(kind: str) -> None:
    fake = FRONTS[kind]()
    rows = rows_of(fake).rows
    tested = sum(row.member.test is not None for row in rows)
    for drawing in (figure_of(fake).wide, figure_of(fake).narrow):
        panels = [group for group in ElementTree.fromstring(drawing) if group.tag == "g"]
        marks = [sum("mark" in each.get("class", "").split() for each in panel.iter()) for panel in panels]
        assert marks[:2] == [len(rows), tested]
        assert all(0 < near <= whole for near, whole in zip(marks[2:], marks[:2], strict=False))
        assert bool(classed(drawing, "floor")) == bool(fake.summary["front"]["floors"])
        assert classed(drawing, "reference-point")
        assert classed(drawing, "observed")


def test_parallel_coordinates_have_a_line_for_every_member(three: Fake) -> None:
    rows = rows_of(three)
    tested = sum(row.member.test is not None for row in rows.rows)
    for drawing in (figure_of(three).wide, figure_of(three).narrow):
        tracks = [t for t in classed(drawing, "track") if not {"halo", "observed"} & set(t.get("class", "").split())]
        assert len(tracks) == len(rows.rows) + tested
        assert len(classed(drawing, "best")) >= 2
        assert len(classed(drawing, "observed")) == 2 * len(rows.observed)


@pytest.mark.parametrize("kind", ["two", "three", "floors", "broken", "grouped"])
def test_what_is_dominated_is_faded_and_no_label_is_outside(kind: str) -> None:
    fake = FRONTS[kind]()
    faded = [row for row in rows_of(fake).rows if row.dominated_by and not row.chosen]
    for drawing in (figure_of(fake).wide, figure_of(fake).narrow):
        assert len(classed(drawing, "faded")) >= len(faded) > 0
        root = ElementTree.fromstring(drawing)
        assert root.get("role") == "img"
        assert root.get("aria-label")
        assert all(math.isfinite(float(text.get("x", "0"))) for text in root.iter("text"))
        assert all(float(text.get("x", "0")) <= float(root.get("width", "0")) for text in root.iter("text"))


def test_every_chart_is_drawn_twice_and_named(pages: tuple[str, str]) -> None:
    html, _ = pages
    readings = re.findall(r'<p class="caption reading">([^<]*)</p>', html)
    drawn = html.count('<svg class="wide"')
    assert html.count("<figure>") == len(readings) == drawn == html.count('<svg class="narrow"')
    assert all(reading.endswith(".") for reading in readings)


def test_plain_numbers_stay_plain(three: Fake, tmp_path: Path) -> None:
    """An objective that is no percentage has an axis of its own, and slopes without points."""
    assert units(journal_of(three.lines))["likelihood"] == Unit(percent=False)
    _, markdown = three.write(tmp_path / "run")
    heads = re.search(r"\| expert \|(.*)\n", markdown)
    assert heads
    assert "likelihood, slope" in heads[1]


def test_the_same_run_is_the_same_page(tmp_path: Path) -> None:
    made = [FrontMaker(("letters", "digits")).run().write(tmp_path / name / "run") for name in "ab"]
    assert made[0] == made[1]
