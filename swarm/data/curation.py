"""Curation: at most so many examples of a file, chosen for training, with an account of every example.

Examples are looked at in an order that a hash of seed and content decides, so the choice does not depend on the order
of the lines. The filters come first: length, script, style, splits, duplicates; then quotas and the choice itself.
"""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial

from swarm.core.errors import ConfigError
from swarm.core.examples import Example
from swarm.data.curation_filters import (
    Count,
    LeftOut,
    by_length,
    by_script,
    by_style,
    in_splits,
    nearly_repeated,
    repeated,
)
from swarm.data.curation_settings import Curation
from swarm.data.diversity import Embed, embedded, farthest_first
from swarm.data.duplicates import answer_text, question_text
from swarm.data.quotas import allotted, kinds_of
from swarm.data.stratified import shuffled

DIGITS = 4  # of distances and similarities in a manifest


@dataclass(frozen=True)
class Entry:
    """What became of one example.

    id, where: its id and its place in the data.
    kept: whether it was chosen.
    rank: its place among the chosen ones, from 1; None for others.
    reason: why it was left out, or how it was chosen.
    value: what decided: a length, a share, a distance, a text.
    detail: what the value was compared with.
    kind: its kind, where there is a quota; "" where there is none.
    """

    id: str
    where: str
    kept: bool
    rank: int | None
    reason: str
    value: float | str | None
    detail: str
    kind: str = ""

    def content(self) -> dict[str, object]:
        """The entry as a line of a manifest holds it."""
        return {key: value for key, value in asdict(self).items() if value not in (None, "")}


@dataclass(frozen=True)
class Curated:
    """The choice.

    examples: the chosen ones, in the order of their ranks.
    manifest: an entry of every example, in the order of the data.
    """

    examples: tuple[Example, ...]
    manifest: tuple[Entry, ...]

    @property
    def reasons(self) -> dict[str, int]:
        """Why examples were left out, and how many each time."""
        return dict(Counter(entry.reason for entry in self.manifest if not entry.kept).most_common())


def curate(
    examples: Sequence[Example],
    settings: Curation,
    against: Mapping[str, Sequence[Example]] | None = None,
    count: Count = len,
    kinds: Mapping[str, str] | None = None,
    embed: Embed = embedded,
    key: str = "curate",
) -> Curated:
    """Choose at most `settings.examples` of the examples.

    against: what a split is called -> its examples, none of which is chosen.
    count: the length of a text in `settings.unit`.
    kinds: id -> kind of example, where a quota is by another field than `task` and `group`.
    embed: texts as rows of length 1, of the kind that `settings.embedding` names.
    key: where the settings stand in a config, for messages.
    Raises ConfigError where nothing would be left, or a quota is of a kind that no example has.
    """
    of = kinds_of(examples, settings.quota, kinds, key)
    left, out = list(shuffled(examples, settings.seed)), dict[str, LeftOut]()
    for judge in (
        partial(by_length, settings=settings, count=count),
        partial(by_script, settings=settings),
        partial(by_style, settings=settings, key=key),
        partial(in_splits, against=against or {}),
        repeated,
        nearly_repeated,
    ):
        verdicts = dict(zip((example.id for example in left), judge(left), strict=True))
        out |= {name: verdict for name, verdict in verdicts.items() if verdict}
        left = [example for example in left if not verdicts[example.id]]
    if not left:
        raise ConfigError(f"{key}: no example is left of {len(examples)}: {_counted(out)}; loosen what they failed")
    most = allotted(Counter(of[example.id] for example in left), settings)
    places = _places(left, settings, of, most, embed)
    entries = tuple(_entry(example, settings, of, places.get(example.id), out.get(example.id)) for example in examples)
    chosen = sorted((place for place in places.values() if place.rank), key=lambda place: place.rank)
    return Curated(tuple(place.example for place in chosen), entries)


@dataclass(frozen=True)
class Place:
    """What the choice made of an example that passed every filter.

    rank: its place among the chosen ones, from 1; 0 where it was not chosen.
    distance: from the nearest example chosen before it; None where the choice is at random, and for the first.
    nearest: the id of that one.
    most: how many of its kind may be chosen.
    """

    example: Example
    rank: int
    distance: float | None
    nearest: str
    most: int


def _places(
    left: Sequence[Example], settings: Curation, of: Mapping[str, str], most: Mapping[str, int], embed: Embed
) -> dict[str, Place]:
    """Id -> what the choice made of it."""
    kinds = [of[example.id] for example in left]
    if settings.choose == "random":
        open_places, order = dict(most), list[int]()
        for i, kind in enumerate(kinds):
            if open_places[kind]:
                open_places[kind] -= 1
                order.append(i)
        distances, nearest = [math.inf] * len(left), [0] * len(left)
    else:
        spread = farthest_first(embed([_whole(example) for example in left]), kinds, most)
        order, distances, nearest = [*spread.order], [*spread.distances], [*spread.nearest]
    rank = {place: i for i, place in enumerate(order, 1)}
    return {
        example.id: Place(
            example,
            rank.get(i, 0),
            round(distances[i], DIGITS) if math.isfinite(distances[i]) else None,
            left[nearest[i]].id,
            most[kinds[i]],
        )
        for i, example in enumerate(left)
    }


def _entry(
    example: Example, settings: Curation, of: Mapping[str, str], place: Place | None, left_out: LeftOut | None
) -> Entry:
    entry = partial(Entry, example.id, example.where, kind=of[example.id])
    if left_out is not None:
        return entry(False, None, left_out.reason, left_out.value, left_out.detail)
    assert place is not None, "an example that passes the filters takes part in the choice"
    from_which = "" if place.distance is None else f"from {place.nearest}, the nearest chosen"
    if place.rank:
        how = "drawn" if settings.choose == "random" else "farthest"
        return entry(True, place.rank, how, place.distance, from_which)
    if settings.quota:
        return entry(False, None, "quota", place.most, f"places of {settings.quota.by} {of[example.id]}")
    reason = "not drawn" if settings.choose == "random" else "near the chosen"
    return entry(False, None, reason, place.distance, from_which)


def _whole(example: Example) -> str:
    return f"{question_text(example)}\n{answer_text(example)}"


def _counted(out: Mapping[str, LeftOut]) -> str:
    return ", ".join(f"{n} {reason}" for reason, n in Counter(each.reason for each in out.values()).most_common())
