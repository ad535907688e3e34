"""What a project shows the world beside its code: licences, a citation, forms for reports."""

import importlib.metadata
import re
from pathlib import Path

import pytest
import yaml

from support.licences_page import PAGE, dependencies, licence
from swarm import __version__

ROOT = Path(__file__).parents[1]
FORMS = sorted((ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yml"))
KINDS = {"markdown", "textarea", "input", "dropdown", "checkboxes"}


def test_the_licence_of_every_direct_dependency_is_listed() -> None:
    rows = re.findall(r"^\| ([\w.-]+) \| (.+?) \| (.+?) \|$", PAGE.read_text(), re.MULTILINE)
    listed = {name: needed_by for name, needed_by, _ in rows if name != "package"}
    assert listed == {each.name: ", ".join(each.needed_by) for each in dependencies()}
    assert all(words.strip() for _, _, words in rows)
    assert {"torch", "typer", "moocore", "vllm", "trl", "pytest"} <= listed.keys()


def test_licences_are_read_from_metadata() -> None:
    """Known by hand, each stated in another field: an expression, a classifier, a free text."""
    assert licence("typer") == "MIT"
    assert licence("peft") == "Apache-2.0"
    assert licence("transformers") == "Apache-2.0"
    with pytest.raises(LookupError, match="no licence is known"):
        licence("no-such-package")


def test_copyleft_among_the_core_is_named_in_the_head() -> None:
    core = [each.name for each in dependencies() if "core" in each.needed_by]
    head = PAGE.read_text().partition("| package |")[0]
    assert [name for name in core if "GPL" in licence(name) and name not in head] == []


def test_the_citation_is_of_this_version() -> None:
    """The keys that version 1.2.0 of the Citation File Format requires, and what must agree with the package."""
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert {"cff-version", "message", "title", "authors"} <= citation.keys()
    assert citation["cff-version"] == "1.2.0"
    assert citation["version"] == __version__
    assert citation["license"] == importlib.metadata.metadata("swarm-experts")["License-Expression"]
    assert all(author.keys() & {"name", "family-names"} for author in citation["authors"])


@pytest.mark.parametrize("form", [path for path in FORMS if path.name != "config.yml"], ids=lambda path: path.stem)
def test_forms_have_what_github_asks_of_them(form: Path) -> None:
    content = yaml.safe_load(form.read_text())
    assert {"name", "description", "body"} <= content.keys()
    for field in content["body"]:
        assert field["type"] in KINDS
        assert field["attributes"]["value" if field["type"] == "markdown" else "label"]
    ids = [field["id"] for field in content["body"] if field["type"] != "markdown"]
    assert len(ids) == len(set(ids)) > 0


def test_a_hole_has_somewhere_to_go() -> None:
    text = (ROOT / "SECURITY.md").read_text()
    assert "in private" in text
    assert all((ROOT / link).is_file() for link in re.findall(r"\]\(([\w/.-]+)\)", text))


def test_the_image_gets_what_it_copies() -> None:
    """`.dockerignore` shuts everything out but what launch/Dockerfile names."""
    ignored, *kept = [
        line for line in (ROOT / ".dockerignore").read_text().splitlines() if line and not line.startswith("#")
    ]
    assert ignored == "*"
    let_through = {line[1:] for line in kept if line.startswith("!")}
    copied = re.findall(r"^COPY (.+) \S+$", (ROOT / "launch" / "Dockerfile").read_text(), re.MULTILINE)
    assert let_through == {word for words in copied for word in words.split()}


def test_pictures_are_small_and_shown() -> None:
    pages = "".join(page.read_text() for page in (ROOT / "docs").rglob("*.md"))
    for picture in (ROOT / "docs" / "pictures").iterdir():
        assert picture.stat().st_size <= 150_000
        assert f"pictures/{picture.name})" in pages
