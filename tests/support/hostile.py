"""Files that somebody else wrote to do harm: each case plants one in a copy of a base or an adapter."""

import json
import os
import pickle
import shutil
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from safetensors.torch import load_file, save_file

NOTHING: Mapping[str, object] = {}
SECRET = "the-secret-of-another-folder"
CODE = "from pathlib import Path\nPath({marker!r}).write_text('ran')\nclass Own: pass\n"
FACTOR = "base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight"


@dataclass(frozen=True)
class Trap:
    """Where a case is planted.

    base: a copy of the base.
    adapter: a copy of an adapter of it.
    outside: a folder beside them, with the file secret.json and, under "base", a model of somebody else.
    marker: a file that foreign code would write.
    """

    base: Path
    adapter: Path
    outside: Path
    marker: Path

    @property
    def secret(self) -> Path:
        return self.outside / "secret.json"

    @property
    def code(self) -> str:
        """Python that writes the marker."""
        return CODE.format(marker=str(self.marker))


Plant = Callable[[Trap], None]


@dataclass(frozen=True)
class Hostile:
    """A case. plant: makes the file. named: what the refusal must name."""

    id: str
    plant: Plant
    named: tuple[str, ...]


def put(file: Path, **values: object) -> None:
    content = json.loads(file.read_text()) if file.exists() else {}
    file.write_text(json.dumps(content | values))


def write_header(file: Path, header: object, data: bytes = b"", length: int | None = None) -> None:
    """A safetensors file. header: its JSON, or bytes in its place. length: what it says of the header's length."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    file.write_bytes(struct.pack("<Q", len(text) if length is None else length) + text + data)


def entry(dtype: object = "F32", shape: object = (2,), offsets: object = (0, 8)) -> dict[str, object]:
    return {"dtype": dtype, "shape": shape, "data_offsets": offsets}


def linked(name: str, of: str = "base", to: Callable[[Trap], Path] = lambda trap: trap.secret) -> Plant:
    """A file of the model's folder becomes a link."""

    def plant(trap: Trap) -> None:
        file = getattr(trap, of) / name
        file.unlink(missing_ok=True)
        file.parent.mkdir(exist_ok=True)
        file.symlink_to(to(trap))

    return plant


def linked_templates(trap: Trap) -> None:
    (trap.outside / "templates").mkdir()
    (trap.outside / "templates" / "own.jinja").write_text(SECRET)
    (trap.base / "additional_chat_templates").symlink_to(trap.outside / "templates")


def mapped(name: Callable[[Trap], object], metadata: Mapping[str, object] | None = NOTHING) -> Plant:
    """The base's weights go by an index whose weight_map names something else."""

    def plant(trap: Trap) -> None:
        tensors = load_file(trap.base / "model.safetensors")
        (trap.base / "model.safetensors").unlink()
        weight_map = dict.fromkeys(tensors, name(trap))
        put(trap.base / "model.safetensors.index.json", weight_map=weight_map, metadata=metadata)

    return plant


def header(content: object, data: bytes = b"", length: int | None = None) -> Plant:
    return lambda trap: write_header(trap.adapter / "adapter_model.safetensors", content, data, length)


def many_keys(trap: Trap) -> None:
    text = '"base_model.model.k{}.weight":{{"dtype":"F32","shape":[1],"data_offsets":[{},{}]}}'
    names = ",".join(text.format(i, 4 * i, 4 * i + 4) for i in range(100_000))
    header(f"{{{names}}}".encode(), bytes(400_000))(trap)


def adapter_says(**values: object) -> Plant:
    return lambda trap: put(trap.adapter / "adapter_config.json", **values)


def base_says(**values: object) -> Plant:
    return lambda trap: put(trap.base / "config.json", **values)


def own_model(trap: Trap) -> None:
    (trap.base / "configuration_own.py").write_text(trap.code)
    base_says(model_type="own", auto_map={"AutoConfig": "configuration_own.Own"})(trap)


def base_holds(name: str, content: str) -> Plant:
    return lambda trap: (trap.base / name).write_text(content) and None  # type: ignore[func-returns-value]


def only_pickled(trap: Trap) -> None:
    (trap.adapter / "adapter_model.safetensors").unlink()
    (trap.adapter / "adapter_model.bin").write_bytes(pickle.dumps(Running(trap.code)))


class Running:
    """What unpickling runs as code."""

    def __init__(self, code: str) -> None:
        self._code = code

    def __reduce__(self) -> tuple[object, ...]:
        return exec, (self._code,)


def a_pipe(name: str) -> Plant:
    def plant(trap: Trap) -> None:
        (trap.base / name).unlink(missing_ok=True)
        os.mkfifo(trap.base / name)

    return plant


