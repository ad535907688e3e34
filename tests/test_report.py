"""The report says what the journal and the summary hold, and no more; nothing in the data can act on the page."""

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from swarm.errors import RunError
from swarm.evidence import Difference
from swarm.report import bars, facts, plots, svg, words, write_report
from swarm.report.course import costs, course, troubles
from swarm.report.examples import by_task, changes
from swarm.report.journal import read_journal
from swarm.report.summary import read_summary

EXPERTS = ("reverse", "sort", "count", "upper")
TASKS = ("reverse", "sort", "count", "reverse then sort", "sort then count", "upper then reverse")
NEEDS = {
    "reverse": (0,), "sort": (1,), "count": (2,),
    "reverse then sort": (0, 1), "sort then count": (1, 2), "upper then reverse": (3, 0),
}  # fmt: skip
SIZES = {"search": 200, "select": 200, "test": 800}
UNIFORM = "uniform:0.25"


@dataclass(frozen=True)
class Fake:
    """A run as the journal and the summary would tell it."""

    lines: list[dict[str, object]]
    summary: dict[str, object]

    def write(self, run_dir: Path) -> tuple[str, str]:
        run_dir.mkdir(parents=True, exist_ok=True)
        round_trip = json.loads(json.dumps([self.lines, self.summary]))
        write_report(run_dir, *round_trip)
        return (run_dir / "report.html").read_text(), (run_dir / "report.md").read_text()


class World:
    """Examples that take one or two skills: an item is solved where the weakest skill it needs is strong enough."""

    def __init__(self, objective: str, seed: int, sizes: Mapping[str, int], percent: bool = True) -> None:
        random = np.random.default_rng([seed, *objective.encode()])
        self.percent, self.items, self.hurdles, self.noise = percent, {}, {}, {}
        for split, n in sizes.items():
            tasks = [TASKS[i % len(TASKS)] for i in range(n)]
            self.items[split] = [self._item(split, i, task, random) for i, task in enumerate(tasks)]
            self.hurdles[split] = random.uniform(0.02, 1.0, n)
            self.noise[split] = random.normal(0, 9, (n, len(EXPERTS)))

    def _item(self, split: str, i: int, task: str, random: np.random.Generator) -> dict[str, str]:
        letters = "".join(random.choice(list("abcdefgh"), 7))
        prompt = f"{task.capitalize()} these letters:\n{letters}\nAnswer with the letters alone."
        return {"id": f"{split}-{i:04d}", "task": task, "prompt": prompt, "answer": letters[::-1]}

    def scores(self, coefficients: np.ndarray, split: str) -> np.ndarray:
        crowd = 0.28 * np.maximum(0, np.abs(coefficients).sum() - 1) ** 2
        skill = 1 - np.exp(-np.array([3.6, 2.8, 2.2, 1.6]) * np.maximum(0, coefficients))
        need = np.array([min(skill[k] for k in NEEDS[item["task"]]) for item in self.items[split]])
        margin = need - crowd + 0.12 * np.sin(self.noise[split] @ coefficients) - self.hurdles[split]
        return (margin > 0).astype(float) if self.percent else np.round(-np.exp(-3 * margin), 4)


def interval(values: np.ndarray) -> dict[str, float]:
    mean, wide = float(values.mean()), 1.96 * float(values.std()) / math.sqrt(len(values))
    return {"mean": mean, "low": mean - wide, "high": mean + wide, "n": len(values)}


def paired(best: np.ndarray, other: np.ndarray) -> dict[str, float]:
    found = interval(best - other)
    return {"difference": found["mean"], "low": found["low"], "high": found["high"]}


