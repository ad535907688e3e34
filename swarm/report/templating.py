"""The templates of the pages, with the filters and words that they use."""

from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined

from swarm.core.markdown import code_block, inline_code, plain_text
from swarm.core.terminal_text import escaped_output
from swarm.report import words
from swarm.report.figures.coefficient_bars import region_words
from swarm.report.figures.interference_heatmap import effect_words


def filled(template: str, page: object) -> str:
    """A template filled in with what `page` holds."""
    environment = _environment(".html." in template)
    environment.finalize = escaped_output()  # by the secrets that the environment holds now
    return environment.get_template(template).render(page=page)


@cache
def _environment(is_html: bool) -> Environment:
    """Kept, as compiling a template takes longer than filling it in."""
    loader = PackageLoader("swarm.report", "templates")
    environment = Environment(
        loader=loader,
        autoescape=is_html,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "thousands": words.thousands,
        "duration": words.duration,
        "cut": words.cut,
        "signed": words.signed,
        "tied": lambda text: text.replace(" %", "\u00a0%"),
        "sentence": lambda text: f"{words.capital(text)}.",
        "flat": lambda text: " ".join(text.split()),
        "md": plain_text,
        "code": inline_code,
    }
    environment.globals |= {
        "count": words.count,
        "chance": words.chance,
        "baseline": words.baseline_name,
        "region_words": region_words,
        "gains_words": words.gains_words,
        "code_block": code_block,
        "effect_words": effect_words,
        "most": 20,
        "first": 5,
    }
    return environment
