"""The model card: what was combined, with which coefficients, and what is known of its quality."""

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass

import yaml
from jinja2 import Environment, PackageLoader, StrictUndefined

from swarm import __version__
from swarm.core.loading import load_snippet
from swarm.core.markdown import code_block, plain_text
from swarm.core.terminal_text import escaped_output
from swarm.export.base import (
    Exported,
    OtherCandidate,
    hub_id,
    hub_ids,
    named_path,
)
from swarm.export.card_experts import UNNAMED, expert_rows, places_of
from swarm.journal.front_words import coverage_claim, floors_words, members_words
from swarm.journal.summary import SPLITS, SplitScores, Summary
from swarm.statistics.intervals import Difference, Score
from swarm.statistics.wording import baseline_name, capital, uniform_name

LIBRARIES = {"hf": "transformers", "adapter": "peft", "mergekit": "transformers"}
PLACE = "PATH_OF_THIS_FOLDER"
SETTINGS = {  # of the config: section -> keys that the card shows; none of them holds a path or an address
    "composition": ("type", "algebra", "groups"),
    "objectives": ("name", "type", "metric", "weight"),
    "optimizer": ("type", "evaluations", "particles", "iterations"),
    "engine": ("type", "dtype"),
    "seed": (),
}
RELATIONS = {"hf": "merge", "adapter": "adapter"}  # of the hub: what a model is to its base_model
BASE_PLACE = "PATH_OF_THE_BASE"


@dataclass(frozen=True)
class ScoreRow:
    """One row of the table of scores.

    name: whose scores.
    cells: one per split.
    """

    name: str
    objective: str
    cells: tuple[str, ...]


@dataclass(frozen=True)
class Improvements:
    """The improvement over each baseline on test.

    corrected: whether the intervals hold for all baselines together.
    comparisons: how many baselines per objective.
    """

    lines: tuple[str, ...]
    corrected: bool
    comparisons: int


