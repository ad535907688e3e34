"""Every form is written whole, with a card that says honestly what is known."""

import re
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from support.exports import exported, make_experts, opened
from support.summaries import SCORE, summary_with
from swarm.core.errors import RunError
from swarm.export import EXPORTS, export


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_experts(tmp_path_factory.mktemp("export"))


@pytest.mark.parametrize("format", EXPORTS)
def test_every_form_is_whole_with_an_honest_card(folder: Path, tmp_path: Path, format: str) -> None:
    what = exported(opened(folder, "plain", "same"))
    card = (export(what, tmp_path / "out", format) / "README.md").read_text()
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    _, front, body = card.split("---\n", 2)
    assert yaml.safe_load(front)["base_model"] == f"{folder}/base"
    assert "merge" in yaml.safe_load(front)["tags"]
    assert "No scores of this weighting" in body
    assert all(expert.name in body and expert.fingerprint in body for expert in what.catalog.experts)
    assert "0.7" in body
    with pytest.raises(RunError, match="not empty"):
        export(what, tmp_path / "out", format)
    export(what, tmp_path / "out", format, overwrite=True)


def test_the_card_shows_scores_only_of_their_candidate(folder: Path, tmp_path: Path) -> None:
    summary = summary_with(
        baselines={
            "uniform": {"test": SCORE, "coefficient": 0.8, "tried": [0.4, 0.8]},
            "expert:plain": {"test": SCORE},
            "base": {"test": None},
        },
        paired={"uniform": {"difference": 0.11, "low": -0.01, "high": 0.23}},
        optimism=0.03,
        versions={"swarm": "9.9"},
    )
    what = replace(exported(opened(folder, "plain")), summary=summary, config_yaml="seed: 0\n")
    card = (export(what, tmp_path / "best", "hf") / "README.md").read_text()
    assert "0.812 [0.750, 0.860], n = 200" in card
    for words in (
        "plain alone",
        "| uniform weights, 0.8 each |",
        "Uniform weights, 0.8 each: the best on search of 0.4, 0.8, the largest that was tried.",
        "no difference shown",
        "+0.030",
        "swarm 9.9",
        "seed: 0",
        "so those\ntwo scores are biased upwards",
        "each for its comparison alone",
    ):
        assert words in card
    other = (export(replace(what, candidate_id="1-1"), tmp_path / "other", "hf") / "README.md").read_text()
    assert "No scores of this weighting" in other
    assert "0.812" not in other
    several = summary_with(best={"id": "3-1", "test": {"maths": SCORE, "style": SCORE}})
    card = (export(replace(what, summary=several), tmp_path / "several", "hf") / "README.md").read_text()
    assert "| this model | maths | – | – | 0.812" in card


def test_the_card_claims_what_the_verdict_does(folder: Path, tmp_path: Path) -> None:
    alone = {"difference": 0.11, "low": 0.01, "high": 0.21}
    text = "Nothing was found that is better than uniform weights."
    verdict = {"found": False, "text": text}
    corrected = {
        "baselines": {"uniform": {"test": SCORE}},
        "paired": {
            "uniform": alone | {"corrected": {"low": -0.02, "high": 0.24}},
            "base": alone | {"corrected": {"low": 0.005, "high": 0.215}},
        },
    }
    what = replace(exported(opened(folder, "plain")), summary=summary_with(**corrected, verdict=verdict))
    card = (export(what, tmp_path / "one", "recipe") / "README.md").read_text()
    assert f"**{text}**" in card
    assert "uniform weights: +0.110 \\[-0.020, +0.240\\]: no difference shown" in card
    assert "the base alone: +0.110 \\[+0.005, +0.215\\]: better" in card
    assert "95 % intervals, corrected for 2 comparisons:" in card
    assert "comparison alone" not in card
    won = summary_with(**corrected, best={"id": "3-1", "source": "uniform", "test": SCORE})
    card = (export(replace(what, summary=won), tmp_path / "won", "recipe") / "README.md").read_text()
    assert "minus uniform weights" not in card
    several = summary_with(
        best={"id": "3-1", "test": dict.fromkeys(("text", "style"), SCORE)},
        verdict=dict.fromkeys(("text", "style"), verdict),
    )
    card = (export(replace(what, summary=several), tmp_path / "two", "recipe") / "README.md").read_text()
    assert f"**text: {text}**" in card
    assert f"**style: {text}**" in card


EVIL = "a|b`c`<b>\"'$x\x1b[31m\u202e"


def test_hostile_names_and_secrets_stay_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the table, the snippet and the settings; no address, path of data or password of the config is shown."""
    monkeypatch.setenv("SERVICE_API_KEY", "hunter2-hunter2")
    folder = make_experts(tmp_path / f"x{EVIL} hunter2-hunter2\n```")
    catalog = opened(folder, "plain")
    what = replace(
        exported(catalog), summary=summary_with(versions={EVIL: EVIL}, verdict={"found": True, "text": EVIL})
    )
    config = {
        "base": "secret/place",
        "objectives": [{"name": EVIL, "type": "exact_match", "data": "secret/place.jsonl"}],
        "optimizer": {"type": "pso", "particles": 4},
        "trackers": [{"type": "mlflow", "tracking_uri": "https://me:opensesame@host"}],
        "seed": 7,
    }
    what = replace(what, config_yaml=yaml.safe_dump(config))
    for format in EXPORTS:
        card = (export(what, tmp_path / format, format) / "README.md").read_text()
        assert not {"\x1b", "\u202e"} & set(card)
        for secret in ("hunter2", "opensesame", "tracking_uri", "secret/place"):
            assert secret not in card
        body = card.split("---\n", 2)[2]
        (row,) = (line for line in body.splitlines() if line.startswith("| plain |"))
        assert len(re.findall(r"(?<!\\)\|", row)) == 6
        assert "seed: 7" in body
        assert "particles: 4" in body
        fences = re.findall(r"(?m)^(`{3,})(\w*)$", body)
        assert [bool(language) for _, language in fences] == [True, False] * (len(fences) // 2)


def test_the_snippet_of_the_card_runs(folder: Path, tmp_path: Path) -> None:
    for format in ("hf", "adapter"):
        place = export(exported(opened(folder, "plain")), tmp_path / f"it's {format}", format)
        code = re.search(r"```python\n(.*?)\n```", (place / "README.md").read_text(), re.DOTALL)[1]  # type: ignore[index]
        found: dict[str, object] = {}
        exec(code.replace('"PATH_OF_THIS_FOLDER"', repr(str(place))), found)
        assert found["model"].num_parameters() > 0  # type: ignore[attr-defined]
