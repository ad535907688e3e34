"""Writes three domains of examples with answers of three levels, what vectors are trained on, and a config for them."""

from collections.abc import Mapping
from pathlib import Path

from swarm.core.errors import UserError
from swarm.core.examples import LEVELS
from swarm.core.files import write_text
from swarm.core.temporaries import temporary_folder
from swarm.zoo.examples import write_json_lines, write_level_examples
from swarm.zoo.level_texts import DOMAINS, text_examples

CONFIG = "levels.yaml"
MOST_EXAMPLES = 1000  # of a domain: names are drawn until there are so many different ones
TRAINING_SEED = 1_000_000  # is added, so that nothing that is trained on is scored


def write_levels(folder: Path, examples: int, seed: int) -> Path:
    """Fill a new folder with data/, training/ and a config. Returns the config. Raises UserError."""
    if not 12 <= examples <= MOST_EXAMPLES:
        raise UserError(f"--examples: {examples} is not from 12 to {MOST_EXAMPLES}; give a number in between")
    if seed < 0:
        raise UserError(f"--seed: {seed} is below 0; give a number of at least 0")
    try:
        if folder.is_dir() and any(folder.iterdir()):
            raise UserError(f"{folder} is not empty; name a new or an empty folder")
        with temporary_folder(folder) as work:
            for domain in DOMAINS:
                _write_domain(work, domain, examples, seed)
            write_text(work / CONFIG, _config())
            if folder.is_dir():
                folder.rmdir()
            work.rename(folder)
    except OSError as error:
        raise UserError(f"{folder} cannot be written ({error.strerror}); name another folder") from None
    return folder / CONFIG


def _write_domain(folder: Path, domain: str, examples: int, seed: int) -> None:
    write_level_examples(folder / "data" / f"{domain}.jsonl", text_examples(domain, examples, seed))
    scored = {each.prompt for each in text_examples(domain, examples, seed)}
    taught = [e for e in text_examples(domain, examples, seed + TRAINING_SEED) if e.prompt not in scored]
    rows = [_taught(str(each.prompt), each.choices or {}, LEVELS[i % 2]) for i, each in enumerate(taught)]
    write_json_lines(folder / "training" / f"{domain}.jsonl", rows)


def _taught(prompt: str, answers: Mapping[str, str], instead: str) -> dict[str, str]:
    """What is learnt from an example: the expert's answer, and not that of another level."""
    expert, other = (f" {answers[level]}" for level in ("expert", instead))
    return {"prompt": prompt, "completion": expert, "chosen": expert, "rejected": other}


def _config() -> str:
    """A config whose objectives are the three levels of each domain."""
    experts = "".join(f"  - vectors/{domain}\n" for domain in DOMAINS)
    objectives = "".join(
        f"  - {{name: {domain}-{level}, type: level, level: {level}, data: data/{domain}.jsonl}}\n"
        for domain in DOMAINS
        for level in LEVELS
    )
    return (
        "# Three domains with answers of three levels. Train a vector for each on training/DOMAIN.jsonl (prompt and\n"
        "# completion, or prompt, chosen and rejected) and put it at vectors/DOMAIN; then: swarm sweep levels.yaml\n"
        f"base: zoo:smollm2\nexperts:\n{experts}composition: {{type: weights, low: -1.0, high: 1.5}}\n"
        f"objectives:\n{objectives}"
        "optimizer: {type: guided_pso, evaluations: 200}\nengine: {type: transformers, dtype: bfloat16}\n"
        "cluster: {type: ray}\nseed: 0\n"
    )
