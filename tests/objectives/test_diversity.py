"""Diversity: copies score 0, unrelated texts the top, it rises with temperature, its measures are those of papers."""

from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError

from support.models import make_base
from swarm.compositions import Weights
from swarm.core.examples import Example
from swarm.core.requests import Generation, Text
from swarm.engines.encoding import Encoder
from swarm.engines.transformers.engine import TransformersSettings
from swarm.experts.catalog import open_catalog
from swarm.objectives.diversity import Diversity
from swarm.objectives.diversity_measures import compression, dissimilarity, distinct_n, vendi
from swarm.objectives.sentence_encoder import embeddings

METRICS = ("distinct_n", "compression", "embedding", "vendi")
UNRELATED = (
    "The recipe needs two eggs and a spoon of sugar.",
    "Parliament voted against the new tax on Tuesday.",
    "Quantum computers keep qubits near absolute zero.",
    "My knee hurts whenever I run uphill.",
)
PARAPHRASES = (
    "The recipe needs two eggs and a spoon of sugar.",
    "You need two eggs and one spoon of sugar for the recipe.",
    "For this recipe, take a spoon of sugar and two eggs.",
    "Two eggs and a spoon of sugar are what the recipe calls for.",
)
STORY = Example("s", "Once upon a time", "")


def diversity(metric: str, texts: tuple[str, ...], **settings: object) -> float:
    objective = Diversity(name="x", metric=metric, samples=len(texts), **settings)
    return objective.score(STORY, [Text(text, 9) for text in texts]).score


@pytest.mark.parametrize("metric", METRICS)
class TestEveryMetric:
    @pytest.mark.parametrize("text", [UNRELATED[0], "a a a a a a", "", "日本語のテキスト", "\udcff"])
    def test_copies_score_nothing(self, metric, text):
        assert diversity(metric, (text,) * 5) == pytest.approx(0.0, abs=1e-6)

    def test_unrelated_texts_are_more_diverse_than_paraphrases_and_these_than_copies(self, metric):
        unrelated, alike = diversity(metric, UNRELATED), diversity(metric, PARAPHRASES)
        assert (0.6 if metric == "compression" else 0.75) < unrelated <= 1.0
        assert 0.0 < alike < unrelated - 0.1

    def test_one_more_copy_makes_it_less(self, metric):
        assert diversity(metric, (*UNRELATED, UNRELATED[0])) < diversity(metric, (*UNRELATED, "I like trains a lot."))

    def test_the_order_of_samples_hardly_counts(self, metric):
        assert diversity(metric, UNRELATED[::-1]) == pytest.approx(diversity(metric, UNRELATED), abs=0.02)

    def test_noise_is_rewarded(self, metric):
        rng = np.random.default_rng(0)
        noise = tuple("".join(rng.choice(list("abcdefghijklmnopqrstuvwxyz    "), 48)) for _ in range(4))
        assert diversity(metric, noise) > diversity(metric, PARAPHRASES)


def test_distinct_n_by_hand() -> None:
    # n = 1: 3 of 4, n = 2: 2 of 2, no trigrams; then (0.875 - 0.5) / 0.5.
    assert distinct_n(["a b", "A c"]) == pytest.approx(0.75)
    assert distinct_n(["a b c", "d e f"]) == 1.0
    assert distinct_n(["", ""]) == 0.0


def test_compression_does_not_count_length() -> None:
    rng = np.random.default_rng(0)
    random = ["".join(rng.choice(list("abcdefghijklmnop"), 4000)) for _ in range(4)]
    assert compression(random) > 0.95
    assert compression([random[0]] * 4) == 0.0
    assert 0.2 < compression([random[0], random[0], random[1], random[1]]) < 0.5, "two of four: a third of the way"


def test_dissimilarity_is_centred_on_its_floor() -> None:
    angles = np.array([0.0, np.arccos(0.2)])
    vectors_KD = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    assert dissimilarity(vectors_KD, 0.2) == pytest.approx(1.0)
    assert dissimilarity(vectors_KD, 0.0) == pytest.approx(0.8)
    assert dissimilarity(vectors_KD, 0.5) == 1.0, "further apart than unrelated texts"


