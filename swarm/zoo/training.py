"""The training loop of all zoos: AdamW on the tokens of the answer only; and the training of LoRA experts.

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
from swarm.zoo.base import BuildPaths, ExpertRecipe, Progress, Schedule

WARM_UP = 5  # steps
UNLABELLED = -100  # the label of a token that is not trained on

Draw = Callable[[random.Random, int], Sequence[Example]]
"""Draws the given number of training examples."""


@dataclass(frozen=True)
class TrainingBatch:
    """Right-padded rows of token ids.

    ids_BT: prompt, answer and end token.
    mask_BT: 1 for these, 0 for padding.
    labels_BT: the tokens of the answer and the end token, UNLABELLED elsewhere.
    """

    ids_BT: Tensor
    mask_BT: Tensor
    labels_BT: Tensor


def encode(tokenizer: PreTrainedTokenizerBase, examples: Sequence[Example]) -> TrainingBatch:
    """The examples as one batch. Prompt and answer are tokenised separately, so that the prompt is as in generation."""
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
    return TrainingBatch(ids_BT, mask_BT, labels_BT)


def answer_loss(model: PreTrainedModel, batch: TrainingBatch) -> Tensor:
    """Mean cross-entropy of the labelled tokens. Logits are computed for these only: the vocabulary is large."""
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
    """Train the parameters that require a gradient, under bfloat16 autocast where the model is bfloat16."""
    disable_progress_bar()  # the build shows its own
    rng = random.Random(schedule.seed)
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=schedule.rate, weight_decay=0.0)
    model.train()
    for step in range(schedule.steps):
        optimizer.param_groups[0]["lr"] = schedule.rate * rate_share(step, schedule.steps)
        batch = encode(tokenizer, draw(rng, schedule.batch))
        with torch.autocast("cpu", torch.bfloat16, enabled=model.dtype == torch.bfloat16):
            loss = answer_loss(model, batch)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(trained, 1.0)
        optimizer.step()
        progress(f"{message}: step {step + 1}/{schedule.steps}, loss {loss.item():.2f}", (step + 1) / schedule.steps)


def rate_share(step: int, steps: int) -> float:
    """The share of the peak learning rate at a step: warm-up over WARM_UP steps, linear decay to a tenth."""
    return min(1.0, (step + 1) / WARM_UP) * (1 - 0.9 * step / steps)


def train_expert(
    recipe: ExpertRecipe, paths: BuildPaths, tokenizer: PreTrainedTokenizerBase, draw: Draw, progress: Progress
) -> None:
    """Train one LoRA expert from the base in `paths.work` and save it there under `experts/`."""
    torch.manual_seed(recipe.schedule.seed)
    base = AutoModelForCausalLM.from_pretrained(paths.work / "base", dtype="auto", use_safetensors=True)
    config = LoraConfig(
        task_type="CAUSAL_LM",
        r=recipe.rank,
        lora_alpha=recipe.alpha,
        use_rslora=recipe.rslora,
        target_modules=list(recipe.targets),
    )
    adapted = get_peft_model(base, config)
    train(adapted.get_base_model(), tokenizer, draw, recipe.schedule, progress, recipe.name)
    folder = paths.work / "experts" / recipe.name
    adapted.save_pretrained(folder)
    _normalise(folder, paths.final / "base")


def _normalise(folder: Path, base: Path) -> None:
    """Make the saved adapter reproducible: the base's final path, sets in a fixed order, no empty model card."""
    path = folder / "adapter_config.json"
    config = json.loads(path.read_text())
    config["base_model_name_or_path"] = str(base)
    config["target_modules"] = sorted(config["target_modules"])
    path.write_text(json.dumps(config, indent=2, sort_keys=True) + "\n")
    (folder / "README.md").unlink(missing_ok=True)
