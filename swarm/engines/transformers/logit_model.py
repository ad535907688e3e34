"""A delivered recipe of logits or routing as a model of transformers.

`generate`, its caches and its logits processors work on the combined logits, as if one model had given them.

Shape suffixes: B rows, T columns of a pass, S columns so far, K columns whose logits are asked for, V vocabulary.
"""

import copy
import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from transformers import GenerationMixin, PreTrainedModel, PreTrainedTokenizerBase
from transformers.modeling_outputs import CausalLMOutputWithPast

from swarm.core.errors import ConfigError
from swarm.core.recipe_places import turned
from swarm.core.recipes import Recipe
from swarm.engines.transformers.delivered_paths import CLUSTER, DeliveredPaths
from swarm.engines.transformers.engine import DTYPES
from swarm.engines.transformers.logit_mix import combine
from swarm.engines.transformers.logit_paths import RowMixes
from swarm.engines.transformers.path_caches import PathCaches
from swarm.experts.base_tokenizer import load_tokenizer
from swarm.experts.catalog import Catalog

IGNORED = ("return_dict", "cache_position")  # what callers of `forward` give that changes nothing here


class LogitModel(PreTrainedModel, GenerationMixin):  # type: ignore[misc]
    """The models of a recipe behind one `forward`. Those whose coefficient is 0 in all rows are not run.

    Where one model alone has weight 1, as the base has with neutral coefficients, its logits are returned as they are.
    Routed coefficients of a row are fixed by what it reads first: the prompt of `generate`, or the first pass without
    a cache.

    recipe: what is in use. delivered: what was loaded; `set` does not change it. tokenizer: the base's.
    """

    _supports_sdpa = _supports_flash_attn = _supports_flex_attn = _supports_attention_backend = True
    main_input_name = "input_ids"

    def __init__(self, catalog: Catalog, recipe: Recipe, dtype: torch.dtype, device: str = "auto") -> None:
        """Load the base; the other models are loaded when they are first run. Raises UserError."""
        paths = DeliveredPaths(catalog, dtype, device)
        super().__init__(copy.deepcopy(paths.loaded.model.config))
        self.generation_config = copy.deepcopy(paths.loaded.model.generation_config)
        self.tokenizer: PreTrainedTokenizerBase = load_tokenizer(catalog.base.path)
        self.recipe = self.delivered = recipe
        self._catalog = catalog
        self._rows: list[Recipe] | None = None
        self._fixed: RowMixes | None = None  # of the rows of a `generate`
        self._take(paths)

    def _take(self, paths: DeliveredPaths) -> None:
        """Run these models, with the weights of the recipe that is in use."""
        paths.put(self.recipe)
        self._paths = paths
        self._opened: dict[str, nn.Module] = {}
        self.base = paths.loaded.model.requires_grad_(False)
        self.eval()

    def _apply(self, fn: Callable[..., Tensor], recurse: bool = True) -> "LogitModel":
        """`to`, `cuda`, `half` and their like: all models are opened anew from their files, there and in that dtype.

        So weights are those of `swarm.load` with this device and dtype, bit for bit. Caches of passes before do not
        fit. Raises UserError, and leaves the model as it is, where the base's files are gone or the dtype is not
        supported. The other models are opened when they are next run, so a missing file of theirs is told then.
        """
        probe = torch.empty(0, dtype=self.dtype, device=self.device)
        found = fn(probe)
        if found.dtype != probe.dtype or found.device != probe.device:
            if found.dtype not in DTYPES.values():
                raise ConfigError(f"to: {found.dtype} is not supported; use one of {', '.join(DTYPES)}")
            self._take(DeliveredPaths(self._catalog, found.dtype, str(found.device)))
        return self

    def set(self, coefficients: Mapping[str, float] | None = None, /, **named: float) -> None:
        """Change coefficients of the calls that follow, of all rows; those that are not named stay.

        A name stands for its coefficient on logits, or its scale where the recipe routes; "NAME.weights" for that on
        weights. Raises ConfigError.
        """
        self.recipe, self._rows = turned(self.recipe, {**(coefficients or {}), **named}), None
        self._paths.put(self.recipe)
        for key in [key for key in self._opened if key.startswith(CLUSTER)]:  # other coefficients merge other weights
            del self._opened[key]

    def rows(self, weightings: Sequence[Mapping[str, float]] | None) -> None:
        """Give each row of the next batches coefficients of its own, as changes of those that are set.

        weightings: one per row, each as `set` takes it; None: all rows are alike again. A batch of n times as many
            rows has n rows of each in turn.

        Raises ConfigError.
        """
        if weightings is None:
            self._rows = None
            return
        if not weightings:
            raise ConfigError("rows: no weighting is given; give one for each row of a batch, or None")
        found = [turned(self.recipe, each) for each in weightings]
        if any(each.weights != self.recipe.weights for each in found):
            raise ConfigError("rows: all rows have the same weights; change them with set, and here those on logits")
        self._rows = found

    def forward(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        position_ids: Tensor | None = None,
        past_key_values: PathCaches | None = None,
        use_cache: bool | None = None,
        logits_to_keep: int = 0,
        **given: object,
    ) -> CausalLMOutputWithPast:
        """The combined logits, shape (B, T, V), or (B, K, V) with `logits_to_keep`; arguments as of any causal model.

        past_key_values: what a pass before has returned. Raises ConfigError for arguments that cannot be combined.
        """
        _check(input_ids, past_key_values, given)
        assert input_ids is not None, "checked"
        caches = PathCaches() if past_key_values is None else past_key_values
        mixes = self._mixes(input_ids, attention_mask, caches)
        caches.add(input_ids, position_ids)
        kept = min(logits_to_keep or input_ids.shape[1], input_ids.shape[1])
        keeps = bool(getattr(self.config, "use_cache", True) if use_cache is None else use_cache)
        parts = [self._logits(model, caches, attention_mask, kept, keeps) for model in mixes.models]
        weights_AR = mixes.weights_AQ.repeat_interleave(kept, dim=1)
        flat = combine(
            [part.flatten(0, 1) for part in parts], weights_AR, self._paths.loaded.vocabulary, mixes.combined
        )
        return CausalLMOutputWithPast(
            logits=flat.view(len(input_ids), kept, -1), past_key_values=caches if keeps else None
        )

    @torch.no_grad()
    def generate(self, inputs: Tensor | None = None, **given: Any) -> Any:
        """As of any model of transformers."""
        ids = given.get("input_ids") if inputs is None else inputs
        with self._fixed_by(ids, given):
            return super().generate(inputs, **given)

    def save_pretrained(self, *args: object, **given: object) -> None:
        """Raises ConfigError: several models have no checkpoint."""
        raise ConfigError("this weighting is no one model's weights; keep its recipe (swarm export --format recipe)")

    @classmethod
    def _supports_default_dynamic_cache(cls) -> bool:
        """`generate` brings no cache: the first pass makes one for all models."""
        return False

    @contextmanager
    def _fixed_by(self, ids: Tensor | None, given: Mapping[str, Any]) -> Iterator[None]:
        """Within the context, routed coefficients are those of these prompts, with a cache and without."""
        if self.recipe.routing is not None and ids is not None and given.get("past_key_values") is None:
            self._fixed = self._fresh(ids, self._mask(ids, given))
        try:
            yield
        finally:
            self._fixed = None

    def _mask(self, ids_BT: Tensor, given: Mapping[str, Any]) -> Tensor | None:
        """The attention mask of a `generate`; where none is given, what transformers infers from the padding token."""
        mask_BT: Tensor | None = given.get("attention_mask")
        configs = [each for each in (given.get("generation_config"), self.generation_config) if each is not None]
        pad, ends = (
            next((each for each in (given.get(name), *(getattr(c, name) for c in configs)) if each is not None), None)
            for name in ("pad_token_id", "eos_token_id")
        )
        if mask_BT is not None or pad is None or pad in (ends if isinstance(ends, list) else [ends]):
            return mask_BT
        return ids_BT.ne(pad)

    def _mixes(self, ids_BT: Tensor, mask_BS: Tensor | None, caches: PathCaches) -> RowMixes:
        """The models that take part, and the weight of each in each row."""
        if caches.mixes is not None:
            return caches.mixes
        found = self._fresh(ids_BT, mask_BS) if self._fixed is None else self._fixed
        found = _for_rows(found, len(ids_BT))
        if self.recipe.routing is not None:
            caches.mixes = found
        return found

    def _fresh(self, ids_BT: Tensor, mask_BS: Tensor | None) -> RowMixes:
        recipes = [self.recipe] if self._rows is None else self._rows
        if self.recipe.routing is None:
            return RowMixes.of([self._paths.row_mixes(each, [()])[0] for each in recipes], self.device)
        prompts = _prompts(ids_BT, mask_BS)
        if len(prompts) % len(recipes):
            raise _wrong_rows(len(recipes), len(prompts))
        times = len(prompts) // len(recipes)
        parts = [prompts[i * times : (i + 1) * times] for i in range(len(recipes))]
        mixes = [self._paths.row_mixes(recipe, part) for recipe, part in zip(recipes, parts, strict=True)]
        return RowMixes.of([mix for part in mixes for mix in part], self.device)

    def _logits(self, model: str, caches: PathCaches, mask_BS: Tensor | None, kept: int, keeps: bool) -> Tensor:
        """A model's logits of the last `kept` columns, after it has read all that it has not. Shape (B, K, V)."""
        ids_BT, positions_BT = caches.unread(model)
        given = {"attention_mask": mask_BS, "position_ids": positions_BT, "past_key_values": caches.caches.get(model)}
        module = self._model(model)
        takes = inspect.signature(module.forward).parameters
        if kept < ids_BT.shape[1]:
            given["logits_to_keep"] = kept
        taken = {name: value for name, value in given.items() if name in takes and value is not None}
        out = module(input_ids=ids_BT, use_cache=keeps, **taken)
        if keeps:
            if out.get("past_key_values") is None:
                raise ConfigError(f"{type(module).__name__} keeps no keys and values; give use_cache=False")
            caches.caches[model] = out.past_key_values
        logits_BTV: Tensor = out.logits
        return logits_BTV[:, -kept:]

    def _model(self, key: str) -> nn.Module:
        if key not in self._opened:
            self._opened[key] = self._paths.open(key, self.recipe)
        return self._opened[key]


