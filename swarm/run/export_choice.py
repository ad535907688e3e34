"""Exports of what is chosen from a finished front: by a rule, for a preference, for clusters of groups; and its map.

Nothing is evaluated: the choice is a function of the journal, and the weights are read to be written.
"""

import csv
import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from swarm.config.load import dump_config
from swarm.core.files import check_free, replaced_directory, write_json, write_text
from swarm.core.markdown import plain_text
from swarm.export import Exported, export
from swarm.preferences.context_map import Blend
from swarm.preferences.plural import CAUTION, CONFIDENCE, Delivery
from swarm.preferences.reading import written_rule
from swarm.run.choice import Chosen, Criterion, FinishedFront
from swarm.run.decisions import (
    Decision,
    Written,
    append_decisions,
    candidate_of,
    decision,
    decision_by_rule,
)
from swarm.run.export_candidate import exported_candidate
from swarm.run.lock import locked
from swarm.run.plan import open_experts
from swarm.run.plural_choice import Clusters, clusters_of
from swarm.run.provenance import check_settings, check_weights

PLURAL, MAP = "plural", "context_map"  # files, in Markdown or CSV and in JSON
NOTE = "Several numbers of clusters were compared on that half; the best of several looks a little better than it is."


def export_chosen(folder: Path, dest: Path, criterion: Criterion, format: str, overwrite: bool, by: str) -> Chosen:
    """Export the candidate that a rule chooses, and record the choice. Raises UserError."""
    with locked(folder):
        found = FinishedFront.of(folder)
        chosen = found.chosen(criterion)
        what = exported_candidate(folder, chosen.candidate.id)
        rule = written_rule(criterion.rule.model_dump(mode="json"))
        text = f"chosen from the run's front by the rule {rule} ({chosen.inputs})"
        export(replace(what, choice=text), dest, format, overwrite)
        append_decisions(folder, [decision_by_rule(found, "export", chosen, by, _written(format, dest))])
    return chosen


def export_preference(
    folder: Path, dest: Path, preference: Mapping[str, float], member_only: bool, format: str, overwrite: bool, by: str
) -> Blend:
    """Export the point of the front for a preference, and record it. Raises UserError.

    member_only: the member with the largest share instead of a point between members.
    """
    with locked(folder):
        found = FinishedFront.of(folder)
        blend = found.context_map().at(preference)
        candidate = candidate_of(blend, member_only)
        what, position = _at_preference(found, blend, candidate)
        export(what, dest, format, overwrite)
        known = {
            "preference": dict(blend.preference),
            "member_only": member_only,
            "coefficients": found.coefficients(position),
            "inputs": f"the context map over {', '.join(found.context_map().members.ids)}",
        }
        record = decision(found, "dial", candidate, by, _written(format, dest)).model_copy(update=known)
        append_decisions(folder, [record])
    return blend if candidate not in blend.shares else replace(blend, shares={candidate: 1.0}, coefficients=position)


def export_plural(folder: Path, dest: Path, most: int, format: str, overwrite: bool, by: str) -> Clusters:
    """Export a candidate for each cluster of groups, or one for all, with a table of what that gains, and record it.

    One for all goes to `dest` itself, several to a folder each. Raises UserError.
    """
    with locked(folder):
        found = FinishedFront.of(folder)
        clusters = clusters_of(found, most)
        check_free(dest, overwrite)
        places = [dest / name if name else dest for name in _folder_names(clusters)]
        records: list[Decision] = []
        for cluster, place in zip(clusters.clusters, places, strict=True):
            served = "all groups" if len(places) == 1 else f"the groups {', '.join(cluster.groups)}"
            text = f"a member of the run's front, taken for {served}"
            export(replace(exported_candidate(folder, cluster.candidate), choice=text), place, format, overwrite)
            known = {"cluster": cluster.groups, "most": most, "inputs": "utilities of the groups on the select split"}
            records.append(
                decision(found, "plural", cluster.candidate, by, _written(format, place)).model_copy(update=known)
            )
        write_text(dest / f"{PLURAL}.md", _plural_page(clusters, [place.name for place in places]))
        write_json(dest / f"{PLURAL}.json", plural_content(clusters))
        append_decisions(folder, records)
    return clusters


