"""Multiple choice against lm-eval's HFLM: the same items, model and dtype. Runs where lm-eval is installed.

Ours: the requests of `multiple_choice` are encoded and answered. Theirs: `HFLM.loglikelihood` on the same prompts and
continuations, with the fastest of several batch sizes, each tried once. Both tokenise within the measured time; models,
engine, HFLM and Instances are made before it. The same objective takes both sides' choices.
Per candidate, theirs is PEFT's `add_weighted_adapter` (`cat`, which is exact) and HFLM, with the adapter merged or
unmerged, whichever was faster when tried once; ours composes the recipe and answers requests that are encoded once per
run.

This does not cover single-letter options, where HFLM's cache scores all of them in one row, nor HFLM's start-up.

SWARM_LMEVAL names the python of an environment with lm-eval and swarm, if this one has no lm-eval.
"""

import argparse
import logging
import os
import random
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from common import Metric, Paired, Skip, main, options, paired, say, spread, timed, zoo_path
from transformers import AutoModelForCausalLM, AutoTokenizer

from swarm.compositions.weights import Weights
from swarm.core.examples import Example
from swarm.core.requests import Answer, Continuation, Likelihood
from swarm.data.examples import read_dev_test, read_examples
from swarm.engines.base import DtypeName
from swarm.engines.encoding import Encoder, Requests
from swarm.engines.transformers.engine import DTYPES, TransformersSettings
from swarm.experts.catalog import Catalog, ExpertSpec, open_catalog
from swarm.objectives.multiple_choice import MultipleChoice

OPTIONS = 4
PROMPT_WORDS, OPTION_WORDS = 60, 7  # about 80 and 10 tokens of SmolLM2
INSTALL = (
    "lm-eval is not installed here; in an environment of its own run "
    "pip install --constraint constraints.txt -e '.[bench]' and set SWARM_LMEVAL to that environment's python"
)


@dataclass(frozen=True)
class Items:
    """Multiple-choice examples, their objective, and its requests for them."""

    objective: MultipleChoice
    examples: Sequence[Example]
    requests: Sequence[Continuation]

    @classmethod
    def of(cls, examples: Sequence[Example]) -> "Items":
        objective = MultipleChoice(name="choices", data="", normalise="none")
        asked = [request for example in examples for request in objective.requests(example)]
        return cls(objective, examples, [request for request in asked if isinstance(request, Continuation)])

    def choices(self, answers: Sequence[Answer]) -> list[str]:
        """The chosen text of every example."""
        found: list[str] = []
        at = 0
        for example in self.examples:
            n = len(example.choices or ())
            found.append(self.objective.score(example, answers[at : at + n]).output)
            at += n
        return found


class Ours:
    """Swarm: the engine, and the requests encoded once."""

    def __init__(self, items: Items, catalog: Catalog, dtype: DtypeName) -> None:
        self._items = items
        self._catalog = catalog
        self._encoder = Encoder.of(catalog.base.path)
        self._engine = TransformersSettings(dtype=dtype).open(catalog)
        self._encoded = self._encoder.encode(items.requests)
        self.chosen: list[str] = []

    def base(self) -> None:
        """Encode and answer everything with the base."""
        self._answer([0.0] * len(self._catalog.experts), self._encoder.encode(self._items.requests))

    def candidate(self, coefficients: Sequence[float]) -> None:
        """Compose and answer."""
        self._answer(coefficients, self._encoded)

    def _answer(self, coefficients: Sequence[float], requests: Requests) -> None:
        recipe = Weights(algebra="delta").recipe(tuple(coefficients), self._catalog)
        (reply,) = self._engine.answer([recipe], requests)
        self.chosen = self._items.choices(reply.answers)


