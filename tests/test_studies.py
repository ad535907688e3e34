"""The studies' configs resolve, their variants differ as intended, and tables are right on a tiny example."""

import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yaml
from jsonschema import Draft202012Validator

sys.path.append(str(Path(__file__).parent / "benchmarks"))  # the scripts import each other from their own folder

import proxy_tuning
from study import figures, record, searching, tables
from study.variants import CONFIGS, STUDIES, copied

from support.optimizer_runs import space
from swarm.config.load import load_config
from swarm.config.references import resolve
from swarm.config.schema import json_schema
from swarm.core.examples import Example
from swarm.objectives.exact_match import ExactMatch
from swarm.optimizers.model_swarms import ModelSwarms
from swarm.zoo import tiny
from swarm.zoo.base import Builder, BuildPaths, Progress
from swarm.zoo.store import build_at, cache_directory

PAGES = CONFIGS.parents[1] / "docs" / "results" / "studies"
OF_THEIR_OWN = {"clm", "mixed", "proxy_tuning", "routing"}  # studies that a script of their own runs
PATHS = [f"zoo:tiny/{name}" for name in "abcdefghij"]


def made(seed: int, test: float, **content: object) -> record.Record:
    """A search of four particles and two experts."""
    one = record.Record(
        key=f"{seed}-{test}",
        variant="",
        seed=seed,
        test=test,
        finalist=test,
        delivered="1-2",
        source="search",
        examples=100,
        evaluations=8,
        stopped=0,
        starts=[0.1, 0.4, 0.3, 0.4],
        bests=[0.2, 0.5, 0.6, 0.4],
        leader=2,
        votes={"1": test, "3": test + 0.1},
        experts={"a": (0.1, 0.2), "b": (0.4, 0.3)},
    )
    return replace(one, **content)


def test_every_study_has_a_config_and_a_table() -> None:
    assert {path.stem for path in CONFIGS.glob("*.yaml")} - OF_THEIR_OWN == set(STUDIES) == set(tables.TABLES)


@pytest.mark.parametrize("path", sorted(CONFIGS.glob("*.yaml")), ids=lambda path: path.stem)
def test_every_config_fits_program_and_schema(path: Path) -> None:
    assert path.stem in OF_THEIR_OWN or load_config(path).optimizer.type == "model_swarms"
    errors = Draft202012Validator(json_schema()).iter_errors(yaml.safe_load(path.read_text()))
    assert [error.message for error in errors] == []


@pytest.fixture
def hollow_zoo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The tiny zoo's folders, all empty: enough to resolve a config."""

    def make(paths: BuildPaths, progress: Progress) -> None:
        for name in ("base", "data", *(f"experts/{expert.name}" for expert in tiny.RECIPE.experts)):
            (paths.work / name).mkdir(parents=True)
        (paths.work / "data" / "examples.jsonl").touch()

    monkeypatch.setenv("SWARM_CACHE", str(tmp_path))
    build_at(Builder(tiny.RECIPE, make), "tiny", cache_directory() / "tiny", lambda text, share: None)


@pytest.mark.usefixtures("hollow_zoo")
@pytest.mark.parametrize("study", STUDIES)
def test_every_variant_resolves(study: str, tmp_path: Path) -> None:
    path = CONFIGS / f"{study}.yaml"
    names = [expert.path.rpartition("/")[2] for expert in load_config(path).experts]
    full = made(3, 0.5, experts={name: (i, i) for i, name in enumerate(names)})
    for variant in STUDIES[study]:
        config = resolve(variant.config(path, 3, full), tmp_path)
        assert config.seed == 3
        assert len({expert.name for expert in config.experts}) == len(names) - variant.without_best
        assert not set(names[len(names) - variant.without_best :]) & {expert.name for expert in config.experts}


def test_variants_differ_and_studies_share_the_full_method() -> None:
    full = made(0, 0.5, experts={expert.path[9:]: (0, 0) for expert in load_config(CONFIGS / "weak.yaml").experts})
    keys = {
        study: [searching.key_of(v.config(CONFIGS / f"{study}.yaml", 0, full), v.voters) for v in variants]
        for study, variants in STUDIES.items()
    }
    assert all(len(set(each)) == len(each) for each in keys.values())
    full_method_first = [study for study in STUDIES if study not in ("dropping", "token_swarms")]
    assert len({keys[study][0] for study in full_method_first}) == 1


@pytest.mark.parametrize("distinct", [1, 2, 5])
def test_copies_fill_the_swarm_and_every_expert_is_taken_equally_often(distinct: int) -> None:
    drawn = [copied(PATHS, distinct, seed) for seed in range(10)]
    for experts in drawn:
        assert len({expert["name"] for expert in experts}) == 10
        assert len({expert["path"] for expert in experts}) == distinct
    taken = [expert["path"] for experts in drawn for expert in experts]
    assert {taken.count(path) for path in PATHS} == {10}


def test_a_record_is_read_back_and_an_incomplete_line_is_left_out(tmp_path: Path) -> None:
    file = tmp_path / "runs.jsonl"
    one, other = made(0, 0.5), made(1, 0.25, delivered="expert:a-7", source="expert:a-7")
    for each in (one, other):
        record.append_record(file, each)
    with file.open("a") as handle:
        handle.write('{"key": "cut')
    found = record.read_records(file)
    assert list(found) == [one.key, other.key]
    assert found[one.key].ranked_experts() == ["b", "a"]
    assert found[one.key].best_expert == 0.3
    assert (found[one.key].winner, found[other.key].winner) == (2, None)


