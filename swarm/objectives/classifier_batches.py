"""A loaded sequence classifier: the logits of a text alone, and of several in batches of similar length."""

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np
from jinja2 import TemplateError

from swarm.core.errors import ConfigError, EvaluationError
from swarm.core.examples import Message
from swarm.core.space import Array

Input = str | tuple[str, str] | tuple[Message, ...]  # a text, a pair of texts, or a chat that ends with the reply
Row = Mapping[str, Any]  # what the model is given of a text: name -> a tensor of shape (1, tokens)

TRIED = ("No.", "A text of some more words, of which the other has none.")
ALIKE = 1e-3  # relative; of logits in a batch and alone. Rounding is below 1e-5, reading the wrong token far above


class Classifier:
    """A model with its tokenizer, both of transformers."""

    def __init__(self, model: Any, tokenizer: Any, folder: str, device: str) -> None:
        """folder: for messages."""
        self._model, self._tokenizer, self._folder, self._device = model, tokenizer, folder, device
        longest = getattr(model.config, "max_position_embeddings", None) or 0  # -1 of one without such a limit
        self._limit = min(tokenizer.model_max_length, longest if longest > 0 else 1 << 20)

    def alone(self, text: Input) -> Array:
        """Logits of the labels, shape (labels,). Raises EvaluationError where the model fails."""
        return self._run(self._row(text))[0]

    def together(self, texts: Sequence[Input], tokens: int) -> list[Array]:
        """As `alone` of each text up to rounding, in batches of at most so many tokens, padding counted.

        Texts of similar length go together. The batches follow from what the texts are, in whatever order they come.
        A model whose logits change in a batch, such as one without a pad token, takes each text alone.
        """
        rows = [self._row(text) for text in texts]
        keys = [_key(row) for row in rows]
        distinct = sorted(dict(zip(keys, rows, strict=True)).items(), key=lambda item: (len(item[0][0]), item[0]))
        found: dict[object, Array] = {}
        for batch in _batches([row for _, row in distinct], tokens if self._takes_batches else 0):
            found |= zip(map(_key, batch), self._run(self._padded(batch)), strict=True)
        return [found[key] for key in keys]

    @cached_property
    def _takes_batches(self) -> bool:
        """Whether two texts of unlike length have the same logits in a batch as alone."""
        rows = [self._row(text) for text in TRIED]
        if self._pad is None or any(row.keys() - self._filled.keys() for row in rows):
            return False
        try:
            together = self._run(self._padded(rows))
        except EvaluationError:
            return False
        apart = [self._run(row)[0] for row in rows]
        size = max(float(np.abs(logits_L).max()) for logits_L in apart)
        return all(np.abs(one - other).max() <= ALIKE * size for one, other in zip(together, apart, strict=True))

    @property
    def _pad(self) -> int | None:
        """What the model itself takes for padding: it may find the last token of a text by it."""
        pad: int | None = self._model.config.pad_token_id
        return pad

    @property
    def _filled(self) -> dict[str, int | None]:
        return {"input_ids": self._pad, "attention_mask": 0, "token_type_ids": self._tokenizer.pad_token_type_id}

    def _padded(self, rows: Sequence[Row]) -> Row:
        """One tensor of each input, padded on the right to the longest row; a row that needs no padding as it is."""
        import torch

        if len(rows) == 1:
            return rows[0]
        masked = [
            {**row, "attention_mask": row.get("attention_mask", torch.ones_like(row["input_ids"]))} for row in rows
        ]
        width = max(row["input_ids"].shape[1] for row in masked)
        filled = self._filled
        return {
            name: torch.cat(
                [
                    torch.nn.functional.pad(row[name], (0, width - row[name].shape[1]), value=filled[name])
                    for row in masked
                ]
            )
            for name in masked[0]
        }

    def _run(self, inputs: Row) -> list[Array]:
        import torch

        try:
            with torch.inference_mode():
                found = self._model(**{name: tensor.to(self._device) for name, tensor in inputs.items()}).logits
                return list(found.double().cpu().numpy())
        except (RuntimeError, IndexError, ValueError, TypeError) as error:
            raise self._failure(error) from error

    def _row(self, text: Input) -> Row:
        """Of an empty text, where the tokenizer adds nothing, one token of those that mark an end."""
        import torch

        try:
            row = self._encoded(text)
        except (RuntimeError, IndexError, ValueError, TypeError, TemplateError) as error:
            raise self._failure(error) from error
        if row["input_ids"].numel():
            return row
        known = (self._tokenizer.eos_token_id, self._tokenizer.bos_token_id, self._tokenizer.pad_token_id)
        end = next((mark for mark in known if mark is not None), 0)
        of_one = {"input_ids": end, "attention_mask": 1}
        return {name: torch.tensor([[of_one.get(name, 0)]]) for name in row}

    def _encoded(self, text: Input) -> Row:
        cut = {"truncation": True, "max_length": self._limit, "return_tensors": "pt"}
        if isinstance(text, str):
            return dict(self._tokenizer(text, **cut))
        if isinstance(text[0], str):
            return dict(self._tokenizer(*text, **cut))
        if not self._tokenizer.chat_template:
            where = f"the tokenizer of {self._folder}"
            raise ConfigError(f"reads: chat, but {where} has no chat template; set reads: pair")
        turns = [{"role": turn.role, "content": turn.content} for turn in text if isinstance(turn, Message)]
        rendered = self._tokenizer.apply_chat_template(turns, tokenize=False)
        tensors = self._tokenizer(rendered, add_special_tokens=False, return_tensors="pt")
        return {name: ids[:, -self._limit :] for name, ids in tensors.items()}

    def _failure(self, error: Exception) -> EvaluationError:
        return EvaluationError(f"{self._folder} fails at a text ({' '.join(str(error).split())[:200]})")


def _key(row: Row) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """What tells two rows apart: their tokens, and which of a pair of texts each is of."""
    kinds = row["token_type_ids"][0].tolist() if "token_type_ids" in row else ()
    return tuple(row["input_ids"][0].tolist()), tuple(kinds)


def _batches(rows: Sequence[Row], tokens: int) -> Iterator[list[Row]]:
    """The rows in their order, from short to long, as many together as the tokens allow; the first of a batch always.

    Rows with other inputs are in other batches.
    """
    batch: list[Row] = []
    for row in rows:
        wide = (len(batch) + 1) * row["input_ids"].shape[1] > tokens
        if batch and (wide or batch[0].keys() != row.keys()):
            yield batch
            batch = []
        batch.append(row)
    if batch:
        yield batch