class Maker:
    """Plays a run: a small swarm on the worlds' search splits, a selection, a test."""

    def __init__(
        self,
        objectives: tuple[str, ...] = ("letters",),
        groups: tuple[str, ...] = (),
        iterations: int = 20,
        particles: int = 20,
        failures: float = 0.0,
        sizes: Mapping[str, int] = SIZES,
        plain: tuple[str, ...] = (),
        seed: int = 0,
    ) -> None:
        self.worlds = {name: World(name, seed, sizes, name not in plain) for name in objectives}
        self.groups, self.iterations, self.particles, self.failures = groups, iterations, particles, failures
        self.random, self.seed, self.elapsed = np.random.default_rng(seed), seed, 0.0
        self.lines: list[dict[str, object]] = [self.start()]

    def start(self) -> dict[str, object]:
        source = {name: {"path": f"/data/zoo/tiny/{name}", "fingerprint": f"{hash_of(name)}"} for name in EXPERTS}
        coordinates = [f"{e}.{g}" for e in EXPERTS for g in self.groups] if self.groups else list(EXPERTS)
        return {
            "kind": "start", "time": "2025-11-21T04:13:00+00:00", "version": "0.1.0", "seed": self.seed,
            "base": {"path": "/data/zoo/tiny/base", "fingerprint": hash_of("base")}, "experts": source,
            "coordinates": coordinates, "optimizer": "pso",
            "items": {name: world.items for name, world in self.worlds.items()},
            "notes": ["expert:upper has rank 8, the others rank 16"],
        }  # fmt: skip

    def effective(self, position: np.ndarray) -> np.ndarray:
        return position.reshape(len(EXPERTS), -1).mean(axis=1)

    def scored(self, position: np.ndarray, split: str) -> dict[str, np.ndarray]:
        return {name: world.scores(self.effective(position), split) for name, world in self.worlds.items()}

    def line(self, kind: str, id: str, position: np.ndarray, on: str, **more: object) -> dict[str, object]:
        scored = self.scored(position, on)
        self.elapsed += 0.9
        return {
            "kind": kind, "id": id, "position": position.tolist(), "status": "ok",
            "scores": {k: float(v.mean()) for k, v in scored.items()},
            "examples": {k: v.tolist() for k, v in scored.items()},
            "n_examples": sum(len(v) for v in scored.values()), "tokens": 8300, "seconds": 1.7,
            "compose_seconds": 0.11, "forward_seconds": 1.5, "worker": f"worker-{len(self.lines) % 2}",
            "elapsed": self.elapsed, "error": "",
        } | more  # fmt: skip

    def search(self) -> dict[str, np.ndarray]:
        dimensions = len(EXPERTS) * max(1, len(self.groups))
        x = self.random.dirichlet(np.ones(dimensions), self.particles) * dimensions / len(EXPERTS)
        velocity, bests, tops = np.zeros_like(x), x.copy(), np.full(self.particles, -np.inf)
        positions = {}
        for iteration in range(self.iterations):
            for particle in range(self.particles):
                id, position = f"{iteration}-{particle}", x[particle]
                line = self.evaluation(id, iteration, particle, position)
                self.lines.append(line)
                if line["status"] == "ok":
                    positions[id] = position.copy()
                    score = sum(line["scores"].values())
                    if score > tops[particle]:
                        tops[particle], bests[particle] = score, position
            top = bests[tops.argmax()]
            pulls = self.random.random((2, *x.shape))
            velocity = 0.6 * velocity + 1.1 * pulls[0] * (bests - x) + 1.1 * pulls[1] * (top - x)
            x = x + velocity + self.random.normal(0, 0.02, x.shape)
        return positions

    def evaluation(self, id: str, iteration: int, particle: int, position: np.ndarray) -> dict[str, object]:
        line = self.line("evaluation", id, position, "search", iteration=iteration, particle=particle)
        if particle == 19:
            line |= {"same_as": f"{max(0, iteration - 1)}-3"}
        if self.random.random() < self.failures:
            error = "CUDA out of memory: tried to allocate 2.1 GiB" if particle % 3 else "worker-1 died <SIGKILL>"
            self.lines.append({"kind": "failure", "id": id, "attempt": 1, "error": error, "worker": "worker-1"})
            if particle % 4 == 0:
                line |= {"status": "failed", "scores": {}, "examples": {}, "error": f"{error} again"}
        return line

    def special(self) -> dict[str, np.ndarray]:
        ones = max(1, len(self.groups))
        found = {"base": np.zeros(len(EXPERTS) * ones)}
        for i, name in enumerate(EXPERTS):
            found[f"expert:{name}"] = np.repeat(np.eye(len(EXPERTS))[i], ones)
        return found | {UNIFORM: np.full(len(EXPERTS) * ones, 0.25)}

    def run(self, source: str = "search") -> Fake:
        positions, special = self.search(), self.special()
        self.lines.append({"kind": "end", "phase": "search", "reason": "patience", "elapsed": self.elapsed})
        ranked = sorted(positions, key=lambda id: -sum(v.mean() for v in self.scored(positions[id], "search").values()))
        for split in ("search", "select"):
            self.lines += [self.line("select", k, v, split, split=split) for k, v in special.items()]
        for id in ranked[:10]:
            self.lines.append(self.line("select", id, positions[id], "select", split="select"))
        best = max(ranked[:10], key=lambda id: sum(v.mean() for v in self.scored(positions[id], "select").values()))
        if source != "search":
            best, positions = UNIFORM, special
        for id, position in ({best: positions[best]} | special).items():
            self.lines.append(self.line("test", id, position, "test", outputs=self.outputs(position)))
        self.lines.append({"kind": "end", "phase": "run", "reason": "done", "elapsed": self.elapsed})
        return Fake(self.lines, self.summary(best, positions[best], special, source))

    def outputs(self, position: np.ndarray) -> dict[str, list[str]]:
        return {
            name: [item["answer"] if right > 0.5 else item["answer"][:4] + "?" for item, right in zip(
                self.worlds[name].items["test"], scores, strict=True)]
            for name, scores in self.scored(position, "test").items()
        }  # fmt: skip

    def bare(self, by_objective: dict[str, object]) -> object:
        return next(iter(by_objective.values())) if len(self.worlds) == 1 else by_objective

    def splits(self, position: np.ndarray) -> dict[str, object]:
        return {s: self.bare({k: interval(v) for k, v in self.scored(position, s).items()}) for s in SIZES}

    def coefficients(self, position: np.ndarray) -> dict[str, object]:
        rows = position.reshape(len(EXPERTS), -1).tolist()
        return {name: row if self.groups else row[0] for name, row in zip(EXPERTS, rows, strict=True)}

    def summary(self, id: str, position: np.ndarray, special: dict[str, np.ndarray], source: str) -> dict[str, object]:
        names = {key.partition(":")[0] if key == UNIFORM else key: at for key, at in special.items()}
        test = self.scored(position, "test")
        baselines = {name: self.splits(at) for name, at in names.items()}
        baselines["uniform"]["coefficient"] = 0.25
        differences = {
            name: self.bare({k: paired(test[k], v) for k, v in self.scored(at, "test").items()})
            for name, at in names.items()
        }
        best = {"id": id, "coefficients": self.coefficients(position), "source": source} | self.splits(position)
        return {
            "best": best, "baselines": baselines, "paired": differences,
            "emergence": self.bare({k: {"newly_right": 0, "newly_wrong": 0, "n": 800, "chance": 2.1} for k in test}),
            "counts": {"evaluations": self.iterations * min(19, self.particles), "example_evaluations": 71200,
                       "tokens": 3100000, "failures": sum(line["kind"] == "failure" for line in self.lines)},
            "seconds": {"total": 512.0, "compose": 45.0, "forward": 731.0, "idle": 190.0, "other": 58.0},
            "seed": 0, "versions": {"python": "3.11.7", "torch": "2.8.0", "swarm": "0.1.0"},
            "notes": ["The select split has fewer than 300 examples."], "export_check": {"n": 64, "equal": 64},
        }  # fmt: skip


