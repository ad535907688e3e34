"""The composed expert of a finished run, as Python code holds it."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from swarm.core.errors import RunError
from swarm.journal.summary import Best
from swarm.run.directory import BEST

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

Coefficients = Mapping[str, float | Mapping[str, float]]


@dataclass(frozen=True)
class BestExpert:
    """The composed expert of a finished run, or the baseline that won.

    folder: its run's. summary: its part of summary.json.
    """

    folder: Path
    summary: Best

    @property
    def id(self) -> str:
        """Of the candidate, as in the journal: "17-3", or a baseline's name."""
        return self.summary.id

    @property
    def coefficients(self) -> Coefficients:
        """Expert -> coefficient, or with groups of parameters expert -> group -> coefficient.

        With a router, expert -> scale, and how the router is used: "router.strength", "router.bias.NAME" and the
        others that docs/routing.md lists.
        """
        return {
            name: groups[""] if set(groups) == {""} else dict(groups)
            for name, groups in self.summary.coefficients.items()
        }

    @property
    def scores(self) -> Mapping[str, Mapping[str, float]]:
        """Split (search, select, test) -> objective -> mean score, in the objective's own unit."""
        return {
            split: {name: score.mean for name, score in scores.items()} for split, scores in self.summary.scores.items()
        }

    @property
    def path(self) -> Path:
        """The exported folder, which other tools load."""
        return self.folder / BEST

    def model(self) -> "PreTrainedModel":
        """The composed expert as transformers loads it, on the CPU, in the dtype that was searched. Raises RunError."""
        from swarm.experts.architecture import auto_class
        from swarm.experts.base_tokenizer import load_config as load_model_config

        path = self._whole()
        model: PreTrainedModel = auto_class(load_model_config(path)).from_pretrained(
            path, dtype="auto", local_files_only=True, use_safetensors=True, trust_remote_code=False
        )
        return model.eval()

    def tokenizer(self) -> "PreTrainedTokenizerBase":
        """The base's tokenizer. Raises RunError as `model` does."""
        from swarm.experts.base_tokenizer import load_tokenizer

        return load_tokenizer(self._whole())

    def _whole(self) -> Path:
        if (self.path / "config.json").is_file():
            return self.path
        remedy = "open it with swarm.load, or write one with run.export(DEST) where weights are all"
        raise RunError(f"{self.path} is not a whole model: {remedy}")
