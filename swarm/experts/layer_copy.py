"""A model behind a copy of its own first decoder layer, which starts as an exact identity (CLM, arXiv 2503.04346).

A block adds its branches to what it reads: h + A(h), then + M(h). Where the last map of each branch is zero the block
returns h bit for bit. That map is an output projection (o_proj, down_proj), or the norm behind it where the
architecture has one: behind a norm a projection near zero would be scaled up again.

Shape suffixes: B rows, T tokens.
"""

import copy
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from transformers.pytorch_utils import Conv1D

from swarm.core.errors import ExpertError, first_line

# Names of the linear maps that end a branch, of attention and of the feed-forward part.
OUTPUTS = ("o_proj", "out_proj", "dense", "c_proj", "down_proj", "fc2", "fc_out", "dense_4h_to_h")
# Norms behind both branches. Without the second of a pair, the first is the feed-forward part's input norm (Llama).
CLOSING_NORMS = (
    ("post_attention_layernorm", "post_feedforward_layernorm"),
    ("post_self_attn_layernorm", "post_mlp_layernorm"),
)
PER_LAYER = ("layer_types", "mlp_layer_types", "layers_block_type", "attention_layers", "no_rope_layers")
NUMBERS = ("layer_idx", "layer_number", "layer_id")  # of the place in the cache of keys and values
BRANCHES = 2
PROBE = (5, 3)  # tokens that are read first, and those behind them


def with_control_layer(model: nn.Module, tensors: Mapping[str, Tensor] | None) -> nn.Module:
    """A copy of a causal model of transformers with one more layer in front.

    The copy shares every parameter and buffer with the model; only the new layer has its own, in the model's dtype and
    on the device of the layer it was copied from. tensors: the new layer's, by their names in the layer; None: those of
    the first layer, with the last map of each branch zero, so that all logits are the model's, bit for bit.

    Raises ExpertError where the layer cannot be copied: that it is an identity then is tried, with a cache and without.
    """
    first_layer(model)
    try:
        made = _behind_copy(model)
        same = _same_logits(model, made)
    except (RuntimeError, ValueError, TypeError, LookupError, AttributeError) as error:  # of the model's own code
        raise _cannot(model, first_line(error)) from None
    if not same:
        raise _cannot(model, "with its output projections zero it is no identity")
    if tensors is not None:
        put_tensors(control_layer_of(made), tensors)
    return made


@torch.no_grad()
def put_tensors(layer: nn.Module, tensors: Mapping[str, Tensor]) -> None:
    """Copy tensors into a layer, by their names in it. Each parameter has one."""
    for name, parameter in layer.named_parameters():
        parameter.copy_(tensors[name])


def first_layer(model: nn.Module) -> nn.Module:
    """The first decoder layer of a causal model. Raises ExpertError where it cannot be copied."""
    if model.config.is_encoder_decoder:  # type: ignore[union-attr]
        raise _cannot(model, "it is an encoder-decoder")
    if getattr(model, "is_quantized", False):
        raise _cannot(model, "its weights are codes of a quantisation")
    return _layers(model)[0]


def control_layer_of(made: nn.Module) -> nn.Module:
    """The layer in front, of what `with_control_layer` has made."""
    return _layers(made)[0]


def _layers(model: nn.Module) -> nn.ModuleList:
    """The list of decoder layers."""
    count = getattr(model.config.get_text_config(), "num_hidden_layers", None)  # type: ignore[operator, union-attr]
    lists = [each for each in model.modules() if isinstance(each, nn.ModuleList) and len(each) == count]
    found = [layers for layers in lists if len(_outputs(layers[0])) == BRANCHES and _plain(layers[0])]
    if len(found) != 1:
        raise _cannot(model, "it is no attention and one feed-forward part with known output projections")
    return found[0]


def _plain(layer: nn.Module) -> bool:
    """Whether it has matrices and vectors alone: no stacked experts, no convolutions."""
    return all(parameter.dim() <= 2 for parameter in layer.parameters())


def _outputs(layer: nn.Module) -> list[nn.Module]:
    """The last map of each branch."""
    for names in CLOSING_NORMS:
        norms = [module for name, module in layer.named_children() if name in names]
        if len(norms) == BRANCHES:
            return norms
    linear = [(name, module) for name, module in layer.named_modules() if isinstance(module, nn.Linear | Conv1D)]
    return [module for name, module in linear if name.rpartition(".")[2] in OUTPUTS]


def _behind_copy(model: nn.Module) -> nn.Module:
    shared = {id(each): each for each in (*model.parameters(), *model.buffers())}
    made = copy.deepcopy(model, shared)
    layers = _layers(made)
    configs = {id(module.config): module.config for module in made.modules() if hasattr(module, "config")}
    own = copy.deepcopy(layers[0], dict(configs))
    for module in _outputs(own):
        _silence(module)
    for config in configs.values():
        _lengthen(config)
    layers.insert(0, own)
    for i, layer in enumerate(layers):
        for module in layer.modules():
            for name in NUMBERS:
                if isinstance(getattr(module, name, None), int):
                    setattr(module, name, i)
    return made


@torch.no_grad()
def _silence(module: nn.Module) -> None:
    """Make a map's output zero. Gemma's norms scale by 1 + weight, the others by weight."""
    for value in (0.0, -1.0):
        for name, parameter in module.named_parameters():
            parameter.fill_(0.0 if name == "bias" else value)
        if isinstance(module, nn.Linear | Conv1D):
            return
        weight: Tensor = module.weight  # type: ignore[assignment]
        if not module(torch.ones_like(weight)[None]).any():
            return


def _lengthen(config: object) -> None:
    """One more layer, of the kind of the first."""
    text = config.get_text_config()  # type: ignore[attr-defined]
    for name in PER_LAYER:
        values = getattr(text, name, None)
        if isinstance(values, list | tuple) and len(values) == text.num_hidden_layers:
            setattr(text, name, [values[0], *values])
    text.num_hidden_layers += 1


def _same_logits(model: nn.Module, made: nn.Module) -> bool:
    pairs = zip(_probed(model), _probed(made), strict=True)
    return all(torch.equal(one, other) for one, other in pairs)


@torch.no_grad()
def _probed(model: nn.Module) -> tuple[Tensor, ...]:
    """Logits of a few tokens: in one pass, and in two passes with a cache between them."""
    first = PROBE[0]
    embeddings = model.get_input_embeddings().weight  # type: ignore[operator, union-attr]
    ids_BT = (torch.arange(sum(PROBE), device=embeddings.device)[None] * 7 + 3) % len(embeddings)
    with _evaluating(model):
        whole = model(input_ids=ids_BT, use_cache=False)
        begun = model(input_ids=ids_BT[:, :first], use_cache=True)
        ended = model(input_ids=ids_BT[:, first:], past_key_values=begun.past_key_values, use_cache=True)
    return whole.logits, begun.logits, ended.logits


@contextmanager
def _evaluating(model: nn.Module) -> Iterator[None]:
    """Without dropout, then as it was."""
    before = model.training
    model.eval()
    try:
        yield
    finally:
        model.train(before)


def _cannot(model: nn.Module, reason: str) -> ExpertError:
    return ExpertError(
        f"the first layer of {type(model).__name__} cannot be copied as a control layer: {reason[:160]}; give a base "
        "whose layers are as Llama's, or use an adapter"
    )
