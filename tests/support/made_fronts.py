"""Runs that searched a front or kept floors, as a journal and a summary would tell them, made up."""

from collections.abc import Mapping
from dataclasses import asdict

import numpy as np

from support.report_runs import SMALL, Fake, Maker, interval, journal_of
from swarm.core.candidates import Candidate, Evaluation
from swarm.journal.summary import Summary
from swarm.preferences.front import significantly_dominated
from swarm.report.front import FrontRows, front_rows
from swarm.search.coverage import coverage, coverage_gain

CONFIDENCE = 0.999


class FrontMaker(Maker):
    """As `Maker`, with every finalist scored on test unless another dominates it, and a front in the summary."""

    def __init__(
        self, objectives: tuple[str, ...], floors: Mapping[str, str] | None = None, apart: bool = True,
        kept: bool = True, labels: tuple[str, ...] = (), **settings: object,
    ) -> None:  # fmt: skip
        super().__init__(objectives, **{"iterations": 6, "sizes": SMALL} | settings)
        self.floors, self.apart, self.kept, self.labels = dict(floors or {}), apart, kept, labels

    def run(self, source: str = "search") -> Fake:
        fake = super().run(source)
        members = {line["id"]: np.array(line["position"]) for line in fake.lines if line.get("split") == "select"}
        rows = {id: self.scored(at, "select") for id, at in members.items()}
        by_objective = {name: np.array([row[name] for row in rows.values()]) for name in self.worlds}
        ids, dominated = list(members), significantly_dominated(by_objective)
        best, special = fake.summary["best"]["id"], self.special()
        kept = [id for id, by in zip(ids, dominated, strict=True) if by < 0 or id == best]
        tests = kept if self.apart else []
        end = fake.lines.pop()
        fake.lines.extend(self.line("test", id, members[id], "test") for id in tests if id not in (*special, best))
        fake.lines.append(end)
        found = [
            self._member(id, members[id], ids[by] if by >= 0 and id != best else "", id in (*tests, *special, best))
            for id, by in zip(ids, dominated, strict=True)
        ]
        return Fake(fake.lines, fake.summary | {"front": self._front(found, kept, members, special)})

    def _member(self, id: str, at: np.ndarray, dominated_by: str, tested: bool) -> dict[str, object]:
        splits = {s: {k: interval(v) for k, v in self.scored(at, s).items()} for s in ("search", "select", "test")}
        coefficients = self.coefficients(at)
        named = coefficients if self.groups else {name: {"": value} for name, value in coefficients.items()}
        groups = {label: float(np.mean(at)) + i / 10 for i, label in enumerate(self.labels)}
        floors = {name: {"low": splits["select"][name]["low"], "kept": self.kept} for name in self.floors}
        return {
            "id": id, "coefficients": named, **(splits if tested else splits | {"test": None}), "groups": groups,
            "dominated_by": dominated_by, "floors": floors,
        }  # fmt: skip

    def _front(
        self, members: list[dict[str, object]], kept: list[str], at: Mapping[str, np.ndarray],
        special: Mapping[str, np.ndarray],
    ) -> dict[str, object]:  # fmt: skip
        reference = {name: min(float(self.scored(p, "search")[name].mean()) for p in special.values())
                     for name in self.worlds}  # fmt: skip
        front: dict[str, object] = {
            "objectives": list(self.worlds), "apart": self.apart, "reference": reference, "floors": self.floors,
            "confidence": CONFIDENCE, "rule": {"type": "weighted_sum", "weights": {"letters": 0.5}},
            "inputs": "the means of both splits", "kept": self.kept, "members": members,
        }  # fmt: skip
        if not self.apart:
            return front
        ours = {split: [self.evaluation_of(id, at[id], split) for id in kept] for split in ("select", "test")}
        theirs = [self.evaluation_of(id, position, "test") for id, position in special.items()]
        covered = {split: asdict(coverage(found, reference)) for split, found in ours.items()}
        searched = [self.evaluation_of(id, position, "search") for id, position in at.items()]
        return front | {
            "hypervolume": {"search": asdict(coverage(searched, reference))} | covered,
            "baselines": asdict(coverage(theirs, reference)),
            "gain": asdict(coverage_gain(ours["test"], theirs, reference)),
        }

    def evaluation_of(self, id: str, at: np.ndarray, split: str) -> Evaluation:
        scored = self.scored(at, split)
        return Evaluation(
            Candidate(id, tuple(map(float, at))), "ok", {k: float(v.mean()) for k, v in scored.items()},
            {k: tuple(map(float, v)) for k, v in scored.items()},
        )  # fmt: skip


TWO, THREE = ("letters", "digits"), ("letters", "digits", "likelihood")
FRONTS = {
    "two": lambda: FrontMaker(TWO).run(),
    "three": lambda: FrontMaker(THREE, plain=("likelihood",)).run(),
    "floors": lambda: FrontMaker(TWO, {"letters": "0.1", "digits": "base - 0.02"}, labels=("north", "south")).run(),
    "broken": lambda: FrontMaker(TWO, {"digits": "0.99"}, kept=False).run(),
    "best with floors": lambda: FrontMaker(TWO, {"digits": "0.05"}, apart=False).run(),
    "one objective": lambda: FrontMaker(("letters",), {"letters": "base"}, apart=False).run(),
    "grouped": lambda: FrontMaker(THREE, groups=("attention", "mlp")).run(),
}


def rows_of(fake: Fake) -> FrontRows:
    """What a report shows of a made front."""
    found = front_rows(journal_of(fake.lines), summary_of(fake))
    assert found is not None
    return found


def summary_of(fake: Fake) -> Summary:
    assert fake.typed_summary is not None
    return fake.typed_summary
