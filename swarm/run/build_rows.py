"""The examples of a build, from files to rows of tokens: read, held out, arranged, encoded, and none too long."""

import hashlib
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from swarm.builders import AnswerTokens, ExpertBuilder, PairTokens
from swarm.builders.base import Rows
from swarm.config.build_schema import BuildConfig
from swarm.core.errors import ChatTemplateError, ConfigError, DataError
from swarm.core.examples import Example, Prompt
from swarm.core.requests import Generation
from swarm.data.curation import Curated
from swarm.data.examples import read_examples
from swarm.data.pairs import Pair, check_roles, read_pairs
from swarm.engines import Encoder
from swarm.objectives.prompting import answer_text, build_prompt
from swarm.run.curate import against_of, chosen, rows_of

E = TypeVar("E", Example, Pair)
R = TypeVar("R", AnswerTokens, PairTokens)

DEFAULT_SHARE = 0.1  # held out where `forgetting` needs it and the config says nothing
UNLIMITED = 1 << 30


@dataclass(frozen=True)
class ExpertRows:
    """What one expert is trained on.

    rows: of tokens, to train on.
    held_out: the answers that `forgetting` scores; of pairs the chosen ones.
    data_hash: the SHA-256 of the data file, and of the file that is held out where there is one.
    notes: what the user should know.
    curated: what became of every example that is not held out, where the config asks for a choice.
    """

    rows: Rows
    held_out: tuple[AnswerTokens, ...]
    data_hash: str
    notes: tuple[str, ...]
    curated: Curated | None = None

    @property
    def fingerprint(self) -> str:
        """Of all tokens: they depend on the tokenizer and its template, too."""
        return hashlib.sha256(repr((list(self.rows), self.held_out)).encode()).hexdigest()[:16]


class RowMaker:
    """Makes the rows of every expert of a build, with the base's tokenizer."""

    def __init__(self, config: BuildConfig) -> None:
        """Raises ConfigError for a chat template that is asked for and missing, ExpertError for the base."""
        found = Encoder.of(Path(config.base))
        self._positions = found.max_positions
        self._encoder = Encoder(found.tokenizer, UNLIMITED)
        self._config = config
        has_template = found.tokenizer.chat_template is not None
        if config.chat is True and not has_template:
            raise ConfigError("chat: true, but the base's tokenizer has no chat template; set chat: auto")
        self.chat = has_template if config.chat == "auto" else bool(config.chat)

    def rows_of(self, i: int) -> ExpertRows:
        """The rows of an expert. Raises DataError, ConfigError."""
        builder, key = self._config.experts[i], f"experts.{i}"
        path = Path(builder.data)
        encode = _Encode(self._encoder, self.chat, min(builder.max_length, self._positions))
        curated: Curated | None = None
        held: Sequence[Example | Pair]
        if builder.trainer_kind == "pairs":
            rows, read, held = self._pairs(i, encode)
        else:
            rows, read, held, curated = self._answers(i, encode)
        if not rows:
            raise self._all_too_long(builder, key, path, encode)
        scored = tuple(row for each in held if (row := encode.held(each)))
        if held and not scored:
            raise self._all_too_long(builder, key, path, encode, "held-out ")
        left_out = read - len(rows)
        notes = [_chosen_note(builder.name, curated)] if curated else []
        if left_out:
            many = f"{left_out} of {read} examples are longer than {encode.most} tokens and are left out"
            notes.append(f"{builder.name}: {many}")
        return ExpertRows(rows, scored, _hash(builder), tuple(notes), curated)

    def _answers(self, i: int, encode: "_Encode") -> tuple[Rows, int, Sequence[Example], Curated | None]:
        """The rows of examples, how many were to be rows, those that are held out, and the choice among the others."""
        builder = self._config.experts[i]
        read = read_examples(Path(builder.data))
        learnt, held = self._parted(read, i, read_examples)
        curated = None
        if builder.curate is not None:
            key = f"experts.{i}.curate"
            against = {f"what {builder.name} holds out": held, **against_of(builder.curate, Path(), f"{key}.against")}
            rows = rows_of(Path(builder.data), read)
            curated = chosen(learnt, builder.curate, against, rows, Path(self._config.base), key)
            learnt = list(curated.examples)
        arranged = builder.arranged(learnt, self._config.seed_of(builder))
        return [row for example in arranged if (row := encode.answer(example))], len(learnt), held, curated

    def _pairs(self, i: int, encode: "_Encode") -> tuple[Rows, int, Sequence[Pair]]:
        learnt, held = self._parted(read_pairs(Path(self._config.experts[i].data)), i, read_pairs)
        return [row for pair in learnt if (row := encode.pair(pair))], len(learnt), held

    def _parted(self, examples: list[E], i: int, read: Callable[[Path], list[E]]) -> tuple[list[E], list[E]]:
        """Examples to train on, and those that are held out. Examples of one prompt stay together."""
        builder = self._config.experts[i]
        share = builder.held_out
        if share is None and self._config.forgetting:
            share = DEFAULT_SHARE
        if share is None:
            return examples, []
        if isinstance(share, str):
            return examples, read(Path(share))
        prompts = sorted({repr(each.prompt) for each in examples})
        random.Random(self._config.seed_of(builder)).shuffle(prompts)
        kept = set(prompts[: max(1, round(share * len(prompts)))])
        learnt = [each for each in examples if repr(each.prompt) not in kept]
        if not learnt:
            raise DataError(
                f"experts.{i}.data: {builder.data} holds {len(prompts)} different prompts, too few to hold out "
                f"{share:g} of them; add examples, or give held_out a file"
            )
        return learnt, [each for each in examples if repr(each.prompt) in kept]

    def _all_too_long(
        self, builder: ExpertBuilder, key: str, path: Path, encode: "_Encode", which: str = ""
    ) -> ConfigError | DataError:
        what = f"every {which}example of {path} is longer (the shortest has {encode.shortest} tokens)"
        if encode.most == builder.max_length:
            return ConfigError(f"{key}.max_length: {builder.max_length}, and {what}; raise it, or shorten the examples")
        return DataError(f"{key}.data: the base takes {encode.most} tokens, and {what}; shorten the examples")


