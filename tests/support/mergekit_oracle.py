"""mergekit's own result for every tensor of a base and its experts. Runs under mergekit's python, without swarm.

usage: python mergekit_oracle.py JOBS OUT

JOBS is JSON: {"base": file, "experts": [file, ...], "jobs": {name: job}}, all files safetensors. A job has `method`,
`consensus`, `shared` and `each` (parameters of the method, those of `each` a list with a value for every expert), and
`uniforms`, a file of random numbers under EXPERT/TENSOR, or null. OUT gets JOB.safetensors of each job. torch.bernoulli
is replaced by a comparison with these numbers: an entry is kept where its number is below the probability.
"""

import json
import sys
from dataclasses import replace
from pathlib import Path

import torch
from mergekit.merge_methods import registry
from mergekit.merge_methods.base import TensorGroup
from mergekit.merge_methods.generalized_task_arithmetic import ConsensusMethod
from safetensors.torch import load_file, save_file


def merged(job: dict, base: dict, experts: list[dict]) -> dict:
    method = registry.get(job["method"])
    if job["consensus"] == "count":  # which no registered method has
        method = replace(method, consensus_method=ConsensusMethod.count)
    uniforms = load_file(job["uniforms"]) if job["uniforms"] else {}
    found = {}
    for name, tensor in base.items():
        waiting = [uniforms[f"{i}/{name}"] for i in range(len(experts))] if uniforms else []
        torch.bernoulli = lambda p, waiting=waiting: (waiting.pop(0).reshape(p.shape) < p).to(p.dtype)
        ids = ["base", *range(len(experts))]
        group = TensorGroup.from_tensors([tensor, *(e[name] for e in experts)], ids=ids, base_index=0, name=name)
        defaults = {each.name: each.default for each in method.spec.parameters if not each.required}
        each = {key: dict(enumerate(values)) for key, values in job["each"].items()}
        found[name] = method.merge_group(group, **{**defaults, **job["shared"], **each})
    return found


def main(jobs_file: str, out: str) -> None:
    jobs = json.loads(Path(jobs_file).read_text())
    base, experts = load_file(jobs["base"]), [load_file(file) for file in jobs["experts"]]
    for name, job in jobs["jobs"].items():
        save_file(
            {key: value.contiguous() for key, value in merged(job, base, experts).items()}, f"{out}/{name}.safetensors"
        )


if __name__ == "__main__":
    main(*sys.argv[1:])
