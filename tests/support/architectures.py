"""Tiny models of many architectures with random, untied weights, and checks of the engine against each model alone.

Windows and chunks are 32 tokens, so that prompts of 40 tokens and more reach beyond them. The oracles are transformers'
own forward pass and `generate`, one prompt at a time, and PEFT's merge.
"""

import random
import re
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
import transformers
from peft import LoraConfig, PeftModel, get_peft_model
from torch import nn
from transformers import AutoConfig, PreTrainedModel

from support.models import ATTENTION, VOCABULARY, make_tokenizer
from swarm.core.errors import UserError
from swarm.core.recipes import Group, Recipe, WeightRecipe
from swarm.core.requests import Continuation, Generation, Likelihood, Request, Text
from swarm.engines import Encoder
from swarm.engines.encoding import Requests
from swarm.engines.transformers.engine import TransformersEngine, TransformersSettings
from swarm.experts.architecture import auto_class
from swarm.experts.catalog import Catalog, ExpertSpec, open_catalog
from swarm.export import Exported, export

WINDOW = 32
PREFIX = 40  # characters, which are tokens, that prompts share
TOLERANCE = 2e-3  # nats of a continuation, float32
NAMES = ("one", "two")
SMALL: Mapping[str, Any] = {
    "vocab_size": VOCABULARY,
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 4,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 8,
    "max_position_embeddings": 256,
    "tie_word_embeddings": False,
    "pad_token_id": 256,
    "bos_token_id": 257,
    "eos_token_id": 258,
}
SWA: Mapping[str, Any] = {"sliding_window": WINDOW}
MIXED: Mapping[str, Any] = {**SWA, "layer_types": ["sliding_attention", "full_attention"] * 2}
EXPERTS: Mapping[str, Any] = {
    "num_experts": 4,
    "num_local_experts": 4,
    "num_experts_per_tok": 2,
    "moe_intermediate_size": 32,
    "shared_expert_intermediate_size": 32,
}
LATENT: Mapping[str, Any] = {
    "q_lora_rank": 16,
    "kv_lora_rank": 16,
    "qk_rope_head_dim": 8,
    "qk_nope_head_dim": 8,
    "v_head_dim": 8,
    "head_dim": 8,
    "num_key_value_heads": 4,
    "n_routed_experts": 4,
    "n_shared_experts": 1,
    "n_group": 1,
    "topk_group": 1,
    "num_experts_per_tok": 2,
    "moe_intermediate_size": 32,
    "first_k_dense_replace": 1,
}
SSM: Mapping[str, Any] = {"state_size": 8, "num_heads": 8, "head_dim": 8, "n_groups": 1, "expand": 2, "chunk_size": 16}
LINEAR: Mapping[str, Any] = {
    "linear_num_value_heads": 4,
    "linear_num_key_heads": 2,
    "linear_key_head_dim": 8,
    "linear_value_head_dim": 8,
    "layer_types": ["linear_attention", "full_attention"] * 2,
}
LONGROPE: Mapping[str, Any] = {
    "original_max_position_embeddings": 48,
    "rope_parameters": {
        "rope_type": "longrope",
        "rope_theta": 10000.0,
        "partial_rotary_factor": 1.0,
        "original_max_position_embeddings": 48,
        "short_factor": [1.0] * 4,
        "long_factor": [4.0, 8.0, 2.0, 16.0],
    },
}
NO_DECODER: Mapping[str, Any] = dict.fromkeys(
    ("hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads", "num_key_value_heads", "head_dim")
)
T5: Mapping[str, Any] = {
    **NO_DECODER,
    "max_position_embeddings": None,
    "decoder_start_token_id": 256,
    "d_model": 32,
    "d_kv": 8,
    "d_ff": 64,
    "num_layers": 2,
    "num_heads": 4,
    "relative_attention_num_buckets": 8,
    "relative_attention_max_distance": 32,
}
BART: Mapping[str, Any] = {
    **NO_DECODER,
    "decoder_start_token_id": 258,
    "forced_eos_token_id": 258,
    "d_model": 32,
    "encoder_layers": 2,
    "decoder_layers": 2,
    "encoder_attention_heads": 4,
    "decoder_attention_heads": 4,
    "encoder_ffn_dim": 64,
    "decoder_ffn_dim": 64,
}
GENERATION = ("forced_bos_token_id", "bad_words_ids")  # what belongs into generation_config.json
TIED: Mapping[str, Any] = {"tie_word_embeddings": True}
GPT: Mapping[str, Any] = {"n_embd": 32, "n_layer": 4, "n_head": 4, "n_positions": 256, "n_inner": 64}


