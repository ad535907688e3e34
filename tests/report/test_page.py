"""What a reader sees, and in which order: the comparison first, and nothing before it is known."""

import re
from dataclasses import asdict
from html import unescape
from itertools import pairwise
from pathlib import Path

import pytest

from support.report_runs import KINDS, SMALL, Fake, Maker, Page, records_of
from swarm.report import words
from swarm.report.figures import svg
from swarm.report.render import rendered
from swarm.statistics.intervals import Difference
from swarm.statistics.multiple_comparisons import Comparison, Interval
from swarm.statistics.verdict import judge

EVIL = "\x1b[31m<b>&|`*]\u202e\"'[red]x[/]"
HOSTILE = ("\x1b", "\u202e", "<b>")


def judged(fake: Fake, doubt: float = 0.0) -> Fake:
    """The run with the verdict of intervals that are `doubt` wider."""
    compared = {
        name: Comparison(
            Difference(found["difference"], found["low"], found["high"]),
            Interval(found["low"] - doubt, found["high"] + doubt),
        )
        for name, found in fake.summary["paired"].items()
    }
    paired = {
        name: found | {"corrected": asdict(compared[name].corrected)} for name, found in fake.summary["paired"].items()
    }
    verdict = asdict(judge(compared, fake.summary["best"]["source"], words.Unit(percent=True)))
    return Fake(fake.lines, fake.summary | {"paired": paired, "verdict": verdict})


@pytest.fixture(scope="module")
def run() -> Fake:
    return Maker(iterations=8).run()


@pytest.fixture(scope="module")
def small() -> Fake:
    return Maker(iterations=4, sizes=SMALL).run()


@pytest.fixture(scope="module")
def two() -> Fake:
    return KINDS["two objectives"]()


def plain(html: str) -> str:
    return unescape(html).replace("\u00a0", " ")


def first_heading(html: str) -> str:
    return re.search(r"<h1[^>]*>(.*?)</h1>", plain(html), re.DOTALL)[1]  # type: ignore[index]


def comparison(run: Fake) -> str:
    """Worked out anew from the summary."""
    tested = {name: found["test"]["mean"] for name, found in run.summary["baselines"].items()}
    top = max(tested, key=lambda name: tested[name])
    gain, score = run.summary["paired"][top], run.summary["best"]["test"]["mean"]
    low, high = gain["corrected"]["low"], gain["corrected"]["high"]
    return (
        f"{100 * score:.1f} % against {100 * tested[top]:.1f} % of the best baseline ({words.baseline_name(top)}), "
        f"{100 * gain['difference']:+.1f} points, 95 % interval {100 * low:.1f} to {100 * high:.1f}."
    ).replace("-", "−")


@pytest.mark.parametrize("doubt", [0.0, 0.4])
def test_the_comparison_comes_first(run: Fake, doubt: float, tmp_path: Path) -> None:
    fake = judged(run, doubt)
    html, markdown = fake.write(tmp_path)
    assert fake.summary["verdict"]["found"] == (doubt == 0.0)
    wanted = comparison(fake) if doubt == 0.0 else f"No improvement demonstrated: {comparison(fake)}"
    assert first_heading(html) == wanted
    assert markdown.splitlines()[2] == f"**{wanted}**"


def test_of_several_objectives_each_comparison_names_its_own(two: Fake, tmp_path: Path) -> None:
    html, _ = two.write(tmp_path)
    lines = re.findall(r'class="headline">(.*?)</h', html)
    assert [line.rpartition(", ")[2] for line in lines] == ["letters.", "likelihood."]


def test_a_baseline_that_won_demonstrates_no_improvement(tmp_path: Path) -> None:
    html, _ = judged(KINDS["uniform wins"]()).write(tmp_path)
    assert re.fullmatch(
        r"No improvement demonstrated: the result is uniform weights, with [\d.]+ % on test\.", first_heading(html)
    )


def test_coefficients_are_near_the_top_and_the_map_is_beside_the_search_curve(
    run: Fake, two: Fake, tmp_path: Path
) -> None:
    for fake in (run, two):
        html, _ = fake.write(tmp_path)
        headings = re.findall(r"<h2[^>]*>(.*?)</h2>", html)
        places = [
            next(i for i, heading in enumerate(headings) if heading.startswith(start))
            for start in (
                "Composed expert and baselines",
                "Largest coef",
                "The best search",
                "Path of",
                "Generalisation",
                "Reproduce",
            )
        ]
        assert places == sorted(places)
        assert places[4] == places[3] + 1


def test_headings_are_in_order(run: Fake, two: Fake, tmp_path: Path) -> None:
    for fake in (run, two, Fake(run.lines[:60], {})):
        levels = [int(level) for level in re.findall(r"<h(\d)", fake.write(tmp_path)[0])]
        assert levels[0] == 1
        assert levels.count(1) == 1
        assert all(after <= before + 1 for before, after in pairwise(levels))


