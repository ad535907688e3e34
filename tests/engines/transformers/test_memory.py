"""The memory that `swarm check` predicts is what an engine takes in a process of its own."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM

from support.models import load, make_adapter, make_base, make_checkpoint, make_tokenizer
from swarm.core.requests import Continuation
from swarm.engines.encoding import Encoder
from swarm.engines.transformers.memory import MIB, LargestBatch, memory
from swarm.engines.transformers.merged_weights import DeviceBudget, MergedWeights
from swarm.experts.catalog import ExpertSpec, open_catalog
from swarm.experts.updates import Delta, Replacement

WITHIN = 0.15
PROMPTS = [(f"{i} " + "so it goes on " * 7, " yes it does") for i in range(60)]
SHOTS = "one and one is two, " * 4
MEASURE = """
import json, sys, threading, time
from pathlib import Path

def held(kind):
    return next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith(kind)) / 1024

def mapped():
    return {line.split()[-1] for line in open("/proc/self/maps") if line.endswith(".safetensors\\n")}

from swarm.compositions.weights import Weights
from swarm.engines.encoding import Encoder
from swarm.engines.transformers.engine import TransformersSettings
from swarm.experts.catalog import ExpertSpec, open_catalog
from swarm.core.requests import Continuation

base, dtype, experts, prompts = json.loads(sys.argv[1])
catalog = open_catalog(Path(base), [ExpertSpec(Path(path).name, Path(path)) for path in experts])
engine = TransformersSettings(dtype=dtype, device="cpu", method="merged").open(catalog)
requests = Encoder.of(Path(base)).encode([Continuation(*prompt) for prompt in prompts])
peak, running = 0.0, True

def watch():
    global peak
    while running:
        peak = max(peak, held("RssAnon"))
        time.sleep(0.002)

watcher = threading.Thread(target=watch)
watcher.start()
for share in (0.3, 0.4):
    engine.answer([Weights().recipe([share] * len(experts), catalog)], requests)
running = False
watcher.join()
print(json.dumps({"private": peak, "shared": sum(Path(file).stat().st_size for file in mapped()) / 2**20}))
"""


def make_larger_base(path: Path, dtype: torch.dtype) -> Path:
    """A Llama of 50 million weights."""
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=8192,
        hidden_size=512,
        intermediate_size=1536,
        num_hidden_layers=13,
        num_attention_heads=8,
        num_key_value_heads=4,
        max_position_embeddings=256,
        tie_word_embeddings=True,
    )
    LlamaForCausalLM(config).to(dtype).save_pretrained(path)
    make_tokenizer().save_pretrained(path)
    return path


def measured(base: Path, dtype: str, experts: list[Path], prompts: list[tuple[str, str]]) -> dict[str, float]:
    """MiB of a process that composes and scores a batch."""
    given = json.dumps([str(base), dtype, [str(path) for path in experts], prompts])
    done = subprocess.run([sys.executable, "-c", MEASURE, given], capture_output=True, text=True, check=True)
    result: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return result


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "stored", "dtype"),
    [
        ("adapters", "bfloat16", "bfloat16"),
        ("adapters", "bfloat16", "float32"),
        ("adapters", "float32", "float32"),
        ("checkpoints", "bfloat16", "bfloat16"),
        ("checkpoints", "float32", "float32"),
        ("adapters, shared prefix", "bfloat16", "bfloat16"),
    ],
)
def test_the_prediction_is_within_15_percent(tmp_path: Path, kind: str, stored: str, dtype: str) -> None:
    base = make_larger_base(tmp_path / "base", getattr(torch, stored))
    prompts = [(SHOTS + prompt, text) for prompt, text in PROMPTS] if "prefix" in kind else PROMPTS
    if "adapters" in kind:
        experts = [make_adapter(tmp_path / f"a{i}", base, seed=i, r=16) for i in range(3)]
    else:
        experts = [make_checkpoint(tmp_path / f"c{i}", base, seed=i) for i in range(2)]
    catalog = open_catalog(base, [ExpertSpec(path.name, path) for path in experts])
    requests = Encoder.of(base).encode([Continuation(*prompt) for prompt in prompts])
    predicted = memory(catalog, dtype, LargestBatch.of(requests.items, 8192, 8192))
    found = measured(base, dtype, experts, prompts)
    print(f"\n{kind} {stored} {dtype}, predicted and found in MiB", end=": ")
    print(f"private {predicted.private / MIB:.0f}, {found['private']:.0f}", end="; ")
    print(f"shared {predicted.shared / MIB:.0f}, {found['shared']:.0f}")
    assert predicted.private / MIB == pytest.approx(found["private"], rel=WITHIN)
    assert predicted.shared / MIB == pytest.approx(found["shared"], rel=WITHIN)


def test_pristine_and_full_tensors_are_parts_of_mapped_files(tmp_path: Path) -> None:
    """Reading them takes no private memory: the system holds the files once per node."""
    base = make_base(tmp_path / "base", hidden=256, layers=4)
    full = make_checkpoint(tmp_path / "full", base, seed=1)
    merged = MergedWeights(load(base), open_catalog(base, [ExpertSpec("full", full)]))
    ranges = mapped_ranges(base) + mapped_ranges(full)
    for parameter in merged.parameters:
        update = parameter.updates["full"]
        assert isinstance(update, Replacement)
        for tensor in (parameter.pristine, update.value):
            assert any(start <= tensor.data_ptr() < end for start, end in ranges), parameter.name


def mapped_ranges(folder: Path) -> list[tuple[int, int]]:
    """Where in memory the folder's weights are mapped."""
    lines = [line.split() for line in Path("/proc/self/maps").read_text().splitlines() if f"{folder}/" in line]
    return [(int(start, 16), int(end, 16)) for start, end in (line[0].split("-") for line in lines)]


def test_what_does_not_fit_on_a_device_stays_on_the_host() -> None:
    small, large = torch.zeros(10), torch.zeros(1000)
    budget = DeviceBudget(torch.device("meta"), left=100)
    assert budget.place(large).device.type == "cpu"
    assert budget.place(small).device.type == "meta"
    assert budget.place(small).device.type == "meta"
    assert budget.place(small).device.type == "cpu"
    assert budget.place_update(Delta(large)) == Delta(large)
