"""The tutorials and the notebook are followed as a newcomer would, from top to bottom in an empty folder.

tests/launch/test_cluster_tutorial.py follows the one on clusters.
"""

import ast
import json
import re
from pathlib import Path

import pytest

from support.report_pictures import DIALS
from support.tutorials import follow, steps

TUTORIALS = Path(__file__).parents[1] / "docs" / "tutorials"
ELSEWHERE = {"cluster"}
PAGES = sorted(page for page in TUTORIALS.glob("*.md") if page.stem not in ELSEWHERE)
NEEDS = {"alignment-dials": "trl"}
LEFT = {  # tutorial -> files that it leaves
    "alignment-dials": ("careful/config.json", "careful-adapter/adapter_config.json", "answers.jsonl"),
    "fronts": ("mostly-next/config.json", "even-adapter/adapter_config.json", "runs/front/report.html"),
    "own-adapters": ("letters-adapter/adapter_config.json", "runs/letters/report.html"),
    "own-objective": ("runs/brevity/best/config.json",),
}


def test_every_tutorial_is_followed() -> None:
    assert {page.stem for page in PAGES} == set(LEFT)
    assert all((TUTORIALS / f"{name}.md").is_file() for name in ELSEWHERE)


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_tutorials_run(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if page.stem in NEEDS:
        pytest.importorskip(NEEDS[page.stem], reason="the extra build is not installed")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    printed = follow(page)
    assert [name for name in LEFT[page.stem] if not (tmp_path / name).exists()] == []
    if page.stem == "alignment-dials":
        check_dials(printed)


def check_dials(printed: list[str]) -> None:
    """What the page says of its dial: at one end `rot` is answered, at the other declined; and so row by row."""
    turned, _, rows = printed
    ends = [ast.literal_eval(line[line.index("[") :]) for line in turned.splitlines()]
    assert ends[0] == ["nppo", "rszq", "tngr"]
    assert ends[-1][-1] == "no"
    first, *_, last = ast.literal_eval(rows)
    assert (first, last) == ("tngr", "no")


def test_the_dials_page_counts_its_members_as_the_picture_of_its_report() -> None:
    """Eight that the search found and the answering expert; 6-4 is ahead of 3-0 on the test split, as the page says."""
    text = (TUTORIALS / "alignment-dials.md").read_text()
    table = re.search(r"^on test .*?```", text, re.MULTILINE | re.DOTALL)[0]
    rows = re.findall(r"^[> ] (\d+-\d+) +([\d.]+) .*?\) +([\d.]+) ", table, re.MULTILINE)
    scores = {name: (float(helpful), float(harmless)) for name, helpful, harmless in rows}
    (picture,) = DIALS
    assert len(scores) == 8
    assert "chose these eight" in text
    assert picture.begin == f"{len(scores) + 1} members"
    assert "the report counts nine\nmembers, of which one is a baseline" in text
    assert scores["6-4"] != scores["3-0"]
    assert all(a >= b for a, b in zip(scores["6-4"], scores["3-0"], strict=True))


@pytest.mark.slow
def test_the_notebook_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    cells = json.loads((TUTORIALS / "ten-cells.ipynb").read_text())["cells"]
    code = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    assert len(code) == 10
    assert [cell["outputs"] for cell in cells if cell["cell_type"] == "code"] == [[]] * 10, "outputs are not kept"
    names: dict[str, object] = {}
    for cell in code:
        exec(cell, names)
    assert (tmp_path / "runs" / "composed" / "config.json").is_file()


def test_blocks_are_taken_in_order() -> None:
    languages = [language for language, _ in steps(TUTORIALS / "own-objective.md")]
    assert languages == ["python", "yaml", "bash"]
