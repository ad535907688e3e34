"""What the report says of a composed expert: each coefficient against the bound that the search had, a router apart."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yaml

from support.playground import Playground
from support.report_runs import EXPERTS, SMALL, Fake, Maker, journal_of
from swarm.compositions.mixed import Mixed
from swarm.experts.catalog import ExpertSpec, open_catalog
from swarm.journal.summary import Best
from swarm.report.coefficients import Limits, columns_of, limits_of, of_position, without_router
from swarm.report.composed import composed
from swarm.report.figures.coefficient_bars import bounds_words
from swarm.report.read_journal import Journal
from swarm.report.region import good_region

BOUNDS = (-0.5, 1.5)
SCALES = {"red.weights": 1.5, "red.logits": 0.5, "green.logits": 0.1}
USE = {"router.bias.lower": -0.4, "router.strength": 1.3, "router.sharpness": 1.45}


def mixed(playground: Playground) -> tuple[Journal, np.ndarray, np.ndarray]:
    """A journal of a composition's coordinates, and their lowest and highest coefficients."""
    composition = Mixed(scales=SCALES, low=BOUNDS[0], high=BOUNDS[1])
    catalog = open_catalog(playground.base, [ExpertSpec(name, playground.expert(name)) for name in ("red", "green")])
    space = composition.space(catalog)
    scale_D = np.array([SCALES.get(name, 1.0) for name in space.coordinates])
    journal = journal_of(Maker(sizes=SMALL).lines)
    experts = dict(zip(("red", "green"), journal.start.experts.values(), strict=False))
    start = journal.start.model_copy(update={"coordinates": space.coordinates, "experts": experts})
    return replace(journal, start=start, scales=SCALES), space.low_D * scale_D, space.high_D * scale_D


def test_the_bounds_of_coefficients_are_those_of_the_space(playground: Playground) -> None:
    journal, low_D, high_D = mixed(playground)
    limits = limits_of(BOUNDS, journal)
    for name, groups in columns_of(journal).items():
        for place, at in groups.items():
            assert limits[name][place] == pytest.approx((low_D[at], high_D[at]))
    assert limits["red"]["weights"] == (-0.75, 2.25)
    assert limits["red"]["logits"] == (-0.25, 1.0), "beyond 0.5 * 1.5, to the expert alone"


LIMITS: Limits = {"a": {"weights": (-1.0, 3.0), "logits": (-0.25, 1.0)}}


@pytest.mark.parametrize(
    ("value", "near"), [(1.0, "high"), (0.94, "high"), (0.93, ""), (0.75, ""), (-0.2, "low"), (-0.18, "")]
)
def test_a_coefficient_is_near_a_bound_by_its_own_unit(value: float, near: str) -> None:
    """In units of 0.5 and bounds of -0.5 and 1.5 the search goes from -0.25 to 1: the expert alone, not 0.75."""
    said = bounds_words({"a": {"weights": 1.5, "logits": value}}, BOUNDS, LIMITS)
    assert (f"composition.{near}" in said) == bool(said) == bool(near)
    assert "a, weights" not in said, "1.5 is the half of its bound"
    if near == "high":
        assert f"or 1 if that is higher: a, logits ({value:.3g}; bound 1)." in said
    if near == "low":
        assert "times its unit in composition.scales: a, logits (−0.2; bound −0.25)." in said


def test_without_units_the_bounds_are_those_of_the_config() -> None:
    said = bounds_words({"a": {"": 1.46}, "b": {"": 0.75}}, BOUNDS, {"a": {"": BOUNDS}, "b": {"": BOUNDS}})
    assert said.startswith("Within 5 % of the bound composition.high, 1.5: a (1.46). A search")


@pytest.mark.parametrize(
    ("scales", "drawn"),
    [
        (SCALES, []),
        ({}, ["bounds of the search: −0.5 and 1.5"]),
        ({"red.logits": 0.5, "green.logits": 0.5}, ["bounds of the search: −0.25 and 1"]),
    ],
)
def test_bounds_are_drawn_where_all_coefficients_share_them(
    scales: dict[str, float], drawn: list[str], playground: Playground
) -> None:
    journal = mixed(playground)[0]
    start = journal.start.model_copy(update={"coordinates": ("red.logits", "green.logits")})
    best = Best(id="0-0", coefficients={"red": {"logits": 1.0}, "green": {"logits": 0.5}})
    (figure,) = composed(replace(journal, start=start, scales=scales), best, None, BOUNDS).figures
    assert [key.words for key in figure.legend] == drawn


def routed() -> Fake:
    """A run whose candidates have coordinates of a router, too; they change no score."""
    fake = Maker(iterations=4, sizes=SMALL).run()
    start, *others = fake.lines
    for line in others:
        if "position" in line:
            line["position"] += USE.values()
    start["coordinates"] += USE
    fake.summary["best"]["coefficients"] = {
        **dict.fromkeys(EXPERTS, 0.25),
        EXPERTS[0]: 0.75,
        **USE,
        "router.strength": 1.0,
    }
    return fake


def test_the_use_of_a_router_is_no_coefficient_of_an_expert(tmp_path: Path) -> None:
    fake = routed()
    (tmp_path / "config.yaml").write_text(yaml.safe_dump({"composition": {"low": BOUNDS[0], "high": BOUNDS[1]}}))
    html, markdown = fake.write(tmp_path)
    assert f"<h2>Largest coefficient: 0.75 ({EXPERTS[0]})</h2>" in html
    assert "<h2>How the router is used: strength 1, sharpness 1.45</h2>" in html
    for page in (html, markdown):
        assert "The router: router.bias.lower −0.4, router.strength 1, router.sharpness 1.45." in page
        assert "A negative coefficient" not in page
        assert "of the bound" not in page
    table = markdown.partition("| expert | group |")[2].partition("| the router |")
    assert all(name in table[0] and name not in table[2].partition("\n\n")[0] for name in EXPERTS)
    assert "router." not in table[0]
    assert "| router.strength | 1.0000 | 1.000 to 1.000 |" in table[2]
    drawn = composed(journal_of(fake.lines), fake.typed_summary.best, None, None).figures
    assert [name in figure.wide for figure in drawn for name in (EXPERTS[0], "router.sharpness")] == [
        True, False, False, True,
    ]  # fmt: skip


def test_the_strength_of_a_router_is_the_one_that_acts_everywhere() -> None:
    journal = journal_of(routed().lines)
    found = of_position(journal.evaluations[0].position, journal)
    assert found["router.strength"] == {"": 1.0}
    assert found["router.sharpness"] == {"": 1.45}
    ranges = good_region(journal, {"letters": 1.0}).ranges
    assert (ranges["router.strength"][""].low, ranges["router.strength"][""].high) == (1.0, 1.0)
    assert ranges["router.sharpness"][""].low == pytest.approx(1.45)


def test_a_run_without_a_router_has_no_use_of_one() -> None:
    found = {name: {"": 0.5} for name in (*EXPERTS, "router.one")}
    assert without_router(found) == (found, {})
    use = {name: {"": 0.5} for name in ("router.bias.router.one", "router.strength")}
    assert without_router(found | use) == (found, use)
