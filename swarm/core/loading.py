"""How a delivered model is loaded: the lines to copy, for each form of export."""

import json
from dataclasses import dataclass

from swarm.core.terminal_text import escaped

HF = """\
from transformers import {model}, AutoTokenizer

model = {model}.from_pretrained({folder}, dtype="auto")
tokenizer = AutoTokenizer.from_pretrained({folder})
"""
ADAPTER = """\
from peft import PeftModel
from transformers import {model}, AutoTokenizer

base = {model}.from_pretrained({base}, dtype="float32")
model = PeftModel.from_pretrained(base, {folder}).merge_and_unload()
tokenizer = AutoTokenizer.from_pretrained({base})
"""
MERGEKIT_FILE = "mergekit.yaml"
MERGEKIT = "mergekit-yaml {file} OUT --lora-merge-cache CACHE --lora-merge-dtype float32\n"
RECIPE = """\
import swarm

model = swarm.load({folder})
tokenizer = model.tokenizer
"""


@dataclass(frozen=True)
class Snippet:
    """Lines to copy. language: python or bash."""

    language: str
    code: str


def load_snippet(form: str, folder: str, base: str, encoder_decoder: bool = False) -> Snippet:
    """How to load an export. folder: where it is, as seen from where the lines are run. base: of an adapter."""
    if form in ("hf", "adapter"):
        template = HF if form == "hf" else ADAPTER
        model = "AutoModelForSeq2SeqLM" if encoder_decoder else "AutoModelForCausalLM"
        return Snippet("python", template.format(model=model, folder=python_string(folder), base=python_string(base)))
    if form == "recipe":
        return Snippet("python", RECIPE.format(folder=python_string(folder)))
    return Snippet("bash", MERGEKIT.format(file=MERGEKIT_FILE if folder == "." else f"{folder}/{MERGEKIT_FILE}"))


def python_string(text: str) -> str:
    """A literal that means the text and holds no line break, escape sequence or backtick."""
    return escaped(json.dumps(text, ensure_ascii=False), kept="").replace("`", r"\x60")
