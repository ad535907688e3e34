"""A recipe as one LoRA adapter that vLLM serves: which recipes can be served so, and the adapter's files."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from safetensors.torch import save_file

from swarm.core.files import write_json
from swarm.core.recipes import Recipe
from swarm.experts.catalog import Catalog
from swarm.experts.composed_adapter import coefficients_in_use, composed_adapter
from swarm.experts.expert import HEADS, Expert
from swarm.experts.lora import Adapter

ALLOWED = (1, 8, 16, 32, 64, 128, 256, 320, 512)  # ranks that vLLM has kernels for
# The keys of adapter_config.json that vLLM needs. It ignores rank_pattern, so r is the largest rank of a module.
READ = ("peft_type", "r", "lora_alpha", "bias", "target_modules")


@dataclass(frozen=True)
class Ranks:
    """The ranks of experts that are all plain adapters of linear layers other than the head.

    known: parameter -> expert -> rank, of the experts that change the parameter.
    """

    known: Mapping[str, Mapping[str, int]]

    @classmethod
    def of(cls, catalog: Catalog) -> "Ranks | None":
        """None where there are no experts, or one is not such an adapter."""
        if not catalog.experts or not all(_servable(expert) for expert in catalog.experts):
            return None
        return cls({name: _ranks(catalog, name) for name in catalog.parameters()})

    @property
    def allowed(self) -> int:
        """The largest rank that a server is started with: enough for all experts side by side, or the most there is."""
        largest = max(sum(ranks.values()) for ranks in self.known.values())
        return next((rank for rank in ALLOWED if rank >= largest), ALLOWED[-1])

    @property
    def modules(self) -> tuple[str, ...]:
        """The last part of the names of modules that are adapted: q_proj, down_proj."""
        return tuple(sorted({parameter.split(".")[-2] for parameter in self.known}))

    def admit(self, recipe: Recipe) -> bool:
        """True where the recipe is not the base itself and its adapter's rank is allowed."""
        return 0 < max(self._rank(recipe, parameter) for parameter in self.known) <= self.allowed

    def _rank(self, recipe: Recipe, parameter: str) -> int:
        known = self.known[parameter]
        ranks = [known[name] for name in coefficients_in_use(recipe, parameter) if name in known]
        return sum(ranks) if recipe.weights.algebra == "delta" else max(ranks, default=0)


def write_composed(catalog: Catalog, recipe: Recipe, folder: Path) -> None:
    """Write the adapter of a recipe that `Ranks` admit into a new folder, factors in float32."""
    adapter = composed_adapter(catalog, recipe)
    folder.mkdir()
    save_file(adapter.tensors(), folder / "adapter_model.safetensors", {"format": "pt"})
    config = adapter.config(str(catalog.base.path), max(adapter.ranks))
    write_json(folder / "adapter_config.json", {key: config[key] for key in READ})


def _servable(expert: Expert) -> bool:
    if not expert.is_plain_adapter or not isinstance(expert.source, Adapter):
        return False
    factors = expert.source.factors.items()
    return not any(each.transposed or each.part or name.endswith(HEADS) for name, each in factors)


def _ranks(catalog: Catalog, parameter: str) -> dict[str, int]:
    owners = [expert for expert in catalog.experts if parameter in expert.source.parameters()]
    return {expert.name: rank for expert in owners if (rank := expert.rank(parameter)) is not None}