@dataclass(frozen=True, eq=False)
class Architecture:
    """One kind of model. config: the name of its config class. settings: what replaces SMALL."""

    name: str
    kind: str
    config: str
    settings: Mapping[str, Any]

    def build(self, folder: Path) -> Path:
        """Save a base with random weights and a tokenizer of one token a byte."""
        torch.manual_seed(0)
        settings = {**SMALL, **self.settings}
        given = {key: value for key, value in settings.items() if value is not None and key not in GENERATION}
        config = getattr(transformers, self.config)(**given)
        model = auto_class(config).from_config(config, dtype=torch.float32)
        if not settings["tie_word_embeddings"]:
            head = model.get_output_embeddings()
            head.weight = nn.Parameter(head.weight.detach().clone())  # T5's config cannot say that they are untied
        for key in GENERATION:
            setattr(model.generation_config, key, settings.get(key))
        _randomise(model)
        model.save_pretrained(folder)
        make_tokenizer().save_pretrained(folder)
        return folder


def _a(name: str, kind: str, config: str, *settings: Mapping[str, Any], **more: Any) -> Architecture:
    merged: dict[str, Any] = {}
    for each in settings:
        merged |= each
    return Architecture(name, kind, config, merged | more)


ARCHITECTURES = (
    _a("llama", "plain", "LlamaConfig"),
    _a("qwen2", "plain", "Qwen2Config"),
    _a("qwen3", "plain", "Qwen3Config"),
    _a("gemma", "plain", "GemmaConfig"),
    _a("phi", "plain", "PhiConfig"),
    _a("olmo", "plain", "OlmoConfig"),
    _a("olmo2", "plain", "Olmo2Config"),
    _a("granite", "plain", "GraniteConfig"),
    _a("cohere", "plain", "CohereConfig"),
    _a("glm", "plain", "GlmConfig"),
    _a("glm4", "plain", "Glm4Config"),
    _a("stablelm", "plain", "StableLmConfig"),
    _a("smollm3", "plain", "SmolLM3Config"),
    _a("helium", "plain", "HeliumConfig"),
    _a("nemotron", "plain", "NemotronConfig"),
    _a("apertus", "plain", "ApertusConfig"),
    _a("arcee", "plain", "ArceeConfig"),
    _a("gpt2", "plain", "GPT2Config", GPT),
    _a("gpt_bigcode", "plain", "GPTBigCodeConfig", GPT),
    _a("gptj", "plain", "GPTJConfig", GPT, rotary_dim=4),
    _a("codegen", "plain", "CodeGenConfig", GPT, rotary_dim=4),
    _a("gpt_neox", "plain", "GPTNeoXConfig"),
    _a("opt", "plain", "OPTConfig", ffn_dim=64, word_embed_proj_dim=32),
    _a("xglm", "plain", "XGLMConfig", d_model=32, num_layers=4, attention_heads=4, ffn_dim=64),
    _a("biogpt", "plain", "BioGptConfig"),
    _a("bloom", "position bias", "BloomConfig", n_layer=4, n_head=4),
    _a("mpt", "position bias", "MptConfig", d_model=32, n_heads=4, n_layers=4, max_seq_len=256),
    _a("falcon", "position bias", "FalconConfig", alibi=True, head_dim=None),
    _a("deepseek_v2", "latent attention", "DeepseekV2Config", LATENT),
    _a("deepseek_v3", "latent attention", "DeepseekV3Config", LATENT),
    _a("minicpm3", "latent attention", "MiniCPM3Config", LATENT),
    _a("mixtral", "mixture of experts", "MixtralConfig", EXPERTS),
    _a("qwen2_moe", "mixture of experts", "Qwen2MoeConfig", EXPERTS),
    _a("qwen3_moe", "mixture of experts", "Qwen3MoeConfig", EXPERTS),
    _a("olmoe", "mixture of experts", "OlmoeConfig", EXPERTS),
    _a("granitemoe", "mixture of experts", "GraniteMoeConfig", EXPERTS),
    _a("mistral", "sliding window", "MistralConfig", SWA),
    _a("qwen2_sliding", "sliding window", "Qwen2Config", SWA, use_sliding_window=True, max_window_layers=2),
    _a("phi3", "sliding window", "Phi3Config", SWA),
    _a("gemma2", "sliding window", "Gemma2Config", MIXED),
    _a("gemma3", "sliding window", "Gemma3TextConfig", MIXED),
    _a("olmo3", "sliding window", "Olmo3Config", MIXED),
    _a("cohere2", "sliding window", "Cohere2Config", MIXED),
    _a("exaone4", "sliding window", "Exaone4Config", MIXED),
    _a("ministral", "sliding window", "MinistralConfig", MIXED),
    _a("gpt_oss", "sliding window", "GptOssConfig", MIXED, EXPERTS),
    _a("starcoder2", "sliding window", "Starcoder2Config", SWA),
    _a("gpt_neo", "sliding window", "GPTNeoConfig", num_layers=4, num_heads=4, window_size=WINDOW,
       attention_types=[[["global", "local"], 2]]),
    _a("llama4", "chunks", "Llama4TextConfig", EXPERTS, attention_chunk_size=WINDOW, intermediate_size_mlp=64,
       layer_types=["chunked_attention", "full_attention"] * 2, no_rope_layers=[1, 0, 1, 0], moe_layers=[1, 3]),
    _a("phi3_longrope", "long rope", "Phi3Config", LONGROPE),
    _a("llama_dynamic", "long rope", "LlamaConfig", max_position_embeddings=256,
       rope_parameters={"rope_type": "dynamic", "rope_theta": 10000.0, "factor": 2.0,
                        "original_max_position_embeddings": 48}),
    _a("gemma3n", "shared keys", "Gemma3nTextConfig", MIXED, num_kv_shared_layers=2, laurel_rank=4,
       hidden_size_per_layer_input=8, vocab_size_per_layer_input=VOCABULARY, activation_sparsity_pattern=[0.0] * 4,
       layer_types=["sliding_attention", "full_attention"] * 2),
    _a("gemma4", "shared keys", "Gemma4TextConfig", MIXED, num_kv_shared_layers=2, hidden_size_per_layer_input=8,
       vocab_size_per_layer_input=VOCABULARY, global_head_dim=8),
    _a("mamba", "recurrent", "MambaConfig", state_size=8),
    _a("mamba2", "recurrent", "Mamba2Config", SSM),
    _a("falcon_mamba", "recurrent", "FalconMambaConfig", state_size=8),
    _a("rwkv", "recurrent", "RwkvConfig", attention_hidden_size=32, context_length=256),
    _a("recurrent_gemma", "hybrid", "RecurrentGemmaConfig", attention_window_size=WINDOW, lru_width=32),
    _a("lfm2", "hybrid", "Lfm2Config", layer_types=["conv", "full_attention"] * 2, block_multiple_of=8),
    _a("falcon_h1", "hybrid", "FalconH1Config", mamba_d_ssm=64, mamba_n_heads=8, mamba_d_head=8, mamba_d_state=8,
       mamba_n_groups=1, mamba_chunk_size=16),
    _a("granitemoehybrid", "hybrid", "GraniteMoeHybridConfig", EXPERTS, mamba_n_heads=8, mamba_d_head=8,
       mamba_d_state=8, mamba_n_groups=1, mamba_chunk_size=16, layer_types=["mamba", "attention"] * 2),
    _a("bamba", "hybrid", "BambaConfig", mamba_n_heads=8, mamba_d_head=8, mamba_d_state=8, mamba_n_groups=1,
       mamba_chunk_size=16, attn_layer_indices=[1, 3]),
    _a("jamba", "hybrid", "JambaConfig", EXPERTS, attn_layer_period=2, attn_layer_offset=1, mamba_d_state=8,
       use_mamba_kernels=False),
    _a("qwen3_next", "hybrid", "Qwen3NextConfig", EXPERTS, LINEAR),
    _a("qwen3_5", "hybrid", "Qwen3_5TextConfig", LINEAR),
    _a("minimax", "hybrid", "MiniMaxConfig", EXPERTS, block_size=16,
       layer_types=["linear_attention", "full_attention"] * 2),
    _a("zamba2", "hybrid", "Zamba2Config", mamba_d_state=8, n_mamba_heads=8, mamba_ngroups=1, mamba_headdim=8,
       num_mem_blocks=1, layers_block_type=["mamba", "hybrid"] * 2, chunk_size=16, use_mamba_kernels=False),
    _a("t5", "encoder-decoder", "T5Config", T5, feed_forward_proj="gated-gelu"),
    _a("t5_tied", "encoder-decoder", "T5Config", T5, TIED),
    _a("mt5", "encoder-decoder", "MT5Config", T5, feed_forward_proj="gated-gelu"),
    _a("umt5", "encoder-decoder", "UMT5Config", T5, TIED),
    _a("longt5", "encoder-decoder", "LongT5Config", T5, TIED, local_radius=8),
    _a("bart", "encoder-decoder", "BartConfig", BART),
    _a("bart_tied", "encoder-decoder", "BartConfig", BART, TIED),
    _a("mbart", "encoder-decoder", "MBartConfig", BART, forced_bos_token_id=65),
    _a("pegasus", "encoder-decoder", "PegasusConfig", BART, TIED),
    _a("pegasus_x", "encoder-decoder", "PegasusXConfig", BART, TIED, block_size=16),
    _a("marian", "encoder-decoder", "MarianConfig", BART, TIED, decoder_start_token_id=256, bad_words_ids=[[256]]),
    _a("m2m_100", "encoder-decoder", "M2M100Config", BART, TIED),
    _a("blenderbot", "encoder-decoder", "BlenderbotConfig", BART, TIED),
    _a("led", "encoder-decoder", "LEDConfig", BART, TIED, attention_window=8, max_encoder_position_embeddings=256,
       max_decoder_position_embeddings=256),
    _a("switch_transformers", "encoder-decoder", "SwitchTransformersConfig", T5, TIED, num_experts=2),
    _a("bert", "not causal", "BertConfig"),
)  # fmt: skip
ONE_OF_EACH = ("llama", "mistral", "llama4", "mamba", "lfm2", "gemma3n")


