"""Rules of choice as the command line writes them."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from swarm.core.errors import ConfigError
from swarm.preferences import RULES, Rule
from swarm.preferences.cvar import CVaR
from swarm.preferences.knee import Knee
from swarm.preferences.lexicographic import Lexicographic
from swarm.preferences.linear import WeightedSum
from swarm.preferences.power_means import Nash, PMean
from swarm.preferences.reading import read_rule
from swarm.preferences.tchebycheff import Tchebycheff


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("knee", Knee()),
        (" knee ", Knee()),
        ("weighted_sum", WeightedSum()),
        ("weighted_sum:helpful=0.7,harmless=0.3", WeightedSum(weights={"helpful": 0.7, "harmless": 0.3})),
        ("tchebycheff:helpful=2, harmless = 1", Tchebycheff(weights={"helpful": 2, "harmless": 1})),
        ("tchebycheff:rho=0.01,helpful=2", Tchebycheff(rho=0.01, weights={"helpful": 2})),
        ("lexicographic:maths=0.02,helpful=0", Lexicographic(levels={"maths": 0.02, "helpful": 0})),
        ("p_mean:p=-2", PMean(p=-2)),
        ("p_mean:p=-inf", PMean(p=-np.inf)),
        ("p_mean:p=0,maths=1", PMean(p=0, weights={"maths": 1})),
        ("cvar:alpha=0.25", CVaR(alpha=0.25)),
        ("nash:level:easy-1.b c_2=1,a=b=2", Nash(weights={"level:easy-1.b c_2": 1, "a=b": 2})),
        ("nash:weights=1", Nash(weights={"weights": 1})),
    ],
)
def test_what_is_read(text, rule):
    assert read_rule(text) == rule


def test_the_order_of_the_levels_is_that_of_the_text():
    assert list(read_rule("lexicographic:maths=0.02,helpful=0").levels) == ["maths", "helpful"]
    assert list(read_rule("lexicographic:helpful=0,maths=0.02").levels) == ["helpful", "maths"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("kneee", "--select: 'kneee' is unknown; did you mean 'knee'?"),
        ("", "--select: '' is unknown; known are weighted_sum, tchebycheff, knee"),
        ("weighted-sum:a=1", "--select: 'weighted-sum' is unknown; did you mean 'weighted_sum'?"),
        ("knee:", "--select: 'knee:': '' is not NAME=NUMBER; write RULE:NAME=NUMBER,NAME=NUMBER"),
        ("knee:helpful=1", "--select: 'knee:helpful=1': 'helpful' is no setting of this rule; it has none; drop what"),
        ("cvar:alhpa=0.5", "--select: 'cvar:alhpa=0.5': 'alhpa' is no setting of this rule; did you mean 'alpha'?"),
        ("cvar:alpha=0", "--select: 'cvar:alpha=0': alpha must be greater than 0, not 0"),
        ("p_mean:p=2", "--select: 'p_mean:p=2': p must be less than or equal to 1, not 2"),
        ("p_mean:p=nan", "--select: 'p_mean:p=nan': p must be less than or equal to 1, not nan"),
        ("nash:a", "--select: 'nash:a': 'a' is not NAME=NUMBER; write RULE:NAME=NUMBER"),
        ("nash:=1", "--select: 'nash:=1': '=1' is not NAME=NUMBER"),
        ("nash:a=1,", "--select: 'nash:a=1,': '' is not NAME=NUMBER"),
        ("nash:a=much", "--select: 'nash:a=much': a must be a number, not 'much'"),
        ("nash:a=1,a=2", "--select: 'nash:a=1,a=2': 'a' is given twice; drop one"),
        ("nash:a=-1", "--select: 'nash:a=-1': a must be greater than or equal to 0, not -1"),
        ("nash:a=inf", "--select: 'nash:a=inf': a must be a finite number, not inf"),
        ("nash:a=0,b=0", "--select: 'nash:a=0,b=0': at least one weight must be above 0"),
        ("lexicographic", "--select: 'lexicographic': name at least one objective with its number; write RULE:"),
    ],
)
def test_what_is_refused(text, message):
    with pytest.raises(ConfigError) as refused:
        read_rule(text)
    assert str(refused.value).startswith(message)


def said_of(text):
    """Why the text is refused; None where it is not."""
    try:
        assert isinstance(read_rule(text), Rule)
    except ConfigError as error:
        return str(error)
    return None


@settings(deadline=None)  # the machine may be busy
@given(
    st.one_of(
        st.text(max_size=30),
        st.builds("{}:{}".format, st.sampled_from(list(RULES)), st.text(alphabet="ap=,:.-1e_ n", max_size=12)),
    )
)
def test_any_text_is_a_rule_or_one_line_that_says_why_not(text):
    said = said_of(text)
    assert said is None or said.startswith("--select: ")
    assert "\n" not in (said or "")