def hash_of(name: str) -> str:
    return "".join(f"{(ord(c) * 2654435761) % 2**32:08x}" for c in (name * 8)[:8])


SMALL = {"search": 24, "select": 24, "test": 60}
KINDS = {
    "plain": lambda: Maker().run(),
    "two objectives": lambda: Maker(("letters", "likelihood"), plain=("likelihood",), iterations=8).run(),
    "grouped": lambda: Maker(groups=("attention", "mlp", "embedding"), iterations=12).run(),
    "many groups": lambda: Maker(groups=tuple(f"layers.{i}" for i in range(24)), iterations=6).run(),
    "failures": lambda: Maker(failures=0.1, iterations=10).run(),
    "uniform wins": lambda: Maker(iterations=2, sizes=SMALL).run("uniform"),
}


@pytest.fixture(scope="module")
def run() -> Fake:
    return KINDS["plain"]()


class Page(HTMLParser):
    """Collects tags, checks that they close, and looks for anything that would be fetched or run."""

    VOID = ("meta", "br")

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open, self.tags, self.fetched = [], [], []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.fetched += [f"{tag} {key}" for key, _ in attrs if key in ("src", "href", "srcset") or key.startswith("on")]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


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


@pytest.mark.parametrize("kind", KINDS)
def test_every_chart_is_named_for_those_who_do_not_see_it(kind: str, tmp_path: Path) -> None:
    html, _ = KINDS[kind]().write(tmp_path)
    charts = re.findall(r"<svg [^>]*>(?:<title>)?", html)
    drawn = [chart for chart in charts if 'role="img"' in chart]
    assert len(drawn) >= 6
    assert all(chart.endswith("<title>") and "aria-label=" in chart for chart in drawn)
    assert all('aria-hidden="true"' in chart for chart in charts if chart not in drawn)