def deep(name: str, of: str = "base") -> Plant:
    return lambda trap: (getattr(trap, of) / name).write_text('{"a":' * 20_000 + "1" + "}" * 20_000) and None


def deep_index(trap: Trap) -> None:
    mapped(lambda trap: "")(trap)
    deep(INDEX)(trap)


def broken_name(trap: Trap) -> None:
    tensors = load_file(trap.adapter / "adapter_model.safetensors")
    tensors["\x1b[2Jone\ntwo"] = tensors[FACTOR].clone()
    save_file(tensors, trap.adapter / "adapter_model.safetensors")


TWICE = (
    b'{"a": {"dtype":"F32","shape":[2],"data_offsets":[0,8]}, "a": {"dtype":"F32","shape":[2],"data_offsets":[0,8]}}'
)
HEADER = "adapter_model.safetensors"
INDEX = "model.safetensors.index.json"
ABSENT = Path("/nowhere/gone.json")

LINKS = [
    *(
        Hostile(f"link-{name}", linked(name), (name, "secret.json", "copy that file into the folder"))
        for name in ("config.json", "tokenizer.json", "generation_config.json", "LICENSE", "notes.txt", "own.jinja")
    ),
    Hostile("link-in-adapter", linked("tokenizer_config.json", "adapter"), ("tokenizer_config.json", "secret.json")),
    Hostile(
        "linked-weights",
        linked("model.safetensors", to=lambda trap: trap.outside / "base" / "model.safetensors"),
        ("model.safetensors", "outside"),
    ),
    Hostile("relative-link", linked("LICENSE", to=lambda trap: Path("../outside/secret.json")), ("LICENSE", "secret")),
    Hostile("link-to-nothing", linked("tokenizer.json", to=lambda trap: ABSENT), ("tokenizer.json", "gone.json")),
    Hostile("link-to-itself", linked("LICENSE", to=lambda trap: trap.base / "LICENSE"), ("LICENSE", "does not exist")),
    Hostile("link-to-a-device", linked("notes.txt", to=lambda trap: Path("/dev/zero")), ("notes.txt", "/dev/zero")),
    Hostile("linked-templates", linked_templates, ("additional_chat_templates", "outside")),
    Hostile(
        "other-blobs",
        linked("LICENSE", to=lambda trap: trap.outside / "blobs" / "0a1b"),
        ("LICENSE", "blobs/0a1b", "copy that file into the folder"),
    ),
    Hostile("pipe", a_pipe("generation_config.json"), ("generation_config.json", "no regular file")),
    Hostile("pipe-as-config", a_pipe("config.json"), ("config.json", "no regular file")),
]
MAPS = [
    Hostile(f"weight-map-{i}", mapped(name), (INDEX, *named))
    for i, (name, named) in enumerate(
        [
            (lambda trap: "../outside/base/model.safetensors", ("../outside", "correct its name")),
            (lambda trap: str(trap.outside / "base" / "model.safetensors"), ("weight_map", "correct its name")),
            (lambda trap: "../outside/secret.json", ("secret.json", "correct its name")),
            (lambda trap: {"file": "a"}, ("file", "correct its name")),
            (lambda trap: None, ("null", "correct its name")),
            (lambda trap: f"{'x' * 300}.safetensors", ("xxx", "is missing")),
            (lambda trap: "a\0b.safetensors", (r"a\x00b", "is missing")),
            (lambda trap: "gone.safetensors", ("gone", "copy it beside the index")),
        ]
    )
]
HEADERS = [
    Hostile(f"header-{id}", plant, (HEADER, *named))
    for id, plant, named in [
        ("of-a-tebibyte", header({FACTOR: entry()}, bytes(8), 2**40), ("header too large",)),
        ("without-end", header({FACTOR: entry()}, bytes(8), 2**64 - 1), ("header too large",)),
        ("empty-file", lambda trap: (trap.adapter / HEADER).write_bytes(b"") and None, ("copy or save it again",)),
        ("overlap", header({"a": entry(), "b": entry()}, bytes(8)), ("invalid offset",)),
        ("hole", header({"a": entry(), "b": entry(offsets=[16, 24])}, bytes(24)), ("invalid offset",)),
        ("cut", header({"a": entry()}, bytes(4)), ("copy or save it again",)),
        ("more", header({"a": entry()}, bytes(80)), ("not fully covered",)),
        ("negative", header({"a": entry(shape=[-2])}, bytes(8)), ("-2",)),
        ("float", header({"a": entry(shape=[2.0])}, bytes(8)), ("2.0",)),
        ("huge", header({"a": entry(shape=[2**62, 2**62])}, bytes(8)), ("overflow",)),
        ("dtype", header({"a": entry("F99")}, bytes(8)), ("F99",)),
        ("twice", header(TWICE, bytes(8)), ("'a' is given twice",)),
        ("dimensions", header({"a": entry(shape=[1] * 5000 + [2])}, bytes(8)), ("5001 dimensions",)),
        ("long-name", header({"a" * 5000: entry()}, bytes(8)), ("5000 characters",)),
        ("deep", header(b'{"a":' * 20_000 + b"1" + b"}" * 20_000), ("copy or save it again",)),
        ("list", header([1, 2]), ("copy or save it again",)),
    ]
]
VALUES: list[Hostile] = [
    Hostile("many-keys", many_keys, ("k0",)),
    Hostile("escape-in-a-name", broken_name, (r"\x1b[2Jone\ntwo",)),
    Hostile("slow-pattern", adapter_says(alpha_pattern={"([a-z_.0-9]+)+!": 4}), ("alpha_pattern", "([a-z_.0-9]+)+!")),
    Hostile("many-patterns", adapter_says(rank_pattern={f"x{i}": 4 for i in range(20_000)}), ("rank_pattern", "20000")),
    Hostile("deep-adapter-config", deep("adapter_config.json", "adapter"), ("adapter_config.json", "JSON")),
    Hostile("deep-config", deep("config.json"), ("config.json", "JSON")),
    Hostile("index-without-metadata", mapped(lambda trap: "a.safetensors", metadata=None), (INDEX, "metadata", "null")),
    Hostile("deep-index", deep_index, (INDEX, "JSON")),
    Hostile("billion-layers", base_says(num_hidden_layers=10**9), ("num_hidden_layers", "1000000000")),
    Hostile("huge-number", base_says(vocab_size=10**400), ("config.json",)),
    Hostile("word-for-a-number", base_says(hidden_size="wide"), ("config.json", "hidden_size", "wide")),
    Hostile("list-for-a-number", base_says(num_attention_heads=[4]), ("config.json", "num_attention_heads")),
    Hostile("nan-for-a-number", base_says(hidden_size=float("nan")), ("config.json", "hidden_size")),
    Hostile("list-for-a-type", base_says(model_type=["llama"]), ("config.json",)),
    Hostile("generation-config-no-json", base_holds("generation_config.json", "{"), ("generation_config.json", "JSON")),
    Hostile("generation-config-list", base_holds("generation_config.json", "[]"), ("generation_config.json",)),
    Hostile(
        "generation-config-words",
        base_holds("generation_config.json", '{"eos_token_id": "</s>"}'),
        ("generation_config.json", "eos_token_id", "'</s>'"),
    ),
]
CODES = [
    Hostile("own-model", own_model, ("configuration_own.Own", "is never run")),
    Hostile("hub-kernel", base_says(_attn_implementation="some/kernel"), ("some/kernel", "is never run")),
    Hostile("other-config", base_says(configuration_files=["../outside/config.4.0.json"]), ("configuration_files",)),
    Hostile("pickle", only_pickled, ("adapter_model.bin", "save them as safetensors")),
]
TOKENIZERS: Mapping[str, tuple[str, str]] = {
    "no-json": ("tokenizer.json", "{"),
    "a-list": ("tokenizer.json", "[]"),
    "empty": ("tokenizer.json", "{}"),
    "other-kind": ("tokenizer.json", '{"version": "1.0", "model": {"type": "Own"}}'),
    "deep": ("tokenizer.json", '{"a":' * 20_000 + "1" + "}" * 20_000),
    "config-no-json": ("tokenizer_config.json", "{"),
    "config-a-list": ("tokenizer_config.json", "[]"),
    "class-a-list": ("tokenizer_config.json", '{"tokenizer_class": ["x"]}'),
    "length-a-list": ("tokenizer_config.json", '{"model_max_length": [1]}'),
    "token-a-number": ("tokenizer_config.json", '{"eos_token": 4}'),
}


def copied(trap_folder: Path, base: Path, adapter: Path) -> Trap:
    """A trap in a new folder, with nothing hostile in it yet."""
    trap = Trap(trap_folder / "base", trap_folder / "adapter", trap_folder / "outside", trap_folder / "marker")
    shutil.copytree(base, trap.base)
    shutil.copytree(adapter, trap.adapter)
    shutil.copytree(base, trap.outside / "base")
    (trap.outside / "blobs").mkdir()
    (trap.outside / "blobs" / "0a1b").write_text(SECRET)
    trap.secret.write_text(json.dumps({"secret": SECRET}))
    put(trap.adapter / "adapter_config.json", base_model_name_or_path="somebody/model")
    return trap
