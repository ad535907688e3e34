"""What the messages about `swarm build` say to do. Each is followed by a build of one step: most in slow tests."""

from support.bad_build import GOOD, build, rows
from support.bad_inputs import Scene, Words
from support.remedy_steps import Remedy, instead, put, setting, without


def learning(*examples: object) -> Remedy:
    """Correct the examples."""

    def follow(scene: Scene, words: Words) -> Words:
        rows(scene, *examples)
        return words

    return follow


def overwritten(scene: Scene, words: Words) -> Words:
    return [*words, "--overwrite"]


def by_the_other_command(scene: Scene, words: Words) -> Words:
    """Run the command that the message names, on the same config."""
    return ["check", words[1]]


def as_texts(scene: Scene, words: Words) -> Words:
    rows(scene, GOOD)
    return words


def as_pairs(scene: Scene, words: Words) -> Words:
    rows(scene, {"prompt": "abc=", "chosen": "cba", "rejected": "abc"})
    return words


on_the_playground = put("base", lambda scene: str(scene.playground.base))
good_data = (learning(GOOD, GOOD | {"prompt": "bcd="}),)

REMEDIES: dict[str, tuple[Remedy, ...]] = {
    "unknown-builder": (put("experts.0.type", "dpo"),),
    "no-builder": (put("experts.0.type", "sft"),),
    "key-of-another-builder": (without("experts.0.betta"),),
    "two-lengths": (without("experts.0.epochs"), without("experts.0.steps")),
    "name-with-a-slash": (put("experts.0.name", "a-b"),),
    "built-under-one-name": (put("experts.1.name", "other"),),
    "whole-share": (put("experts.0.held_out", 0.5),),
    "axis-without-words": (put("experts.0.instruction", "Answer politely."),),
    "sequence-of-two-ranks": (put("experts.1.rank", 2), without("forgetting")),
    "rank-of-a-control-layer": (without("experts.0.rank"),),
    "full-control-layer": (without("experts.0.full"),),
    "control-layers-in-sequence": (without("forgetting"),),
    "control-layer-to-curate": (without("experts.0.curate"),),
    "control-without-beta": (put("experts.0.beta", 0.005),),
    "recurrent-to-control": (on_the_playground,),
    "mixture-to-control": (on_the_playground, put("experts.0.type", "dpo")),
    "pairs-to-curate": (lambda scene, words: without("experts.0.curate")(scene, as_pairs(scene, words)),),
    "none-curated-to-learn": (put("experts.0.curate", {"examples": 9}),),
    "curated-against-nowhere": (without("experts.0.curate.against"),),
    "search-to-build": (by_the_other_command,),
    "build-to-search": (instead(build),),
    "nothing-to-learn": good_data,
    "nothing-to-prefer": good_data,
    "no-answer-to-learn": good_data,
    "nothing-rejected": good_data,
    "nothing-preferred": good_data,
    "chosen-by-the-user": good_data,
    "two-questions": good_data,
    "unknown-role": good_data,
    "all-too-long": (put("experts.0.max_length", 200), *good_data),
    "longer-than-the-base": good_data,
    "nothing-left-to-learn": (*good_data, put("experts.0.held_out", "data.jsonl")),
    "no-such-examples": (put("experts.0.data", "data.jsonl"),),
    "unknown-modules": (put("experts.0.target_modules", ["q_proj"]), without("experts.0.target_modules")),
    "head-to-adapt": (put("experts.0.target_modules", ["q_proj"]), without("experts.0.target_modules")),
    "quantised-to-train": (on_the_playground,),
    "encoder-decoder-to-train": (on_the_playground,),
    "adapter-to-train": (on_the_playground,),
    "no-template-to-build": (put("chat", "auto"),),
    "chats-without-template": (as_texts,),
    "chats-as-texts": (setting("chat=auto"),),
    "too-fast-to-learn": (put("experts.0.learning_rate", 1e-3),),
    "out-is-a-file": (put("out", "experts"),),
    "folder-of-the-user": (put("experts.0.name", "another"), put("out", "more"), overwritten),
    "built-from-another-base": (put("experts.0.name", "another"), put("out", "more"), overwritten),
}
DEFAULT = ("search-to-build-1",)  # followed in every run of the tests
SLOW = frozenset(
    name for key, each in REMEDIES.items() for i in range(1, len(each) + 1) if (name := f"{key}-{i}") not in DEFAULT
)
