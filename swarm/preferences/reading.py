"""A rule of choice as the command line's `--select` writes it: RULE, or RULE:NAME=NUMBER,NAME=NUMBER.

NAME is a setting of the rule (`p_mean:p=-2`, `cvar:alpha=0.25`); any other is the name of an objective or a group, and
NUMBER its weight (`weighted_sum:helpful=0.7,harmless=0.3`) or its slack (`lexicographic:maths=0.02,helpful=0`, the most
important first). Names may hold anything but a comma: the last equals sign separates name and number.
"""

from collections.abc import Mapping

from pydantic import ValidationError

from swarm.core.errors import ConfigError
from swarm.preferences import RULES
from swarm.preferences.base import Rule, nearest

FORM = "write RULE:NAME=NUMBER,NAME=NUMBER"


def read_rule(text: str) -> Rule:
    """The rule that the text names. Raises ConfigError; `Rule.check` then says whether its names are known."""
    kind, colon, rest = (part.strip() for part in text.partition(":"))
    if kind not in RULES:
        raise ConfigError(f"--select: {kind!r} is unknown; {nearest(kind, list(RULES))}")
    rule, numbers = RULES[kind], _numbers("--select", text, rest, FORM) if colon else {}
    try:
        return rule.model_validate(_settings(text, rule, numbers))
    except ValidationError as error:
        raise ConfigError(f"--select: {text!r}: {_problem(rule, error)}") from None


def written_rule(settings: Mapping[str, object]) -> str:
    """The rule with these settings as `--select` takes it. Settings that are None are left out."""
    pairs: dict[str, object] = {}
    for name, value in settings.items():
        pairs |= dict(value) if isinstance(value, Mapping) else {name: value}
    kind = str(pairs.pop("type", ""))
    numbers = ",".join(f"{name}={_short(value)}" for name, value in pairs.items() if value is not None)
    return f"{kind}:{numbers}" if numbers else kind


def _short(value: object) -> str:
    return repr(value).removesuffix(".0") if isinstance(value, float) else str(value)


def read_numbers(option: str, text: str) -> dict[str, float]:
    """NAME=NUMBER,NAME=NUMBER of an option as a mapping in that order. Raises ConfigError."""
    return _numbers(option, text, text, "write NAME=NUMBER,NAME=NUMBER")


def _numbers(option: str, text: str, pairs: str, form: str) -> dict[str, float]:
    numbers: dict[str, float] = {}
    for pair in pairs.split(","):
        name, equals, number = (part.strip() for part in pair.rpartition("="))
        if not equals or not name:
            raise ConfigError(f"{option}: {text!r}: {pair.strip()!r} is not NAME=NUMBER; {form}")
        if name in numbers:
            raise ConfigError(f"{option}: {text!r}: {name!r} is given twice; drop one")
        try:
            numbers[name] = float(number)
        except ValueError:
            raise ConfigError(f"{option}: {text!r}: {name} must be a number, not {number!r}") from None
    return numbers


def _settings(text: str, rule: type[Rule], numbers: Mapping[str, float]) -> dict[str, object]:
    """The fields of the rule; what is none of them goes, by its name, to the field that takes names."""
    own = [name for name in rule.model_fields if name not in ("type", rule.names)]
    named = {name: number for name, number in numbers.items() if name not in own}
    if named and rule.names is None:
        remedy = nearest(next(iter(named)), own) if own else "it has none; drop what follows the colon"
        raise ConfigError(f"--select: {text!r}: {next(iter(named))!r} is no setting of this rule; {remedy}")
    settings: dict[str, object] = {name: number for name, number in numbers.items() if name in own}
    return settings | ({str(rule.names): named} if named else {})


def _problem(rule: type[Rule], error: ValidationError) -> str:
    """The first mistake in the user's words."""
    first = error.errors()[0]
    if first["type"] == "missing":
        return f"name at least one objective with its number; {FORM}"
    message = first["msg"].removeprefix("Value error, ").replace("Input should be", "must be")
    number = f", not {first['input']:g}" if isinstance(first["input"], float) else ""
    where = [str(part) for part in first["loc"] if part != rule.names]
    return " ".join([*where[:1], f"{message}{number}"])