def test_the_interval_is_students_t() -> None:
    mean = figures.Mean.of([0.1, 0.2, 0.3])
    np.testing.assert_allclose((mean.mean, mean.low, mean.high), (0.2, 0.2 - 0.2484, 0.2 + 0.2484), atol=1e-4)


def test_a_row_pairs_the_seeds_that_both_have() -> None:
    reference = {seed: made(seed, test) for seed, test in enumerate((0.5, 0.7, 0.9))}
    ours = {0: made(0, 0.6, examples=50), 1: made(1, 0.9, examples=50, source="uniform")}
    row = figures.row("ours", ours, reference)
    assert row.test.n == 2
    assert row.difference is not None
    np.testing.assert_allclose((row.test.mean, row.difference.mean, row.share.mean), (0.75, 0.15, 0.5))
    assert row.baselines == 1
    assert figures.row("reference", reference, reference).difference is None


def test_a_rank_counts_the_higher_values() -> None:
    assert [figures.rank([0.1, 0.4, 0.3, 0.4], i) for i in range(4)] == [4, 1, 3, 1]


@pytest.mark.parametrize("seed", range(5))
def test_ancestors_are_the_experts_that_an_initial_position_is_made_of(seed: int) -> None:
    x_ND = ModelSwarms(particles=12).init(space(5), seed).generation.x_ND
    assert figures.ancestors(5, 12, seed) == [frozenset(np.flatnonzero(x_D)) for x_D in x_ND]


def test_the_majority_wins_and_on_a_tie_the_best_member() -> None:
    examples = [Example(str(i), "?", "right") for i in range(4)]
    written = [
        ["right", "wrong", "right", "a"],
        ["right ", "right", "wrong", "b"],
        ["wrong", "right", "other", "right"],
    ]
    objective = ExactMatch(name="letters", data="")
    assert searching.majority(objective, examples, written) == [1.0, 1.0, 1.0, 0.0]
    assert searching.majority(objective, examples, written[1:2]) == [1.0, 1.0, 0.0, 0.0]


def test_tables_hold_the_numbers() -> None:
    full = {seed: made(seed, test) for seed, test in enumerate((0.5, 0.7))}
    found = {"full": full, "other": {seed: made(seed, one.test - 0.1) for seed, one in full.items()}}
    assert "| other | 50.0 (-77.1 to 177.1) | -10.0 (-10.0 to -10.0) |" in tables.variants(found)
    assert "| full | 30.0 (30.0 to 30.0) | +30.0 (-97.1 to +157.1) |" in tables.weak(found)
    assert "| did not rank first at the start | 2 of 2 (34% to 100%) | 2 of 2 (34% to 100%) | 50% |" in tables.ranks(
        {"full": full}
    )
    assert "| 3 | 70.0 (-57.1 to 197.1) | +10.0 (+10.0 to +10.0) |" in tables.ensembles({"full": full})


def test_only_the_text_between_the_markers_changes() -> None:
    page = f"words\n{tables.BEGIN}\nold\n{tables.END}\nmore words\n"
    text = tables.filled(page, "new")
    assert text == f"words\n{tables.BEGIN}\n\nnew\n\n{tables.END}\nmore words\n"
    assert tables.filled(text, "new") == text


@pytest.mark.parametrize("study", [*STUDIES, *sorted(OF_THEIR_OWN)])
def test_every_study_has_a_page_to_fill(study: str) -> None:
    text = (PAGES / f"{study}.md").read_text()
    assert tables.filled(text, "x")
    assert f"configs/studies/{study}.yaml" in text
    assert f"({study}.md)" in (PAGES / "README.md").read_text()


def test_records_are_plain_json() -> None:
    assert json.loads(json.dumps(made(0, 0.5).votes)) == {"1": 0.5, "3": 0.6}


def test_the_share_of_a_gap() -> None:
    """Of 100 examples the base has 20 right and direct tuning 80; what has 50 right closes half of the gap."""
    base, direct, ours = (np.repeat([1.0, 0.0], [right, 100 - right]) for right in (20, 80, 50))
    share, low, high = proxy_tuning.closed(ours, base, direct)
    assert share == pytest.approx(0.5)
    assert 0.3 < low < 0.5 < high < 0.7
    assert proxy_tuning.closed(direct, base, direct) == (1.0, 1.0, 1.0)
    assert proxy_tuning.closed(base, base, direct) == (0.0, 0.0, 0.0)


def test_the_change_of_the_facts() -> None:
    """Where nothing changes the interval is symmetric about 0, and it is not empty: 100 facts are not all facts."""
    known = np.ones(100)
    change, low, high = proxy_tuning.change(known, known)
    assert change == 0.0
    assert low == pytest.approx(-high)
    assert -0.05 < low < -0.02
    lost = np.repeat([1.0, 0.0], [60, 40])
    change, low, high = proxy_tuning.change(lost, known)
    assert change == pytest.approx(-0.4)
    assert low < -0.4 < high < -0.3