def test_scores_are_drawn_from_zero_with_ticks(run: Fake, tmp_path: Path) -> None:
    html, _ = run.write(tmp_path)
    axis = re.search(r'<th class="drawn">(.*?)</th>', html)[1]  # type: ignore[index]
    ticks = [float(text) for text in re.findall(r"<text[^>]*>([\d.]+)</text>", axis)]
    assert ticks == sorted(ticks)
    assert ticks[0] == 0
    assert len(ticks) >= 3
    assert ticks[-1] >= 100 * run.summary["best"]["test"]["high"]
    for title in ("The best search score", "Generalisation gap"):
        figure = next(part for part in html.split("<figure>")[1:] if f"<title>{title}" in part)
        assert ">0 %</text>" in figure


def test_the_page_says_how_the_composed_expert_was_chosen(run: Fake, tmp_path: Path) -> None:
    best = run.summary["best"]["id"]
    searched = [line for line in run.lines if line["kind"] == "evaluation"]
    first = max(searched, key=lambda line: line["scores"]["letters"])["id"]
    assert first != best
    for text in run.write(tmp_path):
        chosen = f"The composed expert is candidate {best}, chosen by search and select scores"
        assert f"{chosen}; the best on search was {first}." in text


def test_the_plot_is_named_only_where_it_is_shown(run: Fake, tmp_path: Path) -> None:
    html, _ = run.write(tmp_path)
    narrow = html.partition("@media (max-width: 40rem)")[2]
    assert "svg.wide, .drawn { display: none; }" in narrow
    assert 'below the test score<span class="drawn"> and in the plot</span>, its 95&nbsp;% interval' in html


def test_few_examples_are_open_and_the_rest_folded(run: Fake, tmp_path: Path) -> None:
    html, _ = run.write(tmp_path)
    shown = re.sub(r"<details>.*?</details>", "", html, flags=re.DOTALL)
    tables = re.findall(r'<table class="items">.*?</table>', shown, re.DOTALL)
    assert tables
    assert all(table.count("<tr>") - 1 <= 5 for table in tables)
    sections = re.split("<h2>", shown)
    assert max(section.count('class="example"') for section in sections) == 5
    assert html.count('class="example"') > shown.count('class="example"')


PHASES = {
    "start": "It had not begun to search",
    "search": "It was searching",
    "selection": "It was selecting",
    "test": "It was testing: 1 candidate scored on the test split",
}


@pytest.mark.parametrize("stop", PHASES)
def test_an_unfinished_run_names_its_phase_and_how_to_go_on(small: Fake, stop: str, tmp_path: Path) -> None:
    kinds = [line["kind"] for line in small.lines]
    lines = list(small.lines)
    if stop == "test":
        lines.insert(kinds.index("test"), {"kind": "end", "phase": "select", "reason": "3-1", "elapsed": 1.0})
        ends = kinds.index("test") + 2
    else:
        ends = {"start": 1, "search": 30, "selection": kinds.index("select") + 12}[stop]
    folder = tmp_path / "it's <mine>"
    for text in Fake(lines[:ends], {}).write(folder):
        said = plain(text).replace("\\", "")
        assert PHASES[stop] in said
        assert "swarm resume '" in said
        assert "demonstrated" not in said
        assert " better than " not in said
        assert 'class="verdict' not in text
        assert "How to load" not in text
        assert "config.yaml' shows them now" in said
    html, _ = Fake(lines[:ends], {}).write(folder)
    assert "it&#39;" in html
    running = plain(rendered(folder, records_of(lines[:ends]), None, ("report.md",), at_work=True)["report.md"])
    assert PHASES[stop].replace("was", "is").replace("had", "has") in running
    assert "It was" not in running


def test_averages_at_several_scales_are_told_apart(small: Fake, tmp_path: Path) -> None:
    kinds = [line["kind"] for line in small.lines]
    lines = small.lines[: kinds.index("select") + 12]
    other = next(line for line in lines if line.get("id") == "uniform:0.25")
    html, _ = Fake([*lines, other | {"id": "uniform:0.5"}], {}).write(tmp_path)
    assert "Uniform weights, 0.25 each" in html
    assert "Uniform weights, 0.5 each" in html


