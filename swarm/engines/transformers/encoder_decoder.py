"""An encoder-decoder's passes: the encoder reads prompts, the decoder continues or writes texts.

Shape suffixes: U prompts, B rows of a batch, N rows that are still generated, S columns of prompts, T columns of texts,
H hidden, M logits, V vocabulary.
"""

import torch
from torch import Tensor, nn
from transformers import DynamicCache, EncoderDecoderCache, LogitsProcessorList, PreTrainedModel
from transformers.modeling_outputs import BaseModelOutput

from swarm.core.errors import ExpertError
from swarm.engines.transformers.forward import Forward
from swarm.engines.transformers.generation_rules import GenerationRules
from swarm.engines.transformers.packing import Packing
from swarm.engines.transformers.pairs import PairPacking, PairTokens
from swarm.engines.transformers.prompts import PromptBatch


class EncoderDecoderForward(Forward):
    """An encoder-decoder. One recipe is in place at a time."""

    ids_name = "decoder_input_ids"

    def __init__(self, model: PreTrainedModel, name: str) -> None:
        """name: the base and its architecture, for messages. Raises ExpertError where texts have no start."""
        super().__init__(model)
        self._encoder_decoder = model
        self.tokens = pair_tokens(model, name)
        self.rules = GenerationRules(model, self.tokens.first)
        # FSMT multiplies with the weight of its embeddings: there is no layer that could get fewer hidden states.
        self._picks_hidden = isinstance(model.get_output_embeddings(), nn.Linear)

    def encode(self, ids_BS: Tensor, mask_BS: Tensor) -> Tensor:
        """What the encoder makes of prompts. Shape (B, S, H)."""
        encoder = self._encoder_decoder.get_encoder()
        hidden: Tensor = encoder(input_ids=ids_BS, attention_mask=mask_BS, return_dict=True).last_hidden_state
        return hidden

    def decode(
        self,
        ids_NT: Tensor,
        hidden_NSH: Tensor,
        mask_NS: Tensor,
        picks_M: Tensor,
        cache: EncoderDecoderCache | None = None,
    ) -> Tensor:
        """The decoder's logits at flat positions. Shape (M, V)."""
        logits = self(
            ids_NT,
            self._merged(ids_NT),
            picks_M=picks_M if self._picks_hidden else None,
            encoder_outputs=BaseModelOutput(last_hidden_state=hidden_NSH),  # type: ignore[arg-type]
            attention_mask=mask_NS,
            past_key_values=cache,
            use_cache=cache is not None,
        )
        return logits if self._picks_hidden else logits.flatten(0, 1)[picks_M]

    def alone(self, ids_BS: Tensor, ids_BT: Tensor) -> Tensor:
        """All logits of texts of one length after prompts of one length, as the model by itself has them."""
        mask_BS = torch.ones_like(ids_BS)
        return self(ids_BT, self._merged(ids_BT), input_ids=ids_BS, attention_mask=mask_BS, use_cache=False)

    def logits(self, packing: Packing, particles: int, prefix: DynamicCache | None) -> Tensor:
        assert isinstance(packing, PairPacking), "the batches are those of an encoder-decoder"
        assert (particles, prefix) == (1, None), "candidates are merged one after another"
        hidden_USH = self.encode(packing.sources_US, packing.mask_US)
        hidden, mask = hidden_USH[packing.source_B], packing.mask_US[packing.source_B]
        return self.decode(packing.ids_BT, hidden, mask, packing.picks_M)

    def _merged(self, ids_NT: Tensor) -> Tensor:
        """The particle of each row: the only one."""
        return torch.zeros(len(ids_NT), dtype=torch.long, device=self.device)


class PairDecoder:
    """Writes texts after encoded prompts. Finished rows leave the batch."""

    def __init__(self, forward: EncoderDecoderForward, batch: PromptBatch, ruled: bool = True) -> None:
        """ruled: whether generation_config.json has a say."""
        self._forward = forward
        self._limit = batch.limit
        self._ruled = ruled and forward.rules.any
        self._prompts, self._mask = batch.ids_BT, batch.mask_BS
        self._hidden = forward.encode(self._prompts, self._mask)
        self._ids = torch.full_like(self._prompts[:, :1], forward.tokens.first)
        cached = batch.decode == "cache"
        self._cache = EncoderDecoderCache(DynamicCache(), DynamicCache()) if cached else None
        self._rules = self._of_rows()

    def start(self) -> Tensor:
        return self._pass()

    def step(self, tokens_N: Tensor) -> Tensor:
        self._ids = torch.cat([self._ids, tokens_N[:, None]], dim=1)
        return self._pass()

    def keep(self, rows_N: Tensor) -> None:
        self._prompts, self._mask, self._hidden = (x[rows_N] for x in (self._prompts, self._mask, self._hidden))
        self._ids = self._ids[rows_N]
        if self._cache is not None:
            self._cache.batch_select_indices(rows_N)
        self._rules = self._of_rows()

    def _pass(self) -> Tensor:
        ids_NT = self._ids if self._cache is None else self._ids[:, -1:]
        last_N = torch.arange(1, len(ids_NT) + 1, device=ids_NT.device) * ids_NT.shape[1] - 1
        logits_NV = self._forward.decode(ids_NT, self._hidden, self._mask, last_N, self._cache)
        ruled: Tensor = self._rules(self._ids, logits_NV)
        return ruled

    def _of_rows(self) -> LogitsProcessorList:
        return self._forward.rules.of(self._prompts, self._limit) if self._ruled else LogitsProcessorList()


def pair_tokens(model: PreTrainedModel, name: str) -> PairTokens:
    """The tokens around the model's texts. Raises ExpertError where no config names what starts them.

    name: the base and its architecture, for the message.
    """
    config, generation = model.config, model.generation_config
    starts = (generation.decoder_start_token_id, _own_start(model), generation.bos_token_id)
    first = next((token for token in starts if token is not None), None)
    if first is None:
        raise ExpertError(
            f"{name}: its config.json names no token that starts the decoder's texts; set decoder_start_token_id there"
        )
    padding = config.pad_token_id
    return PairTokens(_before_continuations(model, int(first)), int(first), 0 if padding is None else int(padding))


def _before_continuations(model: PreTrainedModel, first: int) -> tuple[int, ...]:
    """What the decoder reads before a continuation, as the model itself puts it before labels.

    mBART and its kin put the labels' last token there, which is the language if the labels end with it. Continuations
    do not, and the model must not see the token that it is asked for: there, texts start as they do when they are
    written.
    """
    free = (token for token in range(100) if token not in (first, model.config.pad_token_id))
    labels = torch.tensor([[next(free), next(free)]], device=model.device)
    start = _before_labels(model, labels)
    if start != labels[0, 1]:
        return (first if start is None else start,)
    forced = model.generation_config.forced_bos_token_id
    return (first,) if forced is None else (first, forced)


def _before_labels(model: PreTrainedModel, labels: Tensor) -> int | None:
    shift = getattr(model, "prepare_decoder_input_ids_from_labels", None)
    if shift is None:
        return _own_start(model)
    try:
        return int(shift(labels)[0, 0])
    except (ValueError, AttributeError):  # the config names no start
        return None


def _own_start(model: PreTrainedModel) -> int | None:
    found: int | None = getattr(model.config, "decoder_start_token_id", None)
    return found
