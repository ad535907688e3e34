"""Choices from a finished run's front: by every rule, without an evaluation, recorded so that they repeat."""

import csv
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

import swarm
from support.front_runs import RULE_TEXTS, front_config, front_run, rescore, trade_off
from support.playground import Playground, run_cli
from swarm.core.errors import RunError
from swarm.engines.transformers.engine import TransformersSettings
from swarm.preferences import RULES
from swarm.preferences.reading import read_rule, written_rule
from swarm.run.choice import Criterion, FinishedFront
from swarm.run.choice_report import listed_decisions
from swarm.run.decisions import FILE, append_decisions, read_decisions, repeated
from swarm.run.plural_choice import clusters_of

OF_TRADE_OFF = {
    "weighted_sum:a=0.9,b=0.1": 0,
    "weighted_sum:a=0.1,b=0.9": 2,
    "lexicographic:a=0.01,b=0": 0,
    "lexicographic:a=0.3,b=0": 1,
    "knee": 1,
    "egalitarian": 1,
    "nash": 1,
    "p_mean:p=-inf": 1,
    "tchebycheff": 1,
    "cvar:alpha=0.5": 1,
}


@pytest.fixture(scope="module")
def finished(playground: Playground) -> Path:
    return front_run(playground)


@pytest.fixture
def run(finished: Path, tmp_path: Path) -> Path:
    return shutil.copytree(finished, tmp_path / "run")


@pytest.fixture
def traded(run: Path) -> tuple[Path, list[str]]:
    """Three members that trade a against b, the best on a first."""
    return run, trade_off(run)


def chosen(run: Path, select: str) -> str:
    return FinishedFront.of(run).chosen(Criterion(read_rule(select))).candidate.id


def test_the_units_of_coefficients_are_read_once(run: Path) -> None:
    """A context map has a thousand rows: the file is not read for each."""
    found = FinishedFront.of(run)
    position = found.front.candidates[0].position
    told = found.coefficients(position)
    (run / "config.yaml").write_text("composition: [")
    assert found.coefficients(position) == told
    assert list(told.values()) == pytest.approx(list(position))


def test_every_rule_is_tried() -> None:
    assert set(RULE_TEXTS) == set(RULES)


@pytest.mark.parametrize("select", RULE_TEXTS.values(), ids=RULE_TEXTS)
def test_every_rule_chooses_where_no_model_is_left(select: str, run: Path, playground: Playground) -> None:
    """The config's base, experts and data lead nowhere, so nothing can be scored."""
    text = (run / "config.yaml").read_text()
    (run / "config.yaml").write_text(text.replace(str(playground.folder), str(run / "gone")))
    found = FinishedFront.of(run)
    choice = found.chosen(Criterion(read_rule(select)))
    assert choice.candidate in [found.front.candidates[row] for row in found.front.eligible()]
    assert choice.inputs
    assert run_cli("report", run, "--select", select).code == 0


