"""Answer margins of a causal model: one number per example, by one forward pass over prompt and answer.

Shape suffixes: P examples, B rows, T tokens, K labelled tokens, V vocabulary.
"""

from collections.abc import Sequence

import torch
from transformers import PreTrainedModel

from swarm.core.space import Array
from swarm.zoo.training import UNLABELLED, TrainingBatch


@torch.inference_mode()
def margins(model: PreTrainedModel, batches: Sequence[TrainingBatch]) -> Array:
    """The minimum, over the answer's tokens and the end token, of the right logit minus the largest other. Shape P.

    Greedy decoding gives the right answer where it is above zero.
    """
    found = []
    for batch in batches:
        hidden_BTD = model.model(input_ids=batch.ids_BT, attention_mask=batch.mask_BT).last_hidden_state[:, :-1]
        labels_BT = batch.labels_BT[:, 1:]
        labelled_BT = labels_BT != UNLABELLED
        logits_KV = model.lm_head(hidden_BTD[labelled_BT]).float()
        right_K1 = labels_BT[labelled_BT][:, None]
        right_K = logits_KV.gather(1, right_K1)[:, 0]
        other_K = logits_KV.scatter(1, right_K1, -torch.inf).max(dim=1).values
        margin_BT = torch.full(labels_BT.shape, torch.inf)
        margin_BT[labelled_BT] = right_K - other_K
        found.append(margin_BT.min(dim=1).values)
    return torch.cat(found).double().numpy()
