"""summary.json is read as it was written, by every version; what is damaged is an error in one line."""

import json
import math
from pathlib import Path

import pytest

from support.report_runs import KINDS
from support.summaries import LEAST, SCORE, summary_with
from swarm.core.errors import RunError
from swarm.journal.summary import SPLITS, BaselineScores, Best, Gain, Summary
from swarm.statistics.intervals import Score

CORRECTED = {"difference": 0.1, "low": 0.05, "high": 0.15, "corrected": {"low": 0.01, "high": 0.19}}
WHOLE = {
    "best": {"id": "3-1", "source": "search", "coefficients": {"a": 0.5, "b": -0.25}, "search": SCORE, "select": SCORE,
             "test": SCORE},
    "baselines": {"base": {"search": SCORE, "select": None, "test": None},
                  "uniform": {"search": SCORE, "select": SCORE, "test": SCORE, "coefficient": 0.3}},
    "paired": {"base": None, "uniform": CORRECTED},
    "verdict": {"found": True, "text": "Better."},
    "predicted": SCORE,
    "optimism": -0.01,
    "emergence": {"newly_right": 3, "newly_wrong": 1, "n": 200, "chance": 2.5},
    "counts": {"evaluations": 20, "stopped": 2, "example_evaluations": 400, "tokens": 9000, "failures": 0},
    "seconds": {"total": 10.0, "compose": 1.0, "forward": 6.0, "idle": 2.0, "other": 1.0},
    "versions": {"swarm": "0.1.0"},
    "seed": 0,
    "base": {"path": "/base", "fingerprint": "0"},
    "experts": {"a": {"path": "/a", "fingerprint": "1"}, "b": {"path": "/b", "fingerprint": "2", "trained_on": ["x"]}},
    "notes": ["a note"],
    "export_check": {"n": 50, "equal": 50},
}  # fmt: skip
OF_TWO = {"maths": SCORE, "mean": SCORE}  # an objective may be called as a score's field
TWO = WHOLE | {
    "best": WHOLE["best"] | {"coefficients": {"a": {"mlp": 0.5, "rest": 0.0}}, "search": OF_TWO, "select": OF_TWO,
                             "test": OF_TWO},
    "baselines": {"base": {"search": OF_TWO, "select": OF_TWO, "test": OF_TWO}},
    "paired": {"base": {"maths": CORRECTED, "mean": CORRECTED}},
    "verdict": dict.fromkeys(OF_TWO, WHOLE["verdict"]),
    "predicted": OF_TWO,
    "emergence": None,
    "export_check": None,
}  # fmt: skip
CASES = {"one objective": WHOLE, "two objectives": TWO, "an older version": LEAST}
CASES |= {f"report, {kind}": make().summary for kind, make in KINDS.items()}


def written(folder: Path, content: object) -> Path:
    path = folder / "summary.json"
    path.write_text(json.dumps(content))
    return path


@pytest.mark.parametrize("case", CASES)
def test_what_is_read_is_written_again_in_the_same_order(tmp_path: Path, case: str) -> None:
    summary = Summary.read(written(tmp_path, CASES[case]))
    assert json.dumps(summary.content()) == json.dumps(CASES[case])


def test_a_single_objective_takes_its_name() -> None:
    summary = Summary.model_validate(WHOLE)
    assert summary.objectives == ("",)
    named = summary.named(["letters"])
    assert named.objectives == ("letters",)
    assert named.best.scores == {split: {"letters": Score(**SCORE)} for split in SPLITS}
    assert named.baselines["base"].scores == {"search": {"letters": Score(**SCORE)}}
    assert named.paired["uniform"] == {"letters": Gain(**CORRECTED)}
    assert named.paired["base"] is None
    assert (set(named.verdict or ()), set(named.predicted or ())) == ({"letters"}, {"letters"})
    assert named.content() == summary.content(), "the name is not written"
    assert Summary.model_validate(TWO).named(["maths", "mean"]) == Summary.model_validate(TWO)
    assert Summary.model_validate(TWO).objectives == ("maths", "mean")


def test_fields_are_typed() -> None:
    summary = Summary.model_validate(WHOLE)
    assert summary.best.coefficients == {"a": {"": 0.5}, "b": {"": -0.25}}
    assert summary.gains == {"uniform": {"": Gain(**CORRECTED)}}
    assert summary.is_corrected
    shown = summary.gains["uniform"][""].shown
    assert (shown.difference, shown.low, shown.high) == (0.1, 0.01, 0.19)
    alone = summary_with(paired={"base": {"difference": 0.1, "low": 0.05, "high": 0.15}})
    assert not alone.is_corrected
    assert alone.gains["base"][""].shown.low == 0.05
    assert summary_with(best=WHOLE["best"] | {"source": "uniform"}, paired=WHOLE["paired"]).gains == {}


def test_an_unknown_interval_is_null_on_disk() -> None:
    unknown = SCORE | {"low": None, "high": None}
    summary = summary_with(best={"id": "a", "test": unknown}, predicted=unknown)
    assert summary.best.test is not None
    assert math.isnan(summary.best.test[""].low)
    assert not summary.best.test[""].has_interval
    assert summary.content()["best"] == {"id": "a", "test": unknown}
    made = Best(id="a", test={"x": Score(0.5, math.nan, math.nan, 3)})
    assert summary.model_copy(update={"best": made}).content()["best"]["test"]["low"] is None


def test_parts_can_be_asked_for() -> None:
    assert list(Summary.model_validate(WHOLE).content(("optimism", "best"))) == ["best", "optimism"]
    assert list(summary_with().content(("optimism", "best"))) == ["best"]


def test_only_what_is_known_is_written() -> None:
    assert BaselineScores(search=None).model_dump(exclude_unset=True) == {"search": None}
    assert summary_with().content() == LEAST


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ([], "valid dictionary"),
        ({}, "best: Field required"),
        (LEAST | {"best": {}}, "best.id: Field required"),
        (LEAST | {"best": {"id": "a", "test": {"mean": 0.5}}}, r"best\.test.*low: Field required"),
        (LEAST | {"counts": {"evaluations": "many"}}, "counts.evaluations: Input should be a valid integer"),
        (LEAST | {"paired": {"base": 3}}, "paired.base"),
    ],
)
def test_what_is_no_summary_is_an_error_with_its_remedy(tmp_path: Path, content: object, said: str) -> None:
    path = written(tmp_path, content)
    with pytest.raises(RunError, match=rf"summary\.json is not a summary.*{said}") as error:
        Summary.read(path)
    assert str(error.value).endswith(f"; remove it, then swarm resume {tmp_path}")
    assert "\n" not in str(error.value)


def test_a_missing_or_unreadable_file_is_an_error_with_its_remedy(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"holds no summary.json: the run has not ended; swarm resume"):
        Summary.read(tmp_path / "summary.json")
    (tmp_path / "summary.json").write_text("{")
    with pytest.raises(RunError, match=r"is not valid JSON .* remove it, then swarm resume"):
        Summary.read(tmp_path / "summary.json")
