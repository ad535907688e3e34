"""What mends the mistakes in a config and in --set."""

from support.bad_inputs import Scene
from support.remedy_steps import (
    Remedy,
    another_config,
    correct_config,
    put,
    replaced,
    rest_of_the_config,
    setting,
    then,
    typed,
    without,
)


def experts(*names: str) -> object:
    return lambda scene: [str(scene.playground.expert(name)) for name in names]


def the_data(scene: Scene) -> str:
    return str(scene.playground.data)


def a_red_expert(scene: Scene) -> str:
    return str(scene.playground.expert("red"))


def others(scene: Scene) -> dict[str, str]:
    return {"name": "others", "type": "multiple_choice", "data": the_data(scene)}


COMPLETE = then(put("objectives.0.type", "multiple_choice"), put("objectives.0.data", the_data))

FILES: dict[str, tuple[Remedy, ...]] = {
    "no-config": (another_config,),
    "config-is-a-folder": (another_config,),
    "escape-in-a-path": (another_config,),
    "break-in-a-path": (another_config,),
    "turned-path": (another_config,),
    "broken-yaml": (correct_config,),
    "tabs-in-yaml": (correct_config,),
    "key-twice": (then(replaced("base: a\nbase: b", "base: a"), rest_of_the_config),),
    "a-list": (correct_config,),
    "empty": (correct_config,),
}
KEYS: dict[str, tuple[Remedy, ...]] = {
    "unknown-key": (then(without("optimizer"), replaced("optimzer:", "optimizer:")),),
    "misspelt-required-key": (then(replaced("expert:", "experts:"), rest_of_the_config),),
    "unknown-nested-key": (replaced("particels:", "particles:"),),
    "unknown-key-without-type": (replaced("worker:", "workers:"),),
    "unknown-key-of-expert": (then(replaced("trimm:", "trim:"), put("experts.0.path", a_red_expert)),),
    "unknown-key-of-objective": (replaced("metrc:", "metric:"),),
    "unknown-key-called-like-a-kind": (without("optimizer.grid"),),
    "escape-in-a-key": (without("a\x1b[2J"),),
    "a-number-as-key": (replaced("1: a\n", ""),),
}
KINDS: dict[str, tuple[Remedy, ...]] = {
    "unknown-optimizer": (put("optimizer.type", "pso"),),
    "unknown-objective": (put("objectives.0.type", "exact_match"),),
    "unknown-composition": (put("composition.type", "weights"),),
    "unknown-engine": (put("engine.type", "transformers"),),
    "unknown-cluster": (put("cluster.type", "ray"),),
    "objective-without-type": (COMPLETE,),
    "no-member-of-a-union": (
        put("objectives.0.extract", "all"),
        put("objectives.0.extract", {"pattern": "(.*)"}),
    ),
}
VALUES: dict[str, tuple[Remedy, ...]] = {
    "more-workers-than-cores": (put("cluster.workers", 1),),
    "more-gpus-than-there-are": (put("cluster.gpus_per_worker", 0),),
    "a-list-for-a-section": (put("optimizer", {}),),
    "null-for-a-section": (put("optimizer", {}),),
    "no-base": (then(put("base", "base"), rest_of_the_config),),
    "no-experts": (put("experts", experts("red")),),
    "experts-no-list": (put("experts", experts("red")),),
    "mistake-within-a-member-of-a-union": (
        then(
            put("objectives.0.data.search", the_data),
            put("objectives.0.data", the_data),  # the case names no file for the other splits
        ),
    ),
    "objectives-of-one-name": (put("objectives.1", others),),
    "fewer-particles-than-experts": (put("optimizer.particles", 3), put("optimizer.particles", 4)),
    "too-large-a-grid": (
        put("optimizer.points", 5),
        put("experts", experts("red", "green")),
        put("optimizer.iterations", 73_000),
        put("optimizer", {"type": "pso"}),
    ),
}
OVERRIDES: dict[str, tuple[Remedy, ...]] = {
    "no-such-choice": (
        typed("engine.dtype", "engine.dtype=float32"),
        typed("engine.dtype", "engine.dtype=bfloat16"),
        typed("engine.dtype", "engine.dtype=float16"),
    ),
    "wrong-type": (typed("optimizer.particles", "optimizer.particles=10"),),
    "nan-in-config": (typed("composition.high", "composition.high=1.5"),),
    "unknown-groups": (
        typed("composition.groups", "composition.groups=all"),
        typed("composition.groups", "composition.groups=modules"),
        typed("composition.groups", "composition.groups=layers:2"),
        typed("composition.groups", "composition.groups={attention: ['*self_attn*']}"),
    ),
    "too-many-groups": (
        typed("composition.groups", "composition.groups=layers:1"),
        typed("composition.groups", "composition.groups=layers:2"),
    ),
    "impossible-thinning": (typed("experts.0", "experts.0={path: {red}, trim: 1}"),),
    "set-without-value": (typed("seed", "optimizer.particles=10"),),
    "set-in-a-scalar": (typed("base.path", "base={base}"),),
    "set-beyond-a-list": (typed("experts.7", "experts.0={red}"),),
    "set-in-a-list-by-name": (typed("experts.red", "experts.0={red}"),),
    "set-no-yaml": (typed("seed", "seed=1"), typed("seed", "objectives.0.name='[1'")),
    "set-unknown-key": (typed("sed=", "seed=1"),),
    "bad_texts/set-unknown-key": (typed("optimizer.particels=", "optimizer.particles=4"),),
    "set-below-the-least": (typed("optimizer.particles", "optimizer.particles=2"),),
    "set-unknown-dtype": (typed("engine.dtype", "engine.dtype=float32"),),
    "set-a-section": (typed("optimizer=", "optimizer={type: pso}"),),
    "negative-seed": (typed("seed", "seed=0"),),
    "evaluations=0": (typed("optimizer.evaluations", "optimizer.evaluations=1"),),
    "evaluations=-5": (typed("optimizer.evaluations", "optimizer.evaluations=1"),),
    "minutes=0": (typed("optimizer.minutes", "optimizer.minutes=0.5"),),
    "minutes=-1.5": (typed("optimizer.minutes", "optimizer.minutes=1.5"),),
    "iterations=0": (typed("optimizer.iterations", "optimizer.iterations=1"),),
    "patience=0": (typed("optimizer.patience", "optimizer.patience=1"),),
    "no-such-device": (setting("engine.device=auto"), setting("engine.device=cpu")),
}
REMEDIES = {**FILES, **KEYS, **KINDS, **VALUES, **OVERRIDES}
SLOW = frozenset({"too-large-a-grid-3"})
