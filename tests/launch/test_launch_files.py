"""The launch files, each checked as far as possible without its platform."""

import ast
import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import kubernetes_validate
import pytest
import yaml
from ray.autoscaler._private.util import prepare_config, validate_config

ROOT = Path(__file__).parents[2]
LAUNCH = ROOT / "launch"
SCRIPTS = [path for path in sorted(LAUNCH.iterdir()) if path.read_text().startswith("#!")]
TEMPLATE = {"apiVersion": "v1", "kind": "PodTemplate", "metadata": {"name": "x"}}
# The fields of KubeRay (docs/reference/api.md of KubeRay 1.5) that are used here.
RAYJOB = {
    "submissionMode": str,
    "entrypoint": str,
    "backoffLimit": int,
    "submitterConfig": {"backoffLimit": int},
    "shutdownAfterJobFinishes": bool,
    "ttlSecondsAfterFinished": int,
    "rayClusterSpec": {
        "rayVersion": str,
        "authOptions": {"mode": str},
        "enableInTreeAutoscaling": bool,
        "autoscalerOptions": {"version": str, "upscalingMode": str, "idleTimeoutSeconds": int},
        "headGroupSpec": {"rayStartParams": dict, "template": dict},
        "workerGroupSpecs": [
            {
                "groupName": str,
                "replicas": int,
                "minReplicas": int,
                "maxReplicas": int,
                "rayStartParams": dict,
                "template": dict,
            }
        ],
    },
}


def fits(content: object, schema: object) -> bool:
    if isinstance(schema, dict):
        return isinstance(content, dict) and all(key in schema and fits(content[key], schema[key]) for key in content)
    if isinstance(schema, list):
        return isinstance(content, list) and all(fits(each, schema[0]) for each in content)
    return type(content) is schema


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_scripts_pass_shellcheck_and_say_what_they_take(script: Path) -> None:
    done = subprocess.run(
        [Path(sys.executable).parent / "shellcheck", script], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout
    for python in re.findall(r"<<'EOF'\n(.*?)\nEOF\n", script.read_text(), re.S):
        ast.parse(python)
    done = subprocess.run(["bash", script], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)


def test_every_file_says_how_it_is_used() -> None:
    for path in LAUNCH.iterdir():
        head = re.match(r"(#.*\n)+", path.read_text())
        assert head, path
        assert f"launch/{path.name}" in head[0] or path.name == "entry.sh"
    for path in LAUNCH.iterdir():
        assert "RAY_AUTH_MODE" in path.read_text() or path.name in ("entry.sh", "kuberay-storage.yaml")


def test_sbatch_options_are_known_and_come_before_commands() -> None:
    text = (LAUNCH / "slurm.sbatch").read_text()
    options = re.findall(r"^#SBATCH --([a-z-]+)(?:=(.*))?$", text, re.M)
    known = {"job-name", "nodes", "ntasks-per-node", "cpus-per-task", "exclusive", "time", "requeue", "no-kill"}
    assert {name for name, _ in options} == known | {"open-mode", "output", "signal"}
    assert dict(options)["signal"].startswith("B:USR1@")
    assert text.index("set -euo") > text.rindex("#SBATCH")


def test_the_rayjob_has_kuberays_fields() -> None:
    (job,) = yaml.safe_load_all((LAUNCH / "kuberay.yaml").read_text())
    assert (job["apiVersion"], job["kind"]) == ("ray.io/v1", "RayJob")
    spec = job["spec"]
    cluster = spec["rayClusterSpec"]
    assert fits(spec, RAYJOB)
    assert (spec["submissionMode"], cluster["authOptions"]["mode"]) == ("K8sJobMode", "token")
    assert cluster["rayVersion"] == pinned()["ray"]
    head, (workers,) = cluster["headGroupSpec"], cluster["workerGroupSpecs"]
    assert workers["minReplicas"] <= workers["replicas"] <= workers["maxReplicas"]
    assert spec["entrypoint"].split()[1].removeprefix("/opt/swarm/") == "launch/entry.sh"
    assert "tolerations" in workers["template"]["spec"]
    assert "tolerations" not in head["template"]["spec"]
    for group in (head, workers):
        assert all(type(value) is str for value in group["rayStartParams"].values())
        kubernetes_validate.validate(TEMPLATE | {"template": group["template"]}, "1.33", strict=True)


def test_the_rayjob_mounts_the_claim() -> None:
    claim = yaml.safe_load((LAUNCH / "kuberay-storage.yaml").read_text())
    kubernetes_validate.validate(claim, "1.33", strict=True)
    cluster = yaml.safe_load((LAUNCH / "kuberay.yaml").read_text())["spec"]["rayClusterSpec"]
    for group in (cluster["headGroupSpec"], *cluster["workerGroupSpecs"]):
        (volume,), (container,) = (group["template"]["spec"][name] for name in ("volumes", "containers"))
        assert volume["persistentVolumeClaim"]["claimName"] == claim["metadata"]["name"]
        assert container["volumeMounts"] == [{"name": volume["name"], "mountPath": "/shared"}]
    env = {each["name"]: each for each in cluster["headGroupSpec"]["template"]["spec"]["containers"][0]["env"]}
    assert int(env["ASK"]["value"]) == cluster["workerGroupSpecs"][0]["maxReplicas"]
    assert json.loads(env["BUNDLE"]["value"])


def test_ray_accepts_the_cluster_file() -> None:
    prepared = prepare_config(yaml.safe_load((LAUNCH / "ray-aws.yaml").read_text()))
    validate_config(prepared)
    types = prepared["available_node_types"]
    head, workers = (types[name]["node_config"] for name in (prepared["head_node_type"], "spot"))
    assert "InstanceMarketOptions" not in head
    assert workers["InstanceMarketOptions"] == {"MarketType": "spot"}
    assert any("RAY_AUTH_MODE=token" in option for option in prepared["docker"]["run_options"])


def pinned() -> dict[str, str]:
    return dict(line.split("==") for line in (ROOT / "constraints.txt").read_text().splitlines() if "==" in line)


def test_the_image_contains_files_of_this_project() -> None:
    text = (LAUNCH / "Dockerfile").read_text().replace("\\\n", " ")
    steps = [line.split(maxsplit=1) for line in text.splitlines() if line and not line.startswith("#")]
    assert {name for name, _ in steps} <= {"FROM", "ARG", "RUN", "WORKDIR", "COPY", "USER", "ENV", "CMD"}
    copied = [word for name, words in steps if name == "COPY" for word in words.split()[:-1]]
    assert all((ROOT / word).exists() for word in copied)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert {project["readme"], *project["license-files"], "swarm", "pyproject.toml"} <= set(copied)
    (extras,) = re.findall(r'"\.\[(.*?)\]"', text)
    assert set(extras.split(",")) <= set(project["optional-dependencies"])
    assert [words for name, words in steps if name == "USER"][-1] not in ("root", "0")
    assert f"swarm:{project['version']}" in (LAUNCH / "kuberay.yaml").read_text()
