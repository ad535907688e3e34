"""Trackers: what every one promises, taken from the registry, and that none of them can harm a run."""

import importlib.util
import json
import shutil
import subprocess
import sys
import threading
import tomllib
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from support.playground import Playground, run_cli, summary_of
from support.runs import journal, timeless
from support.summaries import SCORE, summary_with
from support.tracked import READERS, Points
from swarm.config.load import parse_config
from swarm.config.schema import json_schema
from swarm.core.errors import ConfigError
from swarm.journal.summary import Summary
from swarm.run.provenance import settings_of
from swarm.search.status import Status
from swarm.trackers import TRACKERS, TrackedRun, Tracker, Tracking, thread
from swarm.trackers.base import numbers, results

ROOT = Path(__file__).parents[2]
STATUS = Status(
    best=0.75, best_id="3-1", mean=0.5, iteration=3, evaluations=10, most=100, evaluations_per_minute=30.0,
    tokens=4000, tokens_per_second=200.0, workers=2, busy=0.875, failures=1, seconds_left=180.0,
)  # fmt: skip
SUMMARY = summary_with(
    best={"id": "3-1", "coefficients": {"a+b": 0.5}, "test": {"mean": 0.625, "low": 0.5, "high": 0.75, "n": 20}},
    baselines={"base": {"test": SCORE}},
    optimism=0.125,
)


def at(evaluations: int) -> Status:
    return replace(STATUS, evaluations=evaluations)


def needs(kind: str) -> None:
    for module in TRACKERS[kind].modules:
        pytest.importorskip(module, reason=f"the extra {kind} is not installed")


def session(kind: str, run: TrackedRun, steps: list[int], summary: Summary | None) -> None:
    settings = TRACKERS[kind](type=kind)
    settings.load()
    tracker = settings.start(run)
    for step in steps:
        tracker.log(at(step))
    tracker.finish(summary)


def config(**more: object) -> dict[str, object]:
    return {"base": "somewhere", "experts": [{"path": f"expert {i}"} for i in range(150)], "none": [], **more}


def steps_of(points: Points, name: str) -> list[int]:
    return [step for step, _ in points[name]]


@pytest.mark.parametrize("kind", TRACKERS)
def test_what_is_logged_can_be_read_back(tmp_path: Path, kind: str) -> None:
    needs(kind)
    session(kind, TrackedRun.of(tmp_path, kind, config()), [1, 5, 9], SUMMARY)
    points = READERS[kind](tmp_path / "trackers" / kind)
    for name, value in numbers(STATUS).items():
        assert steps_of(points, name) == [1, 5, 9], name
        assert name == "search/evaluations" or {v for _, v in points[name]} == {value}
    assert points["result/best/test/mean"][-1][1] == 0.625
    assert points["result/optimism"][-1][1] == 0.125


@pytest.mark.parametrize("kind", TRACKERS)
def test_started_again_it_goes_on_with_the_same_run(tmp_path: Path, kind: str) -> None:
    needs(kind)
    run = TrackedRun.of(tmp_path, kind, config(seed=0))
    session(kind, run, [1, 2], None)
    session(kind, replace(run, config=config(seed=0, more=1)), [3, 4], SUMMARY)
    points = READERS[kind](tmp_path / "trackers" / kind)
    assert steps_of(points, "search/best") == [1, 2, 3, 4]
    assert points["result/optimism"][-1][1] == 0.125


@pytest.mark.parametrize("kind", TRACKERS)
def test_all_that_it_leaves_is_in_its_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    needs(kind)
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    session(kind, TrackedRun.of(tmp_path / "run", kind, config()), [1], SUMMARY)
    assert [path for path in tmp_path.rglob("*") if path.is_file() and "trackers" not in path.parts] == []


def test_wandb_when_disabled_keeps_nothing(tmp_path: Path) -> None:
    needs("wandb")
    tracker = TRACKERS["wandb"](type="wandb", mode="disabled").start(TrackedRun.of(tmp_path, "wandb", config()))
    tracker.log(STATUS)
    tracker.finish(SUMMARY)
    assert list(tmp_path.rglob("*.wandb")) == []