@torch.no_grad()
def _randomise(model: nn.Module) -> None:
    """Weights large enough that attention looks somewhere; norms stay near what they are."""
    for name, parameter in model.named_parameters():
        if parameter.dim() >= 2 and "conv" not in name:
            parameter.normal_(0.0, 0.3 if "embed" in name or "wte" in name else 0.15)
        elif parameter.dim() == 1:
            parameter.add_(0.02 * torch.randn_like(parameter))


def make_adapter(folder: Path, base: Path, seed: int, layer: int | None = None) -> Path:
    """LoRA factors of noise on the linear layers; on those of one layer alone where its index is given."""
    torch.manual_seed(seed)
    model = load(base)
    head = model.get_output_embeddings()
    linear = (nn.Linear, transformers.pytorch_utils.Conv1D)
    # PEFT leaves the projections of Mamba layers alone whose weights a kernel reads without calling them.
    kernels = ("out_proj", "conv1d") if "mamba" in repr(model.config).lower() else ()
    names = [
        name
        for name, module in model.named_modules()
        if isinstance(module, linear) and module is not head and not name.endswith(kernels)
    ]
    if any(parameter.dim() == 3 and "experts" in name for name, parameter in model.named_parameters()):
        # PEFT adapts fused experts under the names of linear layers, which is refused: such adapters leave them alone.
        names = [name for name in names if name.endswith(ATTENTION)]
    if layer is not None:
        names = [name for name in names if f".{layer}." in name]
    with warnings.catch_warnings(action="ignore"):
        adapted = get_peft_model(model, LoraConfig(task_type=_task(model), r=4, lora_alpha=8, target_modules=names))
        with torch.no_grad():
            for name, parameter in adapted.named_parameters():
                if "lora_" in name:
                    parameter.normal_(0.0, 0.1)
        adapted.save_pretrained(folder)
    return folder


