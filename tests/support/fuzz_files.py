"""What strangers' files may hold, for hypothesis, and the readers that must refuse it in one line or read it.

A case begins with a file that is right, and changes a few of its values, or its bytes.
"""

import copy
import json
import math
import shutil
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch
import yaml
from hypothesis import strategies as st

from support.exports import exported
from support.fuzz_data import data_cases, read_and_split, read_training_data
from support.fuzz_journal import journal_bytes, summary_bytes
from support.models import make_adapter, make_base
from support.playground import make_playground, run_cli
from swarm.config.load import load_config
from swarm.config.references import resolve
from swarm.core.errors import UserError
from swarm.core.examples import Message
from swarm.core.requests import Continuation, Generation
from swarm.core.terminal_text import one_line
from swarm.engines.encoding import Encoder
from swarm.engines.transformers.load_model import load_model
from swarm.experts.alignment_vectors import make_vector
from swarm.experts.catalog import ExpertSpec, check_finite, open_base, open_catalog
from swarm.experts.updates import delta_of
from swarm.export import export, read_recipe
from swarm.journal.archive import Archive
from swarm.run.directory import JOURNAL, SUMMARY, read_summary

ADAPTER, CONFIG, INDEX = "adapter_model.safetensors", "adapter_config.json", "model.safetensors.index.json"
HEADER_BYTES = 8  # of the length before a safetensors header
DEEP = 3000
BYTES = {"F32": 4, "F16": 2, "BF16": 2, "I8": 1, "F64": 8, "I64": 8, "F8_E4M3": 1, "F8_E8M0": 1, "C64": 8, "BOOL": 1}


@dataclass(frozen=True)
class Sources:
    """Files that are right.

    folder: where they lie.
    base, sharded: one base as a single file, and in shards.
    adapter, vector: of the base.
    config: a config file.
    recipe: a recipe file.
    run: the directory of a finished run.
    """

    folder: Path
    run: Path

    @property
    def base(self) -> Path:
        return self.folder / "base"

    @property
    def sharded(self) -> Path:
        return self.folder / "sharded"

    @property
    def adapter(self) -> Path:
        return self.folder / "adapter"

    @property
    def config(self) -> Path:
        return self.folder / "config.yaml"

    @property
    def vector(self) -> Path:
        return self.folder / "vector.safetensors"

    @property
    def recipe(self) -> Path:
        return self.folder / "recipe" / "recipe.json"


@dataclass(frozen=True)
class Reader:
    """cases: what it is given, from sources that are right. read: reads a case in a folder that it may change."""

    cases: Callable[[Sources], st.SearchStrategy[bytes]]
    read: Callable[[Sources, bytes, Path], object]


def make_sources(folder: Path, run: Path | None = None) -> Sources:
    """run: a finished run; without one, one is made."""
    made = Sources(folder, run or finished_run(folder))
    make_base(made.base, layers=1)
    make_base(made.sharded, layers=1, max_shard_size="20KB")
    make_adapter(made.adapter, made.base, seed=1, targets=["q_proj", "v_proj"])
    make_vector(made.base, made.adapter, made.vector)
    settings = {"alpha_pattern": {"v_proj": 4}, "rank_pattern": {}, "base_model_name_or_path": "somebody/model"}
    file = made.adapter / CONFIG
    file.write_text(json.dumps(json.loads(file.read_text()) | settings))
    (folder / "data.jsonl").write_text('{"id": "1", "prompt": "a", "choices": ["b", "c"], "answer": "A"}\n')
    content = {
        "base": str(made.base),
        "experts": [str(made.adapter), {"path": str(made.adapter), "name": "two", "trim": 0.5}],
        "composition": {"type": "weights", "algebra": "delta"},
        "objectives": [{"name": "words", "type": "multiple_choice", "data": str(folder / "data.jsonl")}],
        "splits": {"search": 16, "select": 16, "test": "rest"},
        "optimizer": {"type": "pso", "particles": 4, "iterations": 4},
        "engine": {"dtype": "float32"},
        "cluster": {"type": "local"},
        "seed": 0,
    }
    made.config.write_text(yaml.safe_dump(content))
    export(exported(open_catalog(made.base, [ExpertSpec("one", made.adapter)])), made.recipe.parent, "recipe")
    return made


