"""The tour of the code names every room, and files that exist."""

import re
from pathlib import Path

import pytest

from support.reference_pages import PAGES

ROOT = Path(__file__).parents[1]
TOUR = (ROOT / "docs" / "tour.md").read_text()


def test_the_tour_names_every_room_once() -> None:
    named = re.findall(r"^\| `(\w+)/` \|", TOUR, re.MULTILINE)
    assert sorted(named) == sorted(path.parent.name for path in (ROOT / "swarm").glob("*/__init__.py"))


def test_the_tour_answers_its_questions_with_files_that_exist() -> None:
    answers = re.findall(r"^\| (.+\?) \| `([\w/]+\.py)` \|$", TOUR, re.MULTILINE)
    assert len({question for question, _ in answers}) >= 20
    assert [file for _, file in answers if not (ROOT / "swarm" / file).is_file()] == []


def test_the_documents_link_to_files_that_exist() -> None:
    for page in [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]:
        links = re.findall(r"\]\((?!https?:|#)([^)#]+)", page.read_text())
        assert [link for link in links if not (page.parent / link).exists()] == [], page


@pytest.mark.parametrize("page", PAGES)
def test_the_reference_says_what_the_program_does(page: str) -> None:
    """Where this fails: python tests/support/reference_pages.py writes the pages anew."""
    assert (ROOT / "docs" / page).read_text() == PAGES[page]()