def load(folder: Path) -> PreTrainedModel:
    """The model in a folder, in float32."""
    found: PreTrainedModel = auto_class(AutoConfig.from_pretrained(folder)).from_pretrained(folder, dtype=torch.float32)
    return found.eval()


def _task(model: PreTrainedModel) -> str:
    return "SEQ_2_SEQ_LM" if model.config.is_encoder_decoder else "CAUSAL_LM"


def prompts(count: int = 6, seed: int = 0) -> list[str]:
    """Prompts with a common start, beyond the window, and tails of 3 to 41 tokens."""
    rng = random.Random(seed)
    letters = "abcdefghijklmnopqrstuvwxyz ABCDEFGHIJKLMNOPQRSTUVWXYZ.,;"
    start = "".join(rng.choices(letters, k=PREFIX))
    return [start + "".join(rng.choices(letters, k=3 + 38 * i // max(1, count - 1))) for i in range(count)]


def continuations(count: int = 6) -> list[Request]:
    """Two continuations for each prompt, and for some that are shorter than a window."""
    texts = [*prompts(count), *(prompt[-9 - i :] for i, prompt in enumerate(prompts(3, seed=1)))]
    return [Continuation(text, end) for text in texts for end in (" yes", " no, never")]


@torch.no_grad()
def alone(model: nn.Module, item: Any, new_tokens: int = 8) -> list[int] | float:
    """What the model itself writes or how likely it finds the continuation: one sequence, no padding, nothing kept."""
    if isinstance(item.request, Generation):
        ids = torch.tensor([item.prompt])
        written = model.generate(
            ids, attention_mask=ids * 0 + 1, do_sample=False, num_beams=1, max_new_tokens=new_tokens, pad_token_id=0
        )
        return [int(token) for token in written[0, 1 if model.config.is_encoder_decoder else len(item.prompt) :]]
    if model.config.is_encoder_decoder:
        return _alone_as_labels(model, item)
    _short_pass(model)
    logits = model(torch.tensor([item.prompt + item.continuation]), use_cache=False).logits[0].log_softmax(-1)
    start = len(item.prompt) - 1
    return sum(float(logits[start + i, token]) for i, token in enumerate(item.continuation))


def _alone_as_labels(model: nn.Module, item: Any) -> float:
    """As lm-eval asks encoder-decoders; mBART takes the last label for the language, so there the start is given."""
    ids, labels = torch.tensor([item.prompt]), torch.tensor([item.continuation])
    generation = model.generation_config
    given = {"labels": labels}
    if model.config.model_type == "mbart":
        start = torch.tensor([[generation.decoder_start_token_id, generation.forced_bos_token_id]])
        given = {"decoder_input_ids": torch.cat([start, labels[:, :-1]], dim=1)}
    logits = model(ids, attention_mask=ids * 0 + 1, **given).logits[0, -len(item.continuation) :]
    return float(logits.log_softmax(-1).gather(1, labels.T).sum())


def _short_pass(model: nn.Module) -> None:
    """Dynamic rotary frequencies remember the longest sequence until a short one comes."""
    model(torch.zeros(1, 1, dtype=torch.long), use_cache=False)


class WrongError(AssertionError):
    """The engine's answer is not the model's own."""


@dataclass(frozen=True)
class Bed:
    """A tiny base, two adapters of all linear layers and two of the last layer's, made when they are needed."""

    folder: Path
    _merged: dict[Path, nn.Module] = field(default_factory=dict)

    @property
    def base(self) -> Path:
        return self.folder / "base"

    def adapter(self, name: str, layer: int | None = None) -> Path:
        path = self.folder / (name if layer is None else f"{name}-{layer}")
        if not path.exists():
            make_adapter(path, self.base, seed=NAMES.index(name), layer=layer)
        return path

    def model(self) -> PreTrainedModel:
        return load(self.base)

    def merged(self, name: str, layer: int | None = None) -> nn.Module:
        """PEFT's merge."""
        path = self.adapter(name, layer)
        if path not in self._merged:
            with warnings.catch_warnings(action="ignore"):
                self._merged[path] = PeftModel.from_pretrained(self.model(), path).merge_and_unload().eval()
        return self._merged[path]

    def catalog(self, layer: int | None = None) -> Catalog:
        return open_catalog(self.base, [ExpertSpec(name, self.adapter(name, layer)) for name in NAMES])

    def encoded(self, requests: Sequence[Request]) -> Requests:
        return Encoder.of(self.base).encode(requests)


def opened(catalog: Catalog, method: str = "merged") -> TransformersEngine:
    return TransformersSettings(dtype="float32", device="cpu", method=method).open(catalog)  # type: ignore[arg-type]


def one_hot(name: str | None) -> Recipe:
    values = {each: (float(each == name),) for each in NAMES}
    return Recipe(WeightRecipe("delta", (Group("all", ("*",)),), values))


def scores(engine: TransformersEngine, recipes: Sequence[Recipe], asked: Requests) -> list[list[float]]:
    replies = engine.answer(recipes, asked)
    return [[a.log_likelihood for a in reply.answers if isinstance(a, Likelihood)] for reply in replies]


def _compare(found: Sequence[float], model: nn.Module, asked: Requests, what: str = "") -> None:
    expected = [alone(model, item) for item in asked.items]
    worst = max(abs(one - float(other)) for one, other in zip(found, expected, strict=True))  # type: ignore[arg-type]
    if not worst <= TOLERANCE:
        raise WrongError(f"{what}{worst:.2g} nats off")


def check_score(bed: Bed) -> str:
    """Log-likelihoods of the base against its own passes."""
    asked = bed.encoded(continuations())
    _compare(scores(opened(open_catalog(bed.base, [])), [one_hot(None)], asked)[0], bed.model(), asked)
    return "ok"


def check_generate(bed: Bed) -> str:
    """Greedy texts behind a shared prefix, with unequal tails, beyond the window."""
    asked = bed.encoded([Generation(prompt, 8) for prompt in prompts(12)])
    (reply,) = opened(open_catalog(bed.base, [])).answer([one_hot(None)], asked)
    tokenizer, model = Encoder.of(bed.base).tokenizer, bed.model()
    expected = [tokenizer.decode(alone(model, item), skip_special_tokens=True) for item in asked.items]  # type: ignore[arg-type]
    found = [answer.text for answer in reply.answers if isinstance(answer, Text)]
    right = sum(one == other for one, other in zip(found, expected, strict=True))
    if right < len(expected):
        raise WrongError(f"{right} of {len(expected)} texts")
    return "ok"


def check_kept(bed: Bed) -> str:
    """Candidates that change the last layer alone, one after another, on the same batches."""
    layer = bed.model().config.get_text_config().num_hidden_layers - 1
    asked = bed.encoded(continuations(3))
    engine = opened(bed.catalog(layer))
    for name in ("one", "two", "one"):
        model = bed.merged(name, layer)
        _compare(scores(engine, [one_hot(name)], asked)[0], model, asked, f"{name}: ")
    return "ok" if engine._forward._frozen_layers.depth else "ok, computed again"


def check_merged(bed: Bed) -> str:
    """One-hot recipes against PEFT's merge: the weights bit for bit, the log-likelihoods."""
    asked = bed.encoded(continuations(3))
    engine = opened(bed.catalog())
    for name in NAMES:
        model = bed.merged(name)
        _compare(scores(engine, [one_hot(name)], asked)[0], model, asked)
        live = dict(engine._model.named_parameters())
        if not all(torch.equal(live[each], tensor) for each, tensor in model.named_parameters()):
            raise WrongError("other weights than PEFT's")
    return "ok"


def check_stacked(bed: Bed) -> str:
    """Two recipes and the base in one batch, each against its own model."""
    asked = bed.encoded(continuations(3))
    engine = opened(bed.catalog(), "stacked")
    joined = engine.joins([one_hot("one")], asked)
    recipes = [one_hot("one"), one_hot(None), one_hot("two")]
    models = [bed.merged("one"), bed.model(), bed.merged("two")]
    for found, model in zip(scores(engine, recipes, asked), models, strict=True):
        _compare(found, model, asked)
    return "ok" if joined else "ok, merged"


def check_export(bed: Bed) -> str:
    """A checkpoint as transformers loads it again, against PEFT's merge."""
    asked = bed.encoded(continuations(3))
    export(Exported(bed.catalog(), one_hot("one"), "float32", None, "", "1-1"), bed.folder / "out", "hf")
    found = load(bed.folder / "out")
    _compare([float(alone(found, item)) for item in asked.items], bed.merged("one"), asked)  # type: ignore[arg-type]
    return "ok"


CHECKS: Mapping[str, Callable[[Bed], str]] = {
    "score": check_score,
    "generate": check_generate,
    "kept layers": check_kept,
    "merged": check_merged,
    "stacked": check_stacked,
    "export": check_export,
}


def cell(check: Callable[[Bed], str], bed: Bed) -> str:
    """The outcome in words: ok, refused: ..., WRONG: ... or CRASH: ..."""
    try:
        return check(bed)
    except UserError as error:
        reason = re.sub(r"^base \S+ \(\w+\): ", "", str(error)).partition(";")[0]
        return f"refused: {reason.replace(str(bed.folder), '...')}"
    except WrongError as error:
        return f"WRONG: {error}"
    except Exception as error:
        return f"CRASH: {type(error).__name__}: {(str(error).splitlines() or [''])[0][:100]}"