@pytest.mark.parametrize("kind", TRACKERS)
def test_a_missing_package_is_told_with_its_extra(monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    monkeypatch.setitem(sys.modules, TRACKERS[kind].modules[0], None)
    with pytest.raises(ConfigError, match=rf'pip install "swarm-experts\[{kind}\]"'):
        TRACKERS[kind](type=kind).load()


def test_every_kind_has_its_extra() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    assert TRACKERS.keys() <= extras.keys()


def test_nothing_is_imported_until_it_is_asked_for(playground: Playground, tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    file.write_text(yaml.safe_dump(playground.config(trackers=[{"type": kind} for kind in TRACKERS])))
    modules = sorted({module for kind in TRACKERS.values() for module in kind.modules})
    code = f"""
import sys
from pathlib import Path
import swarm.run.pipeline
from swarm.config.load import load_config
assert len(load_config(Path({str(file)!r})).trackers) == {len(TRACKERS)}
print([name for name in {modules} if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


@pytest.mark.parametrize(
    ("trackers", "said"),
    [
        ([{"type": "tensorbord"}], "trackers.0.type: 'tensorbord' is unknown; did you mean 'tensorboard'?"),
        ([{"type": "wandb", "mood": "online"}], "trackers.0.mood: unknown key 'mood'; did you mean 'mode'?"),
        ([{"mode": "online"}], "trackers.0.type"),
        ([{"type": "mlflow"}, {"type": "mlflow"}], "name each tracker once"),
    ],
)
def test_a_mistake_in_the_config_is_told(playground: Playground, trackers: object, said: str) -> None:
    with pytest.raises(ConfigError) as error:
        parse_config(playground.config(trackers=trackers), "test")
    assert said in str(error.value)


def test_the_schema_has_every_kind() -> None:
    kinds = [d.get("properties", {}).get("type", {}) for d in json_schema()["$defs"].values()]
    assert {kind["const"] for kind in kinds if "const" in kind} >= TRACKERS.keys()


def test_trackers_decide_nothing(playground: Playground) -> None:
    without = parse_config(playground.config(), "test")
    tracked = parse_config(playground.config(trackers=[{"type": "tensorboard"}]), "test")
    assert without.trackers == []
    assert settings_of(without) == settings_of(tracked)


class Listed:
    """A tracker that lists what it is told, and breaks, or hangs until it is let go, where it is asked to."""

    def __init__(self, breaks: str = "", hangs: str = "") -> None:
        self.told: list[object] = []
        self.go = threading.Event()
        self._breaks, self._hangs = breaks, hangs
        self._come("start")

    def log(self, status: Status) -> None:
        self._come("log")
        self.told.append(status.evaluations)

    def finish(self, summary: Summary | None) -> None:
        self._come("finish")
        self.told.append(summary)

    def _come(self, place: str) -> None:
        if place == self._hangs:
            self.go.wait()
        if place == self._breaks:
            raise OSError("no space left on the device\nand more")


@pytest.mark.parametrize("place", ["start", "log", "finish"])
def test_one_that_fails_is_told_of_once_and_the_others_go_on(place: str) -> None:
    notes: list[str] = []
    sound = Listed()
    with Tracking({"broken": lambda: Listed(breaks=place), "sound": lambda: sound}, notes.append) as tracking:
        for step in range(1, 6):
            tracking.log(at(step))
        tracking.finish(SUMMARY)
    assert notes == ["tracker broken: OSError: no space left on the device; the run goes on without it"]
    assert sound.told[-2:] == [5, SUMMARY]


@pytest.mark.parametrize("place", ["log", "finish"])
def test_one_that_hangs_holds_nothing_up(monkeypatch: pytest.MonkeyPatch, place: str) -> None:
    monkeypatch.setattr(thread, "SECONDS_TO_FINISH", 0.01)
    notes: list[str] = []
    stuck = Listed(hangs=place)
    with Tracking({"stuck": lambda: stuck}, notes.append) as tracking:
        for step in range(1, 6):
            tracking.log(at(step))
        tracking.finish(SUMMARY)
    assert [note.split(";")[0] for note in notes] == ["tracker stuck: it has not finished within 0.01 s"]
    stuck.go.set()


def test_the_last_status_is_never_missed_and_an_interruption_is_passed_on() -> None:
    told = Listed()

    def interrupted() -> None:
        with Tracking({"told": lambda: told}, print) as tracking:
            for step in range(1, 100):
                tracking.log(at(step))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert told.told[-2:] == [99, None]


def test_where_nothing_is_scored_nothing_is_started() -> None:
    def start() -> Tracker:
        raise AssertionError("started")

    notes: list[str] = []
    with Tracking({"idle": start}, notes.append):
        pass
    assert notes == []


def test_results_are_the_summarys_main_numbers() -> None:
    assert results(SUMMARY) == {
        "result/best/coefficients/a+b": 0.5,
        "result/best/test/mean": 0.625,
        "result/best/test/low": 0.5,
        "result/best/test/high": 0.75,
        "result/best/test/n": 20.0,
        "result/optimism": 0.125,
        **{f"result/counts/{name}": float(value) for name, value in SUMMARY.content()["counts"].items()},
        **{f"result/seconds/{name}": value for name, value in SUMMARY.content()["seconds"].items()},
    }


@pytest.mark.parametrize("kind", ["tensorboard", "trackio"])
def test_a_tracked_run_is_the_run_and_its_last_point_the_journals(
    playground: Playground, finished_run: Path, tmp_path: Path, kind: str
) -> None:
    needs(kind)
    done = run_cli(
        "search", playground.config_file, "--run-dir", tmp_path / "run", "--set", f"trackers=[{{type: {kind}}}]"
    )
    assert (done.code, done.err) == (0, "")
    assert timeless(journal(tmp_path / "run"))[1:] == timeless(journal(finished_run))[1:]
    assert summary_of(tmp_path / "run") == summary_of(finished_run)
    points = READERS[kind](tmp_path / "run" / "trackers" / kind)
    evaluations = {line["id"]: line for line in journal(finished_run) if line["kind"] == "evaluation"}
    step, best = points["search/best"][-1]
    assert step == len({tuple(line["position"]) for line in evaluations.values()})
    assert best == pytest.approx(max(line["scores"]["words"] for line in evaluations.values()))


def test_a_run_that_goes_on_may_have_its_first_tracker(finished_run: Path, tmp_path: Path) -> None:
    """The tracker sees the steps that were still to come, and the best of those before."""
    needs("tensorboard")
    run = shutil.copytree(finished_run, tmp_path / "run")
    (run / "summary.json").unlink()
    lines = (run / "journal.jsonl").read_text().splitlines(keepends=True)
    (run / "journal.jsonl").write_text("".join(lines[:9]))  # the start, and eight evaluations
    content = yaml.safe_load((run / "config.yaml").read_text())
    (run / "config.yaml").write_text(yaml.safe_dump(content | {"trackers": [{"type": "tensorboard"}]}))
    done = run_cli("resume", run)
    assert done.code == 0, done.err
    assert summary_of(run) == summary_of(finished_run)
    points = READERS["tensorboard"](run / "trackers" / "tensorboard")
    scores = [line["scores"]["words"] for line in journal(finished_run) if line["kind"] == "evaluation"]
    assert points["search/evaluations"][0][0] > 7
    assert points["search/best"][-1][1] == pytest.approx(max(scores))


def test_a_tracker_that_cannot_start_costs_a_run_one_note(playground: Playground, tmp_path: Path) -> None:
    needs("mlflow")
    done = run_cli(
        "search", playground.config_file, "--run-dir", tmp_path / "run",
        "--set", "trackers=[{type: mlflow, tracking_uri: 'no-such-store://anywhere'}]",
    )  # fmt: skip
    assert done.code == 0, done.err
    (note,) = [line for line in done.out.splitlines() if line.startswith("note: tracker")]
    assert note.startswith("note: tracker mlflow: ")
    assert note.endswith("; the run goes on without it")


def test_a_run_whose_tracker_is_missing_leaves_nothing_behind(
    playground: Playground, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "wandb", None)
    done = run_cli("search", playground.config_file, "--run-dir", tmp_path / "run", "--set", "trackers=[{type: wandb}]")
    assert (done.code, (tmp_path / "run").exists()) == (2, False)
    assert 'pip install "swarm-experts[wandb]"' in done.err


SCRAPED = """
import json, sys, time, urllib.request
import ray
ray.init(address="local", num_cpus=1, include_dashboard=False, log_to_driver=False, logging_level="ERROR",
         _system_config={"metrics_report_interval_ms": 100})
from swarm.search.status import Status
from swarm.trackers.ray_metrics import RayMetrics
first, second = (Status(**fields) for fields in json.loads(sys.argv[1]))
metrics = RayMetrics("tried")
metrics.log(first)
metrics.log(second)
node = ray.nodes()[0]
url = f"http://{node['NodeManagerAddress']}:{node['MetricsExportPort']}/metrics"
lines, until = [], time.monotonic() + 60
while not any("ray_swarm_tokens_total{" in line for line in lines) and time.monotonic() < until:
    time.sleep(0.1)
    try:
        lines = urllib.request.urlopen(url, timeout=5).read().decode().splitlines()
    except OSError:
        continue
print(json.dumps([line for line in lines if line.startswith("ray_swarm_")]))
ray.shutdown()
metrics.log(second)
metrics.finish(None)
"""


@pytest.mark.slow
def test_rays_metrics_are_scraped_under_their_names() -> None:
    if importlib.util.find_spec("prometheus_client") is None:
        pytest.skip("Ray serves no metrics without ray[default]")
    told = json.dumps([vars(at(10)), vars(replace(at(12), best=0.875, tokens=5000, failures=2))])
    code = [sys.executable, "-c", SCRAPED, told]
    done = subprocess.run(code, capture_output=True, text=True, check=True, cwd=ROOT)
    lines = json.loads(done.stdout.splitlines()[-1])
    assert all('run="tried"' in line for line in lines)
    found = {line.partition("{")[0].removeprefix("ray_swarm_"): float(line.rpartition(" ")[2]) for line in lines}
    assert found == {
        "best": 0.875, "mean": 0.5, "iteration": 3, "evaluations_per_minute": 30, "tokens_per_second": 200,
        "workers": 2, "busy": 0.875, "seconds_left": 180, "evaluations_total": 12, "tokens_total": 5000,
        "failures_total": 2,
    }  # fmt: skip
    page = (ROOT / "docs" / "tracking.md").read_text()
    assert all(f"`ray_swarm_{name}`" in page for name in found)