class Theirs:
    """lm-eval: HFLM on a live model, which may hold the experts as PEFT adapters."""

    def __init__(self, items: Items, catalog: Catalog, dtype: DtypeName, adapters: bool) -> None:
        from lm_eval.api.instance import Instance
        from lm_eval.models.huggingface import HFLM
        from peft import PeftModel

        logging.getLogger("lm_eval").setLevel(logging.ERROR)
        path = str(catalog.base.path)
        model = AutoModelForCausalLM.from_pretrained(path, dtype=DTYPES[dtype])
        self._names = catalog.names if adapters else ()
        for expert in self._names:
            folder = str(next(e.path for e in catalog.experts if e.name == expert))
            if isinstance(model, PeftModel):
                model.load_adapter(folder, adapter_name=expert)
            else:
                model = PeftModel.from_pretrained(model, folder, adapter_name=expert)
        self._model = model.eval()
        self._lm = HFLM(pretrained=self._model, tokenizer=AutoTokenizer.from_pretrained(path), batch_size=1)
        self._instances = [
            Instance("loglikelihood", {}, (request.prompt, request.text), i) for i, request in enumerate(items.requests)
        ]
        self._items = items
        self.merged = False
        self.chosen: list[str] = []

    def batch_size(self, size: int) -> None:
        self._lm.batch_size_per_gpu = size

    def base(self) -> None:
        """Tokenise and score everything with the model as it is."""
        answers = self._lm.loglikelihood(self._instances, disable_tqdm=True)
        self.chosen = self._items.choices([Likelihood(total, 1) for total, _ in answers])

    def candidate(self, coefficients: Sequence[float]) -> None:
        """Combine the adapters exactly, then score."""
        model = self._model
        model.add_weighted_adapter(list(self._names), list(coefficients), "candidate", combination_type="cat")
        model.set_adapter("candidate")
        if self.merged:
            model.merge_adapter()
        self.base()
        if self.merged:
            model.unmerge_adapter()
        model.set_adapter(self._names[0])
        model.delete_adapter("candidate")


def fastest(values: Sequence[int | bool], use: Callable[..., None], call: Callable[[], None]) -> int | bool:
    """The value with which one call was fastest; it is set on return."""
    seconds: dict[int | bool, float] = {}
    for value in values:
        use(value)
        seconds[value] = timed(call)
    best = min(seconds, key=lambda value: seconds[value])
    use(best)
    return best


def run(arguments: argparse.Namespace) -> Iterator[Metric]:
    if find_spec("lm_eval") is None:
        raise Skip(INSTALL)
    zoo = zoo_path("smollm2")
    items = Items.of(examples_of(arguments.data, zoo / "data" / "examples.jsonl", arguments.items))
    specs = [ExpertSpec(path.name, path) for path in sorted((zoo / "experts").iterdir())]
    catalog = open_catalog(zoo / "base", specs)
    yield Metric("harness", "items", len(items.examples), "items")
    for dtype in arguments.dtypes:
        yield from scoring(items, catalog, dtype, arguments)
    yield from candidates(items, catalog, arguments)


def scoring(items: Items, catalog: Catalog, dtype: DtypeName, arguments: argparse.Namespace) -> Iterator[Metric]:
    """The base on all items, both sides."""
    ours, theirs = Ours(items, catalog, dtype), Theirs(items, catalog, dtype, adapters=False)
    size = fastest(arguments.batch_sizes, theirs.batch_size, theirs.base)
    say(f"harness: {dtype}: HFLM is fastest with batches of {size}")
    times = paired(ours.base, theirs.base, arguments.repetitions)
    yield Metric("harness", f"{dtype}: batch size of HFLM, best of {_list(arguments.batch_sizes)}", size, "rows")
    yield from items_per_second(f"{dtype}", times, len(items.examples), "HFLM")
    yield same_choice(dtype, ours.chosen, theirs.chosen)