def test_headline_has_the_score_its_interval_and_the_difference(run: Fake, tmp_path: Path) -> None:
    html, markdown = run.write(tmp_path)
    test, found = run.summary["best"]["test"], run.summary["paired"]["uniform"]
    score = f"{100 * test['mean']:.1f} %"
    on = f"on 800 untouched test examples (95 % interval {100 * test['low']:.1f} to {100 * test['high']:.1f})"
    above = f"{100 * found['difference']:.1f} points above the uniform average"
    assert f"Composed expert: {score} {on}; {above}" in markdown
    assert f"<strong>{score}</strong> {on}; {above}" in html.replace("\u00a0", " ")


def test_nothing_is_claimed_where_the_interval_includes_zero() -> None:
    unit = words.Unit(percent=True)
    assert words.claim(unit, "the base", Difference(0.01, -0.02, 0.04)).startswith("no better than the base can be")
    assert words.claim(unit, "the base", Difference(0.0, 0.0, 0.0)).startswith("no better than")
    assert words.claim(unit, "the base", Difference(-0.03, -0.05, -0.01)) == "3.0 points below the base (−5.0 to −1.0)"
    assert words.claim(unit, "the base", Difference(0.11, 0.071, 0.15)) == "11.0 points above the base (7.1 to 15.0)"


def test_a_winning_baseline_is_called_so_and_not_compared_with_itself(tmp_path: Path) -> None:
    html, markdown = KINDS["uniform wins"]().write(tmp_path)
    for text in (html, markdown):
        assert "The uniform average: " in text
        assert "Composed expert" not in text
        assert "No searched weighting did better than the uniform average on the select split" in text
        assert "than the uniform average can be claimed" not in text


@pytest.mark.parametrize("stop", ["start", "search", "selection", "test"])
def test_an_unfinished_run_says_so_with_what_is_known(run: Fake, stop: str, tmp_path: Path) -> None:
    kinds = [line["kind"] for line in run.lines]
    ends = {"start": 1, "search": 130, "selection": kinds.index("select") + 12, "test": kinds.index("test")}
    html, markdown = Fake(run.lines[: ends[stop]], {}).write(tmp_path)
    for text in (html, markdown):
        assert "Unfinished" in text
        assert "Composed expert:" not in text
        assert ("No candidate has a score yet" in text) == (stop == "start")
        assert ("The search is over" in text) == (stop in ("selection", "test"))


def test_a_chosen_but_untested_best_is_unfinished(run: Fake, tmp_path: Path) -> None:
    best = {key: value for key, value in run.summary["best"].items() if key != "test"}
    lines = [line for line in run.lines if line["kind"] != "test"]
    html, markdown = Fake(lines, {"best": best}).write(tmp_path)
    assert "has not been scored on the test split yet" in html
    assert "has not been scored" in markdown


def test_an_empty_journal_is_the_users_to_mend(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="no start line"):
        write_report(tmp_path, [], {})


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


def test_newly_right_and_wrong_follow_their_definition(run: Fake) -> None:
    journal = read_journal(run.lines)
    best_id = run.summary["best"]["id"]
    scores = {id: np.array(line.examples["letters"]) > 0.5 for id, line in journal.tests.items()}
    some = np.any([right for id, right in scores.items() if id == "base" or id.startswith("expert:")], axis=0)
    found = changes(journal, best_id, "letters")
    ids = [item.id for item in journal.start.items["letters"]["test"]]
    assert [change.item.id for change in found.right] == [ids[i] for i in np.flatnonzero(scores[best_id] & ~some)]
    assert [change.item.id for change in found.wrong] == [ids[i] for i in np.flatnonzero(~scores[best_id] & some)]
    assert found.right
    assert all(change.had for change in found.wrong)


def test_scores_outside_the_unit_interval_are_plain_numbers_without_right_and_wrong(tmp_path: Path) -> None:
    html, markdown = Maker(plain=("letters",), sizes=SMALL, iterations=4).run().write(tmp_path)
    assert "Newly right" not in html
    assert "Newly right" not in markdown
    assert "points" not in html
    assert re.search(r"Composed expert: −\d\.\d+ on 60", markdown)


