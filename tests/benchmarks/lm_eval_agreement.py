"""Log-likelihoods against lm-eval's HFLM: one tiny model per kind of tokenizer, prompts that end in every way.

Ours: a Continuation, encoded and answered by the transformers engine. Theirs: `HFLM.loglikelihood` on the same model,
prompt and text, or for a chat on what `HFLM.apply_chat_template` renders. Both in float32. The differences that are
meant have their reasons in docs/lm-eval.md. For a tokenizer that appends an end token, theirs gets one that does not:
with it, HFLM scores the end token and leaves out the continuation's first.

SWARM_LMEVAL names the python of an environment with lm-eval and swarm, if this one has no lm-eval.
"""

import argparse
import logging
import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path

from common import ROOT, Metric, Skip, main, options
from transformers import AutoConfig, AutoTokenizer

from swarm.compositions.weights import Weights
from swarm.core.examples import Message, Prompt
from swarm.core.requests import Continuation, Likelihood
from swarm.engines.encoding import Encoder
from swarm.engines.transformers.engine import TransformersSettings
from swarm.experts.architecture import auto_class
from swarm.experts.catalog import open_catalog

sys.path.append(str(ROOT / "tests"))
from support.tokenizers import KINDS, adding, make_kind, make_pair_kind

INSTALL = "lm-eval is not installed here; set SWARM_LMEVAL to the python of an environment that has it"
TARGET = "<= 0.0001"  # nats: what the order of float32 additions may change
PROMPTS = (
    "Answer:", "Answer: ", "Answer:  ", "Answer:\n", "Answer:\n\n", "two\n\n\n", "def f(x):\n    ", "list:\n- ",
    "def f(x):\n\n        ", "  if x > 10:\n\t", "Où est", "est là ", "首都是", "首都是\n", "首都是\u3000",
    "привет,\t", "<bos>Answer:", "<bos>two\n",
)  # fmt: skip
TEXTS = ("return x", " Paris", "four\n", "\n\nQuestion", "巴黎", "élan", "  two")
CHATS = ((Message("user", "two and two?"),), (Message("system", "Be short."), Message("user", "首都\n\n")))


def ours(base: Path, pairs: Sequence[tuple[Prompt, str]]) -> list[float]:
    """The log-likelihoods of the transformers engine."""
    catalog = open_catalog(base, [])
    engine = TransformersSettings(dtype="float32", device="cpu").open(catalog)
    requests = Encoder.of(base).encode([Continuation(*pair) for pair in pairs])
    (reply,) = engine.answer([Weights(algebra="delta").recipe((), catalog)], requests)
    return [answer.log_likelihood for answer in reply.answers if isinstance(answer, Likelihood)]


def theirs(base: Path, tokenizer: Path, pairs: Sequence[tuple[Prompt, str]]) -> list[float]:
    """The log-likelihoods of HFLM."""
    from lm_eval.api.instance import Instance
    from lm_eval.models.huggingface import HFLM

    logging.getLogger("lm_eval").setLevel(logging.ERROR)
    model = auto_class(AutoConfig.from_pretrained(base)).from_pretrained(base).eval()
    backend = "seq2seq" if model.config.is_encoder_decoder else "causal"
    held = HFLM(pretrained=model, backend=backend, tokenizer=AutoTokenizer.from_pretrained(tokenizer), batch_size=8)
    texts = [
        prompt if isinstance(prompt, str) else held.apply_chat_template([vars(message) for message in prompt])
        for prompt, _ in pairs
    ]
    instances = [
        Instance("loglikelihood", {}, (prompt, text), i)
        for i, (prompt, (_, text)) in enumerate(zip(texts, pairs, strict=True))
    ]
    return [value for value, _ in held.loglikelihood(instances, disable_tqdm=True)]


def run(arguments: argparse.Namespace) -> Iterator[Metric]:
    if find_spec("lm_eval") is None:
        raise Skip(INSTALL)
    prompts: Sequence[Prompt] = (*PROMPTS, *CHATS)
    pairs = [(prompt, text) for prompt in prompts for text in TEXTS]
    yield Metric("lm_eval_agreement", "pairs per tokenizer", len(pairs), "pairs")
    with tempfile.TemporaryDirectory() as folder:
        for name, made in KINDS.items():
            base = make_kind(Path(folder, name), made())
            other = make_kind(Path(folder, "bos-alone"), adding("<bos> $A")) if name == "appends-eos" else base
            found = zip(ours(base, pairs), theirs(base, other, pairs), strict=True)
            worst = max(abs(a - b) for a, b in found)
            yield Metric("lm_eval_agreement", f"{name}: largest difference", worst, "nats", TARGET)
        base = make_pair_kind(Path(folder, "t5"), adding("$A <eos>"))
        texts = [(prompt, text) for prompt, text in pairs if isinstance(prompt, str)]
        worst = max(abs(a - b) for a, b in zip(ours(base, texts), theirs(base, base, texts), strict=True))
        yield Metric("lm_eval_agreement", "encoder-decoder (T5): largest difference", worst, "nats", TARGET)


if __name__ == "__main__":
    other = os.environ.get("SWARM_LMEVAL")
    if find_spec("lm_eval") is None and other and not {"-h", "--help"} & set(sys.argv):
        os.execv(other, [other, *sys.argv])
    main(run, options(__doc__))