@pytest.mark.parametrize(("file", "line"), [
    ("config.json", 'AutoModelForCausalLM.from_pretrained("./best", dtype="auto")'),
    ("adapter_config.json", 'PeftModel.from_pretrained(base, "./best")'),
    ("mergekit.yaml", "mergekit-yaml ./best/mergekit.yaml OUT"),
    ("recipe.json", 'swarm.load("./best")'),
])  # fmt: skip
def test_how_to_load_goes_by_what_best_holds(small: Fake, file: str, line: str, tmp_path: Path) -> None:
    (tmp_path / "best").mkdir()
    (tmp_path / "best" / file).write_text("{}")
    if file == "adapter_config.json":
        (tmp_path / "best" / "config.json").write_text("{}")
    html, markdown = small.write(tmp_path)
    assert line in unescape(html)
    assert line in markdown


def test_data_cannot_act_on_a_terminal_either(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And no secret gets into the pages."""
    monkeypatch.setenv("SERVICE_API_KEY", "hunter2-hunter2")
    (tmp_path / "best").mkdir()
    (tmp_path / "best" / "adapter_config.json").write_text("{}")
    fake = Maker(sizes=SMALL, iterations=3, failures=0.3).run()
    secret = "hunter2-hunter2 https://me:opensesame@host/x?api_key=letmein"
    for line in fake.lines:
        line |= {"error": f"{EVIL} {secret}", "worker": EVIL}
        if line["kind"] == "start":
            line |= {"notes": [f"{EVIL} {secret}"], "base": {"path": f"/base/{EVIL}\n", "fingerprint": "f"}}
            line["experts"] = {EVIL: {"path": EVIL, "fingerprint": EVIL}}
            for item in line["items"]["letters"]["test"]:
                item |= {"id": EVIL, "prompt": EVIL, "answer": EVIL, "task": item["task"] + EVIL}
    fake.summary["best"]["coefficients"] = {EVIL: 0.5, "b": 0.2}
    html, markdown = fake.write(tmp_path)
    for text in (html, markdown):
        for bad in (*HOSTILE[:2], "hunter2", "opensesame", "letmein"):
            assert bad not in text
        assert r"\x1b[31m" in text.replace(r"\\", "\\").replace(r"\[", "[")
    assert Page(html).open == []
    assert "<b>" not in html
    code = re.search(r"```python\n(.*?)\n```", markdown, re.DOTALL)[1]  # type: ignore[index]
    loaded: list[str] = []
    calls = re.sub(r"(?m)^from .*$", "", code)
    exec(calls, _recording(loaded))  # the literals mean the paths, whatever is in them
    assert loaded[0] == f"/base/{EVIL}\n"


def _recording(loaded: list[str]) -> dict[str, object]:
    class Loader:
        @staticmethod
        def from_pretrained(*words: object, **_: object) -> "Loader":
            loaded.extend(word for word in words if isinstance(word, str))
            return Loader()

        def merge_and_unload(self) -> None: ...

    return dict.fromkeys(("AutoModelForCausalLM", "AutoTokenizer", "PeftModel"), Loader)


def test_text_keeps_its_contrast_in_light_and_dark(run: Fake, tmp_path: Path) -> None:
    """WCAG AA: 4.5 to 1 for text on paper, and for labels on the segments of bars."""
    html, _ = run.write(tmp_path)
    style = re.search(r"<style>(.*?)</style>", html, re.DOTALL)[1]  # type: ignore[index]
    light, dark = (dict(re.findall(r"--([\w-]+): (#[0-9a-f]+)", part)) for part in style.split("@media", 2)[:2])
    for colours in (light, light | dark):
        pairs = [("ink", "paper"), ("soft", "paper"), ("best", "paper"), ("ink", "wash"), ("soft", "wash")]
        pairs += [("ink", "hair"), ("ink", "rule"), ("on-forward", "best"), ("on-compose", "uniform")]
        for text, ground in pairs:
            assert _contrast(colours[text], colours[ground]) >= 4.5, (text, ground, colours[text], colours[ground])


def test_the_colours_of_scores_stand_out_the_more_the_higher_the_score(run: Fake, tmp_path: Path) -> None:
    html, _ = run.write(tmp_path)
    style = re.search(r"<style>(.*?)</style>", html, re.DOTALL)[1]  # type: ignore[index]
    light, dark = (dict(re.findall(r"--([\w-]+): (#[0-9a-f]+)", part)) for part in style.split("@media", 2)[:2])
    for colours in (light, light | dark):
        found = [_contrast(colours[f"shade-{k}"], colours["paper"]) for k in range(svg.SHADES)]
        assert found == sorted(found)
        assert found[0] >= 1.7


def _contrast(one: str, other: str) -> float:
    high, low = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def _luminance(colour: str) -> float:
    digits = colour[1:] if len(colour) == 7 else "".join(2 * digit for digit in colour[1:])
    parts = [int(digits[i : i + 2], 16) / 255 for i in (0, 2, 4)]
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def test_a_drawing_is_as_wide_as_its_place() -> None:
    assert svg.NARROW <= 420 - 2 * 18
