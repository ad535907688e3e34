"""The result on a terminal: every row and column is there and aligned, at any width."""

import re
from io import StringIO

import pytest
from rich.cells import cell_len
from rich.console import Console

from support.summaries import SCORE, summary_with
from swarm.cli.table import summary_table
from swarm.journal.summary import Summary

GAIN = {"difference": 0.1, "low": 0.05, "high": 0.15, "corrected": {"low": 0.01, "high": 0.19}}
EXPERTS = [f"expert:{name}" for name in ("upper", "next", "scrambled")]
UNIFORM = {"coefficient": 0.8, "tried": [0.2, 0.4, 0.6, 0.8]}
SCORES = {"search": SCORE, "select": SCORE, "test": SCORE}


def result(**fields: object) -> Summary:
    known = {
        "baselines": dict.fromkeys(("base", *EXPERTS), SCORES) | {"uniform": SCORES | UNIFORM},
        "paired": dict.fromkeys(("base", *EXPERTS, "uniform"), GAIN),
        "verdict": {"found": True, "text": "Better, by at least −1."},
        "predicted": SCORE,
        "optimism": -0.003,
        "emergence": {"newly_right": 1, "newly_wrong": 137, "n": 1200, "chance": 65.8},
    }
    return summary_with(**known | fields)


def printed(summary: Summary, width: int) -> list[str]:
    console = Console(file=StringIO(), width=width, highlight=False)
    console.print(summary_table(summary))
    return [line.rstrip() for line in console.file.getvalue().splitlines()]


@pytest.mark.parametrize("width", [80, 100, 120])
def test_nothing_is_cut(width: int) -> None:
    lines = printed(result(), width)
    assert max(map(len, lines)) <= width
    text = "\n".join(lines)
    assert "…" not in text
    assert text.count("0.750 to 0.860") == 7, "the best, five baselines, the prediction"
    assert text.count("+0.100") == text.count("+0.010 to +0.190") == 5
    for words in ("improvement", "95 % interval, corrected", "for 5 comparisons", "uniform, 0.8 each"):
        assert words in text
    for line in ("composed expert: candidate 3-1, chosen by search and select scores",
                 "predicted test score: 0.812 (95 % interval 0.750 to 0.860)",
                 "generalisation gap (search - test): -0.003",
                 "newly right, where every source is wrong: 1 of 1200 test examples",
                 "newly wrong, where a source is right: 137 of 1200 test examples",
                 "Better, by at least -1."):  # fmt: skip
        assert line in lines
    chosen = "uniform weights, 0.8 each: the best on search of 0.2, 0.4, 0.6, 0.8, the largest that was tried"
    assert chosen in " ".join(text.split())


@pytest.mark.parametrize(("width", "tables"), [(80, 2), (120, 1)])
def test_a_narrow_terminal_has_the_improvements_below(width: int, tables: int) -> None:
    lines = printed(result(), width)
    assert sum(line.startswith("expert:scrambled") for line in lines) == tables
    assert sum(line.startswith("selected (3-1)") for line in lines) == 1
    ends = {len(line) for line in lines if "to +0.190" in line}
    assert len(ends) == 1, "aligned"


@pytest.mark.parametrize("width", [60, 80])
def test_the_coefficients_are_shown_and_of_many_the_largest(width: int) -> None:
    best = {"id": "3-1", "search": SCORE, "select": SCORE, "test": SCORE}
    few = {"digit-lora": 0.684, "a-very-long-name-of-an-expert-" * 3: -0.2, "upper": 1.0}
    lines = printed(result(best=best | {"coefficients": few}), width)
    first = next(i for i, line in enumerate(lines) if line.startswith("coefficients  digit-lora 0.68,"))
    assert max(map(cell_len, lines)) <= width
    assert re.fullmatch(r"digit-lora 0\.68, a-very.*… ?.* -0\.20, upper 1\.00", " ".join(
        line[14:] for line in lines[first : first + 3] if line.startswith(("coefficients ", " " * 14))))  # fmt: skip
    lines = printed(result(best=best | {"coefficients": few | {"tiny": -0.001}}), 20)
    first = lines.index("coefficients")
    assert [line.split()[-1] for line in lines[first + 1 : first + 5]] == ["0.68,", "-0.20,", "1.00,", "0.00"]
    assert max(map(cell_len, lines[first : first + 5])) <= 20
    grouped = {f"expert-{i}": {f"layers {8 * k}-{8 * k + 7}": i + k / 10 for k in range(4)} for i in range(10)}
    text = " ".join("\n".join(printed(result(best=best | {"coefficients": grouped}), width)).split())
    assert "coefficients expert-9 layers 24-31 9.30, expert-9 layers 16-23 9.20," in text
    assert "expert-7 layers 0-7 7.00, the 12 largest of 40: all are in summary.json" in text
    assert "expert-6" not in text


