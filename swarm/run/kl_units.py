"""Units of a mixed composition: a coordinate's unit is what moves the base as far as that of any other coordinate.

How far is measured as KL(base || candidate) of the next token over right answers of some search examples, with one
coordinate's coefficient at 1 and all others at 0. Near the base it grows with the square of a coefficient, so a unit is
the coefficient sqrt(mean KL / its KL), with the geometric mean over coordinates.
"""

import math
from collections.abc import Mapping
from dataclasses import replace

from swarm.compositions.mixed import Mixed
from swarm.core.errors import SwarmError, first_line
from swarm.core.requests import Continuation, Likelihood
from swarm.engines import Encoder, Engine, Requests
from swarm.engines.transformers.load_model import release_memory
from swarm.run.listener import Listener
from swarm.run.plan import Plan
from swarm.run.requirements import disk_of

EXAMPLES = 16
MOST_BYTES = 4e9  # of a base that is loaded here for this
LEAST, MOST = 0.25, 4.0  # of a unit, in coefficients
TOO_SMALL = 1e-9  # nats: what moves nothing keeps the coefficient as its unit


def with_units(plan: Plan, listener: Listener) -> Plan:
    """The plan with measured scales, where a mixed composition leaves them to us. Its config keeps them."""
    composition = plan.config.composition
    if not isinstance(composition, Mixed) or composition.scales or composition.units == "raw":
        return plan
    if disk_of(plan) > MOST_BYTES:
        listener.note("composition.scales: not measured, as the base is large; a unit is a coefficient of 1")
        return plan
    listener.phase("measuring units")
    try:
        scales = _measured(plan, composition)
    except (SwarmError, RuntimeError) as error:  # a driver may have no such device
        listener.note(f"composition.scales: could not be measured ({first_line(error)}); a unit is a coefficient of 1")
        return plan
    shown = ", ".join(f"{name} {scale:.2f}" for name, scale in scales.items())
    listener.note(f"a unit of each coordinate, as a coefficient that moves the base equally far: {shown}")
    found = composition.model_copy(update={"scales": scales})
    return replace(
        plan,
        config=plan.config.model_copy(update={"composition": found}),
        space=found.space(plan.catalog),
        spec=replace(plan.spec, composition=found),
    )


def _measured(plan: Plan, composition: Mixed) -> dict[str, float]:
    """Coordinate -> its unit, to three digits."""
    engine = plan.config.engine.open(plan.catalog)
    requests = _requests(plan)
    names = composition.coordinates(plan.catalog)
    apart = {name: _divergence(engine, plan, composition, names, name, requests) for name in names}
    del engine
    release_memory()
    moved = [value for value in apart.values() if value > TOO_SMALL]
    if not moved:
        return dict.fromkeys(names, 1.0)
    middle = math.exp(sum(map(math.log, moved)) / len(moved))
    units = {name: math.sqrt(middle / value) if value > TOO_SMALL else 1.0 for name, value in apart.items()}
    return {name: float(f"{min(MOST, max(LEAST, unit)):.3g}") for name, unit in units.items()}


def _divergence(
    engine: Engine, plan: Plan, composition: Mixed, names: tuple[str, ...], name: str, requests: Requests
) -> float:
    """Mean KL over the requests, in nats, where this coordinate alone is 1."""
    recipe = composition.recipe([float(each == name) for each in names], plan.catalog)
    (reply,) = engine.answer([recipe], requests)
    found = [each.divergence or 0.0 for each in reply.answers if isinstance(each, Likelihood)]
    return sum(found) / len(found)


def _requests(plan: Plan) -> Requests:
    """Right answers of search examples, of every objective in turn."""
    examples = [example for part in plan.examples("search").values() for example in part[:EXAMPLES]]
    asked = [
        Continuation(example.prompt, _answer(example.answer, example.choices), divergence=True) for example in examples
    ]
    return Encoder.of(plan.catalog.base.path).encode(asked)


def _answer(answer: str, choices: Mapping[str, str] | None) -> str:
    text = answer if choices is None else choices.get(answer, answer)
    return f" {text or 'yes'}"
