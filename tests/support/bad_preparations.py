"""Preparations that nobody can make, and experts that cannot be prepared together."""

from collections.abc import Callable

from support.bad_inputs import Case, Scene, Words


def preparing(**settings: object) -> Callable[[Scene], Words]:
    return lambda scene: scene.search(prepare=settings)


def by_two_rules(scene: Scene) -> Words:
    paths = (str(scene.playground.expert(name)) for name in ("red", "green"))
    rules = ({"type": "ties", "density": 0.5}, {"type": "ram"})
    return scene.search(experts=[{"path": path, "prepare": rule} for path, rule in zip(paths, rules, strict=True)])


CASES = [
    Case("unknown-preparation", preparing(type="tie", density=0.5), "prepare.type", "'tie'", "did you mean 'ties'"),
    Case("density-of-nothing", preparing(type="ties", density=0), "prepare.density", "0", "greater than 0"),
    Case("no-density", preparing(type="dare_ties"), "prepare.density", "missing", "add density:"),
    Case("gamma-of-dare", preparing(type="dare_linear", density=0.5, gamma=0.1), "prepare.gamma", "'gamma'", "unknown"),
    Case(
        "magprune-beyond-one",
        preparing(type="della", density=0.9, epsilon=0.2),
        "prepare: density 0.9",
        "epsilon 0.2",
        "take an epsilon below 0.1",
    ),
    Case(
        "elected-each-time",
        preparing(type="ties", density=0.5, elect="each"),
        "prepare.elect",
        "'each'",
        "write once",
    ),
    Case("prepared-by-two-rules", by_two_rules, "expert green: prepare", "ram", "give both the same prepare:"),
]
