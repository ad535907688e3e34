"""Recipes of searches on SmolLM2: in a fresh process `swarm.load` gives the scores that the run has written down."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

import swarm
from support.composed_runs import KINDS, make_config
from support.playground import run_cli
from swarm.core.examples import Split
from swarm.core.requests import Continuation
from swarm.data.examples import read_examples
from swarm.engines.encoding import Encoder
from swarm.objectives.prompting import continue_with
from swarm.run.export_candidate import exported_candidate

SPLITS: tuple[Split, ...] = ("test", "search")
# The mean log-likelihood of each answer's tokens, from the model alone: the prompt is read first, as a router reads it.
SCORING = """
import json, sys, torch
import swarm

model = swarm.load(sys.argv[1], device="cpu")
found = []
for prompt, answer in json.load(sys.stdin):
    with torch.no_grad():
        first = model(torch.tensor([prompt]), use_cache=True)
        rest = model(torch.tensor([answer]), past_key_values=first.past_key_values)
    logits = torch.cat([first.logits[:, -1:], rest.logits[:, :-1]], dim=1).log_softmax(-1)
    found.append(float(logits[0].gather(1, torch.tensor(answer)[:, None]).mean()))
print(json.dumps(found))
"""


def one_that_acts(run: swarm.Run) -> tuple[str, Split]:
    """The best of the candidates that need more than weights, with the split: test where one was scored there."""
    for split in SPLITS:
        rows = [row for row in run.archive.rows() if row["split"] == split and "score:tasks" in row]
        for row in sorted(rows, key=lambda row: -float(str(row["score:tasks"]))):
            if not exported_candidate(run.folder, str(row["id"])).plain:
                return str(row["id"]), split
    raise AssertionError("some candidate acts beyond weights")


@pytest.mark.real
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("kind", KINDS)
def test_a_fresh_process_gives_the_scores_of_the_run_in_float32(kind: str, tmp_path: Path) -> None:
    config = make_config("smollm2", kind, tmp_path)
    settings = ("engine.dtype=float32", "cluster={type: local}", "export.check_examples=4")
    words = [word for setting in settings for word in ("--set", setting)]
    done = run_cli("search", config, "--run-dir", tmp_path / "run", *words)
    assert done.code == 0, done.err
    run = swarm.Run.load(tmp_path / "run")
    one, split = one_that_acts(run)
    dest = run.export(tmp_path / "out", candidate=one, format="recipe")
    evaluation, start = run.archive.of(one, split), run.archive.start
    assert evaluation is not None
    assert start is not None
    (objective,) = run.config.objectives
    known = {each.id: each for each in read_examples(Path(str(objective.data)))}
    asked = [known[item.id] for item in start.items["tasks"][split]]
    texts = [Continuation(each.prompt, continue_with(each.prompt, str(each.answer))) for each in asked]
    items = Encoder.of(Path(run.config.base)).encode(texts).items
    tokens = json.dumps([(list(item.prompt), list(item.continuation)) for item in items])
    child = subprocess.run(
        [sys.executable, "-c", SCORING, str(dest)], input=tokens, capture_output=True, text=True, check=True
    )
    scores = json.loads(child.stdout.splitlines()[-1])
    seen = list(evaluation.examples["tasks"])  # fewer, where a race has stopped it
    assert scores[: len(seen)] == pytest.approx(seen, abs=1e-4)
    print(kind, one, split, max(abs(a - b) for a, b in zip(scores, seen, strict=False)))
