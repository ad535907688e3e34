"""Output diversity as a floor: it changes which candidate wins. docs/objectives.md shows this example."""

from pathlib import Path

import numpy as np

from support.optimizer_runs import space
from support.runs import START
from swarm.core.candidates import Candidate, Evaluation
from swarm.core.examples import Example
from swarm.core.floors import Floor
from swarm.core.requests import Text
from swarm.journal.archive import Archive
from swarm.objectives.diversity import Diversity
from swarm.preferences.goals import Goals
from swarm.preferences.linear import WeightedSum
from swarm.search.baselines import Baselines
from swarm.search.front_selection import FrontSelection
from swarm.search.selection import Selection

SPACE = space(3)
PROMPTS = [Example(str(i), f"Name a thing that begins with {letter}.", "") for i, letter in enumerate("abcdefgh" * 5)]
THINGS = ["an apple", "a boat", "some cheese", "the drum", "every egg", "one flag", "my goat", "this hat"]
SHARP, VARIED = Candidate("1-0", (0.9, 0.1, 0.2), 1, 0), Candidate("1-1", (0.3, 0.6, 0.2), 1, 1)
WEIGHTS = {"helpful": 1.0, "diverse": 0.0}
DIVERSE = Diversity(name="diverse", samples=4)


def samples(candidate: Candidate, prompt: Example) -> list[str]:
    """SHARP says the same four times; VARIED says four things; all others two."""
    first = int(prompt.id)
    different = {SHARP.id: 1, VARIED.id: 4}.get(candidate.id, 2)
    return [THINGS[(first + k % different) % len(THINGS)] for k in range(DIVERSE.samples)]


def scored(candidate: Candidate, helpful: int) -> Evaluation:
    """helpful: so many of 200 replies are."""
    answers = [(prompt, [Text(text, 2) for text in samples(candidate, prompt)]) for prompt in PROMPTS]
    examples = {
        "helpful": tuple(np.random.default_rng(1).permutation([1.0] * helpful + [0.0] * (200 - helpful)).tolist()),
        "diverse": tuple(each.score for each in DIVERSE.score_all(answers)),
    }
    return Evaluation(candidate, "ok", {name: float(np.mean(row)) for name, row in examples.items()}, examples)


def test_a_floor_on_diversity_changes_the_winner(tmp_path: Path) -> None:
    archive = Archive(tmp_path / "journal.jsonl")
    archive.append(START)
    baselines = Baselines.of(SPACE)
    for candidate, helpful in ((SHARP, 150), (VARIED, 140), *((each, 60) for each in baselines.all())):
        for split in ("search", "select"):
            archive.append_evaluation("evaluation", scored(candidate, helpful), split)
    diversity = {c.id: archive.of(c.id, "select").scores["diverse"] for c in (SHARP, VARIED)}  # type: ignore[union-attr]
    assert diversity[SHARP.id] == 0.0
    assert diversity[VARIED.id] > 0.7
    free = Selection(archive, WEIGHTS, baselines)
    assert free.winner([SHARP, VARIED]) == SHARP
    goals, rule = Goals(WEIGHTS, floors={"diverse": Floor(0.5)}), WeightedSum()
    held = FrontSelection(archive, WEIGHTS, baselines, space=SPACE, goals=goals, rule=rule)
    assert held.winner([SHARP, VARIED]) == VARIED
