"""What figures say to the pointer: the scores of each member of a front, and every rise of the best."""

import json
import re
from pathlib import Path

from support.browser import browsing, wait_until
from support.front_runs import front_run
from support.playground import Playground
from support.runs import journal

SHOWN = """[...document.querySelectorAll('figure svg text')].map(text => ({
    words: text.textContent, over: text.matches('.told ~ text'), box: text.getBoundingClientRect(),
    events: getComputedStyle(text).pointerEvents}))"""
TITLES = re.compile(r"<title>([^<]*)</title></g>")


def test_every_member_says_its_scores(playground: Playground) -> None:
    run = front_run(playground)
    members = json.loads((run / "summary.json").read_text())["front"]["members"]
    told = TITLES.findall((run / "report.html").read_text())
    for member in members:
        if not member["id"][0].isdigit():  # a baseline, which has a name in words
            continue
        scores = ", ".join(f"{name} {100 * score['mean']:.1f} %" for name, score in member["select"].items())
        assert f"{member['id']}: {scores}" in told


def test_every_rise_of_the_best_says_its_score_and_place(finished_run: Path) -> None:
    told = TITLES.findall((finished_run / "report.html").read_text())
    best, at, rises = -1.0, 0, []
    for line in journal(finished_run):
        if line["kind"] == "evaluation":
            at += "same_as" not in line
            if line["scores"]["words"] > best:
                best = line["scores"]["words"]
                rises.append(f"{100 * best:.1f} % after {at} evaluation{'s' if at > 1 else ''}")
    assert len(rises) > 1
    assert [words for words in told if " after " in words] == rises * 2, "for a page, and for a phone"


def test_numbers_of_figures_are_selected_and_labels_over_marks_let_the_pointer_through(
    playground: Playground, tmp_path: Path
) -> None:
    run = front_run(playground)
    with browsing(tmp_path) as browser:
        page = browser.open((run / "report.html").absolute().as_uri())
        wait_until(lambda: page.evaluate("document.readyState == 'complete' && document.querySelector('h1') !== null"))
        texts = json.loads(page.evaluate(f"JSON.stringify({SHOWN})"))
        assert {text["events"] for text in texts if text["over"]} == {"none"}
        assert {text["events"] for text in texts if not text["over"]} == {"auto"}
        numbers = [text for text in texts if text["words"].endswith(" %") and not text["over"]]
        number = next(text for text in numbers if text["box"]["width"])
        page.evaluate(f"scrollTo(0, {number['box']['y']} - 100)")
        left, y = number["box"]["x"] + 1, number["box"]["y"] - page.evaluate("scrollY") + 6
        right = left + number["box"]["width"]
        for kind, x in (("mousePressed", left), ("mouseMoved", right), ("mouseReleased", right)):
            browser.call("Input.dispatchMouseEvent", page.session, type=kind, x=x, y=y, button="left", clickCount=1)
        assert page.evaluate("getSelection().toString()") == number["words"]
