"""A small zoo of levels, built once for a file of tests: a base, a vector for each of three domains, examples."""

from pathlib import Path

from swarm.core.examples import LEVELS
from swarm.zoo.base import BuildPaths, Schedule
from swarm.zoo.levels import RECIPE
from swarm.zoo.levels_build import make

DOMAINS = ("medicine", "law", "finance")


def build_small(folder: Path) -> Path:
    """As `swarm zoo build levels`, with shorter training."""
    small = RECIPE.model_copy(update={"base": Schedule(steps=190, batch=48, rate=5e-3), "examples_per_domain": 60})
    folder.mkdir()
    make(small, BuildPaths(folder, folder), lambda text, share: None)
    return folder


def levels_config(zoo: Path, **sections: object) -> dict[str, object]:
    """A config of all levels of all domains, in this process; some sections replaced."""
    return {
        "base": str(zoo / "base"),
        "experts": [str(zoo / "experts" / domain) for domain in DOMAINS],
        "composition": {"type": "weights", "low": -1.0, "high": 1.5},
        "objectives": [
            {"name": f"{domain}-{level}", "type": "level", "level": level, "data": str(zoo / f"data/{domain}.jsonl")}
            for domain in DOMAINS
            for level in LEVELS
        ],
        "splits": {"search": 20, "select": 20, "test": 20},
        "optimizer": {"type": "random", "evaluations": 24},
        "engine": {"dtype": "float32"},
        "cluster": {"type": "local"},
        "export": {"format": "recipe"},
    } | sections
