"""What is left out of training data, filter by filter, each with the value that decided.

A filter gets the examples that are left, and gives for each why it is left out, or None.
"""

import unicodedata
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from swarm.core.examples import Example
from swarm.core.terminal_text import shortened
from swarm.data.curation_settings import Bounds, Curation, Script
from swarm.data.duplicates import answer_text, content_key, prompt_key, question_text, repeated_by, similar_pairs
from swarm.data.patterns import searched

Count = Callable[[str], int]
# How the names of Unicode's characters begin, by script.
LETTERS: Mapping[Script, tuple[str, ...]] = {
    "latin": ("LATIN", "FULLWIDTH LATIN"),
    "cyrillic": ("CYRILLIC",),
    "greek": ("GREEK",),
    "arabic": ("ARABIC",),
    "hebrew": ("HEBREW",),
    "devanagari": ("DEVANAGARI",),
    "bengali": ("BENGALI",),
    "thai": ("THAI",),
    "han": ("CJK",),
    "japanese": ("CJK", "HIRAGANA", "KATAKANA", "HALFWIDTH KATAKANA"),
    "korean": ("HANGUL", "CJK"),
}


@dataclass(frozen=True)
class LeftOut:
    """Why an example is left out.

    reason: the filter, as summaries count it.
    value: what was found: a length, a share, a text, a similarity.
    detail: what it should have been, or which example it repeats.
    """

    reason: str
    value: float | str
    detail: str


Verdicts = list[LeftOut | None]


def by_length(examples: Sequence[Example], settings: Curation, count: Count) -> Verdicts:
    def verdict(example: Example) -> LeftOut | None:
        parts = (("prompt", question_text(example), settings.prompt), ("answer", answer_text(example), settings.answer))
        for name, text, bounds in parts:
            if (low_or_high := _outside(length := count(text.strip()), bounds)) is not None:
                return LeftOut(f"length of the {name}", length, f"{low_or_high} {settings.unit}")
        return None

    return [verdict(example) for example in examples]


def by_script(examples: Sequence[Example], settings: Curation) -> Verdicts:
    """A heuristic: the share of letters of one script. It tells no languages of one script apart."""
    script = settings.script
    if script is None:
        return [None] * len(examples)
    shares = [share_of(f"{question_text(each)}\n{answer_text(each)}", script) for each in examples]
    return [
        LeftOut("script", round(share, 4), f"share of {script} letters at least {settings.share:g}")
        if share < settings.share
        else None
        for share in shares
    ]


def share_of(text: str, script: Script) -> float:
    """The share of the text's letters that are of a script; 1 where there are none."""
    letters = Counter(character for character in text if character.isalpha())
    own = sum(n for letter, n in letters.items() if unicodedata.name(letter, "").startswith(LETTERS[script]))
    return own / letters.total() if letters else 1.0


def by_style(examples: Sequence[Example], settings: Curation, key: str) -> Verdicts:
    """key: begins the message about an expression that takes too long."""
    answers = [answer_text(example) for example in examples]
    verdicts: Verdicts = [None] * len(examples)
    for name, wanted in (("must_match", True), ("must_not_match", False)):
        for pattern in getattr(settings, name):
            for i, found in enumerate(searched(pattern, answers, f"{key}.{name}")):
                if (found is not None) != wanted and verdicts[i] is None:
                    verdicts[i] = LeftOut("style", shortened(found or ""), f"{name} {shortened(pattern)}")
    return verdicts


def in_splits(examples: Sequence[Example], against: Mapping[str, Sequence[Example]]) -> Verdicts:
    """Examples that repeat one of a split, exactly or nearly, as `swarm check` finds what experts were trained on.

    against: what a split is called -> its examples.
    """
    named = [(owner, example) for owner, split in against.items() for example in split]
    asked = {prompt_key(example): (owner, example) for owner, example in reversed(named)}
    repeats = repeated_by([example for _, example in named], map(question_text, examples)) if named else {}

    def verdict(place: int, example: Example) -> LeftOut | None:
        twin, repeat = asked.get(prompt_key(example)), repeats.get(place)
        if twin is None and repeat is None:
            return None
        owner, other = twin or named[repeat.example]  # type: ignore[union-attr]
        same = twin is not None or (repeat is not None and repeat.same)
        return LeftOut("in a split", "the same" if same else "nearly the same", f"as {other.id} of {owner}")

    return [verdict(place, example) for place, example in enumerate(examples)]


def repeated(examples: Sequence[Example]) -> Verdicts:
    """Examples that ask the same as others. The first with the answer that is given most often is kept."""
    together: dict[str, list[Example]] = {}
    for example in examples:
        together.setdefault(prompt_key(example), []).append(example)
    kept = {key: _first_of_most(group) for key, group in together.items()}

    def verdict(example: Example) -> LeftOut | None:
        twin = kept[prompt_key(example)]
        if twin is example:
            return None
        if content_key(twin) == content_key(example):
            return LeftOut("exact duplicate", "the same", f"as {twin.id}")
        return LeftOut("another answer", shortened(answer_text(example)), f"than {twin.id}")

    return [verdict(example) for example in examples]


def _first_of_most(group: Sequence[Example]) -> Example:
    given = Counter(map(content_key, group))
    return max(group, key=lambda example: given[content_key(example)])  # of several the first


def nearly_repeated(examples: Sequence[Example]) -> Verdicts:
    """Examples that nearly ask the same as one before them that is kept."""
    verdicts: Verdicts = [None] * len(examples)
    for pair in sorted(similar_pairs(examples, examples), key=lambda pair: (pair.right, pair.left)):
        if pair.left < pair.right and verdicts[pair.left] is None and verdicts[pair.right] is None:
            value = round(pair.similarity, 4)
            verdicts[pair.right] = LeftOut("near-duplicate", value, f"with {examples[pair.left].id}")
    return verdicts


def _outside(length: int, bounds: Bounds) -> str | None:
    if length < bounds.low:
        return f"at least {bounds.low}"
    return f"at most {bounds.high}" if bounds.high is not None and length > bounds.high else None
