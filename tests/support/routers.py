"""Routers for tests of what uses them."""

from pathlib import Path

import numpy as np

from swarm.experts.calibrators import Calibration
from swarm.experts.catalog import Catalog
from swarm.experts.router import Router
from swarm.experts.router_files import write_router
from swarm.experts.router_fit import RouterFit, fit_router

WIDTH = 32  # hidden states of the tests' base
VARYING = 8  # numbers of which each hidden state is made, by repetition


def write_random_router(folder: Path, catalog: Catalog, calibration: Calibration = "platt") -> Router:
    """A router of random prompts, of which each third is best answered by one expert."""
    random = np.random.default_rng(0)
    kind_N = np.arange(60) % 3
    features_NH = np.tile(random.normal(size=(60, VARYING)) + 4 * np.eye(VARYING)[kind_N], WIDTH // VARYING)
    found = fit_router(features_NH, np.eye(3)[kind_N], catalog.names, RouterFit(calibration=calibration))
    router = Router(
        base=catalog.base.tensors.fingerprint,
        experts={each.name: each.fingerprint for each in catalog.sources},
        layer=1,
        calibration=calibration,
        geometry=found.geometry,
        spreads=found.spreads,
        fractal_ME=found.fractal_ME,
        natural_ME=found.natural_ME,
        report={"examples": 60},
    )
    folder.mkdir()
    write_router(router, folder)
    return router