def test_vendi_counts_groups_and_equals_the_authors_own() -> None:
    groups_KD = np.repeat(np.eye(3), 2, axis=0)
    assert vendi(groups_KD) == pytest.approx((3 - 1) / 5), "three different texts among six"
    assert vendi(np.eye(4)) == pytest.approx(1.0)
    vectors_KD = np.random.default_rng(0).standard_normal((6, 12))
    vectors_KD /= np.linalg.norm(vectors_KD, axis=1, keepdims=True)
    published = 4.362056210662887  # vendi-score 0.0.3: vendi.score_K(vectors_KD @ vectors_KD.T)
    assert vendi(vectors_KD) == pytest.approx((published - 1) / 5)


def test_embeddings_are_unit_vectors_of_what_is_said() -> None:
    vectors_KD = embeddings(["A man is eating food.", "A man eats a meal.", "The weather in Paris is mild."])
    cosines_KK = vectors_KD @ vectors_KD.T
    assert np.diag(cosines_KK) == pytest.approx(1.0)
    assert cosines_KK[0, 1] == pytest.approx(0.9082309, abs=1e-5)  # of sentence-transformers 6.2.0
    assert abs(cosines_KK[0, 2]) < 0.2


def test_every_sample_has_its_own_seed_and_every_candidate_the_same() -> None:
    def seeds(example: Example, **settings: object) -> list[int]:
        requests = Diversity(name="x", samples=3, **settings).requests(example)
        assert all(isinstance(request, Generation) and request.temperature == 1.0 for request in requests)
        return [request.seed for request in requests if isinstance(request, Generation)]

    other = Example("t", STORY.prompt, "")
    every = [*seeds(STORY), *seeds(other), *seeds(STORY, seed=1)]
    assert len(set(every)) == 9
    assert seeds(STORY) == seeds(STORY) == seeds(Example("s", "Another prompt", ""))
    assert len(Diversity(name="x").requests(STORY)) == 8


@pytest.mark.parametrize("settings", [{"samples": 1}, {"temperature": 0.0}, {"unrelated": 1.0}, {"stop": [""]}])
def test_settings_without_a_meaning_are_refused(settings: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Diversity(name="x", **settings)


def test_the_output_is_all_samples_and_the_encoder_is_decisive_where_it_is_used() -> None:
    scored = Diversity(name="x", samples=2).score(STORY, [Text(" a\nb ", 3), Text("c", 1)])
    assert scored.output == "a b\nc"
    assert "encoder" not in Diversity(name="x").decisive()
    assert Diversity(name="x", metric="vendi").decisive()["encoder"]


def sampled(base: Path, temperature: float, prompts: tuple[str, ...], metric: str, tokens: int) -> float:
    """The mean diversity of a base's own samples."""
    catalog = open_catalog(base, ())
    objective = Diversity(name="x", metric=metric, temperature=temperature, max_new_tokens=tokens, samples=6)
    engine = TransformersSettings(device="cpu", dtype="float32").open(catalog)
    encoder, scores = Encoder.of(base), []
    for i, prompt in enumerate(prompts):
        example = Example(str(i), prompt, "")
        encoded = encoder.encode(objective.requests(example))
        (reply,) = engine.answer([Weights().recipe((), catalog)], encoded)
        scores.append(objective.score(example, reply.answers).score)
    return float(np.mean(scores))


@pytest.mark.parametrize("metric", ["distinct_n", "compression"])
def test_it_rises_with_temperature(metric: str, tmp_path: Path) -> None:
    base = make_base(tmp_path / "base")
    low, middle, high = (sampled(base, t, ("Once", "There was"), metric, 24) for t in (0.001, 0.05, 1.0))
    assert low < middle < high


@pytest.mark.real
@pytest.mark.parametrize("metric", METRICS)
def test_it_rises_with_temperature_on_smollm2(metric: str) -> None:
    from swarm import zoo

    base = zoo.locate("zoo:smollm2")
    prompts = ("My favourite day of the year is", "The old man opened the door and")
    low, middle, high = (sampled(base, t, prompts, metric, 32) for t in (0.1, 0.6, 1.5))
    print(f"{metric}: {low:.3f} at 0.1, {middle:.3f} at 0.6, {high:.3f} at 1.5")
    assert low < middle < high
