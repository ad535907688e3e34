"""Prepared experts add up to what mergekit's methods of the same names make of them.

Run with SWARM_MERGEKIT=/path/to/mergekit-yaml (mergekit pins its own versions, so it needs an environment of its own).
mergekit elects signs at the weights of a merge, so the election is compared at equal weights.
"""

import json
import os
import subprocess
from pathlib import Path

import pytest
import torch
import yaml
from safetensors.torch import save_file

from support.models import make_base, make_checkpoint
from swarm.core.recipes import Group, Recipe, WeightRecipe
from swarm.experts.catalog import Catalog, ExpertSpec, open_catalog
from swarm.experts.merge_model import composed_tensors
from swarm.experts.preparations import PREPARATIONS
from swarm.experts.pruning import uniforms
from swarm.experts.safetensors_files import TensorFiles
from swarm.experts.sparsify import Sparsification

MERGEKIT = os.environ.get("SWARM_MERGEKIT", "")
ORACLE = Path(__file__).parents[1] / "support" / "mergekit_oracle.py"
NAMES = ("one", "two", "three", "four")
DENSITIES = (0.5, 0.3, 0.62, 0.4)
EQUAL, SIGNED, ONES = (0.4,) * 4, (0.7, -0.3, 0.45, 1.2), (1.0,) * 4
# Method, its settings here, and coefficients. What mergekit calls its parameters are the same words.
CASES = {
    "ties": ("ties", {}, EQUAL),
    "ties-mean": ("ties", {"normalize": True}, ONES),
    "ties-rescaled": ("ties", {"rescale": True}, EQUAL),
    "ties-count": ("ties", {"consensus": "count", "normalize": True}, ONES),
    "dare_linear": ("dare_linear", {"lambda": 0.8}, SIGNED),
    "dare_ties": ("dare_ties", {"seed": 5}, EQUAL),
    "breadcrumbs": ("breadcrumbs", {"gamma": 0.05}, SIGNED),
    "breadcrumbs_ties": ("breadcrumbs_ties", {"gamma": 0.05, "lambda": 1.3}, EQUAL),
    "della_linear": ("della_linear", {"epsilon": 0.2}, SIGNED),
    "della": ("della", {"epsilon": 0.2, "normalize": True}, ONES),
    "della-sum": ("della", {"epsilon": 0.1, "rescale": False}, EQUAL),
    "ram": ("ram", {"epsilon": 0.01}, ONES),
    "ramplus_tl": ("ramplus_tl", {"epsilon": 0.01, "r": 0.3, "alpha": 0.5}, ONES),
}

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not MERGEKIT, reason="mergekit lives in an environment of its own, which SWARM_MERGEKIT names"),
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("mergekit")
    base = make_base(folder / "base")
    for seed, name in enumerate(NAMES):
        make_checkpoint(folder / name, base, seed, scale=0.02)
    return folder


def opened(folder: Path, method: str, settings: dict[str, object]) -> Catalog:
    specs = []
    for name, density in zip(NAMES, DENSITIES, strict=True):
        given = {"type": method, **settings} | ({} if method.startswith("ram") else {"density": density})
        specs.append(
            ExpertSpec(name, folder / name, Sparsification(prepare=PREPARATIONS[method].model_validate(given)))
        )
    return open_catalog(folder / "base", specs)


def differences(catalog: Catalog, coefficients: tuple[float, ...], theirs: TensorFiles) -> tuple[float, float]:
    """The norm of the difference of both updates relative to the update's, and the largest of a tensor's entries,
    relative to the largest of its weights."""
    values = {name: (c,) for name, c in zip(NAMES, coefficients, strict=True)}
    recipe = Recipe(WeightRecipe("delta", (Group("all", ("*",)),), values))
    apart = whole = largest = 0.0
    for name, ours in composed_tensors(catalog, recipe, torch.float32):
        difference = (ours.double() - theirs.read(name).double()).abs()
        apart += float(difference.square().sum())
        whole += float((theirs.read(name).double() - catalog.base.tensors.read(name).double()).square().sum())
        largest = max(largest, float(difference.max() / ours.abs().max()))
    return (apart / whole) ** 0.5, largest


def job(folder: Path, out: Path, name: str) -> dict[str, object]:
    """A case as the oracle reads it, with the random numbers of this run's experts."""
    method, settings, coefficients = CASES[name]
    shared = {key: value for key, value in settings.items() if key in ("normalize", "rescale", "lambda")}
    if method.startswith("ram"):
        return {"method": method, "shared": settings, "each": {}, "uniforms": None, "consensus": None}
    each = {key: [settings[key]] * 4 for key in ("gamma", "epsilon") if key in settings}
    catalog, seed = opened(folder, method, settings), settings.get("seed", 0)
    drawn = {
        f"{i}/{parameter}": uniforms(catalog.base.tensors.read(parameter), f"{seed}/{expert}/{parameter}")
        for i, expert in enumerate(NAMES)
        for parameter in catalog.base.tensors.info
    }
    save_file(drawn, out / f"{name}.uniforms")
    weights = {"weight": coefficients, "density": DENSITIES, **each}
    normalize = {"normalize": False} | shared
    drawn_in = str(out / f"{name}.uniforms")
    consensus = settings.get("consensus", "sum")
    return {"method": method, "shared": normalize, "each": weights, "uniforms": drawn_in, "consensus": consensus}


def test_every_preparation_adds_up_to_mergekits_merge(folder: Path, tmp_path: Path) -> None:
    files = [str(folder / name / "model.safetensors") for name in ("base", *NAMES)]
    jobs = {"base": files[0], "experts": files[1:], "jobs": {name: job(folder, tmp_path, name) for name in CASES}}
    (tmp_path / "jobs.json").write_text(json.dumps(jobs))
    python = Path(MERGEKIT).parent / "python"
    subprocess.run([python, ORACLE, tmp_path / "jobs.json", tmp_path], check=True, env=_offline())
    for name, (method, settings, coefficients) in CASES.items():
        theirs = TensorFiles.of(tmp_path / f"{name}.safetensors")
        relative, largest = differences(opened(folder, method, settings), coefficients, theirs)
        print(f"{name}: {relative:.1e} of the update's norm, largest difference {largest:.1e} of a tensor's largest")
        assert relative < 1e-6, name
        assert largest < 1e-6, name


@pytest.mark.parametrize("name", ["ties", "breadcrumbs_ties"])
def test_mergekits_command_merges_the_same_files(folder: Path, tmp_path: Path, name: str) -> None:
    method, settings, coefficients = CASES[name]
    each = [
        {"weight": c, "density": density} | ({"gamma": settings["gamma"]} if "gamma" in settings else {})
        for c, density in zip(coefficients, DENSITIES, strict=True)
    ]
    config = {
        "merge_method": method,
        "base_model": str(folder / "base"),
        "models": [{"model": str(folder / n), "parameters": given} for n, given in zip(NAMES, each, strict=True)],
        "parameters": {"normalize": False, "lambda": settings.get("lambda", 1.0)},
        "dtype": "float32",
    }
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(config))
    subprocess.run([MERGEKIT, tmp_path / "config.yaml", tmp_path / "out"], check=True, env=_offline())
    relative, largest = differences(opened(folder, method, settings), coefficients, TensorFiles.of(tmp_path / "out"))
    assert max(relative, largest) < 1e-6


def _offline() -> dict[str, str]:
    return {key: value for key, value in os.environ.items() if key != "PYTHONPATH"} | {"HF_HUB_OFFLINE": "1"}
