"""What a sweep scores: which experts, over which coefficients, alone or in all combinations."""

import math
from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from itertools import product

import numpy as np

from swarm.core.candidates import Candidate
from swarm.core.errors import ConfigError
from swarm.core.examples import Split
from swarm.core.settings import Settings
from swarm.core.space import Space
from swarm.core.terminal_text import shortened
from swarm.data.splits import SPLITS

MOST_CANDIDATES = 20_000
DIGITS = 6  # of a coefficient: 0.1 + 0.2 is 0.3


class SweepSettings(Settings):
    """Settings of a sweep.

    low, high, step: the coefficients. 0 (the base) and 1 (an expert alone) are always among them.
    experts: names of the experts that are swept; empty: all.
    grid: all combinations of coefficients, instead of one expert at a time.
    split: whose examples are scored.
    original_base: the base that the experts were made from, where they are swept on another one; else empty.
    """

    low: float = -1.0
    high: float = 1.0
    step: float = 0.1
    experts: tuple[str, ...] = ()
    grid: bool = False
    split: Split = "search"
    original_base: str = ""

    @property
    def coefficients(self) -> list[float]:
        """In rising order."""
        count = math.floor((self.high - self.low) / self.step + 1e-9)
        values = {round(self.low + i * self.step, DIGITS) + 0.0 for i in range(count + 1)}
        return sorted(values | {0.0, 1.0})


def sweep_settings(
    low: float, high: float, step: float, experts: Sequence[str], grid: bool, split: str, original_base: str = ""
) -> SweepSettings:
    """The settings that options of the command line ask for. Raises ConfigError."""
    for name, value in (("--from", low), ("--to", high), ("--step", step)):
        if not math.isfinite(value):
            raise ConfigError(f"{name}: {value} is no finite number; give one, as in --from -1 --to 1 --step 0.1")
    if not low < high:
        raise ConfigError(f"--from: {low:g} is not below --to {high:g}; give the lower end first")
    if step < 10.0**-DIGITS:
        raise ConfigError(f"--step: {step:g} is below {10.0**-DIGITS:g}; give a larger one, such as 0.1")
    if split not in SPLITS:
        raise ConfigError(f"--split: {shortened(split)} is unknown; use one of {', '.join(SPLITS)}")
    names = tuple(dict.fromkeys(name for text in experts for name in text.split(",") if name.strip()))
    known: Split = next(each for each in SPLITS if each == split)
    return SweepSettings(
        low=low, high=high, step=step, experts=names, grid=grid, split=known, original_base=original_base
    )


def swept_experts(settings: SweepSettings, names: Sequence[str]) -> tuple[str, ...]:
    """The experts that are swept, in the config's order. Raises ConfigError for one that the config has not."""
    for name in settings.experts:
        if name not in names:
            near = get_close_matches(name, names, n=1)
            remedy = f"did you mean {near[0]}?" if near else f"use one of {', '.join(names)}"
            raise ConfigError(f"--experts: {shortened(name)} is no expert of the config; {remedy}")
    return tuple(name for name in names if not settings.experts or name in settings.experts)


def check_size(settings: SweepSettings, experts: int) -> None:
    """Raise ConfigError where there are too many candidates."""
    values = len(settings.coefficients)
    count = values**experts if settings.grid else values * experts
    if count > MOST_CANDIDATES:
        fewer = ", fewer --experts, or no --grid" if settings.grid else ""
        raise ConfigError(
            f"--step: {settings.step:g} makes {count:,} candidates, more than {MOST_CANDIDATES:,}; "
            f"give a larger one{fewer}"
        )


def swept_names(space: Space) -> tuple[str, ...]:
    """All experts, in the order of the space; one that acts in two places is there twice, as its baselines are."""
    return tuple(baseline.id.removeprefix("expert:") for baseline in space.experts)


def sweep_candidates(settings: SweepSettings, space: Space) -> dict[Candidate, dict[str, float]]:
    """Every candidate once, the base first, with the coefficient of each expert.

    An expert with the coefficient c is c times the way from the base to it.
    """
    names, steps_ED = swept_names(space), space.experts_ED - space.neutral_D
    found: dict[tuple[float, ...], tuple[Candidate, dict[str, float]]] = {}
    for coefficients in _combinations(settings, names):
        position_D = space.neutral_D + np.array([coefficients[name] for name in names]) @ steps_ED
        position = tuple(float(x) + 0.0 for x in position_D)
        found.setdefault(position, (Candidate(_id_of(coefficients), position), coefficients))
    return dict(found.values())


def _combinations(settings: SweepSettings, names: Sequence[str]) -> Iterator[dict[str, float]]:
    nothing, values = dict.fromkeys(names, 0.0), settings.coefficients
    swept = swept_experts(settings, names)
    yield nothing
    if settings.grid:
        for combination in product(values, repeat=len(swept)):
            yield nothing | dict(zip(swept, combination, strict=True))
        return
    for name in swept:
        for value in values:
            yield nothing | {name: value}


def _id_of(coefficients: dict[str, float]) -> str:
    """As baselines are called, where it is one."""
    active = {name: value for name, value in coefficients.items() if value}
    if not active:
        return "base"
    if list(active.values()) == [1.0]:
        return f"expert:{next(iter(active))}"
    return ",".join(f"{name}={value:g}" for name, value in active.items())
