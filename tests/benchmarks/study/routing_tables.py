"""The tables of the routing study. Shape suffixes: S splits, T seeds."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from common import kept_lines

from study.routing_splits import MEASURES, interval, series
from swarm.run.router_report import ABLATIONS
from swarm.statistics.intervals import t_interval

Lines = Sequence[Mapping[str, Any]]
KINDS = {"small": "fitted to {fit}, measured on {held} others", "half": "fitted to {fit}, measured on the other {held}"}
ROWS = ("base", "best expert", "hard", "oracle", "uniform")


def tables(folder: Path, zoos: Sequence[str], beds: Sequence[str]) -> str:
    """Of every zoo in the folder its splits, and of every bed its searches."""
    found = []
    for zoo in zoos:
        splits = kept_lines(folder / f"{zoo}-splits.jsonl")
        for kind in KINDS if splits else ():
            found += [*split_table(zoo, kind, splits), ""]
    for bed in beds:
        searches = kept_lines(folder / f"{bed}-searches.jsonl")
        found += [*search_table(bed, searches), ""] if searches else []
    return "\n".join(found).strip()


def split_table(zoo: str, kind: str, lines: Lines) -> list[str]:
    own = [line for line in lines if line["kind"] == kind]
    words = KINDS[kind].format(fit=own[0]["fit"], held=own[0]["held"])
    found = [
        f"`zoo:{zoo}`, {len(own)} splits, {words}; best expert "
        f"{series(lines, kind, 'best expert').mean():.3f}, uniform "
        f"{series(lines, kind, 'uniform').mean():.3f}, oracle {series(lines, kind, 'oracle').mean():.3f}:",
        "",
        "| scores | | before | after | change | lower in |",
        "|---|---|---:|---:|---|---:|",
    ]
    for ablation in (*ABLATIONS, "both, isotonic"):
        for measure in (*MEASURES, "hard", "shares"):
            before, after = (series(lines, kind, ablation, when, measure) for when in ("before", "after"))
            mean, low, high = change(lines, kind, ablation, measure)
            cells = [ablation if measure == "ECE" else "", measure, f"{before.mean():.4f}", f"{after.mean():.4f}"]
            cells += [f"{mean:+.4f} ({low:+.4f} to {high:+.4f})", f"{(after < before).sum()} of {len(own)}"]
            found.append(f"| {' | '.join(cells)} |")
    return [*found, "", isotonic_less_logistic(lines, kind)]


def isotonic_less_logistic(lines: Lines, kind: str) -> str:
    """A sentence: what isotonic curves have more than logistic ones after calibration, split by split."""
    gaps = []
    for measure in (*MEASURES, "hard"):
        isotonic, logistic = (series(lines, kind, name, "after", measure) for name in ("both, isotonic", "both"))
        mean, low, high = interval(isotonic - logistic, kind)
        gaps.append(f"{measure} {mean:+.4f} ({low:+.4f} to {high:+.4f})")
    return f"Isotonic less logistic, both scores: {', '.join(gaps)}."


def change(lines: Lines, kind: str, ablation: str, measure: str) -> tuple[float, float, float]:
    """After calibration less before it: the mean over splits with its interval."""
    before, after = (series(lines, kind, ablation, when, measure) for when in ("before", "after"))
    return interval(after - before, kind)


def search_table(bed: str, lines: Lines) -> list[str]:
    """Means on test over seeds, and what routing has more than each on the same examples."""
    one, routed = (by_seed(lines, name) for name in ("one", "routed"))
    seeds = sorted(set(one) & set(routed))
    many = f"{len(seeds)} seed{'s' * (len(seeds) != 1)}"
    found = [f"`{bed}`, {many}, {lines[0]['evaluations']} evaluations a search, mean score on test:", ""]
    found += ["| | test | routed minus it, over seeds | by seed, over its test examples |", "|---|---:|---|---|"]
    delivered = [np.array(routed[seed]["delivered"]) for seed in seeds]
    sides = {"routed, searched": delivered, "one weighting, searched": [np.array(one[s]["delivered"]) for s in seeds]}
    sides |= {name: [np.array(routed[seed][name]) for seed in seeds] for name in ROWS}
    for name, side in sides.items():
        cells = [name, f"{np.mean([x.mean() for x in side]):.3f}"]
        gaps = [t_interval(ours - theirs) for ours, theirs in zip(delivered, side, strict=True)]
        each = ", ".join(f"{gap.mean:+.3f} ({gap.low:+.3f} to {gap.high:+.3f})" for gap in gaps)
        cells += ["", ""] if side is delivered else [_over_seeds([gap.mean for gap in gaps]), each]
        found.append(f"| {' | '.join(cells)} |")
    return found


def gains(lines: Lines) -> list[float]:
    """Of every seed that has both: routed less one weighting."""
    one, routed = (by_seed(lines, name) for name in ("one", "routed"))
    seeds = sorted(set(one) & set(routed))
    return [float(np.mean(routed[seed]["delivered"]) - np.mean(one[seed]["delivered"])) for seed in seeds]


def by_seed(lines: Lines, name: str) -> dict[int, Mapping[str, Any]]:
    return {line["seed"]: line["test"] for line in lines if line["name"] == name}


def _over_seeds(gaps: Sequence[float]) -> str:
    """The mean with Student's interval over seeds."""
    if len(gaps) < 2:
        return f"{gaps[0]:+.3f}"
    found = t_interval(gaps)
    return f"{found.mean:+.3f} ({found.low:+.3f} to {found.high:+.3f})"
