"""Machines that lack what a command needs: a device, a package, a folder to write to, a cluster that answers."""

from collections.abc import Callable
from pathlib import Path

from safetensors.torch import load_file, save_file

from support.bad_inputs import Case, Scene, Words
from support.models import make_adapter

LONG = "/tmp/" + 60 * "x"
NOWHERE = "/proc/nowhere"
A_FILE = "{folder}/case.yaml"
DEAD = "127.0.0.1:1"


def on_ray(command: str) -> Callable[[Scene], Words]:
    def arrange(scene: Scene) -> Words:
        words = scene.search(cluster={"type": "ray", "workers": 1})
        return words if command == "search" else ["check", words[1]]

    return arrange


def with_engine(command: str, **settings: object) -> Callable[[Scene], Words]:
    def arrange(scene: Scene) -> Words:
        words = scene.search(engine=settings)
        return words if command == "search" else ["check", words[1]]

    return arrange


def run_dir(place: str) -> Callable[[Scene], Words]:
    return lambda scene: [*scene.search(), "--run-dir", place]


def of_the_zoo(scene: Scene) -> Words:
    return scene.search(base="zoo:tiny")


def taken_run_dir(scene: Scene) -> Words:
    return ["check", scene.search()[1], "--run-dir", scene.finished]


def export_to(place: str) -> Callable[[Scene], Words]:
    return lambda scene: ["export", scene.finished, place]


def base_that_overflows(scene: Scene) -> Path:
    """Its weights fit float16, its activations do not."""
    base = scene.base()
    weights = load_file(base / "model.safetensors")
    for name in weights:
        if "layers.0.mlp" in name:
            weights[name] = weights[name] * 3000.0
    save_file(weights, base / "model.safetensors", {"format": "pt"})
    return base


def overflow(scene: Scene) -> Words:
    base = base_that_overflows(scene)
    expert = make_adapter(scene.folder / "expert", base, seed=1)
    return scene.search(base=str(base), experts=[str(expert)], engine={"dtype": "float16"})


VLLM = {"type": "vllm"}
CASES = [
    Case("long-ray-tmpdir", on_ray("search"), "RAY_TMPDIR", LONG, "folder, such as /tmp", {"RAY_TMPDIR": LONG}),
    Case("long-tmpdir", on_ray("search"), "TMPDIR", LONG, "set RAY_TMPDIR to a shorter", {"TMPDIR": LONG}),
    Case("check-long-tmpdir", on_ray("check"), "TMPDIR", "bytes that Ray's", "set RAY_TMPDIR to", {"TMPDIR": LONG}),
    Case("no-ray-tmpdir", on_ray("search"), "RAY_TMPDIR", NOWHERE, "with write permission", {"RAY_TMPDIR": NOWHERE}),
    Case("check-no-tmpdir", on_ray("check"), "TMPDIR", NOWHERE, "set RAY_TMPDIR to a folder", {"TMPDIR": NOWHERE}),
    Case("ray-tmpdir-is-a-file", on_ray("search"), "RAY_TMPDIR", "Not a directory", "set", {"RAY_TMPDIR": "/dev/null"}),
    Case("stale-ray-address", on_ray("search"), "RAY_ADDRESS", DEAD, "or unset it", {"RAY_ADDRESS": DEAD}),
    Case("check-stale-ray-address", on_ray("check"), "RAY_ADDRESS", DEAD, "or unset it", {"RAY_ADDRESS": DEAD}),
    Case(
        "dashboard-as-ray-address", on_ray("check"), "RAY_ADDRESS", "jobs", "unset it", {"RAY_ADDRESS": "http://h:8265"}
    ),
    Case("no-such-cuda", with_engine("check", device="cuda:77"), "engine.device", "'cuda:77'", "use auto or cpu"),
    Case("search-no-such-cuda", with_engine("search", device="cuda:77"), "engine.device", "'cuda:77'", "use auto"),
    Case("no-such-device", with_engine("check", device="graphics"), "engine.device", "'graphics'", "use auto or cpu"),
    Case("check-run-dir", lambda s: ["check", *run_dir(f"{NOWHERE}/r")(s)[1:]], "--run-dir", NOWHERE, "name another"),
    Case("check-taken-run-dir", taken_run_dir, "--run-dir", "holds a run already", "name another directory"),
    Case("check-vllm-missing", with_engine("check", **VLLM), "engine.type", "vllm", "set engine.type: transformers"),
    Case("search-vllm-missing", with_engine("search", **VLLM), "engine.type", "vllm", "pip install"),
    Case("run-dir-in-proc", run_dir(f"{NOWHERE}/run"), "--run-dir", NOWHERE, "name another directory"),
    Case("run-dir-in-null", run_dir("/dev/null/run"), "--run-dir", "/dev/null/run", "name another directory"),
    Case("export-to-proc", export_to(f"{NOWHERE}/best"), NOWHERE, "cannot be written", "choose another place"),
    Case("export-into-a-file", export_to("/dev/null/best"), "/dev/null/best", "a file is where", "another place"),
    Case(
        "cache-in-proc",
        of_the_zoo,
        "zoo",
        NOWHERE,
        "set SWARM_CACHE",
        {"SWARM_CACHE": NOWHERE},
    ),
    Case(
        "cache-is-a-file",
        lambda s: s.search(base="zoo:tiny"),
        "zoo",
        "case.yaml/zoo/tiny",
        "set SWARM_CACHE to a folder",
        {"SWARM_CACHE": A_FILE},
    ),
    Case("zoo-in-proc", lambda s: ["zoo", "build", "tiny", f"{NOWHERE}/z"], "zoo", NOWHERE, "choose another directory"),
    Case("float16-overflows", overflow, "engine.dtype", "float16", "set engine.dtype to bfloat16"),
]
