"""What most tests of the engine share: a base with its experts, opened, and one engine for a whole file."""

from pathlib import Path

import pytest

from support.runs import engine, make_workshop, opened
from swarm.engines.transformers.engine import TransformersEngine
from swarm.experts.catalog import Catalog


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_workshop(tmp_path_factory.mktemp("workshop"))


@pytest.fixture(scope="module")
def catalog(folder: Path) -> Catalog:
    return opened(folder)


@pytest.fixture(scope="module")
def shared(catalog: Catalog) -> TransformersEngine:
    """One engine for all tests of a file: what was in place before must not matter."""
    return engine(catalog)