def export_context_map(folder: Path, dest: Path, overwrite: bool) -> int:
    """Write the table from preferences to coefficients as JSON and CSV. Returns its rows. Raises UserError."""
    found = FinishedFront.of(folder)
    table, names = found.context_map().table(), found.selection.space.coordinates
    rows = [
        {
            "preference": dict(blend.preference),
            "coefficients": found.coefficients(blend.coefficients),
            "shares": blend.shares,
        }
        for blend in table
    ]
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow([*(f"preference {k}" for k in found.front.objectives), *(f"coefficient {name}" for name in names)])
    writer.writerows([*b.preference.values(), *found.coefficients(b.coefficients).values()] for b in table)
    with replaced_directory(dest, overwrite) as place:
        write_json(place / f"{MAP}.json", {"run": folder.absolute().name, "experts": list(names), "map": rows})
        write_text(place / f"{MAP}.csv", stream.getvalue())
    return len(rows)


def plural_content(clusters: Clusters) -> dict[str, object]:
    """The table of plural delivery, for JSON."""
    return {
        "delivered": [{"groups": c.groups, "candidate": c.candidate} for c in clusters.clusters],
        "one_for_all": clusters.one,
        "compared": [
            {
                "clusters": [
                    {"groups": c.groups, "candidate": clusters.candidates[c.member]} for c in delivery.clusters
                ],
                "gain": delivery.gain,
                "low": delivery.low,
                "high": delivery.high,
                "gain_where_chosen": delivery.gain_where_chosen,
            }
            for delivery in clusters.deliveries
        ],
        "confidence": CONFIDENCE,
        "caution": f"{CAUTION} {NOTE}",
    }


def plural_lines(clusters: Clusters) -> list[str]:
    """What plural delivery came to, in words."""
    if (delivered := clusters.delivered) is None:
        return [f"one serves all: {clusters.one}; no number of clusters gains more than 0 with 95 % confidence"]
    found = [f"{', '.join(cluster.groups)}: {cluster.candidate}" for cluster in clusters.clusters]
    return [*found, f"gain over {clusters.one} for all: {_gain(delivered)}"]


def _at_preference(found: FinishedFront, blend: Blend, candidate: str) -> tuple[Exported, tuple[float, ...]]:
    """What is exported, and where it lies. A member is exported as such, with its scores."""
    words = ", ".join(f"{name} {weight:g}" for name, weight in blend.preference.items())
    asked = f"the point of the run's front for the preference {words}"
    if candidate in blend.shares:
        position = next(c.position for c in found.front.candidates if c.id == candidate)
        return replace(exported_candidate(found.folder, candidate), choice=asked), position
    catalog = open_experts(found.config)
    check_weights(found.archive, catalog)
    check_settings(found.archive, found.config)
    exported = Exported(
        catalog=catalog,
        recipe=found.config.composition.recipe(blend.coefficients, catalog),
        dtype=found.config.engine.dtype,
        summary=None,
        config_yaml=dump_config(found.config),
        candidate_id="",
        choice=f"{asked}, interpolated between members: {candidate}. This very weighting was not scored",
    )
    return exported, blend.coefficients


def _written(form: str, dest: Path) -> Written:
    return Written(form=form, path=str(dest.absolute()))


def _folder_names(clusters: Clusters) -> list[str]:
    """A folder for each cluster, named for its groups; "" where one serves all."""
    if len(clusters.clusters) == 1:
        return [""]
    names: list[str] = []
    for cluster in clusters.clusters:
        plain = "+".join(re.sub(r"[^\w.-]+", "-", group).strip(".-") or "group" for group in cluster.groups)[:80]
        names.append(plain if plain.casefold() not in map(str.casefold, names) else f"{plain}-{len(names) + 1}")
    return names


def _gain(delivery: Delivery) -> str:
    return f"{delivery.gain:+.3f} (95 % interval {delivery.low:+.3f} to {delivery.high:+.3f})"


def _plural_page(clusters: Clusters, folders: Sequence[str]) -> str:
    """plural.md."""
    served = [
        f"| {plain_text(', '.join(c.groups))} | {plain_text(c.candidate)} | {plain_text(folder)} |"
        for c, folder in zip(clusters.clusters, folders, strict=True)
    ]
    compared = [
        f"| {len(d.clusters)} | {' / '.join(plain_text(', '.join(c.groups)) for c in d.clusters)} | {_gain(d)} | "
        f"{d.gain_where_chosen:+.3f} |"
        for d in clusters.deliveries
    ]
    return "\n".join(
        [
            "# Who serves whom\n",
            "| groups | candidate | folder |\n|---|---|---|",
            *served,
            f"\n## What several gain over one for all ({plain_text(clusters.one)})\n",
            "| clusters | groups | gain in utility per example | on the half that chose |\n|---:|---|---|---|",
            *compared,
            f"\n{CAUTION} {NOTE}\n",
        ]
    )
