"""A small model with SmolLM2's tokenizer, made from SmolLM2: its first layers and its last ones, healed.

There is no smaller public model with this tokenizer. The layers that miss those between them learn the whole model's
next-token distributions on texts that SmolLM2 writes itself; the first ones and the embedding stay as they are.

Shape suffixes: B texts, T tokens, D width, N tokens of all texts of a batch, K likeliest tokens, V vocabulary.
"""

import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from swarm.core.examples import Example

OPENINGS = ("", "What", "What is", "In which", "Which", "Where", "Who", "Name", "How", "Why", "The", "Write")
NEW_TOKENS, WRITTEN_AT_ONCE = 24, 64
FIRST, LAST = 6, 2  # layers of the small model
FROZEN = 4  # of the first ones
KEPT = 64  # likeliest tokens of a distribution; all others count as one
BATCH, RATE, WARM_UP = 16, 1e-3, 10
HELD_OUT = 24  # of so many batches one is not trained on

Report = Callable[[str], None]


@torch.inference_mode()
def texts(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    taught: Sequence[Example],
    count: int,
    rng: random.Random,
) -> list[list[int]]:
    """Token ids of what the model writes: answers to these questions, and what it opens itself, in equal parts."""
    torch.manual_seed(0)
    written = []
    for _ in range(count // WRITTEN_AT_ONCE):
        prompts = [
            str(rng.choice(taught).prompt) if rng.random() < 0.5 else "<|im_start|>user\n" + rng.choice(OPENINGS)
            for _ in range(WRITTEN_AT_ONCE)
        ]
        given = tokenizer(prompts, return_tensors="pt", padding=True)
        ids_BT = model.generate(**given, max_new_tokens=NEW_TOKENS, do_sample=True, top_k=0, pad_token_id=0)
        for ids_T, mask_T in zip(ids_BT, given.attention_mask, strict=True):
            row = ids_T[int((mask_T == 0).sum()) :].tolist()
            while row[-1] == 0:
                row.pop()
            written.append(row)
    return written


@dataclass(frozen=True)
class Lesson:
    """What the healed layers see of a batch of texts, and what they are to say.

    hidden_BTD: after the frozen layers.
    mask_BT: 1 for tokens, 0 for padding.
    p_NK: the whole model's probabilities of its likeliest next tokens.
    ids_NK: these tokens.
    """

    hidden_BTD: Tensor
    mask_BT: Tensor
    p_NK: Tensor
    ids_NK: Tensor


@torch.no_grad()
def lesson(model: PreTrainedModel, rows: Sequence[Sequence[int]]) -> Lesson:
    """By one pass of the whole model."""
    width = max(map(len, rows))
    ids_BT = torch.tensor([[*row, *[0] * (width - len(row))] for row in rows])
    mask_BT = torch.tensor([[1] * len(row) + [0] * (width - len(row)) for row in rows])
    found = model.model(input_ids=ids_BT, attention_mask=mask_BT, output_hidden_states=True)
    p_NV = model.lm_head(found.last_hidden_state[mask_BT.bool()]).float().softmax(dim=-1)
    return Lesson(found.hidden_states[FROZEN], mask_BT, *p_NV.topk(KEPT))


def divergence(upper: PreTrainedModel, of: Lesson) -> Tensor:
    """KL(p || q) in nats per token, p the whole model, q what `upper`, the layers that are not frozen, makes of it."""
    with torch.autocast("cpu", torch.bfloat16):
        hidden_BTD = upper.model(inputs_embeds=of.hidden_BTD.float(), attention_mask=of.mask_BT).last_hidden_state
        logits_NV = upper.lm_head(hidden_BTD[of.mask_BT.bool()])
    log_q_NK = logits_NV.float().log_softmax(dim=-1).gather(-1, of.ids_NK)
    p_rest_N, q_rest_N = ((1 - each_NK.sum(dim=-1)).clamp(min=1e-6) for each_NK in (of.p_NK, log_q_NK.exp()))
    kept_N = (of.p_NK * (of.p_NK.clamp(min=1e-9).log() - log_q_NK)).sum(dim=-1)
    return (kept_N + p_rest_N * (p_rest_N.log() - q_rest_N.log())).mean()


def with_layers(model: PreTrainedModel, layers: Sequence[nn.Module]) -> PreTrainedModel:
    """The model itself, which then has these layers of its own alone."""
    model.model.layers = nn.ModuleList(layers)
    for i, layer in enumerate(layers):
        attention: Any = layer.self_attn
        attention.layer_idx = i
    model.config.num_hidden_layers = len(layers)
    if getattr(model.config, "layer_types", None):
        model.config.layer_types = model.config.layer_types[: len(layers)]
    return model


def trainable(model: PreTrainedModel, layers: Sequence[nn.Module]) -> list[nn.Parameter]:
    """These layers and the last norm get gradients, in float32, and nothing else does."""
    model.float().requires_grad_(False)
    return [each.requires_grad_() for part in (*layers, model.model.norm) for each in part.parameters()]


def learn(
    trained: Sequence[nn.Parameter], losses: Iterable[Callable[[], Tensor]], steps: int, rate: float, say: Report
) -> None:
    """AdamW: warm-up, then a linear fall to a twentieth of the rate."""
    optimizer = torch.optim.AdamW(trained, lr=rate, weight_decay=0.0)
    for step, loss_of in enumerate(losses):
        optimizer.param_groups[0]["lr"] = rate * min(1, (step + 1) / WARM_UP) * (1 - 0.95 * step / steps)
        loss = loss_of()
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(trained, 1.0)
        optimizer.step()
        say(f"step {step + 1} of {steps}: loss {loss.item():.3f}")


def heal(load: Callable[[], PreTrainedModel], rows: Sequence[list[int]], passes: int, say: Report) -> PreTrainedModel:
    """The small model in bfloat16; `load` gives the whole one anew."""
    whole = load().eval()
    by_length = sorted(rows, key=len)
    batches = [by_length[start : start + BATCH] for start in range(0, len(by_length), BATCH)]
    held_out = [lesson(whole, batch) for batch in batches[::HELD_OUT]]
    lessons = [lesson(whole, batch) for i, batch in enumerate(batches) if i % HELD_OUT]
    upper = load()
    layers = list(upper.model.layers)
    kept = [*layers[FROZEN:FIRST], *layers[-LAST:]]
    with_layers(upper, kept)
    trained = trainable(upper, kept)

    def held_out_loss() -> float:
        with torch.no_grad():
            return sum(float(divergence(upper, each)) for each in held_out) / len(held_out)

    say(f"divergence of held-out texts: {held_out_loss():.3f}")
    steps = passes * len(lessons)
    learn(trained, (partial(divergence, upper, each) for each in _passes(lessons, passes)), steps, RATE, say)
    say(f"divergence of held-out texts: {held_out_loss():.3f}")
    return with_layers(upper, [*layers[:FROZEN], *kept]).bfloat16()


def _passes(lessons: Sequence[Lesson], passes: int) -> Iterator[Lesson]:
    """All of them in a new order, several times."""
    rng, order = random.Random(0), list(lessons)
    for _ in range(passes):
        rng.shuffle(order)
        yield from order