@pytest.mark.parametrize("select", RULE_TEXTS.values(), ids=RULE_TEXTS)
def test_an_export_by_rule_opens_no_engine(
    select: str, run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def opened(*given: object) -> None:
        raise AssertionError("an engine was opened")

    monkeypatch.setattr(TransformersSettings, "open", opened)
    done = run_cli("export", run, tmp_path / "out", "--select", select, "--format", "recipe")
    assert (done.code, done.err) == (0, "")
    assert json.loads((tmp_path / "out" / "recipe.json").read_text())["candidate"] == chosen(run, select)
    assert "chosen" in (tmp_path / "out" / "README.md").read_text()


@pytest.mark.parametrize(("select", "place"), OF_TRADE_OFF.items())
def test_choices_known_by_hand(select: str, place: int, traded: tuple[Path, list[str]]) -> None:
    run, members = traded
    assert chosen(run, select) == members[place]


@pytest.mark.parametrize("select", RULE_TEXTS.values(), ids=RULE_TEXTS)
def test_a_rule_is_read_as_it_is_written(select: str) -> None:
    rule = read_rule(select)
    assert read_rule(written_rule(rule.model_dump(mode="json"))) == rule


def test_the_choice_of_the_search_comes_first_and_once(run: Path) -> None:
    (first,) = read_decisions(run)
    assert (first.action, first.candidate) == ("search", swarm.Run.load(run).best.id)
    assert first.exported is not None
    # As after a kill between this record and the end of the run.
    lines = (run / "journal.jsonl").read_text().splitlines(keepends=True)
    (run / "journal.jsonl").write_text("".join(lines[:-1]))
    assert run_cli("resume", run).code == 0
    assert run_cli("resume", run).code == 0
    assert read_decisions(run) == [first]


def test_every_recorded_choice_repeats(run: Path, tmp_path: Path) -> None:
    as_recipe = ("--format", "recipe", "--by", "ada")
    for i, select in enumerate(RULE_TEXTS.values()):
        assert run_cli("export", run, tmp_path / f"rule{i}", "--select", select, *as_recipe).code == 0
    more = [
        ("export", run, tmp_path / "low", "--select", "nash", "--compare", "lower_bounds", *as_recipe),
        ("export", run, tmp_path / "group", "--select", "borda", "--groups", "y", *as_recipe),
        ("export", run, tmp_path / "plural", "--plural", "--most", 2, *as_recipe),
        ("dial", run, "--prefer", "a=0.7,b=0.3", "-o", tmp_path / "dial", *as_recipe),
        ("dial", run, "--prefer", "a=2,b=3", "--member", "-o", tmp_path / "member", *as_recipe),
        ("report", run, "--select", "knee", "--by", "ada"),
    ]
    for words in more:
        done = run_cli(*words)
        assert done.code == 0, done
    found = FinishedFront.of(run)
    records = read_decisions(run)
    assert len(records) >= 1 + len(RULE_TEXTS) + len(more)
    assert [repeated(record, found) for record in records] == [record.candidate for record in records]
    assert {record.by for record in records[1:]} == {"ada"}
    listed = json.loads(run_cli("decisions", run, "--json").out)["decisions"]
    assert {each["today"] for each in listed} == {"the same"}
    assert run_cli("decisions", run).out.count("the same") == len(records)


def test_a_choice_that_no_longer_repeats_is_told(traded: tuple[Path, list[str]]) -> None:
    run, members = traded
    assert run_cli("report", run, "--select", "egalitarian").code == 0
    rescore(run, lambda id, objective, group, i: float(id == members[2]))
    assert listed_decisions(run)[-1].repeats == f"other: {members[2]} (the scores are others)"


def test_a_file_that_is_cut_anywhere_is_read_and_goes_on(run: Path) -> None:
    assert run_cli("report", run, "--select", "nash").code == 0
    records, whole = read_decisions(run), (run / FILE).read_bytes()
    for cut in range(0, len(whole), 7):
        (run / FILE).write_bytes(whole[:cut])
        kept = read_decisions(run)
        assert kept == records[: len(kept)]
        append_decisions(run, records[-1:])
        assert read_decisions(run) == [*kept, records[-1]]


def test_a_killed_writer_leaves_a_readable_file(run: Path) -> None:
    code = (
        "import sys; from pathlib import Path\n"
        "from swarm.run.decisions import append_decisions, read_decisions\n"
        "run = Path(sys.argv[1]); records = read_decisions(run)\n"
        "print('ready', flush=True)\n"
        "while True: append_decisions(run, records)\n"
    )
    process = subprocess.Popen([sys.executable, "-c", code, str(run)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    time.sleep(0.05)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    records = read_decisions(run)
    assert set(map(str, records)) == {str(records[0])}


def test_a_damaged_line_is_named(run: Path) -> None:
    (run / FILE).write_bytes(b"{}\n" + (run / FILE).read_bytes())
    with pytest.raises(RunError, match=f"{FILE}:1: this is no decision"):
        read_decisions(run)


def test_a_config_that_was_changed_by_hand_is_refused(run: Path) -> None:
    text = (run / "config.yaml").read_text()
    (run / "config.yaml").write_text(text.replace("low: -0.5", "low: -0.7"))
    with pytest.raises(RunError, match="undo the change"):
        chosen(run, "knee")


def test_where_nobody_keeps_the_floors_the_nearest_is_taken(playground: Playground, tmp_path: Path) -> None:
    config = front_config(playground)
    objectives, selection = config["objectives"], config["selection"]
    assert isinstance(objectives, list)
    assert isinstance(selection, dict)
    objectives[0]["floor"] = 0.99
    selection["floors"] = "nearest"
    (tmp_path / "floors.yaml").write_text(yaml.safe_dump(config))
    run = tmp_path / "run"
    assert run_cli("search", tmp_path / "floors.yaml", "--run-dir", run).code == 0
    (first,) = read_decisions(run)
    assert first.floors == {"a": "0.99"}
    assert "nobody keeps the floors" in first.inputs
    for select in ("knee", "weighted_sum:b=1"):
        assert chosen(run, select) == first.candidate
    assert listed_decisions(run)[0].repeats == "the same"
    done = run_cli("dial", run, "--prefer", "a=1", "-o", tmp_path / "out")
    assert done.code == 2
    assert f"export the nearest with --candidate {first.candidate}" in done.err


def test_a_report_shows_the_choice_and_then_the_run_again(traded: tuple[Path, list[str]]) -> None:
    run, members = traded
    summary = (run / "summary.json").read_bytes()
    done = run_cli("report", run, "--select", "weighted_sum:a=1", "--json")
    content = json.loads(done.out)
    assert (done.code, content["candidate"]) == (0, members[0])
    assert content["scores"]["select"]["a"] == pytest.approx(22 / 24)
    assert (run / "summary.json").read_bytes() == summary
    assert "a choice after the search" in (run / "report.md").read_text()
    assert run_cli("report", run).code == 0
    assert "a choice after the search" not in (run / "report.md").read_text()


def test_one_member_serves_all_groups_or_several_do(traded: tuple[Path, list[str]], tmp_path: Path) -> None:
    run, members = traded
    assert len(clusters_of(FinishedFront.of(run)).clusters) == 1, "all three serve both groups alike"
    good_at = {members[0]: "x", members[2]: "y"}
    rescore(run, lambda id, objective, group, i: float(good_at.get(id) == group) if i % 6 else 0.5)
    done = run_cli("export", run, tmp_path / "out", "--plural", "--format", "recipe")
    assert done.code == 0, done
    for member, group in good_at.items():
        assert json.loads((tmp_path / "out" / group / "recipe.json").read_text())["candidate"] == member
    table = json.loads((tmp_path / "out" / "plural.json").read_text())
    gain = table["compared"][1]
    assert 0 < gain["low"] <= gain["gain"] <= gain["high"] < 1
    assert "half of the examples" in table["caution"]
    assert "half of the examples" in (tmp_path / "out" / "plural.md").read_text()
    assert run_cli("export", run, tmp_path / "one", "--plural", "--most", 1, "--format", "recipe").code == 0
    assert (tmp_path / "one" / "recipe.json").is_file()


def test_the_context_map_goes_from_end_to_end(traded: tuple[Path, list[str]], tmp_path: Path) -> None:
    run, members = traded
    assert run_cli("export", run, tmp_path / "map", "--context-map").code == 0
    rows = json.loads((tmp_path / "map" / "context_map.json").read_text())["map"]
    best = {row["preference"]["a"]: row["shares"] for row in rows}
    assert best[1.0] == {members[0]: 1.0}
    assert best[0.0] == {members[2]: 1.0}
    assert len(rows) == 11
    with (tmp_path / "map" / "context_map.csv").open() as stream:
        table = list(csv.DictReader(stream))
    for row, line in zip(rows, table, strict=True):
        assert {f"coefficient {n}": repr(x) for n, x in row["coefficients"].items()}.items() <= line.items()


def test_a_point_between_members_says_that_it_was_not_scored(traded: tuple[Path, list[str]], tmp_path: Path) -> None:
    run, members = traded
    assert run_cli("dial", run, "--prefer", "a=0.7,b=0.3", "-o", tmp_path / "out", "--format", "recipe").code == 0
    blend = FinishedFront.of(run).context_map().at({"a": 0.7, "b": 0.3})
    assert len(blend.shares) == 2
    recipe = json.loads((tmp_path / "out" / "recipe.json").read_text())
    assert [x for (x,) in recipe["recipe"]["weights"]["coefficients"].values()] == list(blend.coefficients)
    assert "This very weighting was not scored" in (tmp_path / "out" / "README.md").read_text()
    assert run_cli("dial", run, "--prefer", "a=1", "-o", tmp_path / "end", "--format", "recipe").code == 0
    card = (tmp_path / "end" / "README.md").read_text()
    assert f"candidate {members[0]}" in card
    assert "not scored" not in card


def test_python_has_the_front_and_the_same_choice(traded: tuple[Path, list[str]], tmp_path: Path) -> None:
    run, members = traded
    found = swarm.Run.load(run)
    assert {member.id for member in found.front.members} >= set(members)
    assert found.choose("knee") == members[1]
    before = read_decisions(run)
    found.export(tmp_path / "out", select="weighted_sum:b=1", by="ada", format="recipe")
    (record,) = read_decisions(run)[len(before) :]
    assert (record.candidate, record.by) == (members[2], "ada")