def test_examples_shown_are_capped_and_the_rest_counted(run: Fake, tmp_path: Path) -> None:
    html, markdown = run.write(tmp_path)
    found = changes(read_journal(run.lines), run.summary["best"]["id"], "letters")
    assert html.count('class="example"') == min(20, len(found.right)) + min(20, len(found.wrong))
    assert len(found.right) > 20
    assert f"and {len(found.right) - 20} more" in markdown


def test_best_so_far_only_rises_and_only_whole_evaluations_count() -> None:
    maker = Maker(iterations=4, sizes=SMALL)
    lines = maker.run().lines
    next(line for line in lines if line["kind"] == "evaluation").update(status="stopped", scores={"letters": 1.0})
    found = course(read_journal(lines), "letters")
    heights = [score for _, score in found.best]
    assert heights == sorted(set(heights))
    assert heights[-1] < 1.0
    assert found.total == 4 * 19
    assert len(found.populations) == 4
    assert all(population.low <= population.high for population in found.populations)


def test_failures_are_grouped_by_error_and_counted() -> None:
    fake = KINDS["failures"]()
    journal = read_journal(fake.lines)
    found = troubles(journal)
    unscored = sum(line.status == "failed" for line in journal.evaluations)
    assert sum(trouble.times for trouble in found) == len(journal.failures) + unscored > unscored > 0
    assert len({trouble.error for trouble in found}) == len(found)
    assert costs(journal, {}, {}).unscored == unscored == len(course(journal, "letters").failed)


def test_coefficients_keep_their_groups_names_and_signs(tmp_path: Path) -> None:
    fake = KINDS["grouped"]()
    fake.summary["best"]["coefficients"]["sort"] = [0.5, -0.25, 0.0]
    journal = read_journal(fake.lines)
    best = facts.find_best(journal, read_summary(fake.summary, journal.objectives))
    assert best.coefficients["sort"] == {"attention": 0.5, "mlp": -0.25, "embedding": 0.0}
    html, markdown = fake.write(tmp_path)
    assert "bar negative" in html
    assert "sort: attention 0.5000, mlp −0.2500, embedding 0.0000" in markdown


def test_an_experts_name_may_hold_dots() -> None:
    lines = Maker(sizes=SMALL, iterations=1).lines
    maker = Maker(sizes=SMALL, iterations=1)
    source = {"path": "/a", "fingerprint": "0"}
    lines[0] |= {"experts": {"a": source, "a.b": source}, "coordinates": ["a.x", "a.b.x"]}
    line = maker.line("evaluation", "0-0", np.zeros(len(EXPERTS)), "search")
    lines.append(line | {"position": [1, 2], "scores": {"letters": 0.5}})
    journal = read_journal(lines)
    assert facts.find_best(journal, read_summary({}, ("letters",))).coefficients == {"a": {"x": 1}, "a.b": {"x": 2}}


def test_task_means_weigh_up_to_the_whole(run: Fake) -> None:
    journal = read_journal(run.lines)
    tasks = by_task(journal, {"best": run.summary["best"]["id"], "base": "base"}, "letters")
    assert {task.task for task in tasks} == set(TASKS)
    total = sum(task.means["best"] * task.n for task in tasks) / sum(task.n for task in tasks)
    assert total == pytest.approx(run.summary["best"]["test"]["mean"])


@pytest.mark.parametrize(("low", "high"), [(0, 1), (0.31, 0.74), (-5.2, 3.1), (0, 400), (1e-4, 2e-4), (-1e6, 1e6)])
@pytest.mark.parametrize("most", [4, 7, 10])
def test_ticks_are_few_round_and_inside(low: float, high: float, most: int) -> None:
    found = svg.ticks(low, high, most)
    assert 2 <= len(found) <= most
    assert all(low - 1e-9 <= tick <= high + 1e-9 for tick in found)


def test_charts_draw_the_same_journal_the_same_way(run: Fake, tmp_path: Path) -> None:
    assert run.write(tmp_path / "a" / "run") == run.write(tmp_path / "b" / "run")


def test_charts_of_nothing_are_left_out() -> None:
    journal = read_journal(Maker(sizes=SMALL).lines)
    unit = words.Unit(percent=True)
    assert plots.course_figure(course(journal, "letters"), {}, unit, "") is None
    assert plots.tasks_figure((), unit, "") is None
    assert bars.coefficients_figure({}) is None
    assert bars.time_figure(costs(journal, {}, {})) is None
