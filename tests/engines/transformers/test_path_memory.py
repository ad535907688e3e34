"""What models that generate together take, by hand, and beside what a process takes."""

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from support.bad_paths import make_layer
from support.models import VOCABULARY, make_adapter, make_base
from support.runs import make_workshop
from swarm.core.requests import Continuation, Generation, Request
from swarm.engines.base import Memory
from swarm.engines.encoding import Encoder
from swarm.engines.transformers.engine import TransformersSettings
from swarm.engines.transformers.memory import MIB
from swarm.engines.transformers.path_memory import Running, path_memory
from swarm.experts.catalog import Catalog, ExpertSpec, open_catalog

WITHIN = 0.15
PROMPTS, NEW = ["a" * 10, "b" * 7, "c" * 9], 5
KEPT = 3 * (10 + NEW)  # rows times the longest; a character is a token
BASE_KEYS = 2 * (2 * 2 * 8 * 4)  # layers times keys and values, heads of keys, numbers per head, bytes
SMALL_KEYS = 1 * (2 * 2 * 4 * 4)  # of a model of a pair: one layer, and heads of half the size
LOGITS = 3 * VOCABULARY * 4  # of the next token of each row
MEASURE = """
import json, sys, threading, time
from pathlib import Path

from swarm.compositions.logits import Logits
from swarm.core.requests import Generation
from swarm.engines.encoding import Encoder
from swarm.engines.transformers.engine import TransformersSettings
from swarm.experts.catalog import ExpertSpec, open_catalog

base, experts, prompts, new = json.loads(sys.argv[1])
catalog = open_catalog(Path(base), [ExpertSpec(Path(path).name, Path(path)) for path in experts])
engine = TransformersSettings(dtype="float32", device="cpu", method="merged").open(catalog)
requests = Encoder.of(Path(base)).encode([Generation(prompt, new) for prompt in prompts])
peak, running = 0.0, True

def watch():
    global peak
    while running:
        lines = open("/proc/self/status").read().splitlines()
        peak = max(peak, next(int(line.split()[1]) for line in lines if line.startswith("RssAnon")) / 1024)
        time.sleep(0.002)

watcher = threading.Thread(target=watch)
watcher.start()
for share in (0.3, 0.4):
    engine.answer([Logits().recipe([share] * len(experts), catalog)], requests)
running = False
watcher.join()
print(peak)
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = make_workshop(tmp_path_factory.mktemp("together"))
    for seed, name in enumerate(("small", "tuned"), 5):
        make_base(folder / name, seed=seed, layers=1, hidden=16)
    make_layer(folder / "control", folder / "base")
    return folder


def catalog_of(folder: Path, *names: str) -> Catalog:
    pair = ExpertSpec("pair", folder / "tuned", minus=folder / "small")
    return open_catalog(
        folder / "base", [pair if name == "pair" else ExpertSpec(name, folder / name) for name in names]
    )


def private(folder: Path, catalog: Catalog, requests: Sequence[Request], merged: bool) -> float:
    """What paths add."""
    items = Encoder.of(folder / "base").encode(requests).items
    running = Running.of([source.name for source in catalog.sources], merged, items, 8192, VOCABULARY)
    return path_memory(Memory(0.0, 0.0), catalog, "float32", running).private


@pytest.mark.parametrize(
    ("names", "merged", "copies", "keys", "models"),
    [
        (("pair",), False, 0, 2 * SMALL_KEYS, 2),
        (("control",), False, 0, BASE_KEYS + BASE_KEYS // 2, 1),  # one layer more than the base's two
        (("one", "two"), False, 2, 2 * BASE_KEYS, 2),
        (("one", "two"), True, 3, 3 * BASE_KEYS, 3),  # the base as it is beside the base with weights of its own
        (("one", "pair", "control"), True, 2, 3 * BASE_KEYS + BASE_KEYS // 2 + 2 * SMALL_KEYS, 5),
    ],
)
def test_keys_values_and_logits_of_every_model_that_generates(
    folder: Path, names: tuple[str, ...], merged: bool, copies: int, keys: int, models: int
) -> None:
    """copies: models that need tensors of their own beside those that are there to score."""
    catalog = catalog_of(folder, *names)
    scored = private(folder, catalog, [Continuation(prompt, " yes") for prompt in PROMPTS], merged)
    generated = private(folder, catalog, [Generation(prompt, NEW) for prompt in PROMPTS], merged)
    changed = sum(catalog.base.tensors.info[name].elements for name in catalog.parameters())
    assert generated - scored == copies * changed * 4 + KEPT * keys + models * LOGITS


@pytest.mark.slow
def test_the_prediction_for_models_that_generate_is_within_15_percent(tmp_path: Path) -> None:
    base = make_base(tmp_path / "base", layers=8, hidden=512)
    experts = [make_adapter(tmp_path / f"a{i}", base, seed=i, r=16) for i in range(3)]
    prompts = ["so it goes on and on " * 4 + str(i) for i in range(80)]
    catalog = open_catalog(base, [ExpertSpec(path.name, path) for path in experts])
    requests = Encoder.of(base).encode([Generation(prompt, 8) for prompt in prompts])
    settings = TransformersSettings(dtype="float32", device="cpu", method="merged")
    predicted = settings.needed_memory(catalog, requests, catalog.names).private / MIB
    without = settings.needed_memory(catalog, requests).private / MIB
    given = json.dumps([str(base), [str(path) for path in experts], prompts, 8])
    done = subprocess.run([sys.executable, "-c", MEASURE, given], capture_output=True, text=True, check=True)
    found = float(done.stdout.splitlines()[-1])
    print(f"\nprivate MiB: predicted {predicted:.0f} ({without:.0f} without paths), found {found:.0f}")
    assert predicted == pytest.approx(found, rel=WITHIN)
