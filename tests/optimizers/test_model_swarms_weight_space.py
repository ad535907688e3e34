"""Model Swarms on weights and on coefficients is one search.

Below is Model Swarms written once more, as its authors coded it, on the tensors of LoRA adapters: the factors A and B
move apart. Nothing of swarm.optimizers is used but the documented draws. The utility looks at the products B A, so
their cross terms count.

Shape suffixes: E experts, D coordinates (= E), N particles.
"""

from dataclasses import dataclass, field

import numpy as np
import pytest

from support.optimizer_runs import space
from swarm.core.space import Space
from swarm.optimizers import Observation
from swarm.optimizers.model_swarms import ModelSwarms

SEED, EXPERTS, PARTICLES, ITERATIONS = 5, 5, 12, 20
START, VELOCITY, MOVE = 0, 1, 2  # the streams of swarm.optimizers.randomness
MODULES = {"q": (12, 3, 8), "up": (20, 2, 12), "down": (8, 4, 20)}  # out, rank, in

Weights = dict[str, np.ndarray]


def expert(i: int) -> Weights:
    rng = np.random.default_rng([77, i])
    shapes = {f"{m}.A": (rank, n_in) for m, (_, rank, n_in) in MODULES.items()}
    shapes |= {f"{m}.B": (n_out, rank) for m, (n_out, rank, _) in MODULES.items()}
    return {name: rng.normal(size=shape) for name, shape in shapes.items()}


def combine(scales: list[float], parts: list[Weights]) -> Weights:
    return {name: sum(s * part[name] for s, part in zip(scales, parts, strict=True)) for name in parts[0]}


def products(weights: Weights) -> list[np.ndarray]:
    return [weights[f"{m}.B"] @ weights[f"{m}.A"] for m in MODULES]


def utility(weights: Weights) -> float:
    """Rough in the composed update, so that particles find bests and also get stuck."""
    return float(sum(np.cos(1.5 * p).mean() - 0.02 * (p * p).mean() for p in products(weights)))


@dataclass
class Particle:
    x: Weights
    v: Weights
    p: Weights
    f_p: float = -np.inf
    stale: int = 0


@dataclass
class WeightSwarm:
    """Algorithm 1 on tensors, one particle after the other, in place."""

    particles: list[Particle]
    restart_patience: int | None
    g: Weights = field(default_factory=dict)
    g_worst: Weights = field(default_factory=dict)
    f_g: float = -np.inf
    f_worst: float = np.inf
    step: float = 0.8
    restarts: int = 0
    bests: int = 0

    def score(self) -> list[float]:
        scores = [utility(particle.x) for particle in self.particles]
        for particle, f in zip(self.particles, scores, strict=True):
            particle.stale += 1
            if f > particle.f_p:
                particle.p, particle.f_p, particle.stale = particle.x, f, 0
            if f > self.f_g:
                self.g, self.f_g, self.bests = particle.x, f, self.bests + 1
            if f < self.f_worst:
                self.g_worst, self.f_worst = particle.x, f
        return scores

    def move(self, iteration: int) -> None:
        for i, particle in enumerate(self.particles):
            if self.restart_patience and particle.stale >= self.restart_patience:
                particle.x, particle.v = particle.p, combine([0.0], [particle.v])
                particle.stale = 0
                self.restarts += 1
            r_v, r_p, r_g, r_w = np.random.default_rng([SEED, iteration, i, MOVE]).uniform(size=4)
            terms = [0.2 * r_v, 0.3 * r_p, 0.4 * r_g, 0.05 * r_w]
            directions = [
                particle.v,
                combine([1, -1], [particle.p, particle.x]),
                combine([1, -1], [self.g, particle.x]),
                combine([1, -1], [particle.x, self.g_worst]),
            ]
            particle.v = combine([t / sum(terms) for t in terms], directions)
            particle.x = combine([1, self.step], [particle.x, particle.v])
        self.step = max(0.95 * self.step, 0.1)


def weight_swarm(restart_patience: int | None) -> WeightSwarm:
    pool = [expert(i) for i in range(EXPERTS)]
    for i in range(EXPERTS, PARTICLES):
        rng = np.random.default_rng([SEED, 0, i, START])
        a, b = rng.choice(i, size=2, replace=False)
        w = rng.uniform(0.0, 2.0)
        pool.append(combine([w, 1 - w], [pool[a], pool[b]]))
    particles = []
    for i, x in enumerate(pool):
        other = np.random.default_rng([SEED, 0, i, VELOCITY]).integers(PARTICLES - 1)
        j = [k for k in range(PARTICLES) if k != i][other]
        particles.append(Particle(x, combine([1, -1], [pool[j], x]), x))
    return WeightSwarm(particles, restart_patience)


def coefficient_space() -> Space:
    return space(EXPERTS, low=-2.0, high=2.0)


@pytest.mark.parametrize("restart_patience", [None, 3], ids=["without restarts", "with restarts"])
def test_coefficients_move_as_weights_do(restart_patience):
    by_weights = weight_swarm(restart_patience)
    by_coefficients = ModelSwarms(
        particles=PARTICLES, restart=restart_patience is not None, restart_patience=restart_patience or 5
    )
    experts = [expert(i) for i in range(EXPERTS)]
    state = by_coefficients.init(coefficient_space(), SEED)
    initial_design = [particle.x for particle in by_weights.particles]
    for iteration in range(ITERATIONS):
        asked = by_coefficients.ask(state)
        composed = [combine(list(proposal.x_D), experts) for proposal in asked]  # A(c) = sum c A_i, B(c) = sum c B_i
        for particle, weights in zip(by_weights.particles, composed, strict=True):
            for name, tensor in particle.x.items():
                np.testing.assert_allclose(weights[name], tensor, rtol=1e-6, atol=1e-6 * np.abs(tensor).max())
        scores = by_weights.score()
        results = [Observation(p.iteration, p.particle, utility(w)) for p, w in zip(asked, composed, strict=True)]
        np.testing.assert_allclose([result.utility for result in results], scores, rtol=1e-6)
        state = by_coefficients.tell(state, results)
        by_weights.move(iteration + 1)
    assert by_weights.f_g == pytest.approx(state.global_utility, rel=1e-6)
    assert by_weights.bests > 5
    assert (by_weights.restarts > 5) == (restart_patience is not None)
    ways = [
        np.abs(combine([1, -1], [p.x, x])["q.A"]).max()
        for p, x in zip(by_weights.particles, initial_design, strict=True)
    ]
    assert min(ways) > 0.1


def test_the_utility_sees_cross_terms():
    a, b = expert(0), expert(1)
    apart = [0.5 * p + 0.5 * q for p, q in zip(products(a), products(b), strict=True)]
    together = products(combine([0.5, 0.5], [a, b]))
    assert all(np.abs(p - q).max() > 0.5 for p, q in zip(apart, together, strict=True))