def finished_run(folder: Path) -> Path:
    playground = make_playground(folder / "playground")
    done = run_cli("search", playground.config_file, "--run-dir", folder / "run")
    assert done.code == 0, done.err
    return folder / "run"


# Numbers, texts and containers that readers stumble over.
HARD = st.sampled_from(
    [None, True, False, 0, -1, 2**31, 2**63, -(2**63), 10**400, 1e308, -0.0, math.nan, math.inf, "", "0", "nan", "inf",
     "1e999", "²", "٣", "\0", "\n", "\x1b[2J", "\ud800", "a" * 3000, "../../etc/passwd", "/dev/zero", "~nobody/x", "*",
     "(", "[", "(a+)+$", [], {}, [[]], [None], {"": None}, {"type": "x"}, {"a": {"b": [1]}}, [{}], ["a", 1]]
).map(copy.deepcopy)  # fmt: skip
WILD = st.one_of(HARD, st.integers(-1000, 1000), st.floats(), st.text(max_size=8), st.lists(HARD, max_size=3),
                 st.dictionaries(st.text(max_size=5), HARD, max_size=3))  # fmt: skip
NEW_KEYS = st.one_of(st.text(max_size=6), st.sampled_from(["type", "name", "r", "model_type", "auto_map"]))


def places(value: object, at: tuple[object, ...] = ()) -> list[tuple[object, ...]]:
    """The paths of all values within a value."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [at, *(place for key, each in inner for place in places(each, (*at, key)))]


@st.composite
def changed(draw: st.DrawFn, right: object) -> object:
    """A value in which some values are replaced, removed, added, or put into a container."""
    value = copy.deepcopy(right)
    for _ in range(draw(st.integers(1, 3))):
        *above, last = draw(st.sampled_from(places(value)[1:] or [("",)]))
        owner = value
        for step in above:
            owner = owner[step]  # type: ignore[index]
        if not isinstance(owner, dict | list) or (isinstance(owner, dict) and last not in owner):
            return draw(WILD)
        how = draw(st.sampled_from(["replace", "replace", "replace", "remove", "wrap", "key", "root"]))
        if how == "root":
            return draw(WILD)
        if how == "remove":
            del owner[last]  # type: ignore[arg-type]
        elif how == "key" and isinstance(owner, dict):
            owner[draw(st.one_of(st.text(max_size=6), st.sampled_from(["type", "name", "r", "model_type"])))] = draw(
                WILD
            )
        elif how == "wrap":
            owner[last] = draw(st.sampled_from([[owner[last]], {"a": owner[last]}]))  # type: ignore[index]
        else:
            owner[last] = draw(WILD)  # type: ignore[index]
    return value


@st.composite
def broken(draw: st.DrawFn, right: bytes) -> bytes:
    """A text in which bytes are changed, cut out, doubled or put in, or that is nested deeply."""
    content = bytearray(right)
    for _ in range(draw(st.integers(1, 3))):
        start = draw(st.integers(0, len(content)))
        stop = min(len(content), start + draw(st.integers(0, 12)))
        if draw(st.booleans()):
            put = draw(st.one_of(st.binary(max_size=6), st.just(bytes(content[start:stop]) * 2)))
        else:
            put = draw(st.sampled_from([b"", b"[" * DEEP, b'{"a":' * DEEP, b"\xff\xfe", b"\xef\xbb\xbf", b"1" * 5000]))
        content[start:stop] = put
    return bytes(content)


def json_file(right: bytes) -> st.SearchStrategy[bytes]:
    """A JSON file: with other values, or other bytes."""
    return st.one_of(changed(json.loads(right)).map(as_json), broken(right))


def as_json(value: object) -> bytes:
    return json.dumps(value).encode("utf-8", "surrogatepass")


def yaml_file(right: bytes) -> st.SearchStrategy[bytes]:
    dumped = changed(yaml.safe_load(right)).map(lambda value: yaml.safe_dump(value).encode("utf-8", "surrogatepass"))
    tags = ["!!int ''", "!!float x", "!!timestamp 1", "2024-13-45", "!!python/object:os.system {}", "&a [*a]", "? [1]"]
    tagged = st.tuples(st.integers(0, right.count(b"\n")), st.sampled_from(tags)).map(partial(with_value, right))
    return st.one_of(dumped, tagged, broken(right))


def with_value(right: bytes, at: tuple[int, str]) -> bytes:
    """The YAML with a line's value replaced."""
    lines = right.decode().splitlines()
    number = min(at[0], len(lines) - 1)
    lines[number] = f"{lines[number].partition(':')[0]}: {at[1]}"
    return "\n".join(lines).encode()


