"""The training loop that all zoos share: AdamW on the answer's tokens alone, and LoRA experts made by it.

Shape suffixes: B rows, T tokens, K labelled tokens, V vocabulary.
"""

import json
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from peft import LoraConfig, get_peft_model
from torch import Tensor
from torch.nn.functional import cross_entropy
from transformers import AutoModelForCausalLM, PreTrainedModel, PreTrainedTokenizerBase
from transformers.utils.logging import disable_progress_bar

from swarm.core.examples import Example
from swarm.zoo.base import ExpertRecipe, Progress, Schedule, Site

WARM_UP = 5  # steps
UNLABELLED = -100

Draw = Callable[[random.Random, int], Sequence[Example]]
"""Draws so many training examples."""


@dataclass(frozen=True)
class Batch:
    """Right-padded rows; labels are the answer's tokens and the end token, UNLABELLED elsewhere."""

    ids_BT: Tensor
    mask_BT: Tensor
    labels_BT: Tensor


def encode(tokenizer: PreTrainedTokenizerBase, examples: Sequence[Example]) -> Batch:
    """Prompt and answer are tokenised apart, so that the prompt's tokens are those that a generation starts from."""
    prompts = [tokenizer.encode(example.prompt) for example in examples]
    answers = [[*tokenizer.encode(e.answer, add_special_tokens=False), tokenizer.eos_token_id] for e in examples]
    width = max(len(p) + len(a) for p, a in zip(prompts, answers, strict=True))
    ids_BT = torch.full((len(examples), width), int(tokenizer.pad_token_id))
    mask_BT = torch.zeros_like(ids_BT)
    labels_BT = torch.full_like(ids_BT, UNLABELLED)
    for row, (prompt, answer) in enumerate(zip(prompts, answers, strict=True)):
        start, end = len(prompt), len(prompt) + len(answer)
        ids_BT[row, :end] = torch.tensor(prompt + answer)
        mask_BT[row, :end] = 1
        labels_BT[row, start:end] = torch.tensor(answer)
    return Batch(ids_BT, mask_BT, labels_BT)


def answer_loss(model: PreTrainedModel, batch: Batch) -> Tensor:
    """Mean cross-entropy of the labelled tokens; logits are computed nowhere else, for a vocabulary is wide."""
    hidden_BTD = model.model(input_ids=batch.ids_BT, attention_mask=batch.mask_BT).last_hidden_state
    labels_BT = batch.labels_BT[:, 1:]
    labelled_BT = labels_BT != UNLABELLED
    logits_KV = model.lm_head(hidden_BTD[:, :-1][labelled_BT])
    return cross_entropy(logits_KV.float(), labels_BT[labelled_BT])


def train(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    draw: Draw,
    schedule: Schedule,
    progress: Progress,
    message: str,
) -> None:
    """Train the parameters that want a gradient. bfloat16 autocast where the model is bfloat16."""
    disable_progress_bar()  # the zoo shows its own
    rng = random.Random(schedule.seed)
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=schedule.rate, weight_decay=0.0)
    model.train()
    for step in range(schedule.steps):
        optimizer.param_groups[0]["lr"] = schedule.rate * pace(step, schedule.steps)
        batch = encode(tokenizer, draw(rng, schedule.batch))
        with torch.autocast("cpu", torch.bfloat16, enabled=model.dtype == torch.bfloat16):
            loss = answer_loss(model, batch)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(trained, 1.0)
        optimizer.step()
        progress(f"{message}: step {step + 1}/{schedule.steps}, loss {loss.item():.2f}", (step + 1) / schedule.steps)


def pace(step: int, steps: int) -> float:
    """The share of the peak learning rate: up within WARM_UP steps, then down a line to a tenth."""
    return min(1.0, (step + 1) / WARM_UP) * (1 - 0.9 * step / steps)


def train_expert(
    recipe: ExpertRecipe, site: Site, tokenizer: PreTrainedTokenizerBase, draw: Draw, progress: Progress
) -> None:
    """Train one LoRA expert on the site's base and save it among the site's experts."""
    torch.manual_seed(recipe.schedule.seed)
    base = AutoModelForCausalLM.from_pretrained(site.work / "base", dtype="auto", use_safetensors=True)
    config = LoraConfig(
        task_type="CAUSAL_LM",
        r=recipe.rank,
        lora_alpha=recipe.alpha,
        use_rslora=recipe.rslora,
        target_modules=list(recipe.targets),
    )
    adapted = get_peft_model(base, config)
    train(adapted.get_base_model(), tokenizer, draw, recipe.schedule, progress, recipe.name)
    folder = site.work / "experts" / recipe.name
    adapted.save_pretrained(folder)
    _settle(folder, site.final / "base")


def _settle(folder: Path, base: Path) -> None:
    """Write the base's final place into the adapter's configuration, sets in order, and drop the empty model card."""
    path = folder / "adapter_config.json"
    config = json.loads(path.read_text())
    config["base_model_name_or_path"] = str(base)
    config["target_modules"] = sorted(config["target_modules"])
    path.write_text(json.dumps(config, indent=2, sort_keys=True) + "\n")
    (folder / "README.md").unlink(missing_ok=True)
