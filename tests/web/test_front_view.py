"""The page of a run that searched a front is its report: the same figures, tables and sentences."""

import re
import shutil
from pathlib import Path

import pytest

from support.front_runs import front_run
from support.playground import Playground
from swarm.run.directory import JOURNAL, SUMMARY
from swarm.web.pages import Pages
from swarm.web.watcher import Shelf


@pytest.fixture(scope="module")
def shelf(playground: Playground, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished front, and the same in the middle of its search."""
    folder = tmp_path_factory.mktemp("shelf")
    shutil.copytree(front_run(playground), folder / "front")
    shutil.copytree(folder / "front", folder / "stopped")
    (folder / "stopped" / SUMMARY).unlink()
    lines = (folder / "stopped" / JOURNAL).read_text().splitlines(keepends=True)
    (folder / "stopped" / JOURNAL).write_text("".join(lines[:16]))
    return folder


def test_the_page_has_the_figures_and_the_claim_of_the_report(shelf: Path) -> None:
    page, report = Pages(Shelf((shelf,))).run("front"), (shelf / "front" / "report.html").read_text()
    assert page is not None
    figures = re.findall(r'<svg class="(?:wide|narrow)".*?</svg>', report, re.DOTALL)
    assert len(figures) > 6
    for part in (*figures, *re.findall(r"<h[12].*?</h[12]>", report, re.DOTALL)):
        assert part in page
    for words in ("the front covers a hypervolume of", 'aria-label="members"', "Groups: the utility", "--select RULE"):
        assert words in page


def test_a_front_that_is_still_searched_shows_its_hypervolume_so_far(shelf: Path) -> None:
    page = Pages(Shelf((shelf,))).run("stopped")
    assert page is not None
    assert re.search(r"<h2>The observed front reached a hypervolume of [\d.]+ in \d+ evaluations</h2>", page)
    assert "covers a hypervolume" not in page