@st.composite
def safetensors_file(draw: st.DrawFn, right: bytes) -> bytes:
    """A safetensors file with another header, another length, or other bytes."""
    length = int.from_bytes(right[:HEADER_BYTES], "little")
    text, data = right[HEADER_BYTES : HEADER_BYTES + length], right[HEADER_BYTES + length :]
    if draw(st.booleans()):
        header = draw(st.one_of(json_file(text), reshaped(json.loads(text)).map(as_json)))
        said = draw(st.sampled_from([len(header), len(header), len(header), 0, 2**40, 2**63, len(header) - 1]))
        return struct.pack("<Q", max(0, said)) + header + data
    return draw(broken(right))


@st.composite
def reshaped(draw: st.DrawFn, header: dict[str, dict[str, object]]) -> object:
    """Headers that the library accepts: tensors of other shapes, dtypes and names, in as many bytes."""
    found: dict[str, object] = {name: entry for name, entry in header.items() if name == "__metadata__"}
    for name, entry in header.items():
        if name in found:
            continue
        start, stop = entry["data_offsets"]  # type: ignore[misc]
        sizes = {
            "F32": 4,
            "F16": 2,
            "BF16": 2,
            "I8": 1,
            "F64": 8,
            "I64": 8,
            "F8_E4M3": 1,
            "F8_E8M0": 1,
            "C64": 8,
            "BOOL": 1,
        }
        dtype = draw(st.sampled_from(["F32", "F32", "F32", *sizes]))
        n = (stop - start) // sizes[dtype]
        shape = draw(st.sampled_from([entry["shape"], [n], [n, 1], [1, n], [1, n, 1], [n // 4, 4], [4, n // 4]]))
        parts = ["lora_A", "lora_B", "lora_embedding_A", "lora_embedding_B", "lora_magnitude_vector", "modules_to_save",
                 "base_layer", "token_adapter", "original_module", "q_proj", "bias", "x"]  # fmt: skip
        old = draw(st.sampled_from(["lora_A", "lora_B", "q_proj", "weight", "zzz"]))
        found[name.replace(old, draw(st.sampled_from(parts)))] = {**entry, "dtype": dtype, "shape": shape}
    return found


# What --set is given: keys of the config and others, values of YAML.
KEYS = st.sampled_from(
    ["optimizer.particles", "experts.0.path", "experts.²", "experts.-1", "experts", "base", "seed", "", ".", "a..b",
     "\0", "objectives.0.name", "splits.test", "engine", "experts.1.trim", "cluster.type", "composition.algebra",
     "optimizer", "selection.finalists.x"]
)  # fmt: skip
YAML_VALUES = ["2024-13-45", "!!int ''", "&a [*a]", "{a: 1, a: 2}", "[" * DEEP, "1" * 5000, "!!set {a}", "0x", "1_0"]
VALUES = st.one_of(
    st.text(max_size=12), WILD.map(lambda value: yaml.safe_dump(value).strip()), st.sampled_from(YAML_VALUES)
)


def overrides(sources: Sources) -> st.SearchStrategy[bytes]:
    keys = st.one_of(KEYS, st.text(max_size=10))
    equals = st.sampled_from(["=", "=", "=", "==", ""])
    return st.tuples(keys, equals, VALUES).map(lambda parts: "".join(parts).encode("utf-8", "surrogatepass"))


def read_config(sources: Sources, case: bytes, folder: Path) -> None:
    (folder / "case.yaml").write_bytes(case)
    resolve(load_config(folder / "case.yaml"), folder)


def read_override(sources: Sources, case: bytes, folder: Path) -> None:
    load_config(sources.config, [case.decode("utf-8", "surrogatepass")])


def read_adapter(name: str, sources: Sources, case: bytes, folder: Path) -> None:
    """The adapter with one of its files replaced."""
    shutil.copytree(sources.adapter, folder / "adapter", dirs_exist_ok=True)
    (folder / "adapter" / name).write_bytes(case)
    catalog = open_catalog(sources.base, [ExpertSpec("one", folder / "adapter")])
    check_finite(catalog)
    for parameter in catalog.experts[0].source.parameters():
        delta_of(catalog.experts[0].update(parameter, catalog.base), catalog.base.tensors.read(parameter))


def read_vector(sources: Sources, case: bytes, folder: Path) -> None:
    (folder / "vector.safetensors").write_bytes(case)
    catalog = open_catalog(sources.base, [ExpertSpec("one", folder / "vector.safetensors")])
    check_finite(catalog)
    for parameter in catalog.experts[0].source.parameters():
        delta_of(catalog.experts[0].update(parameter, catalog.base), catalog.base.tensors.read(parameter))


def read_base(name: str, of: str, sources: Sources, case: bytes, folder: Path) -> None:
    """A base with one of its files replaced."""
    shutil.copytree(sources.folder / of, folder / of, dirs_exist_ok=True)
    (folder / of / name).write_bytes(case)
    opened = open_base(folder / of)
    encoder = Encoder.of(opened.path)
    encoder.encode([Continuation("one two", " three"), Generation("one", 4)])
    if encoder.tokenizer.chat_template is not None:
        encoder.encode([Continuation((Message("user", "one"),), " two")])
    load_model(opened.path, torch.float32, "cpu")  # what is not refused before is loaded


def read_a_recipe(sources: Sources, case: bytes, folder: Path) -> None:
    (folder / "recipe.json").write_bytes(case)
    read_recipe(folder / "recipe.json")


def read_journal(sources: Sources, case: bytes, folder: Path) -> None:
    (folder / JOURNAL).write_bytes(case)
    Archive(folder / JOURNAL)


def read_a_summary(sources: Sources, case: bytes, folder: Path) -> None:
    (folder / SUMMARY).write_bytes(case)
    read_summary(folder, Archive(sources.run / JOURNAL))


def of_json(name: str, of: str) -> Callable[[Sources], st.SearchStrategy[bytes]]:
    return lambda sources: json_file((sources.folder / of / name).read_bytes())


READERS: Mapping[str, Reader] = {
    "data": Reader(lambda _: data_cases(), lambda _, case, folder: read_and_split(case, folder)),
    "training_data": Reader(lambda _: data_cases(), lambda _, case, folder: read_training_data(case, folder)),
    "config": Reader(lambda sources: yaml_file(sources.config.read_bytes()), read_config),
    "set": Reader(overrides, read_override),
    "journal": Reader(lambda sources: journal_bytes((sources.run / JOURNAL).read_bytes()), read_journal),
    "summary": Reader(lambda sources: summary_bytes((sources.run / SUMMARY).read_bytes()), read_a_summary),
    "recipe": Reader(lambda sources: json_file(sources.recipe.read_bytes()), read_a_recipe),
    "adapter_config": Reader(of_json(CONFIG, "adapter"), partial(read_adapter, CONFIG)),
    "safetensors": Reader(
        lambda sources: safetensors_file((sources.adapter / ADAPTER).read_bytes()), partial(read_adapter, ADAPTER)
    ),
    "expert_tokenizer": Reader(of_json("tokenizer.json", "base"), partial(read_adapter, "tokenizer.json")),
    "vector": Reader(lambda sources: safetensors_file(sources.vector.read_bytes()), read_vector),
    "index": Reader(of_json(INDEX, "sharded"), partial(read_base, INDEX, "sharded")),
    "base_config": Reader(of_json("config.json", "base"), partial(read_base, "config.json", "base")),
    "generation_config": Reader(
        of_json("generation_config.json", "base"), partial(read_base, "generation_config.json", "base")
    ),
    "tokenizer": Reader(of_json("tokenizer.json", "base"), partial(read_base, "tokenizer.json", "base")),
    "tokenizer_config": Reader(
        of_json("tokenizer_config.json", "base"), partial(read_base, "tokenizer_config.json", "base")
    ),
}


def attempt(reader: Reader, sources: Sources, case: bytes, folder: Path) -> None:
    """Read a case: it succeeds, or raises a UserError of one line. Anything else is raised on."""
    try:
        reader.read(sources, case, folder)
    except UserError as error:
        text = str(error)
        assert text == one_line(text), f"not one line: {text[:300]!r}"
        assert len(text) < 5000, f"{len(text)} characters: {text[:300]!r}"
