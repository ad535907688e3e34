"""Baselines that the search did not score: their phase ends with them, whatever is scored ahead beside."""

from collections.abc import Iterator
from pathlib import Path

from support.runs import ADAPTERS, make_workshop, write_examples
from swarm.config.load import parse_config
from swarm.config.references import resolve
from swarm.core.candidates import Evaluation
from swarm.core.outcomes import Feed, Outcome
from swarm.run.directory import JOURNAL, new_run
from swarm.run.pipeline import Run, prepare
from swarm.run.plan import Plan
from swarm.run.provenance import start_record
from swarm.search.status import Status
from swarm.workers.pool import LocalPool


class Quiet:
    def phase(self, text: str) -> None: ...

    def note(self, text: str) -> None: ...

    def evaluated(self, evaluation: Evaluation, status: Status) -> None: ...


class Recording(LocalPool):
    """runs: the splits of what each of its runs scored, in order."""

    def __init__(self, plan: Plan) -> None:
        super().__init__(plan.spec)
        self.runs: list[list[str]] = []

    def run(self, feed: Feed) -> Iterator[Outcome]:
        self.runs.append([])
        for outcome in super().run(feed):
            assert isinstance(outcome, Evaluation)
            self.runs[-1].append(outcome.split)
            yield outcome


def test_each_phase_scores_its_own_split_where_one_worker_does_all(tmp_path: Path) -> None:
    folder = make_workshop(tmp_path / "workshop")
    write_examples(folder / "words.jsonl", 60)
    config = {
        "base": "base",
        "experts": list(ADAPTERS),
        "objectives": [{"name": "words", "type": "multiple_choice", "data": "words.jsonl"}],
        "optimizer": {"type": "random", "particles": 2, "iterations": 1},
    }
    plan = prepare(resolve(parse_config(config, "test"), folder), tmp_path / "run")
    pool = Recording(plan)
    with new_run(tmp_path / "run", {JOURNAL: ""}) as archive:
        archive.append(start_record(plan))
        Run(plan, tmp_path / "run", archive, Quiet(), open_pool=lambda plan, note: pool).carry_on()
    search, baselines, selecting, testing = pool.runs
    assert set(search) == set(baselines) == {"search"}
    assert set(selecting) == {"select"}
    assert set(testing) == {"test"}
