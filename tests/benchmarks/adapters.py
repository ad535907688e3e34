"""Every variety of PEFT adapters: read right, or refused by name.

Each variety is made with PEFT on tiny models with random weights, tied and untied, and compared in float32. The
oracle of one expert is PEFT's merge_and_unload, where that gives what PEFT's own forward pass gives: for some adapters
of tied models it does not, and there the oracle is the merge into an untied copy of the base. The oracle of a sum of
two experts is made in float64 from the two oracles' differences from the base. Exports are loaded by transformers and
PEFT. Where a variety is refused, the remedy is followed: the merged checkpoint, or an untied copy of the base.
"""

import argparse
import json
import re
import shutil
import tempfile
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import torch
from adapter_varieties import VARIETIES, Variety, load, make_adapter, make_base, untied
from common import ROOT, Metric, main, options, say
from peft import PeftModel
from torch import Tensor, nn

from swarm.compositions.weights import Weights
from swarm.core.errors import UserError
from swarm.core.recipes import Recipe
from swarm.engines.transformers.merged_weights import MergedWeights
from swarm.experts.catalog import Catalog, ExpertSpec, open_catalog
from swarm.export import Exported, export

PAGE = ROOT / "docs" / "adapters.md"
MARK = "<!-- written by tests/benchmarks/adapters.py -->"
SUM = (0.7, -0.4)
TOLERANCE = 2e-5
COLUMNS = ("one expert", "sum of two", "as adapter", "as hf", "remedy")
State = Mapping[str, Tensor]


@dataclass(frozen=True)
class Cell:
    """One outcome: a difference from the oracle, a refusal, or a crash.

    difference: the largest, of weights or logits; None where nothing was compared.
    text: why not.
    """

    difference: float | None = None
    text: str = ""

    @property
    def verdict(self) -> str:
        if self.difference is None:
            return self.text
        return f"ok, {self.difference:.0e}" if self.difference <= TOLERANCE else f"WRONG, {self.difference:.1e}"


@dataclass(frozen=True)
class Row:
    """A variety on a base, with a cell for each column that was reached."""

    variety: str
    base: str
    cells: Mapping[str, Cell]

    @property
    def bad(self) -> bool:
        return any(cell.verdict.startswith(("WRONG", "CRASH")) for cell in self.cells.values())


def row(folder: Path, name: str, kind: str) -> Row:
    """Make two adapters of a variety in a new folder, and try them."""
    base, variety = make_base(folder / "base", kind), VARIETIES[name]
    plain = Variety(variety.config, converted=variety.converted, dtype=variety.dtype)
    try:
        for seed in (1, 2):
            make_adapter(folder / f"peft{seed}", base, plain, seed)
            make_adapter(folder / str(seed), base, variety, seed)
    except Exception as error:  # PEFT itself may refuse a variety
        return Row(name, kind, {"one expert": Cell(text=f"PEFT makes none: {_first(error)}")})
    cells: dict[str, Cell] = {}
    oracles: list[State] = []
    with suppress(AssertionError):
        oracles = [_oracle(folder, base, folder / f"peft{seed}") for seed in (1, 2)]
    try:
        catalog = _opened(base, folder / "1", folder / "2")
    except UserError as error:
        cells["one expert"] = Cell(text=f"refused: {_reason(str(error), folder)}")
        message = str(error)
        cells["remedy"] = _guarded(lambda: _remedied(folder, base, oracles, message))
        return Row(name, kind, cells)
    except Exception as error:
        return Row(name, kind, {"one expert": Cell(text=f"CRASH {_first(error)}")})
    if not oracles:
        return Row(name, kind, {"one expert": Cell(text="WRONG, PEFT's merge is not its own forward pass")})
    pristine = load(base).state_dict()
    summed = {
        key: value.double() + sum(c * (o[key].double() - value.double()) for c, o in zip(SUM, oracles, strict=True))
        for key, value in pristine.items()
    }
    recipe = Weights().recipe(list(SUM), catalog)
    cells["one expert"] = _guarded(lambda: _engine(base, catalog, Weights().recipe([1.0, 0.0], catalog), oracles[0]))
    cells["sum of two"] = _guarded(lambda: _engine(base, catalog, recipe, summed))
    cells["as adapter"] = _guarded(lambda: _exported(folder, base, catalog, recipe, summed, "adapter"))
    cells["as hf"] = _guarded(lambda: _exported(folder, base, catalog, recipe, summed, "hf"))
    return Row(name, kind, cells)


def _oracle(folder: Path, base: Path, adapter: Path) -> State:
    """The merged weights that give the logits of PEFT's own forward pass."""
    seen = _logits(PeftModel.from_pretrained(load(base), adapter))
    merged = PeftModel.from_pretrained(load(base), adapter)
    if not hasattr(merged, "merge_and_unload") or merged.active_peft_config.is_prompt_learning:
        return {}
    merged = merged.merge_and_unload()
    if float((_logits(merged) - seen).abs().max()) > TOLERANCE and load(base).config.tie_word_embeddings:
        merged = PeftModel.from_pretrained(load(untied(base, folder / "untied")), _untied(adapter)).merge_and_unload()
    difference = float((_logits(merged) - seen).abs().max())
    assert difference <= 1e-4, f"PEFT's merge differs from its own forward pass by {difference:.1e}"
    return {name: tensor.clone() for name, tensor in merged.state_dict().items()}