def candidates(items: Items, catalog: Catalog, arguments: argparse.Namespace) -> Iterator[Metric]:
    """Compose and score a candidate, both sides, in float32."""
    rng = np.random.default_rng(0)
    drawn = [[float(c) for c in rng.uniform(0.1, 0.6, len(catalog.names))] for _ in range(arguments.repetitions + 1)]
    ours, theirs = Ours(items, catalog, "float32"), Theirs(items, catalog, "float32", adapters=True)
    size = fastest(arguments.batch_sizes, theirs.batch_size, lambda: theirs.candidate(drawn[0]))
    merged = fastest([False, True], lambda value: setattr(theirs, "merged", value), lambda: theirs.candidate(drawn[0]))
    say(f"harness: candidates: HFLM is fastest with batches of {size}, adapter {'' if merged else 'not '}merged")
    ours_next, theirs_next = iter(drawn), iter(drawn)
    times = paired(
        lambda: ours.candidate(next(ours_next)), lambda: theirs.candidate(next(theirs_next)), arguments.repetitions
    )
    yield from items_per_second("candidates in float32", times, len(items.examples), "add_weighted_adapter + HFLM")
    yield same_choice("candidates in float32", ours.chosen, theirs.chosen)


def items_per_second(what: str, times: Paired, n: int, theirs: str) -> Iterator[Metric]:
    """Both speeds and their ratio."""
    yield Metric("harness", f"{what}: ours", n / float(np.median(times.ours)), "items/s")
    yield Metric("harness", f"{what}: {theirs}", n / float(np.median(times.theirs)), "items/s")
    yield Metric("harness", f"{what}: ours / {theirs}", times.ratio, "x", ">= 2")
    yield from spread("harness", f"{what}: ours / {theirs}", times.ratios)


def same_choice(what: str, ours: Sequence[str], theirs: Sequence[str]) -> Metric:
    """The share of items on which both sides choose the same option. Only float32 has a target."""
    same = float(np.mean([a == b for a, b in zip(ours, theirs, strict=True)]))
    return Metric("harness", f"{what}: same choice", same, "share", ">= 0.995" if "float32" in what else None)


def examples_of(data: Path | None, corpus: Path, n: int) -> list[Example]:
    """`n` examples of the file, or made from the words of the zoo's prompts."""
    if data is None:
        return made_up(corpus, n)
    if data.suffix == ".jsonl":
        return read_examples(data)[:n]
    read = read_dev_test(data)
    return [*read.dev, *read.test][:n]


def made_up(corpus: Path, n: int) -> list[Example]:
    """Prompts with four options each: random words of the zoo's prompts, of the length of exam questions."""
    words = sorted({word for example in read_examples(corpus) for word in re.findall(r"[a-z]+", str(example.prompt))})
    rng = random.Random(0)

    def text(count: int) -> str:
        return " ".join(rng.choices(words, k=rng.randint(count // 2, count * 3 // 2)))

    return [
        Example(
            id=str(i),
            prompt=f"Question: {text(PROMPT_WORDS)}?\nAnswer:",
            answer="A",
            choices={key: text(OPTION_WORDS) for key in "ABCD"[:OPTIONS]},
        )
        for i in range(n)
    ]


def _list(values: Sequence[int]) -> str:
    return ", ".join(map(str, values))


def parser() -> argparse.ArgumentParser:
    made = options(__doc__)
    made.add_argument("--data", type=Path, help="multiple choice: .jsonl, or .json as Model Swarms publishes it")
    made.add_argument("--items", type=int, default=50, help="items scored (default 50)")
    made.add_argument("--batch-sizes", type=int, nargs="+", default=[8, 16, 32, 64], help="batch sizes of HFLM to try")
    made.add_argument("--dtypes", nargs="+", choices=list(DTYPES), default=["float32", "bfloat16"])
    return made


if __name__ == "__main__":
    other = os.environ.get("SWARM_LMEVAL")
    if find_spec("lm_eval") is None and other and not {"-h", "--help"} & set(sys.argv):
        os.execv(other, [other, *sys.argv])
    main(run, parser())
