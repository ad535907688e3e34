"""A recipe as a model of transformers with its tokenizer: one model where weights are all, else several behind one."""

from torch import nn
from transformers import PreTrainedModel

from swarm.core.recipe_places import is_plain, on_weights
from swarm.core.recipes import Recipe
from swarm.engines.transformers.dial_model import DialModel
from swarm.engines.transformers.engine import DTYPES
from swarm.engines.transformers.logit_model import LogitModel
from swarm.experts.catalog import Catalog


def delivered_model(catalog: Catalog, recipe: Recipe, dtype: str, device: str) -> PreTrainedModel:
    """The model in evaluation mode, without gradients, with the attribute `tokenizer`.

    dtype: one of the engine's names, of the composed weights. A recipe of logits gives a LogitModel even where its
    coefficients are all 0, as they can be set. Raises UserError.
    """
    precision = {str(name): each for name, each in DTYPES.items()}[dtype]
    if recipe.logits is not None or not is_plain(recipe):
        return LogitModel(catalog, recipe, precision, device)
    live = DialModel(catalog, precision, device, "stacked" if catalog.base.codes and catalog.experts else "merged")
    live.put([on_weights(recipe)])
    made: nn.Module = live.model
    made.tokenizer = live.tokenizer  # type: ignore[assignment]
    return made
