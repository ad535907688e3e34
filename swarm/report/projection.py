"""The positions of a search, projected onto their first two principal components.

Shape suffixes: N candidates, D dimensions, K the two components.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from swarm.core.space import Array
from swarm.journal.packed import unpack_rows
from swarm.journal.records import ScoredRecord
from swarm.journal.summary import Best
from swarm.report.coefficients import baseline_at
from swarm.report.examples import tested_key
from swarm.report.read_journal import Journal

Point = tuple[float, float]
Position = tuple[float, ...]
Move = tuple[Point, Point]  # from, to
SWARMS = ("guided_pso", "model_swarms", "pso")  # optimizers whose particles move; those of others are numbers alone
DESIGNED = 2  # generations that guided PSO may score before its particles move
MOST_MOVES, MOST_SHOWN = 40, 6  # arrows, and generations whose moves are drawn: more hide one another


@dataclass(frozen=True)
class Axis:
    """A principal component.

    share: of the variance.
    pulls: the dimensions with the largest loadings, each with its loading.
    """

    share: float
    pulls: tuple[tuple[str, float], ...]


@dataclass(frozen=True)
class Landmark:
    """A position with a name. kind: base, expert, uniform or best."""

    kind: str
    name: str
    at: Point


@dataclass(frozen=True)
class Plane:
    """Every candidate of the search, projected.

    candidates_NK: their points.
    scores: one per candidate, NaN where it has none.
    path: the best so far, in the journal's order.
    moves: of particles in some generations, up to the last one; a move is the particle's velocity then.
    """

    axes: tuple[Axis, Axis]
    candidates_NK: Array
    scores: tuple[float, ...]
    path: tuple[Point, ...]
    landmarks: tuple[Landmark, ...]
    moves: tuple[Move, ...] = ()


def plane(journal: Journal, objective: str, best: Best | None) -> Plane | None:
    """None where the positions do not span a plane. Candidates alone decide the components, all with equal weight."""
    names = journal.start.coordinates
    lines = [line for line in journal.searched if line.dimensions == len(names)]
    if len(names) < 2 or not _spans(lines):
        return None
    x_ND = unpack_rows([line.packed_position for line in lines])
    mean_D = x_ND.mean(axis=0)
    axes, w_KD = _components(x_ND - mean_D, names)

    def project(position: tuple[float, ...]) -> Point:
        x, y = w_KD @ (np.array(position) - mean_D)
        return float(x), float(y)

    scores = [math.nan if line.status == "failed" else line.scores.get(objective, math.nan) for line in lines]
    top, path = -math.inf, []
    for line, score in zip(lines, scores, strict=True):
        if line.status == "ok" and score > top:
            top = score
            path.append(project(line.position))
    marks = [Landmark(k, name, project(at)) for k, name, at in _landmarks(journal, best) if len(at) == len(names)]
    moves = tuple((project(before), project(after)) for before, after in _moves(journal.start.optimizer, lines))
    points_NK = np.matmul(w_KD, (x_ND - mean_D)[:, :, None])[:, :, 0]  # bit for bit what `project` gives
    return Plane(axes, points_NK, tuple(scores), tuple(path), tuple(marks), moves)


def _spans(lines: Sequence[ScoredRecord]) -> bool:
    """Whether there are three different positions. Of a long search the first lines show it."""
    places: set[bytes] = set()
    for line in lines:
        places.add(line.place)
        if len(places) == 3:
            return True
    return False


def _components(centred_ND: Array, names: tuple[str, ...]) -> tuple[tuple[Axis, Axis], Array]:
    """The two directions of most variance, (K, D); the sign makes the largest loading of each positive."""
    _, singular, directions = np.linalg.svd(centred_ND, full_matrices=False)
    w_KD = directions[:2]
    strongest_K = np.abs(w_KD).argmax(axis=1)
    w_KD = w_KD * np.sign(w_KD[np.arange(len(w_KD)), strongest_K])[:, None]
    shares = singular**2 / np.square(singular).sum()
    first, second = (Axis(float(share), _pulls(w_D, names)) for share, w_D in zip(shares, w_KD, strict=False))
    return (first, second), w_KD


def _pulls(w_D: Array, names: tuple[str, ...]) -> tuple[tuple[str, float], ...]:
    """At most three dimensions, those with at least half the largest loading."""
    order = np.argsort(-np.abs(w_D), kind="stable")[:3]
    return tuple((names[d], float(w_D[d])) for d in order if abs(w_D[d]) >= 0.5 * abs(w_D[order[0]]))


def _moves(optimizer: str, lines: Sequence[ScoredRecord]) -> Iterator[tuple[Position, Position]]:
    """Where the particles came from and went to in some generations: in many all of them would hide one another."""
    if optimizer not in SWARMS:
        return
    at = {
        (line.iteration, line.particle): line
        for line in lines
        if line.particle is not None and line.iteration is not None and line.iteration >= DESIGNED
    }
    found = [(i, particle) for i, particle in at if (i - 1, particle) in at]
    if not found:
        return
    shown = max(1, min(MOST_SHOWN, MOST_MOVES // len({particle for _, particle in found})))
    first, last = min(found)[0], max(found)[0]
    generations = {round(i) for i in np.geomspace(last, first, shown)}  # closer together where moves are long: early
    for i, particle in sorted(each for each in found if each[0] in generations):
        yield at[i - 1, particle].position, at[i, particle].position


def _landmarks(journal: Journal, best: Best | None) -> list[tuple[str, str, tuple[float, ...]]]:
    """The baselines at their positions (of the uniform averages, the tested one), and the best last."""
    baselines = {line.id: line.position for line in (*journal.selects, *journal.tests.values())}
    if not baselines:  # of an unfinished search: those that it has met
        baselines = {baseline_at(line.position, journal): line.position for line in journal.searched}
    uniform = tested_key(journal, "uniform")
    found = []
    for key, position in baselines.items():
        kind, _, name = key.partition(":")
        if kind in ("base", "expert") or key == uniform:
            found.append((kind, name if kind == "expert" else kind, position))
    at_best = [line for line in journal.scored if best and line.id == best.id]
    return [*found, *(("best", "best", line.position) for line in at_best[-1:])]
