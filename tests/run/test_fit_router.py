"""`swarm fit-router`: what it writes and reports, and mistakes that are one line and leave nothing behind."""

import json
import re
from pathlib import Path

import pytest
import yaml

from support.playground import Playground, run_cli
from swarm import zoo
from swarm.core.errors import UserError
from swarm.experts.catalog import ExpertSpec, open_catalog
from swarm.experts.router_files import open_router
from swarm.run.fit_router import RouterOptions, run_fit_router

SPLITS = ("--set", "splits.search=40", "--set", "splits.select=10")  # of 60 examples


def fitted(playground: Playground, out: Path, *options: str) -> dict[str, object]:
    done = run_cli("fit-router", playground.config_file, "-o", out, *SPLITS, "--json", *options)
    assert done.code == 0, done.out + done.err
    content = json.loads(done.out)
    assert isinstance(content, dict)
    return content


def test_it_writes_a_router_of_the_configs_experts(playground: Playground, tmp_path: Path) -> None:
    content = fitted(playground, tmp_path / "router")
    names = ("red", "green", "blue")
    catalog = open_catalog(playground.base, [ExpertSpec(name, playground.expert(name)) for name in names])
    router = open_router(tmp_path / "router", catalog)
    assert tuple(router.experts) == names
    assert content["fitted"] == {"examples": 40, "differing": len(router.fractal_ME), "layer": 1}
    assert router.report == content["select"]
    assert {path.name for path in (tmp_path / "router").iterdir()} == {"router.json", "router.safetensors"}


def test_the_report_has_every_ablation_and_is_consistent(playground: Playground, tmp_path: Path) -> None:
    select = fitted(playground, tmp_path / "router", "--calibration", "isotonic")["select"]
    assert isinstance(select, dict)
    means = {name: score["mean"] for name, score in select["choices"].items()}
    assert means["oracle"] >= max(means["uniform"], means["best_expert"])
    assert set(select["ablations"]) == {"both", "natural", "fractal", "none"}
    for each in select["ablations"].values():
        assert each["hard"]["mean"] <= means["oracle"]
        assert each["gain"]["difference"] == pytest.approx(each["hard"]["mean"] - means["best_expert"])
        assert each["over_uniform"]["difference"] == pytest.approx(each["routed"]["mean"] - means["uniform"])
        for name, errors in each["calibrated"].items():
            least = -1 if name == "squared" else 0  # its estimate may be below 0
            assert all(least <= score["low"] <= score["high"] <= 1 for score in (errors["before"], errors["after"]))
            change = errors["change"]
            assert change["difference"] == pytest.approx(errors["after"]["mean"] - errors["before"]["mean"])
            assert change["low"] <= change["high"]


def test_what_is_printed_has_the_changes(playground: Playground, tmp_path: Path) -> None:
    done = run_cli("fit-router", playground.config_file, "-o", tmp_path / "router", *SPLITS)
    for words in ("both, ECE", "none, squared error", "natural, Brier"):
        (line,) = (line for line in done.out.splitlines() if line.startswith(words))
        assert re.search(r"before calibration, \S+ after; [+-]\S+ \([+-]\S+ to [+-]\S+\)$", line)


def test_it_says_how_far_it_is(playground: Playground, tmp_path: Path) -> None:
    """Before the result; with --json beside it, on stderr."""
    done = run_cli("fit-router", playground.config_file, "-o", tmp_path / "router", *SPLITS)
    phases = ["reading prompts with the base 50 of 50, done in"]
    phases += [f"scoring base and experts on the {split} split 4 of 4, done in" for split in ("search", "select")]
    phases += ["fitting", "fitted to "]
    places = [done.out.find(f"\n{phase}") for phase in phases]
    assert -1 not in places
    assert places == sorted(places)
    done = run_cli("fit-router", playground.config_file, "-o", tmp_path / "router", *SPLITS, "--json", "--overwrite")
    assert json.loads(done.out)["fitted"]["examples"] == 40
    assert f"\n{phases[1]}" in done.err


def test_the_same_config_gives_the_same_router(playground: Playground, tmp_path: Path) -> None:
    for name in ("one", "two"):
        fitted(playground, tmp_path / name)
    for file in ("router.json", "router.safetensors"):
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes()


def test_a_config_that_routes_by_the_folder_to_be_written_can_be_given(playground: Playground, tmp_path: Path) -> None:
    config = playground.config(composition={"type": "routed", "router": str(tmp_path / "router")})
    file = tmp_path / "config.yaml"
    file.write_text(yaml.safe_dump(config))
    before = run_cli("check", file)
    assert before.code == 2
    assert "composition.router" in before.err
    assert run_cli("fit-router", file, "-o", tmp_path / "router", *SPLITS).code == 0
    assert run_cli("check", file, "--set", "export.format=recipe").code == 0


def twins(playground: Playground) -> list[object]:
    path = str(playground.expert("red"))
    return [{"path": path, "name": name} for name in ("one", "two")]


@pytest.mark.parametrize(
    ("sections", "options", "words"),
    [
        ("twins", (), "expert one is never among the best of the 0 examples (of 40) at which experts differ"),
        ("alone", (), "a router chooses between at least two; add another expert"),
        ("", ("--calibration", "beta"), "--calibration: 'beta' is unknown; use one of platt, isotonic"),
        ("", ("--layer", "9"), "--layer: 9 is none of this base's, 0 (the embeddings) to 2"),
        ("", ("--set", "base=nowhere"), "base: nowhere does not exist"),
    ],
)
def test_mistakes_are_one_line_and_leave_nothing(
    sections: str, options: tuple[str, ...], words: str, playground: Playground, tmp_path: Path
) -> None:
    experts = {"twins": twins(playground), "alone": [str(playground.expert("red"))]}.get(sections)
    file = tmp_path / "config.yaml"
    file.write_text(yaml.safe_dump(playground.config(**({"experts": experts} if experts else {}))))
    done = run_cli("fit-router", file, "-o", tmp_path / "router", *SPLITS, *options)
    assert (done.code, "fitted to" in done.out) == (2, False)
    assert words in done.err
    assert len(done.err.splitlines()) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["config.yaml"]


def test_a_folder_that_holds_something_is_kept(playground: Playground, tmp_path: Path) -> None:
    (tmp_path / "router").mkdir()
    (tmp_path / "router" / "notes.txt").write_text("mine")
    done = run_cli("fit-router", playground.config_file, "-o", tmp_path / "router", *SPLITS)
    assert done.code == 2
    assert "not empty" in done.err
    assert (tmp_path / "router" / "notes.txt").read_text() == "mine"
    fitted(playground, tmp_path / "router", "--overwrite")


@pytest.mark.slow
def test_experts_of_different_tasks_get_their_own_prompts(tmp_path: Path) -> None:
    """The tiny zoo: letter tasks, which a prompt names. Calibration makes the probabilities more accurate."""
    try:
        zoo.locate("zoo:tiny")
    except UserError:
        pytest.skip("the tiny zoo is not built")
    quickstart = Path(__file__).parents[2] / "configs" / "quickstart.yaml"
    report = run_fit_router(quickstart, (), RouterOptions(tmp_path / "router")).report
    both, natural = report.ablations["both"], report.ablations["natural"]
    assert both.over_uniform.low > 0
    assert both.gain.low > 0
    assert natural.hard.mean > 0.9 * report.choices["oracle"].mean
    assert both.calibrated is not None
    assert both.calibrated.ece.change.high < 0
    assert both.calibrated.squared.change.high < 0
    assert both.calibrated.brier.change.high < 0