class _Encode:
    """Encodes examples with the tokens that end the answers; None for one that is longer than `most` tokens."""

    def __init__(self, encoder: Encoder, chat: bool, most: int) -> None:
        self._encoder, self._chat, self.most = encoder, chat, most
        self.shortest = UNLIMITED

    def answer(self, example: Example) -> AnswerTokens | None:
        prompt, (answer,) = self._tokens(build_prompt(example, self._chat), example.where, answer_text(example))
        return self._short(AnswerTokens(prompt, answer))

    def pair(self, pair: Pair) -> PairTokens | None:
        asked = build_prompt(Example(pair.id, pair.prompt, ""), self._chat)
        prompt, (chosen, rejected) = self._tokens(asked, pair.where, pair.chosen, pair.rejected)
        return self._short(PairTokens(prompt, chosen, rejected))

    def held(self, each: Example | Pair) -> AnswerTokens | None:
        if isinstance(each, Pair):
            each = Example(each.id, each.prompt, each.chosen, where=each.where)
        return self.answer(each)

    def _short(self, row: R) -> R | None:
        self.shortest = min(self.shortest, len(row))
        return row if len(row) <= self.most else None

    def _tokens(self, prompt: Prompt, where: str, *answers: str) -> tuple[tuple[int, ...], tuple[tuple[int, ...], ...]]:
        check_roles(prompt, where)
        if not isinstance(prompt, str) and not self._chat:
            raise DataError(f"{where}: the prompt is a chat, and {self._why}")
        try:
            encoded = self._encoder.encode([Generation(prompt, 1, targets=answers)]).items[0]
        except ChatTemplateError as error:
            raise DataError(f"{where}: {error}") from None
        return encoded.prompt, encoded.targets

    @property
    def _why(self) -> str:
        if self._encoder.tokenizer.chat_template is None:
            return "the base's tokenizer has no chat template; write the prompts as texts"
        return "chat is false; set chat: auto"


def _chosen_note(name: str, curated: Curated) -> str:
    read, reasons = len(curated.manifest), ", ".join(f"{n:,} {reason}" for reason, n in curated.reasons.items())
    return f"{name}: {len(curated.examples):,} of {read:,} examples are chosen{f' ({reasons})' if reasons else ''}"


def _hash(builder: ExpertBuilder) -> str:
    files = [builder.data, *([builder.held_out] if isinstance(builder.held_out, str) else [])]
    digests = [hashlib.sha256(Path(file).read_bytes()).hexdigest() for file in files]
    return "+".join(digests)
