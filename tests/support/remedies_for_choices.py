"""What the messages about choices from a front say to do."""

from support.bad_inputs import Scene, Words
from support.front_runs import front_run, used_front_run
from support.playground import run_cli
from support.remedy_steps import Remedy, given, typed


def without(option: str, values: int = 1) -> Remedy:
    """Drop an option and its values."""

    def follow(scene: Scene, words: Words) -> Words:
        at = words.index(option)
        return [*words[:at], *words[at + 1 + values :]]

    return follow


def of_the_front(scene: Scene, words: Words) -> Words:
    """Give a run that searched for a front."""
    return [words[0], used_front_run(scene.playground), *words[2:]]


def by_candidate(scene: Scene, words: Words) -> Words:
    """Name a candidate that swarm candidates lists."""
    return [*words[:3], "--candidate", "0-0", "--format", "recipe"]


def best(scene: Scene, words: Words) -> Words:
    return [*words[:3], "--format", "recipe"]


def resumed(scene: Scene, words: Words) -> Words:
    assert run_cli("resume", scene.run).code == 0
    return words


def restored(scene: Scene, words: Words) -> Words:
    copy = (front_run(scene.playground) / "decisions.jsonl").read_bytes()
    (scene.run / "decisions.jsonl").write_bytes(copy)
    return words


WITH_RULE = given("--select", "borda")
REMEDIES: dict[str, tuple[Remedy, ...]] = {
    "rule-unknown": (typed("kne", "knee"),),
    "rule-of-no-objective": (typed("weighted_sum:aa=1", "weighted_sum:a=1"),),
    "rule-of-weights-0": (typed("nash:a=0,b=0", "nash:a=0,b=1"),),
    "rule-and-candidate": (without("--candidate"), without("--select")),
    "rule-for-no-front": (best, by_candidate, of_the_front),
    "plural-of-no-front": (best, by_candidate, of_the_front),
    "choice-unfinished": (resumed,),
    "compared-anyhow": (typed("mean", "means"), typed("mean", "lower_bounds")),
    "compared-without-rule": (WITH_RULE, without("--compare")),
    "groups-unknown": (typed("xx", "x"),),
    "groups-unheard": (without("--groups"), typed("knee", "cvar"), typed("knee", "borda"), typed("knee", "copeland")),
    "most-of-one": (given("--plural"), without("--most")),
    "by-of-no-choice": (WITH_RULE, without("--by")),
    "rule-for-a-recipe": (of_the_front,),
    "preference-negative": (typed("a=-1,b=2", "a=0,b=2"),),
    "preference-of-nothing": (typed("a=0", "a=1"),),
    "preference-in-words": (typed("a=high", "a=0.9"),),
    "preference-unknown": (typed("c=1", "a=1"), typed("c=1", "b=1")),
    "preference-bare": (typed("a", "a=1"),),
    "decisions-damaged": (restored,),
    "decisions-of-no-run": (of_the_front,),
}
SLOW = frozenset({"choice-unfinished-1"})
