"""The model card: what was put together, with which coefficients, and how good it is known to be."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

import yaml
from jinja2 import Environment, PackageLoader, StrictUndefined

from swarm import __version__
from swarm.export.base import Exported, kind_of, local_path, sparsification_of

SPLITS = ("search", "select", "test")
LIBRARIES = {"hf": "transformers", "adapter": "peft", "mergekit": "transformers"}
HUB_CACHE = re.compile(r"models--(?P<owner>[^/]+?)--(?P<name>[^/]+)/snapshots/")
Json = Mapping[str, object]


@dataclass(frozen=True)
class ScoreRow:
    """One line of the table of scores: who, in which objective, and a cell for each of SPLITS."""

    name: str
    objective: str
    cells: tuple[str, ...]


@dataclass(frozen=True)
class Gains:
    """Lines of what is gained over each baseline on test. corrected: their intervals hold for all of them together."""

    lines: tuple[str, ...]
    corrected: bool


@dataclass(frozen=True)
class ExpertRow:
    """One line of the table of experts; a coefficient for each group."""

    name: str
    kind: str
    path: str
    fingerprint: str
    coefficients: tuple[float, ...]


def model_card(what: Exported, format: str) -> str:
    """README.md in Markdown, with the YAML front matter of the Hugging Face hub."""
    environment = Environment(
        loader=PackageLoader("swarm.export", "templates"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["md"] = _plain
    scored = _is_scored(what)
    return environment.get_template("card.md.j2").render(
        front_matter=yaml.safe_dump(_front_matter(what, format), sort_keys=False, allow_unicode=True),
        what=what,
        format=format,
        base_path=local_path(what.catalog.base.path),
        groups=[group.name for group in what.recipe.weights.groups],
        experts=expert_rows(what),
        scores=score_rows(what.summary) if scored else [],
        verdicts=verdicts(what.summary) if scored else [],
        gains=gains(what.summary) if scored else Gains((), corrected=True),
        optimism=_number(what.summary.get("optimism")) if scored else None,
        found=_source(what.summary) if scored else "search",
        versions=_mapping(what.summary.get("versions")) or {"swarm": __version__},
    )


def expert_rows(what: Exported) -> list[ExpertRow]:
    """The experts in the config's order, unused ones too."""
    coefficients = what.recipe.weights.coefficients
    return [
        ExpertRow(
            name=expert.name,
            kind=", ".join(filter(None, (kind_of(expert), sparsification_of(expert)))),
            path=local_path(expert.path),
            fingerprint=expert.fingerprint,
            coefficients=tuple(coefficients[expert.name]),
        )
        for expert in what.catalog.experts
    ]


def score_rows(summary: Json) -> list[ScoreRow]:
    """This model's scores, then the baselines', one row for each objective."""
    owners = {"this model": _mapping(summary.get("best"))}
    owners |= {_baseline(name): _mapping(scores) for name, scores in _mapping(summary.get("baselines")).items()}
    rows = []
    for name, scores in owners.items():
        by_split = [_by_objective(scores.get(split), "mean") for split in SPLITS]
        for objective in dict.fromkeys(objective for found in by_split for objective in found):
            cells = tuple(_cell(found[objective]) if objective in found else "–" for found in by_split)
            rows.append(ScoreRow(name, objective, cells))
    return rows


def verdicts(summary: Json) -> list[str]:
    """What may be claimed of each objective; nothing where the summary is of a run before there were verdicts."""
    found = _by_objective(summary.get("verdict"), "text")
    return [f"{name}: {one['text']}" if name else str(one["text"]) for name, one in found.items()]


def gains(summary: Json) -> Gains:
    """Over every baseline but the one that this model is; by the corrected intervals where the summary has them."""
    lines: list[str | None] = []
    corrected = True
    for name, value in _mapping(summary.get("paired")).items():
        if name == _source(summary):
            continue
        for objective, found in _by_objective(value, "difference").items():
            than = _baseline(name) + (f" ({objective})" if objective else "")
            together = _mapping(found.get("corrected"))
            corrected = corrected and bool(together)
            lines.append(_gain(than, _number(found.get("difference")) or 0.0, together or found))
    return Gains(tuple(filter(None, lines)), corrected)


def _front_matter(what: Exported, format: str) -> dict[str, object]:
    path = local_path(what.catalog.base.path)
    hub = HUB_CACHE.search(path)
    front: dict[str, object] = {"base_model": f"{hub['owner']}/{hub['name']}" if hub else path}
    if format in LIBRARIES:
        front["library_name"] = LIBRARIES[format]
    return front | {"tags": ["merge", "swarm", *({"adapter": ["lora"], "mergekit": ["mergekit"]}.get(format, []))]}


def _is_scored(what: Exported) -> bool:
    """The summary's scores are its best's: another candidate has none."""
    best = _mapping(what.summary.get("best"))
    return best.get("id") == what.candidate_id and any(_by_objective(best.get(split), "mean") for split in SPLITS)


def _source(summary: Json) -> str:
    """ "search", or the baseline that is the best."""
    return str(_mapping(summary.get("best")).get("source", "search"))


def _gain(than: str, difference: float, interval: Json) -> str | None:
    """A difference with what may be said of it."""
    low, high = _number(interval.get("low")), _number(interval.get("high"))
    if low is None or high is None:
        return None
    claim = "better" if low > 0 else "worse" if high < 0 else "no difference shown"
    return f"this model minus {than}: {difference:+.3f} [{low:+.3f}, {high:+.3f}]: {claim}"


def _by_objective(value: object, leaf: str) -> dict[str, Json]:
    """A bare score belongs to the only objective, named ""."""
    found = _mapping(value)
    if leaf in found and not isinstance(found[leaf], Mapping):
        return {"": found}
    return {name: _mapping(one) for name, one in found.items() if leaf in _mapping(one)}


def _cell(score: Json) -> str:
    mean, low, high = (_number(score.get(key)) for key in ("mean", "low", "high"))
    interval = f" [{low:.3f}, {high:.3f}]" if low is not None and high is not None else ""
    return ("–" if mean is None else f"{mean:.3f}{interval}") + (f", n = {score['n']}" if "n" in score else "")


def _baseline(name: str) -> str:
    kind, _, expert = name.partition(":")
    return {"base": "the base alone", "expert": f"{expert} alone", "uniform": "the uniform average"}.get(kind, name)


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, (int, float)) and value == value else None


def _mapping(value: object) -> Json:
    return value if isinstance(value, Mapping) else {}


def _plain(text: object) -> str:
    """Data as plain words: nothing in it acts as Markdown or HTML, and it stays on its line."""
    return re.sub(r"([\\`*_\[\]<>|#~])", r"\\\1", " ".join(str(text).split()))