def model_card(what: Exported, format: str) -> str:
    """README.md in Markdown, with the YAML front matter of the Hugging Face hub."""
    environment = Environment(
        loader=PackageLoader("swarm.export", "templates"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["md"] = plain_text
    environment.finalize = escaped_output()
    summary = _scored(what)
    return environment.get_template("card.md.j2").render(
        front_matter=yaml.safe_dump(_front_matter(what, format), sort_keys=False, allow_unicode=True),
        what=what,
        format=format,
        base_path=named_path(what.catalog.base.path, what) or UNNAMED,
        snippet=_use(what, format),
        settings=_settings(what.config_yaml),
        places=places_of(what),
        experts=expert_rows(what),
        scores=score_rows(summary) if summary else other_rows(what.other) if what.other else [],
        verdicts=verdicts(summary) if summary else [],
        improvements=improvements(summary) if summary else Improvements((), corrected=True, comparisons=0),
        gap=summary.optimism if summary else None,
        source=summary.best.source if summary else "search",
        uniform=capital(summary.uniform_words) if summary else "",
        reopened=_reopened(summary, what.other),
        versions=(what.summary.versions if what.summary else {}) or {"swarm": __version__},
    )


def score_rows(summary: Summary) -> list[ScoreRow]:
    """This model's scores, then the baselines', one row for each objective."""
    owners: dict[str, SplitScores] = {"this model": summary.best.scores}
    owners |= {_baseline(name, summary): baseline.scores for name, baseline in summary.baselines.items()}
    rows = []
    for name, scores in owners.items():
        for objective in dict.fromkeys(objective for by_objective in scores.values() for objective in by_objective):
            cells = tuple(_cell(scores.get(split, {}).get(objective)) for split in SPLITS)
            rows.append(ScoreRow(name, _name(objective, summary), cells))
    return rows


def other_rows(other: OtherCandidate) -> list[ScoreRow]:
    """The scores of a candidate that was not selected, then those of the selected one."""
    names = tuple(dict.fromkeys(name for by_objective in other.scores.values() for name in by_objective))
    owners = {"this model": other.scores}
    if other.summary:
        best = other.summary.named(names).best
        owners[f"selected ({best.id})"] = best.scores
    rows = []
    for owner, scores in owners.items():
        missing = other.missing if owner == "this model" else {}
        for name in names or ("",):
            cells = tuple(_cell(scores.get(split, {}).get(name), missing.get(split, "–")) for split in SPLITS)
            rows.append(ScoreRow(owner, name if len(names) > 1 else "", cells))
    return rows


def verdicts(summary: Summary) -> list[str]:
    """What may be claimed of each objective, or of the front; first of all that no one keeps the floors.

    Older runs have no verdict.
    """
    front = summary.front
    floors = f"{capital(floors_words(front, summary.best.id))}." if front and front.floors else ""
    if front and front.apart:
        claimed = coverage_claim(front) or members_words(front)
        return [*filter(None, [floors]), f"{capital(claimed)}."]
    found = {_name(objective, summary): verdict.text for objective, verdict in (summary.verdict or {}).items()}
    return [*filter(None, [floors]), *(f"{name}: {text}" if name else text for name, text in found.items())]


def improvements(summary: Summary) -> Improvements:
    """Over every baseline but the one that this model is; by the corrected intervals where the summary has them."""
    lines = []
    for name, by_objective in summary.gains.items():
        for objective, gain in by_objective.items():
            suffix = f" ({objective})" if len(summary.objectives) > 1 else ""
            lines.append(_improvement(_baseline(name, summary) + suffix, gain.shown))
    return Improvements(tuple(filter(None, lines)), summary.is_corrected, len(summary.gains))


def _front_matter(what: Exported, format: str) -> Mapping[str, object]:
    front = _base_model(what, format)
    if format in LIBRARIES:
        front["library_name"] = LIBRARIES[format]
    return front | {"tags": ["merge", "swarm", *({"adapter": ["lora"], "mergekit": ["mergekit"]}.get(format, []))]}


def _base_model(what: Exported, format: str) -> dict[str, object]:
    """What the hub shows as the model tree: the base, and of a merge the experts too, by the hub's ids."""
    base = what.catalog.base.path
    named = named_path(base, what)
    if not hub_id(base) or format not in RELATIONS:
        return {"base_model": hub_id(base) or named} if named else {}
    ids = list(hub_ids(what)) if format == "hf" else [hub_id(base)]
    return {"base_model": ids[0] if len(ids) == 1 else ids, "base_model_relation": RELATIONS[format]}


def _scored(what: Exported) -> Summary | None:
    """The summary where it holds this candidate's scores: it holds those of the run's best only."""
    summary = what.summary
    return summary if summary and summary.best.id == what.candidate_id and summary.best.scores else None


def _name(objective: str, summary: Summary) -> str:
    """The name of an objective, or "" for the only one."""
    return objective if len(summary.objectives) > 1 else ""


def _improvement(than: str, found: Difference) -> str | None:
    """A difference, its interval and what may be claimed."""
    if not (math.isfinite(found.low) and math.isfinite(found.high)):
        return None
    claim = "better" if found.low > 0 else "worse" if found.high < 0 else "no difference shown"
    return f"this model minus {than}: {found.difference:+.3f} [{found.low:+.3f}, {found.high:+.3f}]: {claim}"


def _reopened(summary: Summary | None, other: OtherCandidate | None) -> str:
    found = summary or (other.summary if other else None)
    return found.reopened if found else ""


def _cell(score: Score | None, missing: str = "–") -> str:
    if score is None:
        return missing
    interval = f" [{score.low:.3f}, {score.high:.3f}]" if score.has_interval else ""
    return f"{score.mean:.3f}{interval}, n = {score.n}"


def _baseline(name: str, summary: Summary) -> str:
    kind, _, expert = name.partition(":")
    coefficient = summary.baselines[name].coefficient if name in summary.baselines else None
    uniform = baseline_name(name) if coefficient is None else uniform_name(coefficient)
    return {"base": "the base alone", "expert": f"{expert} alone", "uniform": uniform}.get(kind, name)


def _use(what: Exported, format: str) -> str:
    """How this folder is loaded."""
    place = "." if format == "mergekit" else what.repository or PLACE
    base = what.catalog.base
    named = named_path(base.path, what) or BASE_PLACE
    snippet = load_snippet(format, place, named, base.architecture.encoder_decoder)
    return code_block(snippet.code, snippet.language)


def _settings(config_yaml: str) -> str:
    """What of the run's config says how the search was made. The rest (paths, addresses) stays with the run."""
    config = yaml.safe_load(config_yaml) if config_yaml else None
    if not isinstance(config, Mapping):
        return ""
    shown = {key: _picked(config[key], keys) for key, keys in SETTINGS.items() if config.get(key) is not None}
    return code_block(yaml.safe_dump(shown, sort_keys=False, allow_unicode=True), "yaml") if shown else ""


def _picked(section: object, keys: Collection[str]) -> object:
    """Of a section, or of each section of a list, what these keys hold; a bare value is itself."""
    if isinstance(section, list):
        return [_picked(one, keys) for one in section]
    if not isinstance(section, Mapping):
        return section
    return {key: section[key] for key in keys if section.get(key) is not None}
