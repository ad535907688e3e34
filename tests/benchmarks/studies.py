"""Model Swarms' own studies (arXiv 2410.11163) on the tiny zoo: diversity, rank, ablations, dropping, weak, ensemble.

    python tests/benchmarks/studies.py ablations dropping --folder runs --seeds 10 --write

Each study is a config in configs/studies and variants of it; each search is a whole run of Swarm, from the start to the
test split. A finished search is one line of runs.jsonl in the folder and is not run again, so the script can be stopped
and started at will. Seeds are taken one after another, with all variants each, so the results after any seed are a fair
comparison. `--write` writes the tables into docs/results/studies. It takes about four minutes per seed on one core.
"""

import argparse
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from common import ROOT, Metric, Skip, main, options, say, zoo_path
from study.figures import BySeed
from study.record import Record, append_record, read_records
from study.searching import Known, key_of, searched
from study.tables import TABLES, Found, filled, rows
from study.variants import CONFIGS, STUDIES, Variant

PAGES = ROOT / "docs" / "results" / "studies"


@dataclass(frozen=True)
class Library:
    """The finished searches of a folder; missing ones are run.

    file: holds the finished searches.
    sets: overrides on top of every config.
    known: scores that the variants of a seed share.
    finished: the searches, by key.
    only_known: nothing is run.
    """

    file: Path
    sets: Sequence[str]
    known: Known
    finished: dict[str, Record]
    only_known: bool

    def record(self, study: str, variant: Variant, seed: int, full: Record | None) -> Record | None:
        ours = replace(variant, sets=(*self.sets, *variant.sets))
        config = ours.config(CONFIGS / f"{study}.yaml", seed, full)
        key = key_of(config, variant.voters)
        if key not in self.finished and not self.only_known:
            start = time.monotonic()
            record = searched(config, variant.name, variant.voters, self.known)
            append_record(self.file, record)
            self.finished[key] = record
            say(f"seed {seed} {study}, {variant.name}: test {record.test:.3f}, {time.monotonic() - start:.0f} s")
        return self.finished.get(key)


def collect(studies: Sequence[str], arguments: argparse.Namespace) -> Mapping[str, Found]:
    """Study -> variant -> seed -> record."""
    file = Path(arguments.folder) / "runs.jsonl"
    file.parent.mkdir(parents=True, exist_ok=True)
    finished = read_records(file)
    found: dict[str, dict[str, dict[int, Record]]] = {
        study: {variant.name: {} for variant in STUDIES[study]} for study in studies
    }
    for seed in range(arguments.seeds):
        library = Library(file, arguments.set, {}, finished, arguments.only_known)
        for study in studies:
            full: Record | None = None
            for variant in STUDIES[study]:
                record = library.record(study, variant, seed, full)
                if record is None:
                    break
                found[study][variant.name][seed] = record
                full = full or record
    return found


def run(arguments: argparse.Namespace) -> Iterable[Metric]:
    if not arguments.folder:
        raise Skip("it takes an hour of searches: name a folder for them with --folder DIR")
    zoo_path("tiny")
    torch.set_num_threads(arguments.threads or 1)
    for study, found in collect(arguments.studies, arguments).items():
        kept = {name: records for name, records in found.items() if records}
        if not kept:
            continue
        text = TABLES[study](kept)
        say(f"\n{study}\n\n{text}")
        if arguments.write:
            page = PAGES / f"{study}.md"
            page.write_text(filled(page.read_text(), text))
        yield from metrics(study, kept)


def metrics(study: str, found: Mapping[str, BySeed]) -> Iterable[Metric]:
    for each in rows(found):
        yield Metric("studies", f"{study}, {each.variant}: delivered, test score", each.test.mean, "score")
        yield Metric(
            "studies",
            f"{study}, {each.variant}: example evaluations, share of the first variant's",
            each.share.mean,
            "share",
        )


def study(name: str) -> str:
    if name not in STUDIES:
        raise argparse.ArgumentTypeError(f"unknown study {name}; known are {', '.join(STUDIES)}")
    return name


if __name__ == "__main__":
    parser = options(__doc__ or "")
    parser.add_argument("studies", nargs="*", default=list(STUDIES), type=study, metavar="STUDY", help="default: all")
    parser.add_argument("--folder", help="folder of the finished searches, in runs.jsonl")
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--set", action="append", default=[], metavar="a.b=v", help="override in every config")
    parser.add_argument("--only-known", action="store_true", help="run nothing; tables of the finished searches")
    parser.add_argument("--write", action="store_true", help="write the tables into docs/results/studies")
    main(run, parser)
