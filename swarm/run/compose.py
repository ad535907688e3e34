"""A composed expert of known coefficients, without a search."""

import math
from collections.abc import Sequence
from pathlib import Path

from swarm.compositions.weights import Weights
from swarm.config.composing import ComposedExperts, composed_experts
from swarm.config.references import find, name_of
from swarm.core.errors import ConfigError
from swarm.core.terminal_text import shortened
from swarm.experts.catalog import ExpertSpec, factors_problem, open_catalog
from swarm.export import Exported

DTYPES = ("float32", "bfloat16", "float16")
ALGEBRAS = ("delta", "factors")


def composed(
    base: str,
    experts: Sequence[str],
    dtype: str = "bfloat16",
    algebra: str = "delta",
    prepare: str = "",
    overrides: Sequence[str] = (),
) -> Exported:
    """What `swarm export` would write of a candidate with these coefficients.

    base: a folder, a hub id or zoo:NAME; paths are relative to the working directory.
    experts: each "PATH=COEFFICIENT".
    dtype: of the composed weights. algebra: as in `composition.algebra`.
    prepare: of all experts, as "ties:density=0.5"; "" for none.
    overrides: what a config's `prepare:` or `experts:` would say, as "experts.0.svd=16".

    Raises ConfigError for what cannot be understood, ExpertError where base or experts do not fit.
    """
    _check_among("--dtype", dtype, DTYPES)
    _check_among("--algebra", algebra, ALGEBRAS)
    here = Path.cwd()
    pairs = [_parsed(text) for text in experts]
    settings = composed_experts(len(pairs), prepare, overrides)
    paths = [find(reference, here, "--expert") for reference, _ in pairs]
    specs = _specs([reference for reference, _ in pairs], paths, settings)
    _check_on_weights(specs)
    catalog = open_catalog(find(base, here, "--base"), specs)
    if algebra == "factors" and (problem := factors_problem(catalog)):
        raise ConfigError(f"--algebra: factors does not work here: {problem}; use --algebra delta")
    composition = Weights.model_validate({"algebra": algebra})
    return Exported(
        catalog=catalog,
        recipe=composition.recipe([coefficient for _, coefficient in pairs], catalog),
        dtype=dtype,
        summary=None,
        config_yaml="",
        candidate_id="",
    )


def _check_on_weights(specs: Sequence[ExpertSpec]) -> None:
    for spec in specs:
        if spec.acts_on_logits:
            raise ConfigError(
                f"--expert: {spec.path} is a control layer, which acts on logits, and compose adds weights; leave it "
                "out, or search with composition.type: control (docs/configuration.md)"
            )


def _specs(references: Sequence[str], paths: Sequence[Path], settings: ComposedExperts) -> list[ExpertSpec]:
    """The experts, unopened. Each under its name, or, where it has none or others have it too, under its path.

    Raises ConfigError.
    """
    for path in paths:
        if paths.count(path) > 1:
            raise ConfigError(f"--expert: {path} is given twice; give it once, with the sum of its coefficients")
    given = [expert.name for expert in settings.experts]
    named = zip(given, references, paths, strict=True)
    names = [name or name_of(reference, path) for name, reference, path in named]
    return [
        ExpertSpec(
            name if given[i] or (name and names.count(name) == 1) else str(path),
            path,
            settings.sparsification(i),
            settings.experts[i].any_base,
        )
        for i, (name, path) in enumerate(zip(names, paths, strict=True))
    ]


def _parsed(text: str) -> tuple[str, float]:
    """The path and the coefficient of PATH=COEFFICIENT."""
    path, equals, written = text.rpartition("=")
    try:
        coefficient = float(written) if equals and path else math.nan
    except ValueError:
        coefficient = math.nan
    if not math.isfinite(coefficient):
        raise ConfigError(
            f"--expert: {shortened(text)} is not PATH=COEFFICIENT; write a number, as in adapters/maths=0.6"
        )
    return path, coefficient


def _check_among(option: str, value: str, known: Sequence[str]) -> None:
    if value not in known:
        raise ConfigError(f"{option}: {shortened(value)} is unknown; use one of {', '.join(known)}")
