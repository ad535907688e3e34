"""Ratings of texts by packages that are an extra: how profane a text is, and how positive its sentiment.

They are loaded when the first text is rated, and know English.
"""

from collections.abc import Callable, Sequence
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import cast

from swarm.core.errors import ConfigError

PROFANITY = "alt-profanity-check"  # the packages by their names in the index
SENTIMENT = "vaderSentiment"


@cache
def profanity_rating(owner: str) -> Callable[[Sequence[str]], list[float]]:
    """Texts -> for each the probability in [0, 1] that it is profane. owner: the objective. Raises ConfigError.

    A linear support vector machine over TF-IDF weights of words, trained by the package's makers on 200,000 labelled
    texts, with calibrated probabilities.
    """
    try:
        from profanity_check import predict_prob
    except ImportError as error:
        raise _missing(owner, PROFANITY, error) from None
    return lambda texts: [min(1.0, max(0.0, float(each))) for each in predict_prob(list(texts))]


@cache
def sentiment_rating(owner: str) -> Callable[[str], float]:
    """Text -> VADER's compound sentiment, from -1 (most negative) to 1 (most positive). Raises ConfigError.

    owner: the objective. Source: Hutto & Gilbert 2014, VADER: a parsimonious rule-based model for sentiment analysis of
    social media text.
    """
    try:
        from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer
    except ImportError as error:
        raise _missing(owner, SENTIMENT, error) from None
    analyser = SentimentIntensityAnalyzer()
    return lambda text: cast(float, analyser.polarity_scores(text)["compound"])


def package_version(package: str) -> str:
    """The installed release, which decides scores; "" where it is not installed."""
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


def _missing(owner: str, package: str, error: ImportError) -> ConfigError:
    return ConfigError(f"objectives.{owner}: {package} cannot be imported ({error}); pip install 'swarm-experts[text]'")
