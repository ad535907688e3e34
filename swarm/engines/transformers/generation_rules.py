"""What an encoder-decoder's generation_config.json forces and forbids.

Some models write nothing sensible without it: mBART's texts start with a language, Marian's never hold its padding.

Shape suffixes: N rows, S columns of prompts.
"""

from copy import deepcopy

import torch
from torch import Tensor
from transformers import LogitsProcessorList, PreTrainedModel

START = 1  # tokens before a text


class GenerationRules:
    """The rules that transformers' own `generate` applies to greedy texts of a model.

    any: whether there are rules.
    read_prompts: whether some depend on the prompt, of which padding would count as a part.
    beams: how many generation_config.json asks for; there are none here.
    """

    def __init__(self, model: PreTrainedModel, first: int) -> None:
        """first: the token that starts the decoder's texts."""
        self._model = model
        self._config = deepcopy(model.generation_config)
        self.beams = int(self._config.num_beams or 1)
        self._config.do_sample, self._config.num_beams, self._config.decoder_start_token_id = False, 1, first
        model._prepare_special_tokens(self._config, True, device=model.device)
        found = self.of(torch.ones(1, 1, dtype=torch.long, device=model.device), 1)
        self.any = bool(found)
        self.read_prompts = any(type(each).__name__.startswith("Encoder") for each in found)

    def of(self, prompts_NS: Tensor, limit: int) -> LogitsProcessorList:
        """The rules for texts of at most `limit` tokens after these prompts; empty where there are none."""
        self._config.max_length = START + limit
        found: LogitsProcessorList = self._model._get_logits_processor(
            generation_config=self._config,
            input_ids_seq_length=START,
            encoder_input_ids=prompts_NS,
            device=str(self._model.device),
            model_kwargs={},
        )
        return found
