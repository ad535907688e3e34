"""`swarm curate`: from a data file to the chosen examples, and a manifest of what became of every example."""

import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from scipy import sparse

from swarm.config.curation import CurateConfig
from swarm.config.load import load_config
from swarm.config.references import find, paths_of
from swarm.core.errors import ConfigError
from swarm.core.examples import Example
from swarm.core.files import check_free, replaced_directory, replaced_file
from swarm.data.curation import Curated, curate
from swarm.data.curation_settings import Curation
from swarm.data.diversity import Embed, embedded
from swarm.data.examples import DevTest, placed_rows, read_data, read_examples
from swarm.data.files import Number
from swarm.data.quotas import OWN
from swarm.data.splits import SPLITS, make_splits
from swarm.engines.transformers.hidden_states import mean_hidden_states
from swarm.experts.base_tokenizer import load_tokenizer

CURATED, MANIFEST = "curated.jsonl", "manifest.jsonl"


@dataclass(frozen=True)
class Curations:
    """A curation that was carried out.

    data: the file of examples. out: the folder that was written.
    """

    data: Path
    out: Path
    found: Curated

    @property
    def kinds(self) -> dict[str, int]:
        """Kind -> how many were chosen; empty without a quota."""
        return dict(sorted(Counter(entry.kind for entry in self.found.manifest if entry.kept and entry.kind).items()))

    def content(self) -> dict[str, object]:
        """What `--json` prints."""
        return {
            "read": len(self.found.manifest),
            "kept": len(self.found.examples),
            "left_out": self.found.reasons,
            "kinds": self.kinds,
            "out": str(self.out),
        }

    def lines(self) -> list[str]:
        """The same in words."""
        kinds = ", ".join(f"{kind} {n:,}" for kind, n in self.kinds.items())
        return [
            f"read        {len(self.found.manifest):>9,}  {self.data.name}",
            *(f"left out    {n:>9,}  {reason}" for reason, n in self.found.reasons.items()),
            f"kept        {len(self.found.examples):>9,}  {kinds}".rstrip(),
            f"written     {self.out / CURATED}, {MANIFEST} beside it",
        ]


def run_curation(config: CurateConfig, folder: Path, overwrite: bool = False) -> Curations:
    """Curate and write. folder: that of the config, from which its paths count. Raises UserError."""
    data, out = find(config.data, folder, "data"), folder / Path(config.out).expanduser()
    check_free(out, overwrite)
    base = _base(config, folder)
    examples, against = read_examples(data), against_of(config.curate, folder)
    rows = rows_of(data, examples)
    found = chosen(examples, config.curate, against, rows, base)
    with replaced_directory(out, overwrite) as temporary:
        with replaced_file(temporary / CURATED) as stream:
            _write(stream, (rows[example.id] for example in found.examples))
        write_manifest(temporary / MANIFEST, found)
    return Curations(data, out, found)


def chosen(
    examples: Sequence[Example],
    settings: Curation,
    against: Mapping[str, Sequence[Example]],
    rows: Mapping[str, Mapping[str, object]],
    base: Path,
    key: str = "curate",
) -> Curated:
    """The choice, in the base's tokens and states where the settings ask for these.

    rows: id -> the row that an example was read from. key: where the settings stand. Raises ConfigError.
    """
    count = _counter(base) if settings.unit == "tokens" else len
    embed = _states(base) if settings.embedding == "model" else embedded
    return curate(examples, settings, against, count, kinds(settings, rows), embed, key)


def write_manifest(path: Path, found: Curated) -> None:
    """A line for every example. The folder of the data is no one's business who gets the manifest."""
    with replaced_file(path) as stream:
        _write(stream, ({**entry.content(), "where": Path(entry.where).name} for entry in found.manifest))


def against_of(settings: Curation, folder: Path, key: str = "curate.against") -> dict[str, Sequence[Example]]:
    """What a split is called -> its examples, of all files and configs of searches that `against` names.

    Raises UserError where one of them cannot be read.
    """
    found: dict[str, Sequence[Example]] = {}
    for name in settings.against:
        path = find(name, folder, key)
        found |= _of_search(path) if path.suffix in (".yaml", ".yml") else _of_file(path)
    return found


def rows_of(data: Path, examples: Sequence[Example]) -> dict[str, dict[str, object]]:
    """Id -> the row that the example was read from, with its id, and numbers as numbers."""
    placed = placed_rows(data)
    assert not isinstance(placed, dict), "examples were read from one list"
    rows = (row for _, row in placed if isinstance(row, dict))
    return {
        example.id: {"id": example.id} | {key: _plain(value) for key, value in row.items() if value is not None}
        for example, row in zip(examples, rows, strict=True)
    }


def kinds(settings: Curation, rows: Mapping[str, Mapping[str, object]]) -> dict[str, str] | None:
    """Id -> kind of example, where the quota is by a field that examples do not keep."""
    if settings.quota is None or settings.quota.by in OWN:
        return None
    return {name: str(row.get(settings.quota.by, "")) for name, row in rows.items()}


def _base(config: CurateConfig, folder: Path) -> Path:
    """The base's folder; any where none is needed."""
    if config.base is not None:
        return find(config.base, folder, "base")
    for key, value in (("unit", "tokens"), ("embedding", "model")):
        if getattr(config.curate, key) == value:
            raise ConfigError(f"base: missing, and curate.{key}: {value} needs one; add base:, or leave {key} out")
    return folder


def _counter(base: Path) -> Callable[[str], int]:
    """The length of a text in the base's tokens."""
    tokenizer = load_tokenizer(base)
    return lambda text: len(tokenizer.encode(text, add_special_tokens=False))


def _states(base: Path) -> Embed:
    """Texts as the base's mean hidden states."""
    return lambda texts: sparse.csr_array(mean_hidden_states(base, texts))


def _of_search(path: Path) -> dict[str, Sequence[Example]]:
    config, folder = load_config(path), path.parent
    found: dict[str, Sequence[Example]] = {}
    for i, objective in enumerate(config.objectives):
        splits = make_splits(
            objective.name,
            objective.data,
            config.splits,
            config.seed,
            lambda name, i=i: find(name, folder, f"objectives.{i}.data"),  # type: ignore[misc]
            objective.model_copy(update=paths_of(objective, folder, f"objectives.{i}")).examples(),
            objective.needs_answer,
            objective.only_tasks,
        )
        found |= {f"the {split} split of {objective.name} ({path.name})": splits.of(split) for split in SPLITS}
    return found


def _of_file(path: Path) -> dict[str, Sequence[Example]]:
    both = read_data(path)
    if isinstance(both, DevTest):
        return {f"dev of {path.name}": both.dev, f"test of {path.name}": both.test}
    return {path.name: both}


def _write(stream: BinaryIO, rows: Iterable[object]) -> None:
    for row in rows:
        stream.write((json.dumps(row, ensure_ascii=False) + "\n").encode())


def _plain(value: object) -> object:
    """A value as JSON writes it."""
    if isinstance(value, Number):
        number = json.loads(value)
        return number if isinstance(number, int) or abs(number) != float("inf") else str(value)
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items()}
    return [_plain(each) for each in value] if isinstance(value, list) else value
