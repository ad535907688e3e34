"""What mends goals that do not go together."""

from support.remedy_steps import Remedy, put, then, without

TAUGHT = put("optimizer.type", "guided_pso")
REMEDIES: dict[str, tuple[Remedy, ...]] = {
    "floor-in-words": tuple(then(put("objectives.0.floor", each), TAUGHT) for each in (0.0, "base - 1")),
    "floor-of-another": (then(put("objectives.0.floor", "base - 1"), TAUGHT),),
    "floor-unheard": (put("optimizer.type", "guided_pso"), put("optimizer.type", "bayesian")),
    "front-of-one": (put("optimizer.goal", "best"),),
    "front-of-no-type": (without("optimizer.goal"),),
    "no-weight": (put("objectives.0.weight", 1),),
    "negative-weight": (put("objectives.0.weight", 1),),
    "downwards": (put("objectives.0.direction", "lower"),),
    "reference-in-words": (put("objectives.0.reference", 0.1),),
    "tasks-of-nothing": (without("objectives.0.only_tasks"),),
    "rule-of-none": (put("selection.select", "knee"),),
    "rule-with-more": (without("selection.select.weights"),),
    "rule-of-weight-0": (put("selection.select.weights.words", 1),),
    "no-members": (put("selection.members", 1),),
    "floors-anyhow": (put("selection.floors", "nearest"),),
}
