"""Goals that do not go together: floors, fronts, weights, rules of choice, tasks of which there is nothing."""

from collections.abc import Callable

from support.bad_inputs import Case, Scene, Words


def of_objective(**settings: object) -> Callable[[Scene], Words]:
    return lambda scene: scene.search_objective(**settings)


def two(optimizer: str = "guided_pso", **settings: object) -> Callable[[Scene], Words]:
    """A search whose two objectives have the same data; settings of the second one."""

    def arrange(scene: Scene) -> Words:
        one = {"name": "words", "type": "multiple_choice", "data": str(scene.playground.data)}
        both = [one, one | {"name": "again"} | settings]
        return scene.search(objectives=both, optimizer={"type": optimizer, "evaluations": 8})

    return arrange


def ruled(rule: object) -> Callable[[Scene], Words]:
    return lambda scene: scene.search(selection={"select": rule})


CASES = [
    Case("floor-in-words", of_objective(floor="high"), "objectives.0.floor", "'high'", "a number such as 0.9"),
    Case(
        "floor-of-another", of_objective(floor="expert - 0.1"), "objectives.0.floor", "'expert - 0.1'", '"base - 0.02"'
    ),
    Case("floor-unheard", two("pso", floor=0.5), "optimizer", "pso learns nothing of floors", "take guided_pso"),
    Case("front-of-one", lambda s: s.search(optimizer={"goal": "front"}), "optimizer", "goal: front", "goal: best"),
    Case(
        "front-of-no-type",
        lambda s: s.search(optimizer={"type": "pso", "goal": "front"}),
        "optimizer.goal",
        "'front'",
        "take optimizer.type: guided_pso",
    ),
    Case("no-weight", of_objective(weight=0), "objectives", "every weight is 0", "give one a weight above 0"),
    Case("negative-weight", of_objective(weight=-1), "objectives.0.weight", "-1", "at least 0"),
    Case("downwards", of_objective(direction="down"), "objectives.0.direction", "'down'", "'higher' or 'lower'"),
    Case("reference-in-words", of_objective(reference="base"), "objectives.0.reference", "'base'", "a number"),
    Case("tasks-of-nothing", of_objective(only_tasks=["none"]), "only_tasks", "'none'", "the tasks of its data are"),
    Case("rule-of-none", ruled("best"), "selection.select", "'best'", "knee"),
    Case(
        "rule-with-more", ruled({"type": "knee", "weights": {"words": 1}}), "selection.select", "'weights'", "known are"
    ),
    Case("rule-of-weight-0", ruled({"type": "nash", "weights": {"words": 0}}), "selection.select", "weight", "above 0"),
    Case("no-members", lambda s: s.search(selection={"members": 0}), "selection.members", "0", "at least 1"),
    Case("floors-anyhow", lambda s: s.search(selection={"floors": "keep"}), "selection.floors", "'keep'", "'nearest'"),
]
