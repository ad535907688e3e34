"""Quotas of curation: what kind each example is of, and how many of each kind may be chosen."""

from collections.abc import Mapping, Sequence
from difflib import get_close_matches

from swarm.core.errors import ConfigError
from swarm.core.examples import Example
from swarm.core.terminal_text import shortened
from swarm.data.curation_settings import Curation, Quota

OWN = ("task", "group")  # fields that an Example keeps


def kinds_of(
    examples: Sequence[Example], quota: Quota | None, kinds: Mapping[str, str] | None, key: str
) -> dict[str, str]:
    """Id -> kind; "" for all without a quota. Raises ConfigError where the data do not say it."""
    if quota is None:
        return {example.id: "" for example in examples}
    given = {e.id: getattr(e, quota.by) for e in examples} if quota.by in OWN else dict(kinds or {})
    found = {example.id: given.get(example.id, "") for example in examples}
    if not any(found.values()):
        raise ConfigError(
            f"{key}.quota.by: no example has {shortened(repr(quota.by))}; name a field of the data, or leave quota out"
        )
    known = sorted({*found.values()} - {""})
    for name in quota.counts if isinstance(quota.counts, dict) else ():
        if name not in known:
            near = get_close_matches(name, known, n=1)
            remedy = f"did you mean {near[0]!r}?" if near else f"known are {shortened(', '.join(known), 200)}"
            raise ConfigError(f"{key}.quota.counts: no example has {quota.by} {shortened(repr(name))}; {remedy}")
    return found


def allotted(sizes: Mapping[str, int], settings: Curation) -> dict[str, int]:
    """How many examples of each kind are chosen. sizes: how many are left of each.

    A kind with too few leaves its places to the others; with counts, to the kinds that have none.
    """
    if settings.quota is None or settings.quota.counts == "equal":
        return _filled(sizes, settings.examples)
    counts = settings.quota.counts
    fixed = {kind: min(counts[kind], size) for kind, size in sizes.items() if kind in counts}
    others = {kind: size for kind, size in sizes.items() if kind not in counts}
    return fixed | _filled(others, settings.examples - sum(fixed.values()))


def _filled(sizes: Mapping[str, int], places: int) -> dict[str, int]:
    """The places dealt evenly, to no kind more than it has."""
    found: dict[str, int] = {}
    for i, (kind, size) in enumerate(sorted(sizes.items(), key=lambda each: (each[1], each[0]))):
        found[kind] = min(size, -(-(places - sum(found.values())) // (len(sizes) - i)))
    return found