def _check(input_ids: Tensor | None, cache: object, given: Mapping[str, object]) -> None:
    if input_ids is None:
        raise ConfigError("forward: input_ids is missing; several models have no embeddings in common")
    if cache is not None and not isinstance(cache, PathCaches):
        raise ConfigError(f"past_key_values: a {type(cache).__name__} is of one model; give what a pass has returned")
    for name, value in given.items():
        if name not in IGNORED and value is not None and value is not False:
            raise ConfigError(f"forward: {name} is not combined over several models; leave it out")


def _prompts(ids_BT: Tensor, mask_BS: Tensor | None) -> list[tuple[int, ...]]:
    """The token ids of each row, without padding."""
    if mask_BS is None:
        return [tuple(row) for row in ids_BT.tolist()]
    return [tuple(ids_T[mask_T.bool()].tolist()) for ids_T, mask_T in zip(ids_BT, mask_BS, strict=True)]


def _for_rows(mixes: RowMixes, rows: int) -> RowMixes:
    """The same for a batch of so many rows: one weighting for all, or equally many rows of each in turn."""
    known = mixes.weights_AQ.shape[1]
    if rows % known:
        raise _wrong_rows(known, rows)
    weights_AB = mixes.weights_AQ.repeat_interleave(rows // known, dim=1)
    return RowMixes(mixes.combined, mixes.models, weights_AB)


def _wrong_rows(given: int, rows: int) -> ConfigError:
    return ConfigError(f"rows: {given} weightings are set, and the batch has {rows} rows; give as many prompts")