def _untied(adapter: Path) -> Path:
    """The adapter for an untied base: what ensure_weight_tying did by itself is written out."""
    config = json.loads((adapter / "adapter_config.json").read_text())
    if not config.get("ensure_weight_tying"):
        return adapter
    copy = adapter.with_name(f"{adapter.name}-untied")
    shutil.copytree(adapter, copy)
    config |= {"ensure_weight_tying": False, "target_modules": [*config["target_modules"], "lm_head"]}
    (copy / "adapter_config.json").write_text(json.dumps(config))
    return copy


def _opened(base: Path, *experts: Path) -> Catalog:
    return open_catalog(base, [ExpertSpec(f"expert{i}", path) for i, path in enumerate(experts)])


def _engine(base: Path, catalog: Catalog, recipe: Recipe, oracle: State) -> Cell:
    model = load(base)
    MergedWeights(model, catalog).put(recipe)
    return _compared(model.state_dict(), oracle)


def _exported(folder: Path, base: Path, catalog: Catalog, recipe: Recipe, oracle: State, form: str) -> Cell:
    export(Exported(catalog, recipe, "float32", None, "", ""), folder / form, form)
    if form == "hf":
        return _compared(load(folder / form).state_dict(), oracle)
    return _compared(PeftModel.from_pretrained(load(base), folder / form).merge_and_unload().state_dict(), oracle)


def _remedied(folder: Path, base: Path, oracles: Sequence[State], message: str) -> Cell:
    """What the remedy in the message gives."""
    if "remove it" in message:
        return Cell(text="none")
    if "merge_and_unload" in message:
        expert = folder / "merged"
        PeftModel.from_pretrained(load(base), folder / "peft1").merge_and_unload().save_pretrained(expert)
    elif "lm_head of its own" in message:
        base, expert = untied(base, folder / "untied-base"), folder / "1"
    else:
        return Cell(text=f"WRONG, no remedy in {message}")
    catalog = _opened(base, expert)
    return _engine(base, catalog, Weights().recipe([1.0], catalog), oracles[0])


def _compared(found: State, oracle: State) -> Cell:
    if set(found) != set(oracle):
        return Cell(text=f"WRONG, other tensors: {sorted(set(found) ^ set(oracle))[:2]}")
    differences = (float((found[name].double() - oracle[name].double()).abs().max()) for name in oracle)
    return Cell(max(differences))


def _guarded(call: Callable[[], Cell]) -> Cell:
    try:
        return call()
    except UserError as error:
        return Cell(text=f"refused: {_reason(str(error))}")
    except Exception as error:
        return Cell(text=f"CRASH {_first(error)}")


def _first(error: Exception) -> str:
    return f"{type(error).__name__}: {next(iter(str(error).splitlines()), '')[:120]}"


def _reason(message: str, folder: Path | None = None) -> str:
    """A refusal without the folder's path and without the remedy, which has a column of its own."""
    short = message.split(";")[0].replace(f"{folder}/", "")
    return short.split(": ", 1)[-1] if ": " in short else short


@torch.no_grad()
def _logits(model: nn.Module) -> Tensor:
    logits: Tensor = model(torch.arange(20, 60)[None]).logits
    return logits


def rows(varieties: Sequence[str]) -> Iterator[Row]:
    """All rows of the varieties."""
    for name in varieties:
        for kind in VARIETIES[name].bases:
            folder = Path(tempfile.mkdtemp(prefix="adapters-"))
            try:
                with warnings.catch_warnings(action="ignore"):
                    yield row(folder, name, kind)
            finally:
                shutil.rmtree(folder)


def markdown(found: Sequence[Row]) -> str:
    """The table."""
    lines = [f"| variety | base | {' | '.join(COLUMNS)} |", "|---" * (2 + len(COLUMNS)) + "|"]
    for each in found:
        cells = [each.cells.get(column, Cell()).verdict.replace("|", "\\|") for column in COLUMNS]
        lines.append(f"| {each.variety} | {each.base} | {' | '.join(cells)} |")
    return "\n".join(lines)


def run(arguments: argparse.Namespace) -> Iterator[Metric]:
    """Every variety, or those whose name contains a word; then the counts."""
    found: list[Row] = []
    for each in rows([name for name in VARIETIES if arguments.only in name]):
        found.append(each)
        say(f"{each.variety}, {each.base}: " + "; ".join(f"{key} {cell.verdict}" for key, cell in each.cells.items()))
        for column, cell in each.cells.items():
            if cell.difference is not None:
                what = f"{each.variety}, {each.base}: {column}, difference from the oracle"
                yield Metric("adapters", what, cell.difference, "", f"<= {TOLERANCE}")
    verdicts = [cell.verdict for each in found for cell in each.cells.values()]
    kinds = Counter(re.split("[ ,:]", verdict)[0] for verdict in verdicts)
    for kind in ("WRONG", "CRASH"):
        yield Metric("adapters", f"{kind} among {len(found)} varieties on their bases", kinds[kind], "", "<= 0")
    yield Metric("adapters", "ok", kinds["ok"], "")
    yield Metric("adapters", "refused by name", kinds["refused"], "")
    if arguments.write:
        head, _, _ = PAGE.read_text().partition(MARK)
        PAGE.write_text(f"{head}{MARK}\n\n{markdown(found)}\n")


if __name__ == "__main__":
    parser = options(__doc__)
    parser.add_argument("--only", default="", metavar="WORD", help="only varieties whose name contains this")
    parser.add_argument("--write", action="store_true", help="put the table into docs/adapters.md")
    main(run, parser)