@pytest.mark.parametrize("width", [60, 80, 120])
def test_long_names_are_cut_in_the_middle_and_no_column_is_lost(width: int) -> None:
    names = [f"expert:a-very-long-name-of-an-expert-{'模型' * 10}-version-{i}" for i in range(3)]
    summary = result(baselines=dict.fromkeys(names, SCORES), paired=dict.fromkeys(names, GAIN))
    lines = printed(summary, width)
    assert max(map(cell_len, lines)) <= width
    rows = [line for line in lines if line.startswith("expert:")]
    assert {tuple(f"version-{i}"[-2:] in line for i in range(3)) for line in rows} == {
        (True, False, False), (False, True, False), (False, False, True)
    }  # fmt: skip
    assert all("…" in line for line in rows)
    text = "\n".join(lines)
    assert text.count("0.750 to 0.860") == 5
    assert text.count("+0.010 to +0.190") == 3


def test_a_name_is_never_markup() -> None:
    summary = result(baselines={"expert:[red]x[/] :heart:": SCORES}, paired={"expert:[red]x[/] :heart:": GAIN})
    assert any(line.startswith("expert:[red]x[/] :heart:") for line in printed(summary, 120))


def test_several_objectives_are_named() -> None:
    two = ("maths", "style")
    scores = {split: dict.fromkeys(two, SCORE) for split in SCORES}
    summary = summary_with(
        best={"id": "3-1"} | scores,
        baselines={"base": scores},
        paired={"base": dict.fromkeys(two, GAIN)},
        verdict={name: {"found": False, "text": f"Nothing in {name}."} for name in two},
        predicted=dict.fromkeys(two, SCORE),
    )
    lines = printed(summary, 120)
    for name in two:
        assert sum(line.startswith((f"selected (3-1) [{name}]", f"base [{name}]")) for line in lines) == 2
        assert f"{name}: Nothing in {name}." in lines
        assert any(line.startswith(f"predicted test score [{name}]: ") for line in lines)
    assert "corrected" not in "\n".join(lines), "one comparison needs no correction"


def test_what_failed_and_what_is_the_best_itself_have_no_improvement() -> None:
    failed = {"search": SCORE, "select": SCORE, "test": None}
    summary = result(
        best={"id": "uniform:0.8", "source": "uniform"} | SCORES,
        baselines={"base": failed, "expert:a": SCORES, "expert:b": SCORES, "uniform": SCORES | {"coefficient": 0.8}},
        paired={"base": None, "expert:a": GAIN, "expert:b": GAIN, "uniform": GAIN},
    )
    lines = {line.split()[0]: line for line in printed(summary, 120) if line and not line.startswith(" ")}
    assert lines["base"].split()[1:] == ["0.812", "0.812", "failed", "failed"]
    assert lines["uniform,"].endswith("0.750 to 0.860")
    assert "for 2 comparisons" in "\n".join(printed(summary, 120))


def test_an_older_run_says_that_its_intervals_are_not_corrected() -> None:
    alone = {"difference": 0.1, "low": 0.05, "high": 0.15}
    text = "\n".join(printed(result(paired=dict.fromkeys(("base", *EXPERTS, "uniform"), alone)), 120))
    assert "not corrected" in text
    assert "+0.050 to +0.150" in text
