"""Runs as a journal and a summary would tell them, made up; and a reader of pages."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path

import numpy as np

from swarm.journal.records import Record, read_record
from swarm.journal.summary import Summary
from swarm.report import write_report
from swarm.report.read_journal import Journal, read_journal

EXPERTS = ("reverse", "sort", "count", "upper")
TASKS = ("reverse", "sort", "count", "reverse then sort", "sort then count", "upper then reverse")
NEEDS = {
    "reverse": (0,), "sort": (1,), "count": (2,),
    "reverse then sort": (0, 1), "sort then count": (1, 2), "upper then reverse": (3, 0),
}  # fmt: skip
SIZES = {"search": 200, "select": 200, "test": 800}
UNIFORM = "uniform:0.25"


def records_of(lines: Sequence[object]) -> list[Record]:
    """The records of lines as a file would hold them."""
    return [read_record(line) for line in json.loads(json.dumps(lines))]


def journal_of(lines: Sequence[object]) -> Journal:
    return read_journal(records_of(lines))


@dataclass(frozen=True)
class Fake:
    """A run as the journal and the summary would tell it; without a summary ({}) it is unfinished."""

    lines: list[dict[str, object]]
    summary: dict[str, object]

    @property
    def typed_summary(self) -> Summary | None:
        """As the report sees it."""
        if not self.summary:
            return None
        found = Summary.model_validate(json.loads(json.dumps(self.summary)))
        return found.named(tuple(self.lines[0]["items"]))

    def write(self, run_dir: Path) -> tuple[str, str]:
        run_dir.mkdir(parents=True, exist_ok=True)
        write_report(run_dir, records_of(self.lines), self.typed_summary)
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
        named = {name: dict(zip(self.groups, row, strict=False)) for name, row in zip(EXPERTS, rows, strict=True)}
        return named if self.groups else {name: row[0] for name, row in zip(EXPERTS, rows, strict=True)}

    def summary(self, id: str, position: np.ndarray, special: dict[str, np.ndarray], source: str) -> dict[str, object]:
        names = {key.partition(":")[0] if key == UNIFORM else key: at for key, at in special.items()}
        test = self.scored(position, "test")
        baselines = {name: self.splits(at) for name, at in names.items()}
        baselines["uniform"] |= {"coefficient": 0.25, "tried": [0.25, 0.5, 0.75, 1.0]}
        differences = {
            name: self.bare({k: paired(test[k], v) for k, v in self.scored(at, "test").items()})
            for name, at in names.items()
        }
        best = {"id": id, "source": source, "coefficients": self.coefficients(position)} | self.splits(position)
        return {
            "best": best, "baselines": baselines, "paired": differences,
            "predicted": self.bare({k: interval(v) for k, v in self.scored(position, "select").items()}),
            "emergence": {"newly_right": 0, "newly_wrong": 0, "n": 800, "chance": 2.1},
            "counts": {"evaluations": self.iterations * min(19, self.particles), "example_evaluations": 71200,
                       "tokens": 3100000, "failures": sum(line["kind"] == "failure" for line in self.lines)},
            "seconds": {"total": 512.0, "compose": 45.0, "forward": 731.0, "idle": 190.0, "other": 58.0},
            "versions": {"python": "3.11.7", "torch": "2.8.0", "swarm": "0.1.0"}, "seed": 0,
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
